"""Sheets: our side of a day as it was compared, in canonical bytes; and the comparison (对账底稿).

Law: equal sheets have equal bytes; from a sheet and both bills alone follows what a day found.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.channels.port import BillRow, FundRow
from lingqian.clearing.day import Comparison, compare
from lingqian.clearing.fund import set_apart
from lingqian.clearing.item import WAYS, Booked, Way, channel_no_of
from lingqian.kernel.order import RUN_ROWS_MAX, ordered


class Sheet(NamedTuple):
    """Our side of a day as it was compared: our rows, what was known before, and what was shown.

    `shown` are the numbers, ours and the channel's, that the day's trade bill has; `earlier` those
    of refunds that bills of earlier days had.
    """

    booked: tuple[Booked, ...]
    opening_fen: int | None
    earlier: tuple[str, ...]
    shown: tuple[tuple[int, str], ...]


# A sheet in pieces begins so; one in one piece begins with the mark of four fields.
_IN_PIECES: Final = b"\x01"
_PART_OPENING, _PART_BOOKED, _PART_EARLIER, _PART_SHOWN = range(4)
_PIECES: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    _PART_OPENING: msgspec.msgpack.Decoder(list[int | None]),
    _PART_BOOKED: msgspec.msgpack.Decoder(list[Booked]),
    _PART_EARLIER: msgspec.msgpack.Decoder(list[str]),
    _PART_SHOWN: msgspec.msgpack.Decoder(list[tuple[int, str]]),
}
_WHOLE: Final = msgspec.msgpack.Decoder(Sheet)
_encode: Final = msgspec.msgpack.Encoder().encode


def write_sheet(sheet: Sheet) -> bytes:
    """Write a sheet in short pieces; equal sheets have equal bytes.

    A piece is its length, its part and so many rows: reading or writing one holds nobody up.
    """
    parts: tuple[tuple[int, Sequence[Any]], ...] = (
        (_PART_OPENING, (sheet.opening_fen,)),
        (_PART_BOOKED, ordered(sheet.booked, _place)),
        (_PART_EARLIER, sheet.earlier),
        (_PART_SHOWN, sheet.shown),
    )
    pieces = [_IN_PIECES]
    for part, rows in parts:
        for start in range(0, len(rows), RUN_ROWS_MAX):
            piece = bytes((part,)) + _encode(rows[start : start + RUN_ROWS_MAX])
            pieces += [len(piece).to_bytes(4, "big"), piece]
    return b"".join(pieces)


def _place(row: Booked) -> tuple[Way, str]:
    return row.way, row.number


def read_sheet(plain: bytes) -> Sheet:
    """Read a sheet that was written; one from before there were pieces is one piece."""
    if not plain.startswith(_IN_PIECES):
        return _WHOLE.decode(plain)
    found: dict[int, list[Any]] = {part: [] for part in _PIECES}
    for part, piece in _pieces(plain):
        found[part] += _PIECES[part].decode(piece)
    return Sheet(
        tuple(found[_PART_BOOKED]),
        found[_PART_OPENING][0],
        tuple(found[_PART_EARLIER]),
        tuple(found[_PART_SHOWN]),
    )


def _pieces(plain: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield a sheet's pieces and what each is a part of."""
    view, place = memoryview(plain), len(_IN_PIECES)
    while place < len(plain):
        end = place + 4 + int.from_bytes(view[place : place + 4], "big")
        yield view[place + 4], view[place + 5 : end]
        place = end


def shown_in(plain: bytes) -> Iterator[tuple[int, str]]:
    """Yield the numbers a sheet's bill has shown, and read nothing else of it."""
    if not plain.startswith(_IN_PIECES):
        yield from read_sheet(plain).shown
        return
    for part, piece in _pieces(plain):
        if part == _PART_SHOWN:
            yield from _PIECES[part].decode(piece)


def result_digest(comparison: Comparison) -> bytes:
    """Return the SHA-256 of all that a comparison found."""
    found = [
        (each.item.way, each.item.number, each.found, each.gap_fen) for each in comparison.findings
    ]
    told_by = (
        comparison.day,
        len(comparison.items),
        found,
        comparison.chain,
        comparison.sums,
        comparison.ours_fen,
        comparison.theirs_fen,
    )
    return sha256(msgspec.msgpack.encode(told_by)).digest()


def derive(day: int, sheet: Sheet, trade: Iterable[BillRow], fund: Iterable[FundRow]) -> Comparison:
    """Compare a day from its inputs alone."""
    lines = tuple(trade)
    flows = set_apart(fund, frozenset(sheet.earlier), refunds_in(lines))
    return compare(day, sheet.booked, lines, flows, opening_fen=sheet.opening_fen)


def refunds_in(lines: Iterable[BillRow]) -> frozenset[str]:
    """Return the channel's numbers of the refunds that a trade bill shows."""
    return frozenset(channel_no_of(each) for each in lines if WAYS.get(each.side) == Way.REFUND)
