"""The stream of chance: standard HMAC, rejection and nothing else."""

import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.chance import Stream

KEY = bytes(range(32))


def words(key, label, count):
    """Return the first words by the textbook: one HMAC a block, from the standard library."""
    blocks = b"".join(
        hmac.digest(key, bytes((len(label),)) + label + block.to_bytes(8), "sha256")
        for block in range(-(-count // 4))
    )
    return [int.from_bytes(blocks[at : at + 8]) for at in range(0, 8 * count, 8)]


def test_stream_is_hmac_in_counter_mode():
    """Our unrolled HMAC must be the standard one, or no other language can follow it."""
    stream = Stream(KEY, b"label")
    drawn = [stream.below(2**64) for _ in range(11)]
    assert words(KEY, b"label", 11) == drawn


def test_stream_rejects_what_would_favour_small_values():
    """A bound just above half the range refuses almost every other word: modulo would show."""
    bound = 2**63 + 1
    source = words(KEY, b"label", 200)
    expected = [word for word in source if word < bound]
    stream = Stream(KEY, b"label")
    drawn = [stream.below(bound) for _ in range(len(expected))]
    assert expected == drawn
    assert 60 < len(expected) < 140, "the vector must really contain refusals"


def test_stream_takes_more_words_for_a_wide_bound():
    """Totals beyond 64 bits are drawn from as many words as they need, highest first."""
    first, second = words(KEY, b"label", 2)
    assert (first << 64 | second) % 2**65 == Stream(KEY, b"label").below(2**65)


def test_stream_of_another_label_is_another_stream():
    """Domain separation: the same key may serve the split and the draw."""
    one, other = Stream(KEY, b"a"), Stream(KEY, b"b")
    assert [one.below(2**64) for _ in range(4)] != [other.below(2**64) for _ in range(4)]


def test_stream_rejects_wide_draws_too():
    """Just above half of two words almost every other pair is refused."""
    bound = 2**127 + 1
    source = words(KEY, b"label", 200)
    pairs = [high << 64 | low for high, low in zip(source[::2], source[1::2], strict=True)]
    expected = [pair for pair in pairs if pair < bound]
    stream = Stream(KEY, b"label")
    assert expected == [stream.below(bound) for _ in expected]
    assert len(expected) < len(pairs)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**140))
def test_below_stays_below(key, bound):
    """The law of the function, for any bound."""
    stream = Stream(key, b"x")
    assert all(0 <= stream.below(bound) < bound for _ in range(8))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 60), st.integers(0, 2**66))
def test_distinct_marks_are_distinct_and_in_place(key, size, more):
    """Floyd's algorithm gives exactly so many different places, whatever the range."""
    marks = Stream(key, b"x").distinct(size, size + more)
    assert size == len(marks)
    assert all(0 <= mark < size + more for mark in marks)


def test_distinct_draws_the_same_words_as_below():
    """The fast loop is the slow one written out: same words, same refusals."""
    for size, places in ((20, 30), (7, 2**63 + 12_345), (9, 2**64)):
        fast, slow = Stream(KEY, b"x"), Stream(KEY, b"x")
        assert slow._distinct_wide(size, places) == fast.distinct(size, places)
        assert slow.below(2**64) == fast.below(2**64), "both must stand at the same word after"


@pytest.mark.parametrize(
    ("key", "label"), [(b"short", b"x"), (KEY, b""), (KEY, b"x" * 256)], ids=["key", "none", "long"]
)
def test_stream_refuses_a_wrong_key_or_label(key, label):
    """A short key or an unnamed stream is a bug of the caller."""
    with pytest.raises(AssertionError):
        Stream(key, label)


def test_stream_words_look_uniform():
    """A coarse look at every bit of fresh words: six standard errors."""
    stream = Stream(hashlib.sha256(os.urandom(32)).digest(), b"x")
    size = 4096
    ones = [0] * 64
    for _ in range(size):
        word = stream.below(2**64)
        for bit in range(64):
            ones[bit] += word >> bit & 1
    assert all(abs(count - size / 2) < 6 * (size / 4) ** 0.5 for count in ones)
