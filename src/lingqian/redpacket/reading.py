"""Reading a proof document: all of it, or a reason why not (证明文件的读取).

Law: every field is there, of its kind and within bounds, and nothing else is; what was read can be
computed with safely.   Units: fen; µs.   Source: docs/reference/proof.md, "The record".
"""

from collections.abc import Callable
from typing import TypeVar

from lingqian.redpacket import document, split
from lingqian.redpacket.commitment import HASH_BYTES, PACKET_ID_BYTES, PSEUDONYM_BYTES
from lingqian.redpacket.document import (
    Beacon,
    Best,
    Claim,
    Journal,
    Proof,
    Result,
    Signature,
)
from lingqian.redpacket.level import Limit
from lingqian.redpacket.split import Terms

CLAIMS_MAX = 1_000_000
BEACON_SIGNATURE_BYTES_MAX = 256
LIMITS_MAX = 16
WORD_BYTES_MAX = 1024
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

_I64_MAX = 2**63 - 1
_U32_MAX = 2**32 - 1
_U16_MAX = 2**16 - 1

_T = TypeVar("_T")
_Fields = dict[str, object]

_TERMS = (
    "version packet_id kind draw count total_fen share_fen_min share_fen_max spread "
    "beacon_chain beacon_round"
)
_DOCUMENT = (
    f"format {_TERMS} commitment created_at_us closed_at_us entropy entropy_at_us beacon seed "
    "spread_used shares claims results refund_fen best level limits journal"
)


class MalformedError(ValueError):
    """The document is not a proof of this format; the message says where."""


def read(record: object) -> Proof:
    """Read a document of plain JSON values.

    Raises: MalformedError.
    """
    signed = isinstance(record, dict) and "signature" in record
    fields = _fields(record, _DOCUMENT + " signature" if signed else _DOCUMENT)
    if fields["format"] != document.FORMAT:
        raise MalformedError(f"format: not {document.FORMAT}")
    rows = _list(fields, "claims", CLAIMS_MAX)
    claims = [_fields(row, "sequence pseudonym index amount_fen at_us head") for row in rows]
    return Proof(
        terms=_terms(fields),
        commitment=_hex(fields, "commitment", HASH_BYTES),
        created_at_us=_int(fields, "created_at_us", _I64_MAX),
        closed_at_us=_int(fields, "closed_at_us", _I64_MAX),
        entropy=None if fields["entropy"] is None else _hex(fields, "entropy", HASH_BYTES),
        entropy_at_us=_int(fields, "entropy_at_us", _I64_MAX),
        beacon=_maybe(fields["beacon"], _beacon),
        seed=_hex(fields, "seed", HASH_BYTES),
        spread_used=_int(fields, "spread_used", split.SPREAD_MAX),
        shares=_shares(fields),
        claims=tuple([_claim(row) for row in claims]),
        heads=tuple([_hex(row, "head", HASH_BYTES) for row in claims]),
        results=tuple([_result(row) for row in _list(fields, "results", split.COUNT_MAX)]),
        refund_fen=_int(fields, "refund_fen", _I64_MAX),
        best=_maybe(fields["best"], _best),
        level=_int(fields, "level", 4),
        limits=tuple([_limit(row) for row in _list(fields, "limits", LIMITS_MAX)]),
        journal=_maybe(fields["journal"], _journal),
        signature=_maybe(fields.get("signature"), _signature),
    )


def _terms(fields: _Fields) -> Terms:
    kind, draw = fields["kind"], fields["draw"]
    # A tuple: a hostile kind may be a list, which a set cannot look for.
    if kind not in ("lucky", "equal") or not isinstance(draw, bool):
        raise MalformedError("kind: neither lucky nor equal, or draw: neither true nor false")
    chain = fields["beacon_chain"]
    terms = Terms(
        version=_int(fields, "version", _U16_MAX),
        packet_id=_hex(fields, "packet_id", PACKET_ID_BYTES),
        lucky=kind == "lucky",
        count=_int(fields, "count", split.COUNT_MAX),
        total_fen=_int(fields, "total_fen", _I64_MAX),
        share_fen_min=_int(fields, "share_fen_min", _I64_MAX),
        share_fen_max=_int(fields, "share_fen_max", _I64_MAX),
        spread=_int(fields, "spread", split.SPREAD_MAX),
        draw=draw,
        beacon_chain=b"" if chain is None else _hex(fields, "beacon_chain", HASH_BYTES),
        beacon_round=_int(fields, "beacon_round", _I64_MAX),
    )
    if terms.version != split.VERSION:
        raise MalformedError(f"version: {terms.version} is not known here")
    if terms.spread == 0 or (chain is None) != (terms.beacon_round == 0):
        raise MalformedError("spread is 0, or beacon_chain stands without beacon_round")
    if not split.feasible(terms.total_fen, terms.count, terms.share_fen_min, terms.share_fen_max):
        raise MalformedError("total_fen: no split lies within these bounds")
    return terms


