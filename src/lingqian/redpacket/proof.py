"""Proof: the door to a packet's commitment, chain, draw, record and verification (证明).

Law: fixed before the first claim, the same for everybody, computable again by anyone.
Units: fen; µs.   Source: docs/reference/proof.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lingqian.redpacket import level as levels
from lingqian.redpacket.commitment import (
    chain,
    chain_start,
    commitment,
    draw_key,
    draw_order,
    pseudonym,
    shares,
    split_key,
)
from lingqian.redpacket.document import Beacon, Claim, Journal, Proof, Signature, canonical, write
from lingqian.redpacket.level import DRAW_LIMITS, LIMITS, Limit, label, limits, reached
from lingqian.redpacket.reading import MalformedError, read
from lingqian.redpacket.split import Terms
from lingqian.redpacket.verify import Finding, best_of, next_head, results_of, spread_used, verify

__all__ = [
    "DRAW_LIMITS",
    "LIMITS",
    "Beacon",
    "Claim",
    "Closure",
    "Finding",
    "Journal",
    "Limit",
    "MalformedError",
    "Terms",
    "chain",
    "chain_start",
    "commitment",
    "draw_key",
    "draw_order",
    "label",
    "level",
    "limits",
    "pseudonym",
    "reached",
    "record",
    "shares",
    "signed",
    "signing_bytes",
    "split_key",
    "verify",
]


class Closure(NamedTuple):
    """All that is known of a packet once it has closed."""

    terms: Terms
    seed: bytes
    created_at_us: int
    closed_at_us: int
    claims: Sequence[Claim]  #: by sequence; tickets of a draw with index and amount 0
    refund_fen: int  #: what the ledger really returned
    entropy: bytes | None = None
    entropy_at_us: int = 0
    beacon: Beacon | None = None
    journal: Journal | None = None


def record(closure: Closure) -> dict[str, object]:
    """Return the proof document of a closed packet, unsigned, as plain JSON values."""
    terms, seed, entropy, beacon = closure.terms, closure.seed, closure.entropy, closure.beacon
    key = split_key(terms, seed, entropy, None if beacon is None else beacon.randomness)
    committed = commitment(terms, seed)
    reach = reached(draw=terms.draw, entropy=entropy is not None, beacon=beacon is not None)
    proof = Proof(
        terms=terms,
        commitment=committed,
        created_at_us=closure.created_at_us,
        closed_at_us=closure.closed_at_us,
        entropy=entropy,
        entropy_at_us=closure.entropy_at_us,
        beacon=beacon,
        seed=seed,
        spread_used=spread_used(terms),
        shares=shares(terms, key),
        claims=tuple(closure.claims),
        heads=_heads(committed, closure.claims),
        results=(),
        refund_fen=closure.refund_fen,
        best=None,
        level=reach,
        limits=limits(reach, draw=terms.draw),
        journal=closure.journal,
        signature=None,
    )
    drawn = proof._replace(results=results_of(proof))
    return write(drawn._replace(best=best_of(drawn)))


def signing_bytes(record: object) -> bytes:
    """Return the bytes to sign: the whole document but its signature, canonically.

    Raises: MalformedError.
    """
    return canonical(read(record))


def signed(record: object, public_key: bytes, value: bytes) -> dict[str, object]:
    """Return the document with its Ed25519 signature.

    Raises: MalformedError.
    """
    return write(read(record)._replace(signature=Signature(public_key, value)))


def level(record: object) -> int:
    """Return the level that a document really reaches, whatever it says of itself.

    Raises: MalformedError.
    """
    proof = read(record)
    return levels.reached(
        draw=proof.terms.draw,
        entropy=proof.entropy is not None,
        beacon=proof.beacon is not None,
    )


def _heads(committed: bytes, claims: Sequence[Claim]) -> tuple[bytes, ...]:
    head = chain_start(committed)
    heads = []
    for claim in claims:
        head = next_head(head, claim)
        heads.append(head)
    return tuple(heads)
