"""Chance: a stream of integers from a key, the same in every language (随机数流).

Law: the same key and label give the same integers for ever; every value below a bound is
equally likely, by rejection. Source: docs/reference/proof.md, "The stream".
"""

import hashlib
import struct

KEY_BYTES = 32
LABEL_BYTES_MAX = 255

_BLOCK_BYTES = 64  # of SHA-256, where HMAC pads its key
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_BLOCK_WORDS = 4
_WORD_BITS = 64
_WORD_RANGE = 1 << _WORD_BITS


class Stream:
    """A stream of uniform integers: HMAC-SHA-256 in counter mode.

    Block i is HMAC(key, length of label ‖ label ‖ i as eight bytes); each block is four
    big-endian words of 64 bits, used in order. The key must be secret until the result is.
    """

    __slots__ = ("_counter", "_inner", "_outer", "_words")

    def __init__(self, key: bytes, label: bytes) -> None:
        assert len(key) == KEY_BYTES, "a stream is keyed by 32 bytes"
        assert 0 < len(label) <= LABEL_BYTES_MAX, "the label's length is one byte"
        # HMAC unrolled: both padded keys are hashed once and copied for each block, which
        # takes a third of the time of a fresh HMAC object.
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER_PAD) + bytes((len(label),)) + label)
        self._outer = hashlib.sha256(padded.translate(_OUTER_PAD))
        self._counter = 0
        self._words: list[int] = []

    def below(self, bound: int) -> int:
        """Draw a uniform integer in 0 … bound - 1.

        One word serves a bound up to 2^64; a wider one takes as many words as hold bound - 1.
        What would favour small values is thrown away and drawn again.
        """
        assert bound > 0, "nothing lies below zero"
        if bound > _WORD_RANGE:
            return self._below_wide(bound)
        limit = _WORD_RANGE - _WORD_RANGE % bound
        while True:
            if not self._words:
                self._refill()
            word = self._words.pop()
            if word < limit:
                return word % bound

    def distinct(self, size: int, places: int) -> set[int]:
        """Draw a uniform set of `size` distinct places among 0 … places - 1 (Floyd)."""
        assert 0 <= size <= places, "more marks than places"
        if places > _WORD_RANGE:
            return self._distinct_wide(size, places)
        # `below` written out: this is the loop where a split spends its time. A word up to `sure`
        # is under the limit of every bound up to `places`, so only the rest are looked at twice.
        sure = _WORD_RANGE - places
        words = self._words
        if len(words) < size:
            words = self._refill(-(-(size - len(words)) // _BLOCK_WORDS))
        chosen: set[int] = set()
        for top in range(places - size, places):
            while True:
                if not words:
                    words = self._refill()
                word = words.pop()
                if word <= sure or word < _WORD_RANGE - _WORD_RANGE % (top + 1):
                    break
            place = word % (top + 1)
            chosen.add(top if place in chosen else place)
        return chosen

    def _distinct_wide(self, size: int, places: int) -> set[int]:
        chosen: set[int] = set()
        for top in range(places - size, places):
            place = self.below(top + 1)
            chosen.add(top if place in chosen else place)
        return chosen

    def _below_wide(self, bound: int) -> int:
        count = -(-(bound - 1).bit_length() // _WORD_BITS)
        limit = (1 << (_WORD_BITS * count)) // bound * bound
        while True:
            value = 0
            for _ in range(count):
                value = value << _WORD_BITS | self.below(_WORD_RANGE)
            if value < limit:
                return value % bound

    def _refill(self, blocks: int = 1) -> list[int]:
        """Make this many blocks of words, behind those that are left."""
        copy_inner, copy_outer, counter = self._inner.copy, self._outer.copy, self._counter
        parts: list[bytes] = []
        for number in range(counter, counter + blocks):
            inner = copy_inner()
            inner.update(number.to_bytes(8))
            outer = copy_outer()
            outer.update(inner.digest())
            parts.append(outer.digest())
        self._counter = counter + blocks
        fresh = list(struct.unpack(f">{blocks * _BLOCK_WORDS}Q", b"".join(parts)))
        fresh.reverse()  # so that pop takes them in order
        self._words = words = fresh + self._words
        return words
