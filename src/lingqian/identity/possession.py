"""Possession: a proof, signed by a device's own key, that a request is that device's (持钥证明).

Law: one algorithm, one request, one use; a proof is of now, give or take a minute. A token without
the key that it is bound to opens nothing.
Source: RFC 9449 §4.2, §4.3; RFC 7638 §3 for the thumbprint; RFC 7518 §3.4 for ES256.
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

PROOF_AGE_S_MAX: Final = 60
PROOF_LENGTH_MAX: Final = 4_096
JTI_LENGTH_MAX: Final = 128
COORDINATE_BYTES: Final = 32
_PORTS: Final = {"http": ":80", "https": ":443"}
# Members that only a private key has: who sends one has given the key away.
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "k"))


class Flaw(StrEnum):
    """Why a proof proves nothing; its value is told to whoever sent it."""

    ABSENT = "the DPoP header is missing, or there are two"
    MALFORMED = "not a signed JSON web token"
    ALGORITHM = "typ must be dpop+jwt and alg ES256"
    KEY = "jwk must be a public P-256 key"
    CLAIMS = "jti, htm, htu and iat are required"
    METHOD = "htm is another method"
    TARGET = "htu is another address"
    TIME = "iat is more than a minute away from the server's time"
    TOKEN = "ath is not the digest of this access token"  # noqa: S105 - words, no secret
    SIGNATURE = "the signature is not that of the key"
    EARLIER = "iat lies before this server began; make a new proof"
    REPLAYED = "this proof was used before"
    STRANGER = "the token is bound to another key"


class Point(NamedTuple):
    """A public key of P-256: its two coordinates, 32 bytes each."""

    x: bytes
    y: bytes

    @property
    def thumbprint(self) -> bytes:
        """Return the key's short name (RFC 7638): SHA-256 over its members in order."""
        words = f'{{"crv":"P-256","kty":"EC","x":"{write64(self.x)}","y":"{write64(self.y)}"}}'
        return sha256(words.encode()).digest()


class Proof(NamedTuple):
    """A proof that holds: whose, and by which digest it is known if it comes again."""

    key: Point
    once: bytes
    issued_at_s: int


class Target(NamedTuple):
    """What a proof has to be about: method, the addresses we answer at, and the token if any."""

    method: str
    addresses: frozenset[str]
    token: str = ""


# Says whether a signature of 64 bytes (r and s) is that of a key over a message.
Verify = Callable[[Point, bytes, bytes], bool]


def read_proof(text: str, target: Target, now_s: int, verify: Verify) -> Proof | Flaw:
    """Check a proof; everything but whether it has been used before.

    Units: now_s is real unix time.   Source: RFC 9449 §4.3.
    """
    if not text:
        return Flaw.ABSENT
    token = _read(text)
    if token is None:
        return Flaw.MALFORMED
    key = _key(token.header)
    if isinstance(key, Flaw):
        return key
    flaw = _flaw(token.claims, target, now_s)
    if flaw is not None:
        return flaw
    if not verify(key, token.signature, token.signed):
        return Flaw.SIGNATURE
    once = sha256(key.thumbprint + token.claims["jti"].encode("utf-8", "surrogatepass")).digest()
    return Proof(key, once, token.claims["iat"])


class _Token(NamedTuple):
    header: dict[str, Any]
    claims: dict[str, Any]
    signature: bytes
    signed: bytes


def _read(text: str) -> _Token | None:
    signed, _, end = text.rpartition(".")
    head, dot, body = signed.partition(".")
    if len(text) > PROOF_LENGTH_MAX or not dot or "." in body:
        return None
    header, claims, signature = _object(head), _object(body), read64(end)
    if header is None or claims is None or signature is None:
        return None
    return _Token(header, claims, signature, signed.encode())


def _key(header: dict[str, Any]) -> Point | Flaw:
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256" or "crit" in header:
        return Flaw.ALGORITHM
    found = header.get("jwk")
    if not isinstance(found, dict) or _PRIVATE & found.keys():
        return Flaw.KEY
    if found.get("kty") != "EC" or found.get("crv") != "P-256":
        return Flaw.KEY
    x, y = read64(found.get("x")), read64(found.get("y"))
    if x is None or y is None or len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
        return Flaw.KEY
    return Point(x, y)


def _flaw(claims: dict[str, Any], target: Target, now_s: int) -> Flaw | None:
    jti, method, address, issued = (claims.get(name) for name in ("jti", "htm", "htu", "iat"))
    if not (isinstance(jti, str) and 0 < len(jti) <= JTI_LENGTH_MAX and type(issued) is int):
        return Flaw.CLAIMS
    if not (isinstance(method, str) and isinstance(address, str)):
        return Flaw.CLAIMS
    ath = write64(sha256(target.token.encode()).digest())
    holds = {
        Flaw.METHOD: method == target.method,
        Flaw.TARGET: plain_address(address) in target.addresses,
        Flaw.TIME: abs(now_s - issued) <= PROOF_AGE_S_MAX,
        Flaw.TOKEN: not target.token or claims.get("ath") == ath,
    }
    return next((flaw for flaw, is_so in holds.items() if not is_so), None)


def plain_address(address: str) -> str:
    """Return an address without query and fragment, host in small letters, no usual port.

    Empty for what is no address; that equals none of ours.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    scheme, host = parts.scheme.lower(), parts.netloc.lower()
    if scheme not in _PORTS or not host:
        return ""
    return f"{scheme}://{host.removesuffix(_PORTS[scheme])}{parts.path or '/'}"


def write64(raw: bytes) -> str:
    """Write bytes as JSON web tokens do: base64 for addresses, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def read64(text: object) -> bytes | None:
    """Read what `write64` wrote; None for anything else, other spellings of the same included."""
    if not isinstance(text, str):
        return None
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if write64(raw) == text else None


def _object(text: str) -> dict[str, Any] | None:
    raw = read64(text)
    if raw is None:
        return None
    try:
        found = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose every member is named once.

    Raises: ValueError; two readers could each believe another member.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is named twice")
    return found
