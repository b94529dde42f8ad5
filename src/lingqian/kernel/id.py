"""Ids: sixteen bytes of `lane(16) | unix ms(48) | random(64)`, shown as 29 characters (编号).

Law: an id names its home lane for ever, sorts by time inside a lane, and fits an `out_trade_no`.
"""

from typing import Final

PREFIX_USER: Final = "us"
PREFIX_PACKET: Final = "rp"
PREFIX_TRANSFER: Final = "tr"
PREFIX_FUNDING: Final = "fu"
PREFIX_CASE: Final = "cs"
PREFIX_ORDER: Final = "tu"
# An attempt's text is what the channel knows as our out_trade_no, a refund's our out_refund_no.
PREFIX_ATTEMPT: Final = "pa"
PREFIX_REFUND: Final = "rf"
PREFIX_PAYOUT: Final = "po"
PREFIX_GIFT: Final = "gf"
PREFIX_DIFFERENCE: Final = "df"
PREFIX_LINK: Final = "ln"
PREFIX_SESSION: Final = "se"
PREFIX_DEVICE: Final = "dv"
# No id that was minted: a keyed digest of a picture, shown in the same letters.
PREFIX_COVER: Final = "cv"

ID_BYTES: Final = 16
LANES_MAX: Final = 1 << 16
TEXT_LENGTH: Final = 29

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# From our letters to those `int` reads in base 32; every other byte becomes one it refuses.
_DIGITS: Final = bytes(
    ord("0123456789ABCDEFGHIJKLMNOPQRSTUV"[_ALPHABET.index(letter)])
    if (letter := chr(byte)) in _ALPHABET
    else ord("!")
    for byte in range(256)
)
# Sixteen bytes are 128 bits; 26 letters carry 130, so the first letter stays below 8.
_SHIFTS: Final = tuple(range(125, -1, -5))


def mint(lane: int, at_ms: int, chance: int) -> bytes:
    """Make an id from its home lane, a time and 64 random bits.

    Units: at_ms is unix milliseconds.
    """
    assert 0 <= lane < LANES_MAX, "a lane is sixteen bits"
    return (lane << 112 | (at_ms & 0xFFFFFFFFFFFF) << 64 | chance).to_bytes(ID_BYTES, "big")


def lane_of(identity: bytes) -> int:
    """Return the home lane written in an id, an account or a key."""
    return identity[0] << 8 | identity[1]


def show(prefix: str, identity: bytes) -> str:
    """Write an id as people and other systems see it: `rp_` and 26 Crockford base32 letters."""
    number = int.from_bytes(identity, "big")
    return prefix + "_" + "".join([_ALPHABET[number >> shift & 31] for shift in _SHIFTS])


def parse(prefix: str, text: str) -> bytes | None:
    """Read an id of one kind; None when the text is not exactly such an id."""
    if len(text) != TEXT_LENGTH or text[:3] != prefix + "_" or text[3] > "7":
        return None
    try:
        digits = text[3:].encode("ascii").translate(_DIGITS)
        return int(digits, 32).to_bytes(ID_BYTES, "big")
    except ValueError:
        return None
