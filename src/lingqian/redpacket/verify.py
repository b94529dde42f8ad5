"""Verifying a proof: every check with its reason (证明的核对).

Law: nothing in the record is believed; all that can be computed again is. Needs no network.
Units: fen; µs.   Source: docs/reference/proof.md, "The checks".
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from lingqian.redpacket import commitment as committing
from lingqian.redpacket import level, reading, split
from lingqian.redpacket.document import Best, Claim, Proof, Result, canonical

#: Ed25519: public key, message, signature → valid.
CheckSignature = Callable[[bytes, bytes, bytes], bool]


class Finding(NamedTuple):
    """The outcome of one check."""

    check: str
    ok: bool
    reason: str
    checked: bool = True  #: False: this could not be checked here; `ok` then says nothing


class Chain(NamedTuple):
    """What is known of a public chain of beacons: when each round appears."""

    genesis_s: int
    period_s: int


#: Source: the public chains of the League of Entropy, /info of each chain.
CHAINS: dict[str, Chain] = {
    "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce": Chain(1595431050, 30),
    "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971": Chain(1692803367, 3),
}


def verify(record: object, *, check_signature: CheckSignature | None = None) -> list[Finding]:
    """Check a proof document, and say for each check what was found.

    A document that cannot be read gives one finding, `form`.
    """
    try:
        proof = reading.read(record)
    except reading.MalformedError as malformed:
        return [Finding("form", ok=False, reason=str(malformed))]
    findings = [Finding("form", ok=True, reason="every field is there, of its kind")]
    for name, check, success in _CHECKS:
        fault = check(proof)
        findings.append(Finding(name, ok=not fault, reason=fault or success))
    findings.append(_beacon_finding(proof))
    findings.append(_signature_finding(proof, check_signature))
    return findings


def round_at_us(chain: bytes, number: int) -> int | None:
    """Return when a round of a known chain appears, or None for another chain. Units: µs."""
    known = CHAINS.get(chain.hex())
    if known is None:
        return None
    return (known.genesis_s + (number - 1) * known.period_s) * 1_000_000


def final_key(proof: Proof) -> bytes:
    """Return the key of the split with all that was mixed in."""
    beacon = None if proof.beacon is None else proof.beacon.randomness
    return committing.split_key(proof.terms, proof.seed, proof.entropy, beacon)


def results_of(proof: Proof) -> tuple[Result, ...]:
    """Return who wins what in a draw, in order of shares; nothing for another packet."""
    if not proof.terms.draw:
        return ()
    head = proof.heads[-1] if proof.heads else committing.chain_start(proof.commitment)
    key = committing.draw_key(final_key(proof), head)
    order = committing.draw_order(key, len(proof.claims), proof.terms.count)
    return tuple(
        [
            Result(proof.claims[ticket].sequence, place + 1, proof.shares[place])
            for place, ticket in enumerate(order)
        ]
    )


def best_of(proof: Proof) -> Best | None:
    """Return the best luck: the largest share claimed; among equals the earliest claim."""
    rows = [(-row.amount_fen, row.sequence) for row in _won(proof)]
    if not proof.terms.lucky or not rows:
        return None
    amount_fen, sequence = min(rows)
    return Best(sequence, -amount_fen)


def next_head(head: bytes, claim: Claim) -> bytes:
    """Return the head of the chain after one more claim."""
    return committing.chain(
        head,
        sequence=claim.sequence,
        pseudonym=claim.pseudonym,
        index=claim.index,
        amount_fen=claim.amount_fen,
        at_us=claim.at_us,
    )


def spread_used(terms: split.Terms) -> int:
    """Return the spread that stands in the record: the ladder's rung; equal shares keep theirs."""
    if not terms.lucky:
        return terms.spread
    low, high = terms.share_fen_min, terms.share_fen_max
    return split.spread_for(terms.total_fen, terms.count, low, high, terms.spread)


