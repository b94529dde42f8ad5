"""Commitment: what fixes a packet's luck before anybody opens it (承诺).

Law: the terms and the seed fix the commitment; the commitment, the seed and what was mixed in fix
the shares; every claim fixes the head of the chain. All integers are big-endian, fixed width.
Units: fen; µs.   Source: docs/reference/proof.md, "The commitment" to "The draw".
"""

import hashlib
import hmac
import struct

from lingqian.kernel.chance import Stream
from lingqian.redpacket import split
from lingqian.redpacket.split import Terms

HASH_BYTES = 32
PACKET_ID_BYTES = 16
PSEUDONYM_BYTES = 16
SEED_BYTES = 32

_NOTHING = bytes(HASH_BYTES)
_TERMS = struct.Struct(">H16sBBIQQQH32sQ")
_CLAIM = struct.Struct(">32sI16sIQQ")


def tagged(name: bytes) -> bytes:
    """Return a domain tag: one byte of length, then `lingqian/` and the name."""
    tag = b"lingqian/" + name
    return bytes((len(tag),)) + tag


_CLAIM_TAG = tagged(b"claim")
_PSEUDONYM_TAG = tagged(b"pseudonym")
_BLOCK_BYTES = 64  # of SHA-256, where HMAC pads its key
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


def terms_bytes(terms: Terms) -> bytes:
    """Return the terms as 90 bytes, the same in every language."""
    assert len(terms.packet_id) == PACKET_ID_BYTES, "a packet id is 16 bytes"
    assert len(terms.beacon_chain) in {0, HASH_BYTES}, "a chain hash is 32 bytes"
    assert bool(terms.beacon_chain) == (terms.beacon_round > 0), "a beacon is a chain and a round"
    return _TERMS.pack(
        terms.version,
        terms.packet_id,
        1 if terms.lucky else 2,
        terms.draw,
        terms.count,
        terms.total_fen,
        terms.share_fen_min,
        terms.share_fen_max,
        terms.spread,
        terms.beacon_chain,
        terms.beacon_round,
    )


def commitment(terms: Terms, seed: bytes) -> bytes:
    """Hash the terms and the sealed seed: 32 bytes to show before the first claim."""
    assert len(seed) == SEED_BYTES, "a seed is 32 bytes"
    return hashlib.sha256(tagged(b"commitment") + terms_bytes(terms) + seed).digest()


def split_key(terms: Terms, seed: bytes, entropy: bytes | None, beacon: bytes | None) -> bytes:
    """Mix the seed with the sender's 32 bytes and the beacon's 32 bytes, where there are any."""
    message = tagged(b"split-key") + commitment(terms, seed) + _maybe(entropy) + _maybe(beacon)
    return hmac.digest(seed, message, "sha256")


def shares(terms: Terms, key: bytes) -> tuple[int, ...]:
    """Return the shares in order of claim; share 1 is at place 0. Units: fen."""
    if terms.lucky:
        return split.lucky(terms, key)
    return split.equal(terms.total_fen, terms.count)


def chain_start(committed: bytes) -> bytes:
    """Return the head of the chain before the first claim or ticket."""
    assert len(committed) == HASH_BYTES, "a commitment is 32 bytes"
    return hashlib.sha256(tagged(b"chain-start") + committed).digest()


def chain(  # noqa: PLR0913 - one argument for each field of the row, all by name
    prev: bytes, *, sequence: int, pseudonym: bytes, index: int, amount_fen: int, at_us: int
) -> bytes:
    """Return the head after one more claim, or one more ticket of a draw.

    Sequence counts from 1. Index is the share from 1; a ticket has index 0 and amount 0.
    """
    assert len(prev) == HASH_BYTES, "a head is 32 bytes"
    assert len(pseudonym) == PSEUDONYM_BYTES, "a pseudonym is 16 bytes"
    row = _CLAIM.pack(prev, sequence, pseudonym, index, amount_fen, at_us)
    return hashlib.sha256(_CLAIM_TAG + row).digest()


def pseudonym(packet_id: bytes, user_id: bytes, salt: bytes) -> bytes:
    """Return the 16 bytes that stand for a person in one packet's proof.

    The salt must be secret for ever, so it must not come from the seed, which is shown at close:
    derive it from the key that seals seeds, never stored beside them. Whoever knows the salt can
    try every user id; without it two packets cannot be linked.
    """
    assert len(packet_id) == PACKET_ID_BYTES, "a packet id is 16 bytes"
    assert len(salt) >= HASH_BYTES, "a salt is at least 32 bytes"
    assert len(salt) <= _BLOCK_BYTES, "a longer key would be hashed first"
    # HMAC-SHA-256 unrolled: half the time of hmac.digest, and every claim makes one.
    padded = salt.ljust(_BLOCK_BYTES, b"\0")
    message = _PSEUDONYM_TAG + packet_id + user_id
    inner = hashlib.sha256(padded.translate(_INNER_PAD) + message).digest()
    return hashlib.sha256(padded.translate(_OUTER_PAD) + inner).digest()[:PSEUDONYM_BYTES]


def draw_key(key: bytes, head: bytes) -> bytes:
    """Return the key of a draw's order: the split key over the head of the closed ticket chain."""
    assert len(head) == HASH_BYTES, "a head is 32 bytes"
    return hmac.digest(key, tagged(b"draw-key") + head, "sha256")


def draw_order(key: bytes, tickets: int, places: int | None = None) -> tuple[int, ...]:
    """Permute the tickets from 0 uniformly; the ticket at place k gets share k + 1.

    With `places`, only so many of the first places are drawn; they are the same.
    """
    order = list(range(tickets))
    drawn = tickets if places is None else min(places, tickets)
    stream = Stream(key, b"lingqian/draw")
    for place in range(drawn):
        other = place + stream.below(tickets - place)
        order[place], order[other] = order[other], order[place]
    return tuple(order[:drawn])


def _maybe(value: bytes | None) -> bytes:
    if value is None:
        return b"\0" + _NOTHING
    assert len(value) == HASH_BYTES, "what is mixed in is 32 bytes"
    return b"\1" + value
