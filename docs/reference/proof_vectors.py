"""Write the test vectors of the proof, `proof-vectors.json`, on standard output.

python docs/reference/proof_vectors.py > docs/reference/proof-vectors.json
"""  # noqa: INP001 - a script, not a package

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lingqian.kernel.chance import Stream
from lingqian.redpacket import commitment as committing
from lingqian.redpacket import proof
from lingqian.redpacket.commitment import terms_bytes
from lingqian.redpacket.proof import Beacon, Claim, Closure, Journal, Terms
from lingqian.redpacket.split import lucky, spread_for

Row = dict[str, object]

QUICKNET = bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")
ROUND = 5_000_000
#: When that round of that chain appears: genesis 1692803367 s, one round every 3 s. Units: µs.
ROUND_AT_US = (1_692_803_367 + (ROUND - 1) * 3) * 1_000_000

#: With two that refuse almost every other draw: just above half of one word and of two.
BOUNDS = (1, 2, 3, 10, 1000, 2**32, 2**63, 2**63 + 1, 2**64, 2**64 + 1, 2**127 + 1, 2**130 - 3)

#: total, count, least, greatest, spread: wild to even, forced, turned, rejected, slots, wide.
SPLITS = (
    (1000, 10, 1, 1000, 2),
    (1000, 10, 1, 1000, 1),
    (1000, 10, 1, 200, 3),
    (30, 20, 1, 30, 2),
    (100, 18, 1, 100, 2),
    (10, 10, 1, 200, 2),
    (11, 10, 1, 200, 2),
    (1999, 10, 1, 200, 2),
    (2000, 10, 1, 200, 2),
    (50, 10, 5, 5, 2),
    (777, 1, 1, 20000, 2),
    (3, 2, 1, 2, 2),
    (1700, 10, 1, 200, 2),
    (1000, 10, 1, 200, 1),
    (20000, 100, 1, 400, 2),
    (28, 14, 1, 3, 2),
    (750, 500, 1, 2, 2),
    (400, 40, 0, 25, 2),
    (2**63 - 1, 7, 1, 2**63 - 1, 2),
    (2**53 + 1, 5, 1, 2**53, 4),
    (100, 3, 0, 100, 64),
)

CAPS = (1, 4, 19, 60, 100, 20_000)
PARTS = (200, 350, 500, 650, 900, 999)  # of a thousand: the mean against the cap
COUNTS = (2, 5, 10, 20, 100, 5000)