def _won(proof: Proof) -> tuple[Claim, ...] | tuple[Result, ...]:
    return proof.results if proof.terms.draw else proof.claims


def _commitment(proof: Proof) -> str:
    if committing.commitment(proof.terms, proof.seed) != proof.commitment:
        return "the terms and the seed do not hash to the commitment"
    return ""


def _entropy(proof: Proof) -> str:
    first_us = proof.claims[0].at_us if proof.claims else proof.closed_at_us
    if proof.entropy is None:
        return "entropy has a time but no bytes" if proof.entropy_at_us else ""
    if not proof.created_at_us <= proof.entropy_at_us <= first_us:
        return "the sender's bytes did not come between the commitment and the first claim"
    return ""


def _spread(proof: Proof) -> str:
    if proof.spread_used != spread_used(proof.terms):
        return f"the ladder gives spread {spread_used(proof.terms)}, not {proof.spread_used}"
    return ""


def _shares(proof: Proof) -> str:
    derived = committing.shares(proof.terms, final_key(proof))
    if len(derived) != len(proof.shares):
        return f"{len(proof.shares)} shares for a count of {len(derived)}"
    for number, (share, right) in enumerate(zip(proof.shares, derived, strict=True), 1):
        if share != right:
            return f"share {number} is {share} fen; the seed and what was mixed in give {right}"
    return ""


def _sum(proof: Proof) -> str:
    total = sum(proof.shares)
    if total != proof.terms.total_fen:
        return f"the shares add up to {total} fen, not {proof.terms.total_fen}"
    return ""


def _bounds(proof: Proof) -> str:
    low, high = proof.terms.share_fen_min, proof.terms.share_fen_max
    for number, share in enumerate(proof.shares, 1):
        if not low <= share <= high:
            return f"share {number} is {share} fen, outside {low} to {high}"
    return ""


def _chain(proof: Proof) -> str:
    head = committing.chain_start(proof.commitment)
    for claim, said in zip(proof.claims, proof.heads, strict=True):
        head = next_head(head, claim)
        if head != said:
            return f"the chain breaks at claim {claim.sequence}"
    return ""


def _times(proof: Proof) -> str:
    before = proof.created_at_us
    for claim in proof.claims:
        if claim.at_us < before:
            return f"claim {claim.sequence} is earlier than what stands before it"
        before = claim.at_us
    if proof.closed_at_us < before:
        return "the packet closed before its last claim"
    return ""


def _order(proof: Proof) -> str:
    if not proof.terms.draw and len(proof.claims) > proof.terms.count:
        return f"{len(proof.claims)} claims on {proof.terms.count} shares"
    for number, claim in enumerate(proof.claims, 1):
        if claim.sequence != number:
            return f"claim {number} is numbered {claim.sequence}"
        if claim.index != (0 if proof.terms.draw else number):
            return f"claim {number} opened share {claim.index}"
    return ""


def _amounts(proof: Proof) -> str:
    if proof.terms.draw:
        return _draw(proof)
    if proof.results:
        return "results stand in a packet that is no draw"
    for claim, share in zip(proof.claims, proof.shares, strict=False):
        if claim.amount_fen != share:
            return f"claim {claim.sequence} says {claim.amount_fen} fen; its share is {share}"
    return ""


def _draw(proof: Proof) -> str:
    if any(ticket.amount_fen for ticket in proof.claims):
        return "a ticket carries an amount before the draw"
    if len(proof.shares) != proof.terms.count:
        return "shares are missing"
    if results_of(proof) != proof.results:
        return "the results do not follow from the closed chain of tickets"
    return ""


def _once(proof: Proof) -> str:
    seen: set[bytes] = set()
    for claim in proof.claims:
        if claim.pseudonym in seen:
            return f"{claim.pseudonym.hex()} stands twice"
        seen.add(claim.pseudonym)
    return ""


def _money(proof: Proof) -> str:
    paid = sum(row.amount_fen for row in _won(proof))
    total = proof.terms.total_fen
    if paid + proof.refund_fen != total:
        return f"{paid} fen claimed and {proof.refund_fen} fen returned are not {total}"
    return ""


