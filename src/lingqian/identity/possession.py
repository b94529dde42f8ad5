"""Possession: a proof, signed by a device's own key, that a request is that device's (持钥证明).

Law: one algorithm, one request, one use; a proof is of now, give or take a minute. A token without
the key that it is bound to opens nothing. What is signed and by which key a library says; before it
is asked, a member named twice is refused, of which two readers could each believe another.
Source: RFC 9449 §4.2, §4.3; RFC 7638 §3 for the thumbprint; RFC 7518 §3.4 for ES256.
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64encode
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

PROOF_AGE_S_MAX: Final = 60
PROOF_LENGTH_MAX: Final = 4_096
JTI_LENGTH_MAX: Final = 128
_PORTS: Final = {"http": ":80", "https": ":443"}
# What the library is told of a key; whoever sends the private member has given the key away.
_MEMBERS: Final = ("kty", "crv", "x", "y")
# Members we do not know are nobody's business, as RFC 7515 §4 has it; `crit` is refused below.
_READER: Final = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)


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


class Proof(NamedTuple):
    """A proof that holds: whose (RFC 7638), and by which digest it is known if it comes again."""

    thumbprint: bytes
    once: bytes
    issued_at_s: int


class Target(NamedTuple):
    """What a proof has to be about: method, the addresses we answer at, and the token if any."""

    method: str
    addresses: frozenset[str]
    token: str = ""


def read_proof(text: str, target: Target, now_s: int) -> Proof | Flaw:
    """Check a proof; everything but whether it has been used before.

    Units: now_s is real unix time.   Source: RFC 9449 §4.3.
    """
    if not text:
        return Flaw.ABSENT
    claims = _claims(text)
    token = None if claims is None else _token(text)
    if claims is None or token is None:
        return Flaw.MALFORMED
    key = _key(token.headers())
    if isinstance(key, Flaw):
        return key
    flaw = _flaw(claims, target, now_s)
    if flaw is not None:
        return flaw
    if not _is_signed(token, key):
        return Flaw.SIGNATURE
    thumbprint = b64decode(key.thumbprint() + "=", altchars=b"-_")
    once = sha256(thumbprint + claims["jti"].encode("utf-8", "surrogatepass")).digest()
    return Proof(thumbprint, once, claims["iat"])


def _claims(text: str) -> dict[str, Any] | None:
    """Return what a token claims; None for what is not three parts, two of them plain objects."""
    parts = text.split(".") if len(text) <= PROOF_LENGTH_MAX else []
    if len(parts) != 3 or read64(parts[2]) is None or _object(parts[0]) is None:
        return None
    return _object(parts[1])


def _token(text: str) -> jws.CompactSignature | None:
    try:
        return jws.extract_compact(text.encode(), registry=_READER)
    except (JoseError, RecursionError, UnicodeError):
        return None


def _key(header: dict[str, Any]) -> ECKey | Flaw:
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256" or "crit" in header:
        return Flaw.ALGORITHM
    found = header.get("jwk")
    if not isinstance(found, dict) or "d" in found:
        return Flaw.KEY
    told = {name: found[name] for name in _MEMBERS if name in found}
    try:
        key = ECKey.import_key(told)
    except (JoseError, KeyError, TypeError, ValueError):
        return Flaw.KEY
    # A curve of ours, and a key that has one spelling only: another would be another thumbprint.
    spelled = ECKey(key.raw_value, key.raw_value).as_dict()
    return key if spelled == told and told["crv"] == "P-256" else Flaw.KEY


def _is_signed(token: jws.CompactSignature, key: ECKey) -> bool:
    try:
        return jws.validate_compact(token, key, registry=_READER)
    except JoseError:
        return False


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
