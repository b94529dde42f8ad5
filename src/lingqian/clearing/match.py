"""Matching: our rows and the lines of a trade bill, brought together by their numbers (勾对).

Law: every row and every line comes out in exactly one item, whatever the order and the batches
they came in. The channel's own number decides where we know it; else our number does. A second
transaction under one number of ours is an item of its own: it is other money.
"""

from collections.abc import Iterable

from lingqian.channels.port import BillRow
from lingqian.clearing.item import WAYS, Booked, Item, Way, channel_no_of, number_of
from lingqian.kernel.order import ordered

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
            way = WAYS[line.side]
            key = self._by_channel.get((way, channel_no_of(line)), (way, number_of(line)))
            self._lines.setdefault(key, []).append(line)

    def items(self) -> tuple[Item, ...]:
        """Return every item, payments first, by number; both sides where both are known."""
        keys = self._booked.keys() | self._lines.keys()
        return tuple(ordered([item for key in keys for item in self._of(key)], _place))

    def _of(self, key: Key) -> list[Item]:
        """Return the item of a key, and one for each further transaction under it."""
        groups: dict[str, list[BillRow]] = {}
        for line in sorted(self._lines.get(key, ())):
            groups.setdefault(channel_no_of(line), []).append(line)
        booked = self._booked.get(key)
        known = booked.channel_no if booked is not None else ""
        own = known or min(groups, default="")
        first, *copies = groups.pop(own, [None])
        seconds = [
            Item(key[0], number, None, lines[0], tuple(lines[1:]), is_second=True)
            for number, lines in groups.items()
        ]
        if booked is None and first is None:
            return seconds
        return [Item(*key, booked, first, tuple(filter(None, copies))), *seconds]


def _place(item: Item) -> tuple[Way, str, bool]:
    return item.way, item.number, item.is_second


def match(booked: Iterable[Booked], lines: Iterable[BillRow]) -> tuple[Item, ...]:
    """Match a day in one go."""
    sheet = Sheet(booked)
    sheet.add(lines)
    return sheet.items()