def _best(proof: Proof) -> str:
    best = best_of(proof)
    if best != proof.best:
        right = "nobody" if best is None else f"claim {best.sequence} with {best.amount_fen} fen"
        return f"best luck is {right}"
    return ""


def _level(proof: Proof) -> str:
    draw, beacon = proof.terms.draw, proof.beacon is not None
    reached = level.reached(draw=draw, entropy=proof.entropy is not None, beacon=beacon)
    if proof.level != reached:
        return f"the record shows level {reached}, not {proof.level}"
    if proof.limits != level.limits(reached, draw=draw):
        return f"the limits said are not those of level {reached}"
    return ""


def _beacon_finding(proof: Proof) -> Finding:
    fault, reason = _beacon(proof)
    return Finding("beacon", ok=not fault, reason=fault or reason)


def _beacon(proof: Proof) -> tuple[str, str]:
    terms, beacon = proof.terms, proof.beacon
    if beacon is None:
        if terms.beacon_round:
            return "", "the promised round never came: the level is lower and says so"
        return "", "none was promised"
    if not terms.beacon_round:
        return "a beacon stands that the commitment did not promise", ""
    if hashlib.sha256(beacon.signature).digest() != beacon.randomness:
        return "the randomness is not the SHA-256 of the beacon's signature", ""
    appears_us = round_at_us(terms.beacon_chain, terms.beacon_round)
    if appears_us is None:
        return "", "of a chain not known here: compare the round and its time with the chain"
    return _beacon_time(proof, appears_us), (
        "randomness = SHA-256(signature); the beacon's own signature is not checked offline: "
        "compare the round with the public chain"
    )


def _beacon_time(proof: Proof, appears_us: int) -> str:
    """Say what is wrong with the time of the round, if anything.

    A draw's round must lie after its last ticket; another packet's between commitment and first
    claim.
    """
    if appears_us <= proof.created_at_us:
        return "the round was public before the commitment"
    if proof.terms.draw:
        last_us = proof.claims[-1].at_us if proof.claims else proof.created_at_us
        return "" if appears_us > last_us else "the round was public before the last ticket"
    if proof.claims and proof.claims[0].at_us < appears_us:
        return "a claim is earlier than the round it depends on"
    return ""


def _signature_finding(proof: Proof, check_signature: CheckSignature | None) -> Finding:
    signature = proof.signature
    if signature is None:
        return Finding("signature", ok=False, reason="the record is not signed")
    if check_signature is None:
        reason = "the signature cannot be checked here"
        return Finding("signature", ok=True, reason=reason, checked=False)
    if not check_signature(signature.public_key, canonical(proof), signature.value):
        return Finding("signature", ok=False, reason="the signature does not fit the record")
    return Finding("signature", ok=True, reason=f"by {signature.public_key.hex()}")


_CHECKS: tuple[tuple[str, Callable[[Proof], str], str], ...] = (
    ("commitment", _commitment, "the terms and the seed hash to the commitment"),
    ("entropy", _entropy, "the sender's bytes, if any, came after the commitment"),
    ("spread", _spread, "the rung of the ladder is the first that the rule allows"),
    ("shares", _shares, "every share follows from the seed and what was mixed in"),
    ("sum", _sum, "the shares add up to the total"),
    ("bounds", _bounds, "every share lies within the bounds"),
    ("chain", _chain, "the chain of claims is unbroken"),
    ("times", _times, "times do not run backwards"),
    ("order", _order, "claims are numbered without gaps, each on its own share"),
    ("amounts", _amounts, "everybody has the amount of his share"),
    ("once", _once, "nobody stands twice"),
    ("money", _money, "what was claimed and what was returned are the total"),
    ("best", _best, "best luck is the largest share; among equals the earliest claim"),
    ("level", _level, "the record shows this level, and says what it does not stop"),
)
