"""Journal bytes: canonical, length-prefixed, versioned; never JSON, never text dates (日记账字节).

A body is two bytes, version and outcome type, then MessagePack arrays of integers, byte strings and
text. MessagePack carries a length before every value and the encoder always takes the shortest
form, so equal records have equal bytes. Source: decisions/0004.
"""

import struct
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER, KINDS
from lingqian.kernel.fault import Damaged
from lingqian.ledger.posting import Posted, Posting

VERSION: Final = 1
NO_OUTCOME: Final = 255
_SEAL_TAG: Final = b"lingqian seal\x01"
_ROW = struct.Struct(">HQQBHI")
_SEAL = struct.Struct(">HQQI")

_encode = msgspec.msgpack.Encoder().encode
_outcome_number: Final[dict[type, bytes]] = {
    outcome: bytes((VERSION, place))
    for kind in BY_NUMBER.values()
    for place, outcome in enumerate(kind.outcomes)
}
_outcome_number[type(None)] = bytes((VERSION, NO_OUTCOME))


class Row(NamedTuple):
    """One row of the journal table."""

    lane: int
    seq: int
    at_us: int
    kind: int
    code: int
    body: bytes


def encode(
    command: object, outcome: object, posted: list[Posted], relayed: tuple[tuple[bytes, int], ...]
) -> bytes:
    """Return the body of a journal row."""
    return _outcome_number[type(outcome)] + _encode((command, outcome, posted, relayed))


def _decoder(command: type, outcome: Any) -> Any:  # noqa: ANN401 - a type made at run time
    shape = tuple[command, outcome, list[Posted], tuple[tuple[bytes, int], ...]]  # type: ignore[valid-type]  # made from the table
    return msgspec.msgpack.Decoder(shape).decode


_decoders: Final[dict[tuple[int, int], Any]] = {
    (kind.number, place): _decoder(kind.command, outcome)
    for kind in KINDS.values()
    for place, outcome in [*enumerate(kind.outcomes), (NO_OUTCOME, None)]
}


class Decoded(NamedTuple):
    """A journal row read back: the record to fold, and the balances it claimed."""

    record: Record
    posted: list[Posted]


def decode(row: Row) -> Decoded:
    """Read a journal row.

    Raises: Damaged when the bytes are not what version 1 writes.
    """
    body = row.body
    if len(body) < 2 or body[0] != VERSION or (row.kind, body[1]) not in _decoders:
        raise Damaged(f"journal row {row.lane}:{row.seq} has an unknown form")
    try:
        command, outcome, posted, relayed = _decoders[row.kind, body[1]](body[2:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"journal row {row.lane}:{row.seq} cannot be read: {error}") from error
    postings = tuple([Posting(*each[:4]) for each in posted])
    record = Record(row.seq, row.at_us, row.kind, row.code, command, outcome, postings, relayed)
    return Decoded(record, posted)


def seal(head: bytes, batch_id: bytes, rows: list[Row]) -> bytes:
    """Return a lane's new head: the old one and every byte of the batch under SHA-256."""
    pack = _ROW.pack
    parts = [
        _SEAL_TAG,
        head,
        batch_id,
        _SEAL.pack(rows[0].lane, rows[0].seq, rows[-1].seq, len(rows)),
    ]
    for lane, seq, at_us, kind, code, body in rows:
        parts.append(pack(lane, seq, at_us, kind, code, len(body)))
        parts.append(body)
    return sha256(b"".join(parts)).digest()
