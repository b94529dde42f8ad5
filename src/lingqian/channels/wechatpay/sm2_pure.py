"""SM2 by our own arithmetic: for verifying, and for private keys only where a setting allows it.

It does not run in constant time: who can measure a signature closely may learn of its key.
Source: GB/T 32918.2 §6, §7; GB/T 32918.4 §6, §7.
"""

import secrets
from collections.abc import Callable
from typing import Final

from lingqian.channels.wechatpay import der
from lingqian.channels.wechatpay.sm2 import (
    GX,
    GY,
    KEY_BYTES,
    POINT_BYTES,
    USER_ID,
    A,
    B,
    N,
    P,
    sm3,
    write_signature,
)

# Jacobian coordinates: x / z², y / z³; z = 0 is the point at infinity.
Point = tuple[int, int, int]
_ZERO: Final[Point] = (1, 1, 0)
_G: Final[Point] = (GX, GY, 1)
_HASH_BYTES: Final = 32


def _draw() -> int:
    return secrets.randbelow(N - 1) + 1


class PureSm2:
    """The back end without a library."""

    name = "own arithmetic"
    is_constant_time = False

    def __init__(self, draw: Callable[[], int] = _draw) -> None:
        """`draw` gives the number that is used once, in 1 … n - 1."""
        self._draw = draw

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Return the signature: DER of (r, s)."""
        secret = _secret(private)
        point = _affine(_times(secret, _G))
        digest = _digest(_bytes(point[0]) + _bytes(point[1]), message)
        while True:
            once = self._draw()
            r = (digest + _affine(_times(once, _G))[0]) % N
            if r in (0, N - once):
                continue
            s = pow(1 + secret, -1, N) * (once - r * secret) % N
            if s:
                return write_signature(r, s)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is this key's."""
        try:
            point = _point(public)
            parts = der.read_sequence(signature, der.INTEGER, der.INTEGER)
            r, s = map(der.read_integer, parts)
        except ValueError:
            return False
        if not (0 < r < N and 0 < s < N) or not (r + s) % N:
            return False
        found = _sum(_times(s, _G), _times((r + s) % N, point))
        return found[2] != 0 and (_digest(public, message) + _affine(found)[0]) % N == r

    def encrypt(self, public: bytes, plain: bytes) -> bytes:
        """Return DER of (x, y, C3 hash, C2 text)."""
        point = _point(public)
        while True:
            once = self._draw()
            x, y = _affine(_times(once, _G))
            left, right = map(_bytes, _affine(_times(once, point)))
            stream = _stream(left + right, len(plain))
            if any(stream):
                break
        text = bytes(a ^ b for a, b in zip(plain, stream, strict=True))
        check = sm3(left + plain + right)
        parts = (
            der.write_integer(x),
            der.write_integer(y),
            der.write(der.OCTET_STRING, check),
            der.write(der.OCTET_STRING, text),
        )
        return der.write(der.SEQUENCE, b"".join(parts))

    def decrypt(self, private: bytes, sealed: bytes) -> bytes:
        """Open what was sealed.

        Raises: ValueError.
        """
        tags = (der.INTEGER, der.INTEGER, der.OCTET_STRING, der.OCTET_STRING)
        x, y, check, text = der.read_sequence(sealed, *tags)
        point = _on_curve(der.read_integer(x), der.read_integer(y))
        left, right = map(_bytes, _affine(_times(_secret(private), point)))
        stream = _stream(left + right, len(text))
        plain = bytes(a ^ b for a, b in zip(text, stream, strict=True))
        if not text or not secrets.compare_digest(sm3(left + plain + right), check):
            raise ValueError("what was sealed does not open")
        return plain


def public_of(private: bytes) -> bytes:
    """Return the public key of a private one.

    Raises: ValueError.
    """
    x, y = _affine(_times(_secret(private), _G))
    return _bytes(x) + _bytes(y)


def _secret(private: bytes) -> int:
    value = int.from_bytes(private, "big")
    if len(private) != KEY_BYTES or not 0 < value < N - 1:
        raise ValueError("not an SM2 private key")
    return value


def _point(public: bytes) -> Point:
    if len(public) != POINT_BYTES:
        raise ValueError("not an SM2 public key")
    return _on_curve(
        int.from_bytes(public[:KEY_BYTES], "big"), int.from_bytes(public[KEY_BYTES:], "big")
    )


def _on_curve(x: int, y: int) -> Point:
    if not (x < P and y < P) or (y * y - (x * x * x + A * x + B)) % P:
        raise ValueError("a point that is not on the curve")
    return x, y, 1


def _digest(public: bytes, message: bytes) -> int:
    """Return e: the hash over who signs and what."""
    length = (8 * len(USER_ID)).to_bytes(2, "big")
    curve = b"".join(map(_bytes, (A, B, GX, GY)))
    return int.from_bytes(sm3(sm3(length + USER_ID + curve + public) + message), "big")


def _stream(shared: bytes, length: int) -> bytes:
    """Return the key stream of GB/T 32918.4 §5.4.3."""
    blocks = -(-length // _HASH_BYTES)
    found = b"".join(sm3(shared + number.to_bytes(4, "big")) for number in range(1, blocks + 1))
    return found[:length]


def _bytes(value: int) -> bytes:
    return value.to_bytes(KEY_BYTES, "big")


def _double(point: Point) -> Point:
    x, y, z = point
    if not z or not y:
        return _ZERO
    square = y * y % P
    four = 4 * x * square % P
    slope = 3 * (x - z * z) * (x + z * z) % P  # because a is p - 3
    left = (slope * slope - 2 * four) % P
    return left, (slope * (four - left) - 8 * square * square) % P, 2 * y * z % P


def _sum(one: Point, two: Point) -> Point:
    if not one[2]:
        return two
    if not two[2]:
        return one
    z1, z2 = one[2] * one[2] % P, two[2] * two[2] % P
    u1, u2 = one[0] * z2 % P, two[0] * z1 % P
    s1, s2 = one[1] * z2 * two[2] % P, two[1] * z1 * one[2] % P
    if u1 == u2:
        return _double(one) if s1 == s2 else _ZERO
    width, height = u2 - u1, s2 - s1
    square = width * width % P
    cube = square * width % P
    middle = u1 * square % P
    left = (height * height - cube - 2 * middle) % P
    return left, (height * (middle - left) - s1 * cube) % P, width * one[2] * two[2] % P


def _times(factor: int, point: Point) -> Point:
    """Multiply a point, four bits at a time."""
    table = [_ZERO, point]
    for _ in range(14):
        table.append(_sum(table[-1], point))
    found = _ZERO
    for shift in range(252, -1, -4):
        for _ in range(4):
            found = _double(found)
        found = _sum(found, table[factor >> shift & 15])
    return found


def _affine(point: Point) -> tuple[int, int]:
    inverse = pow(point[2], -1, P)
    square = inverse * inverse % P
    return point[0] * square % P, point[1] * square * inverse % P
