"""The proof document: what stands in it, its JSON form and the bytes that are signed (证明文件).

Law: reading what was written gives the same proof; every field but the signature is signed.
Units: fen; µs since 1970 UTC.   Source: docs/reference/proof.md, "The record".
"""

import struct
from dataclasses import asdict, dataclass
from typing import NamedTuple

from lingqian.redpacket.commitment import tagged, terms_bytes
from lingqian.redpacket.level import Limit
from lingqian.redpacket.split import Terms

FORMAT = "lingqian.proof"
ALGORITHM = "Ed25519"

_CLAIM = struct.Struct(">I16sIQQ32s")
_RESULT = struct.Struct(">IIQ")
_BEST = struct.Struct(">IQ")
_JOURNAL = struct.Struct(">HQ32s")


@dataclass(frozen=True, slots=True)
class Claim:
    """One opened share, or one ticket of a draw."""

    sequence: int  #: from 1, without gaps
    pseudonym: bytes
    index: int  #: the share, from 1; 0 for a ticket
    amount_fen: int  #: 0 for a ticket
    at_us: int


@dataclass(frozen=True, slots=True)
class Result:
    """One share won in a draw."""

    sequence: int  #: of the ticket
    index: int
    amount_fen: int


class Best(NamedTuple):
    """The largest share that was claimed; among equals the earliest claim."""

    sequence: int
    amount_fen: int


class Beacon(NamedTuple):
    """The promised round of a public beacon, as it was published."""

    signature: bytes
    randomness: bytes


class Journal(NamedTuple):
    """The head of the lane's journal when the packet closed."""

    lane: int
    sequence: int
    head: bytes


class Signature(NamedTuple):
    """An Ed25519 signature over the canonical bytes."""

    public_key: bytes
    value: bytes


class Proof(NamedTuple):
    """All that a proof says. Fields in the order in which they are signed."""

    terms: Terms
    commitment: bytes
    created_at_us: int
    closed_at_us: int
    entropy: bytes | None
    entropy_at_us: int  #: 0 without entropy
    beacon: Beacon | None
    seed: bytes
    spread_used: int
    shares: tuple[int, ...]
    claims: tuple[Claim, ...]
    heads: tuple[bytes, ...]  #: of the chain, one after each claim
    results: tuple[Result, ...]  #: empty unless a draw
    refund_fen: int
    best: Best | None
    level: int
    limits: tuple[Limit, ...]
    journal: Journal | None
    signature: Signature | None


def canonical(proof: Proof) -> bytes:
    """Return the bytes that are signed: fixed order and width, lists led by their length."""
    beacon, best, journal = proof.beacon, proof.best, proof.journal
    parts = [
        tagged(b"proof"),
        terms_bytes(proof.terms),
        proof.commitment,
        struct.pack(">QQ", proof.created_at_us, proof.closed_at_us),
        _flagged(proof.entropy),
        struct.pack(">Q", proof.entropy_at_us),
        _flagged(None if beacon is None else _sized(beacon.signature) + beacon.randomness),
        proof.seed,
        struct.pack(">HI", proof.spread_used, len(proof.shares)),
        struct.pack(f">{len(proof.shares)}Q", *proof.shares),
        struct.pack(">I", len(proof.claims)),
        *(_claim(row, head) for row, head in zip(proof.claims, proof.heads, strict=True)),
        struct.pack(">I", len(proof.results)),
        *(_RESULT.pack(row.sequence, row.index, row.amount_fen) for row in proof.results),
        struct.pack(">Q", proof.refund_fen),
        _flagged(None if best is None else _BEST.pack(*best)),
        struct.pack(">BB", proof.level, len(proof.limits)),
        *(_sized(word.encode()) for limit in proof.limits for word in limit),
        _flagged(None if journal is None else _JOURNAL.pack(*journal)),
    ]
    return b"".join(parts)


def write(proof: Proof) -> dict[str, object]:
    """Return the document as plain JSON values: bytes as lower-case hex, amounts as integers."""
    document: dict[str, object] = {
        "format": FORMAT,
        **_written_terms(proof.terms),
        "commitment": proof.commitment.hex(),
        "created_at_us": proof.created_at_us,
        "closed_at_us": proof.closed_at_us,
        "entropy": None if proof.entropy is None else proof.entropy.hex(),
        "entropy_at_us": proof.entropy_at_us,
        "beacon": _plain(proof.beacon),
        "seed": proof.seed.hex(),
        "spread_used": proof.spread_used,
        "shares": list(proof.shares),
        "claims": [
            {**_fields(claim), "head": head.hex()}
            for claim, head in zip(proof.claims, proof.heads, strict=True)
        ],
        "results": [_fields(result) for result in proof.results],
        "refund_fen": proof.refund_fen,
        "best": _plain(proof.best),
        "level": proof.level,
        "limits": [_fields(limit) for limit in proof.limits],
        "journal": _plain(proof.journal),
    }
    if proof.signature is not None:
        document["signature"] = {"algorithm": ALGORITHM, **_fields(proof.signature)}
    return document


def _written_terms(terms: Terms) -> dict[str, object]:
    return {
        "version": terms.version,
        "packet_id": terms.packet_id.hex(),
        "kind": "lucky" if terms.lucky else "equal",
        "draw": terms.draw,
        "count": terms.count,
        "total_fen": terms.total_fen,
        "share_fen_min": terms.share_fen_min,
        "share_fen_max": terms.share_fen_max,
        "spread": terms.spread,
        "beacon_chain": terms.beacon_chain.hex() or None,
        "beacon_round": terms.beacon_round,
    }


_Noun = Claim | Result | Best | Beacon | Journal | Signature | Limit


def _plain(noun: _Noun | None) -> dict[str, object] | None:
    return None if noun is None else _fields(noun)


def _fields(noun: _Noun) -> dict[str, object]:
    values = asdict(noun) if isinstance(noun, Claim | Result) else noun._asdict()
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = value.hex()
    return values


def _claim(row: Claim, head: bytes) -> bytes:
    return _CLAIM.pack(row.sequence, row.pseudonym, row.index, row.amount_fen, row.at_us, head)


def _flagged(value: bytes | None) -> bytes:
    return b"\0" if value is None else b"\1" + value


def _sized(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value
