"""Journal bytes: canonical, read back exactly, unchanged for ever, and damaged means Damaged."""

import importlib.util
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.fault import Damaged
from lingqian.ledger.posting import Posting
from lingqian.storage.codec import NO_OUTCOME, VERSION, Row, decode, encode, seal

_spec = importlib.util.spec_from_file_location(
    "journal_vectors", Path(__file__).with_name("journal_vectors.py")
)
journal_vectors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(journal_vectors)
ROWS = list(journal_vectors.rows())
NAMES = [f"{type(command).__name__}-{place}" for place, command, *_ in ROWS]


@pytest.mark.parametrize("made", ROWS, ids=NAMES)
def test_row_is_read_back_as_it_was_written(made):
    """Types too: a list that comes back as a tuple would not equal the record in memory."""
    _, command, outcome, row, posted, relayed = made
    decoded = decode(row)
    record = decoded.record
    assert (record.command, record.outcome, record.credits) == (command, outcome, relayed)
    assert type(record.command) is type(command)
    assert type(record.outcome) is type(outcome)
    assert (record.seq, record.at_us, record.kind, record.code) == (2, 3, row.kind, 0)
    assert decoded.posted == posted
    assert record.postings == tuple(Posting(*each[:4]) for each in posted)
    assert encode(record.command, record.outcome, decoded.posted, record.credits) == row.body


def test_bytes_of_every_kind_are_what_they_were():
    """A journal outlives the program that wrote it; see journal_vectors.py when this fails."""
    assert json.loads(journal_vectors.FILE.read_text("utf-8")) == journal_vectors.vectors()


def test_rows_of_an_earlier_form_are_read():
    """Fields are appended only: what was written before them reads as if they were nothing."""
    found = list(journal_vectors.earlier())
    assert found
    for _, command, outcome, row in found:
        record = decode(row).record
        for read, made in ((record.command, command), (record.outcome, outcome)):
            count = journal_vectors.APPENDED.get(type(made))
            if count is None:
                assert read == made
            else:
                assert read[:-count] == made[:-count]
                assert not any(read[-count:])


def test_body_begins_with_its_version_and_outcome():
    """So that a later version can be told apart before anything is read."""
    for place, _, _, row, _, _ in ROWS:
        assert row.body[:2] == bytes((VERSION, place))
    assert all(len(row.body) > 2 for _, _, _, row, _, _ in ROWS)
    assert max(place for place, *_ in ROWS) == NO_OUTCOME


@pytest.mark.parametrize("made", ROWS, ids=NAMES)
def test_body_cut_anywhere_is_damaged(made):
    """Never half a command."""
    row = made[3]
    for end in range(len(row.body)):
        with pytest.raises(Damaged):
            decode(row._replace(body=row.body[:end]))
    with pytest.raises(Damaged):
        decode(row._replace(body=row.body + b"\0"))


def test_body_of_another_version_kind_or_outcome_is_damaged():
    """A program must not guess at what it does not know."""
    row = ROWS[0][3]
    for changed in (
        row._replace(body=bytes((VERSION + 1,)) + row.body[1:]),
        row._replace(body=row.body[:1] + b"\x77" + row.body[2:]),
        row._replace(kind=99),
        row._replace(body=b""),
    ):
        with pytest.raises(Damaged, match="unknown form"):
            decode(changed)


def test_body_with_flipped_bits_is_damaged_or_another_record():
    """Fuzz: a decoder may refuse or read something else, and never fail in another way."""
    seed = os.urandom(8).hex()
    chance = random.Random(seed)
    for _ in range(3_000):
        row = chance.choice(ROWS)[3]
        body = bytearray(row.body)
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        try:
            decoded = decode(row._replace(body=bytes(body)))
        except Damaged:
            continue
        assert decoded.record.kind == row.kind, f"seed {seed}"


@given(st.binary(max_size=300), st.sampled_from([row for *_, row, _, _ in ROWS]))
def test_garbage_is_damaged(body, row):
    """Whatever lies in the file, the answer is a finding and not a traceback."""
    for candidate in (body, row.body[:2] + body):
        try:
            decode(row._replace(body=candidate))
        except Damaged:
            continue


LINES = [Row(1, seq, 10 + seq, 4, 0, bytes((seq,)) * seq) for seq in range(1, 5)]
HEAD, BATCH = b"h" * 32, b"b" * 16


def changed_lines():
    """Yield every way to change a batch by one thing."""
    yield "head", bytes(32), BATCH, LINES
    yield "batch", HEAD, bytes(16), LINES
    yield "order", HEAD, BATCH, [LINES[1], LINES[0], *LINES[2:]]
    yield "first cut", HEAD, BATCH, LINES[1:]
    yield "last cut", HEAD, BATCH, LINES[:-1]
    yield "middle cut", HEAD, BATCH, [LINES[0], *LINES[2:]]
    for place, field in enumerate(Row._fields):
        for number, line in enumerate(LINES):
            value = line.body + b"x" if field == "body" else line[place] + 1
            lines = [*LINES]
            lines[number] = line._replace(**{field: value})
            # A lane is sealed once for the batch and once in each row, both count.
            yield f"{field} of row {number}", HEAD, BATCH, lines
    moved = [LINES[0]._replace(body=b"xy"), LINES[1]._replace(body=b"z"), *LINES[2:]]
    again = [LINES[0]._replace(body=b"x"), LINES[1]._replace(body=b"yz"), *LINES[2:]]
    assert seal(HEAD, BATCH, moved) != seal(HEAD, BATCH, again), "bytes slid between rows"


def test_seal_covers_every_byte_of_a_batch():
    """Whatever is changed, moved or cut, the head is another."""
    known = {seal(HEAD, BATCH, LINES): "the batch itself"}
    for what, head, batch, lines in changed_lines():
        sealed = seal(head, batch, lines)
        assert sealed not in known, f"{what} is sealed like {known.get(sealed)}"
        known[sealed] = what
