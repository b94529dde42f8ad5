"""SM2 on its one curve: signatures with SM3, and encryption, in plain integers (国密 SM2).

Not constant-time: these keys guard a simulator on one's own machine and nothing else.
Source: GB/T 32918.2 (signature), .4 (encryption), .5 (parameters).
"""

import secrets
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hashes

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
USER_ID: Final = b"1234567812345678"
SIZE: Final = 32  # bytes of a number


class Point(NamedTuple):
    """A point of the curve, in plain coordinates."""

    x: int
    y: int


G: Final = Point(
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
# Jacobian coordinates: (x, y, z) stands for (x / z², y / z³); z = 0 for the point at infinity.
_Jacobian = tuple[int, int, int]
_NOWHERE: Final[_Jacobian] = (1, 1, 0)


def sm3(data: bytes) -> bytes:
    """Return the digest, 32 bytes."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def is_on_curve(point: Point) -> bool:
    """Say whether the coordinates are in range and fulfil the equation."""
    x, y = point
    in_range = 0 <= x < P and 0 <= y < P
    return in_range and (y * y - (x * x * x + A * x + B)) % P == 0


def times(factor: int, point: Point) -> Point:
    """Return a point added to itself so many times; never the point at infinity."""
    return _plain(_times(factor, (*point, 1)))


def digest_for(point: Point, message: bytes, user_id: bytes = USER_ID) -> int:
    """Return what is signed: SM3 over the signer's identity and the message, as a number."""
    identity = (len(user_id) * 8).to_bytes(2) + user_id
    numbers = b"".join(part.to_bytes(SIZE) for part in (A, B, *G, *point))
    return int.from_bytes(sm3(sm3(identity + numbers) + message))


def sign(private: int, digest: int, nonce: int | None = None) -> tuple[int, int]:
    """Return r and s; a nonce is handed in only to repeat a published example."""
    point = times(private, G) if nonce is None else None
    assert point is None or is_on_curve(point), "the key belongs to the curve"
    while True:
        k = nonce or secrets.randbelow(N - 1) + 1
        r = (digest + times(k, G).x) % N
        s = pow(1 + private, -1, N) * (k - r * private) % N
        if r and s and r + k != N:
            return r, s


def verifies(point: Point, digest: int, r: int, s: int) -> bool:
    """Say whether the signature belongs to the digest and the key."""
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    total = _add(_times(s, (*G, 1)), _times(t, (*point, 1)))
    return total[2] != 0 and (digest + _plain(total).x) % N == r


class Cipher(NamedTuple):
    """What SM2 encryption yields: a point, a check value, and the masked text."""

    point: Point
    check: bytes
    masked: bytes


def encrypt(point: Point, plaintext: bytes, nonce: int | None = None) -> Cipher:
    """Encrypt for a key; a nonce is handed in only to repeat a published example."""
    while True:
        k = nonce or secrets.randbelow(N - 1) + 1
        shared = times(k, point)
        x, y = (part.to_bytes(SIZE) for part in shared)
        mask = _derive(x + y, len(plaintext))
        if any(mask) or not plaintext:
            masked = bytes(a ^ b for a, b in zip(plaintext, mask, strict=True))
            return Cipher(times(k, G), sm3(x + plaintext + y), masked)


def decrypt(private: int, cipher: Cipher) -> bytes:
    """Decrypt and check.

    Raises: ValueError when it was not made for this key.
    """
    if not is_on_curve(cipher.point):
        raise ValueError("not a point of the curve")
    x, y = (part.to_bytes(SIZE) for part in times(private, cipher.point))
    mask = _derive(x + y, len(cipher.masked))
    plaintext = bytes(a ^ b for a, b in zip(cipher.masked, mask, strict=True))
    if sm3(x + plaintext + y) != cipher.check:
        raise ValueError("the check value does not match")
    return plaintext


def _derive(secret: bytes, length: int) -> bytes:
    blocks = (sm3(secret + count.to_bytes(4)) for count in range(1, -(-length // SIZE) + 1))
    return b"".join(blocks)[:length]


def _plain(point: _Jacobian) -> Point:
    x, y, z = point
    assert z, "the point at infinity has no coordinates"
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return Point(x * square % P, y * square * inverse % P)


def _times(factor: int, point: _Jacobian) -> _Jacobian:
    total = _NOWHERE
    for bit in f"{factor % N:b}":
        total = _double(total)
        if bit == "1":
            total = _add(total, point)
    return total


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z or not y:
        return _NOWHERE
    square = y * y % P
    s = 4 * x * square % P
    m = 3 * (x - z * z) * (x + z * z) % P  # a = -3
    out = (m * m - 2 * s) % P
    return out, (m * (s - out) - 8 * square * square) % P, 2 * y * z % P


def _add(left: _Jacobian, right: _Jacobian) -> _Jacobian:
    if not left[2] or not right[2]:
        return right if not left[2] else left
    z1, z2 = left[2] * left[2] % P, right[2] * right[2] % P
    u1, u2 = left[0] * z2 % P, right[0] * z1 % P
    s1, s2 = left[1] * z2 * right[2] % P, right[1] * z1 * left[2] % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if not h:
        return _NOWHERE if r else _double(left)
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, h * left[2] * right[2] % P