def _shares(fields: _Fields) -> tuple[int, ...]:
    values = _list(fields, "shares", split.COUNT_MAX)
    return tuple([_int({"shares": value}, "shares", _I64_MAX) for value in values])


def _claim(row: _Fields) -> Claim:
    return Claim(
        sequence=_int(row, "sequence", _U32_MAX),
        pseudonym=_hex(row, "pseudonym", PSEUDONYM_BYTES),
        index=_int(row, "index", split.COUNT_MAX),
        amount_fen=_int(row, "amount_fen", _I64_MAX),
        at_us=_int(row, "at_us", _I64_MAX),
    )


def _result(value: object) -> Result:
    row = _fields(value, "sequence index amount_fen")
    return Result(
        sequence=_int(row, "sequence", _U32_MAX),
        index=_int(row, "index", split.COUNT_MAX),
        amount_fen=_int(row, "amount_fen", _I64_MAX),
    )


def _best(value: object) -> Best:
    row = _fields(value, "sequence amount_fen")
    return Best(_int(row, "sequence", _U32_MAX), _int(row, "amount_fen", _I64_MAX))


def _beacon(value: object) -> Beacon:
    row = _fields(value, "signature randomness")
    signature = row["signature"]
    size = len(signature) // 2 if isinstance(signature, str) else 0
    if not 1 <= size <= BEACON_SIGNATURE_BYTES_MAX:
        raise MalformedError("beacon: signature is not 1 to 256 bytes of hex")
    return Beacon(_hex(row, "signature", size), _hex(row, "randomness", HASH_BYTES))


def _limit(value: object) -> Limit:
    row = _fields(value, "code zh en")
    return Limit(_text(row, "code"), _text(row, "zh"), _text(row, "en"))


def _journal(value: object) -> Journal:
    row = _fields(value, "lane sequence head")
    lane, sequence = _int(row, "lane", _U16_MAX), _int(row, "sequence", _I64_MAX)
    return Journal(lane, sequence, _hex(row, "head", HASH_BYTES))


def _signature(value: object) -> Signature:
    row = _fields(value, "algorithm public_key value")
    if row["algorithm"] != document.ALGORITHM:
        raise MalformedError(f"signature: not {document.ALGORITHM}")
    key = _hex(row, "public_key", PUBLIC_KEY_BYTES)
    return Signature(key, _hex(row, "value", SIGNATURE_BYTES))


def _maybe(value: object, reader: Callable[[object], _T]) -> _T | None:
    return None if value is None else reader(value)


def _fields(value: object, names: str) -> _Fields:
    if not isinstance(value, dict):
        raise MalformedError(f"not an object with {names}")
    wanted = names.split()
    for name in wanted:
        if name not in value:
            raise MalformedError(f"{name}: missing")
    for name in value:
        if name not in wanted:
            raise MalformedError(f"{name!s:.40}: not a field of this format")
    return value


def _list(fields: _Fields, name: str, most: int) -> list[object]:
    value = fields[name]
    if not isinstance(value, list) or len(value) > most:
        raise MalformedError(f"{name}: not a list of at most {most}")
    return value


def _int(fields: _Fields, name: str, most: int) -> int:
    value = fields[name]
    # A bool is an int in this language and in no other.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise MalformedError(f"{name}: not an integer from 0 to {most}")
    return value


def _hex(fields: _Fields, name: str, size: int) -> bytes:
    value = fields[name]
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.issuperset(value):
        raise MalformedError(f"{name}: not {size} bytes of lower-case hex")
    return bytes.fromhex(value)


def _text(fields: _Fields, name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or any(_is_control(letter) for letter in value):
        raise MalformedError(f"{name}: not plain text")
    if not 1 <= len(value.encode()) <= WORD_BYTES_MAX:
        raise MalformedError(f"{name}: not 1 to {WORD_BYTES_MAX} bytes")
    return value


def _is_control(letter: str) -> bool:
    return letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff"


_HEX = frozenset("0123456789abcdef")
