"""Matching: our rows and the lines of a trade bill, brought together by their numbers (勾对).

Law: every row and every line comes out in exactly one item, whatever the order and the batches
they came in. The key is our own number; the channel's number serves where ours leads nowhere.
"""

from collections.abc import Iterable

from lingqian.channels.port import BillRow
from lingqian.clearing.item import WAYS, Booked, Item, Way, channel_no_of, number_of

Key = tuple[Way, str]


class Sheet:
    """One account's day while it is being matched: our rows, and bill lines as they come."""

    def __init__(self, booked: Iterable[Booked]) -> None:
        self._booked: dict[Key, Booked] = {}
        self._by_channel: dict[Key, Key] = {}
        self._lines: dict[Key, list[BillRow]] = {}
        for row in booked:
            key = (row.way, row.number)
            assert key not in self._booked, "our numbers are unique"
            self._booked[key] = row
            if row.channel_no:
                self._by_channel[row.way, row.channel_no] = key

    def add(self, lines: Iterable[BillRow]) -> None:
        """Take more lines of the day's trade bill."""
        for line in lines:
            self._lines.setdefault(self._key(line), []).append(line)

    def items(self) -> tuple[Item, ...]:
        """Return every item, payments first, by number; both sides where both are known."""
        return tuple(self._item(key) for key in sorted(self._booked.keys() | self._lines.keys()))

    def _key(self, line: BillRow) -> Key:
        way = WAYS[line.side]
        key = (way, number_of(line))
        if key in self._booked:
            return key
        return self._by_channel.get((way, channel_no_of(line)), key)

    def _item(self, key: Key) -> Item:
        lines = sorted(self._lines.get(key, ()))
        first = lines[0] if lines else None
        return Item(*key, self._booked.get(key), first, tuple(lines[1:]))


def match(booked: Iterable[Booked], lines: Iterable[BillRow]) -> tuple[Item, ...]:
    """Match a day in one go."""
    sheet = Sheet(booked)
    sheet.add(lines)
    return sheet.items()