RUNGS = (
    *((500 + 500 * cap * part // 1000, 500, 1, 1 + cap, 2) for cap in CAPS for part in PARTS),
    *((n + n * 500, n, 1, 1001, spread) for n in COUNTS for spread in (1, 2, 24)),
)


def _bytes(name: str, size: int = 32) -> bytes:
    return sha256(f"lingqian test vector: {name}".encode()).digest()[:size]


def _terms(row: tuple[int, int, int, int, int], name: str) -> Terms:
    total, count, low, high, spread = row
    return Terms(
        version=1,
        packet_id=_bytes(name, 16),
        lucky=True,
        count=count,
        total_fen=total,
        share_fen_min=low,
        share_fen_max=high,
        spread=spread,
    )


def _plain(terms: Terms) -> Row:
    return {
        "packet_id": terms.packet_id.hex(),
        "count": terms.count,
        "total_fen": terms.total_fen,
        "share_fen_min": terms.share_fen_min,
        "share_fen_max": terms.share_fen_max,
        "spread": terms.spread,
    }


def _streams() -> Iterator[Row]:
    for label in (b"lingqian/split", b"x"):
        key = _bytes("stream")
        stream = Stream(key, label)
        values = [stream.below(bound) for bound in BOUNDS * 3]
        yield {
            "key": key.hex(),
            "label": label.decode(),
            "bounds": list(BOUNDS * 3),
            "values": values,
        }


def _marks() -> Iterator[Row]:
    key = _bytes("marks")
    for size, places in ((0, 5), (5, 5), (3, 10), (19, 1009), (4, 2**64 + 7)):
        marks = Stream(key, b"x").distinct(size, places)
        yield {"key": key.hex(), "size": size, "places": places, "marks": sorted(marks)}


def _rungs() -> Iterator[Row]:
    for row in RUNGS:
        yield {"row": list(row), "spread_used": spread_for(*row)}


def _splits() -> Iterator[Row]:
    for number, row in enumerate(SPLITS):
        terms, key = _terms(row, f"split {number}"), _bytes(f"key {number}")
        yield {
            **_plain(terms),
            "key": key.hex(),
            "spread_used": spread_for(*row),
            "shares": list(lucky(terms, key)),
        }


def _commitments() -> Iterator[Row]:
    seed = _bytes("seed")
    plain = _terms((1000, 10, 1, 200, 2), "commitment")
    promised = replace(plain, draw=True, beacon_chain=QUICKNET, beacon_round=ROUND)
    for terms, entropy, beacon in (
        (plain, None, None),
        (plain, _bytes("entropy"), None),
        (replace(plain, lucky=False), None, None),
        (promised, _bytes("entropy"), _bytes("randomness")),
    ):
        yield {
            "terms": terms_bytes(terms).hex(),
            "seed": seed.hex(),
            "entropy": None if entropy is None else entropy.hex(),
            "beacon": None if beacon is None else beacon.hex(),
            "commitment": committing.commitment(terms, seed).hex(),
            "split_key": committing.split_key(terms, seed, entropy, beacon).hex(),
        }


def _chains() -> Row:
    start = committing.chain_start(_bytes("committed"))
    name = committing.pseudonym(_bytes("packet", 16), _bytes("user", 16), _bytes("salt"))
    head = committing.chain(
        start, sequence=1, pseudonym=name, index=1, amount_fen=88, at_us=1_700_000_000_000_000
    )
    key = committing.draw_key(_bytes("key"), head)
    return {
        "commitment": _bytes("committed").hex(),
        "start": start.hex(),
        "packet_id": _bytes("packet", 16).hex(),
        "user_id": _bytes("user", 16).hex(),
        "salt": _bytes("salt").hex(),
        "pseudonym": name.hex(),
        "claim": {"sequence": 1, "index": 1, "amount_fen": 88, "at_us": 1_700_000_000_000_000},
        "head": head.hex(),
        "split_key": _bytes("key").hex(),
        "draw_key": key.hex(),
        "draw_order_of_12": list(committing.draw_order(key, 12)),
    }


def _closure(name: str, terms: Terms, claimed: int, **mixed: object) -> Closure:
    """Return a packet of which so many shares were claimed, or so many tickets entered."""
    seed = _bytes(f"seed {name}")
    entropy = mixed.get("entropy")
    beacon = mixed.get("beacon")
    assert entropy is None or isinstance(entropy, bytes)
    assert beacon is None or isinstance(beacon, Beacon)
    key = committing.split_key(terms, seed, entropy, None if beacon is None else beacon.randomness)
    shares = committing.shares(terms, key)
    created_us = ROUND_AT_US - 2_000_000
    opened_us = created_us + 1_000_000 if terms.draw else ROUND_AT_US
    claims = [
        Claim(
            sequence=number + 1,
            pseudonym=_bytes(f"person {number} in {name}", 16),
            index=0 if terms.draw else number + 1,
            amount_fen=0 if terms.draw else shares[number],
            at_us=opened_us + number,
        )
        for number in range(claimed)
    ]
    return Closure(
        terms=terms,
        seed=seed,
        created_at_us=created_us,
        closed_at_us=ROUND_AT_US + 86_400_000_000,
        claims=claims,
        refund_fen=sum(shares[min(claimed, terms.count) :]),
        entropy=entropy,
        entropy_at_us=created_us + 500_000 if entropy else 0,
        beacon=beacon,
        journal=Journal(lane=0, sequence=4711, head=_bytes("journal")),
    )


def closures() -> dict[str, Closure]:
    """Return one closed packet of every kind and level, by name."""
    beacon_signature = _bytes("beacon signature", 32) + _bytes("and its rest", 16)
    beacon = Beacon(beacon_signature, sha256(beacon_signature).digest())
    entropy = _bytes("entropy")
    lucky_terms = _terms((2000, 10, 1, 500, 2), "race")
    promised = replace(lucky_terms, beacon_chain=QUICKNET, beacon_round=ROUND)
    drawn = replace(lucky_terms, draw=True)
    large = replace(lucky_terms, total_fen=2**53 + 1, share_fen_max=2**53)
    return {
        "lucky, level 1": _closure("one", lucky_terms, 10),
        "lucky, level 2": _closure("two", lucky_terms, 7, entropy=entropy),
        "lucky, level 3": _closure("three", promised, 10, entropy=entropy, beacon=beacon),
        "lucky, beacon never came": _closure("lower", promised, 3, entropy=entropy),
        "lucky, nobody came": _closure("none", lucky_terms, 0),
        "lucky, under a cap": _closure("cap", replace(lucky_terms, share_fen_max=201), 9),
        "equal": _closure("equal", replace(lucky_terms, lucky=False, total_fen=2003), 4),
        "draw by its chain, level 1": _closure("draw", drawn, 25),
        "draw by its chain, level 2": _closure("draw two", drawn, 6, entropy=entropy),
        "draw by a beacon": _closure("draw four", replace(promised, draw=True), 25, beacon=beacon),
        "draw, nobody came": _closure("draw none", drawn, 0),
        "very large": _closure("large", large, 5),
    }


def _records() -> Iterator[Row]:
    signer = Ed25519PrivateKey.from_private_bytes(_bytes("signing key"))
    public_key = signer.public_key().public_bytes_raw()
    for name, closure in closures().items():
        record = proof.record(closure)
        message = proof.signing_bytes(record)
        yield {
            "name": name,
            "signing_bytes_sha256": sha256(message).hexdigest(),
            "record": proof.signed(record, public_key, signer.sign(message)),
        }


def vectors() -> Row:
    """Return all vectors as plain JSON values."""
    return {
        "format": "lingqian.proof-vectors",
        "version": 1,
        "streams": list(_streams()),
        "marks": list(_marks()),
        "rungs": list(_rungs()),
        "splits": list(_splits()),
        "commitments": list(_commitments()),
        "chain": _chains(),
        "records": list(_records()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n")
