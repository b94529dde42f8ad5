"""国密: SM2 keys and certificates as files, and SM4-GCM, in the forms that APIv3 uses.

Source: GB/T 32918, GB/T 35276 (ASN.1 forms), GM/T 0006 (object identifiers), RFC 8998 (SM4-GCM);
APIv3 国密: signature as DER (r, s), field cipher as DER (x, y, C3, C2), key = the first 16 bytes of
SM3 over the text of the APIv3 key.
"""

import base64
import secrets
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lingqian_simulator import der, sm2
from lingqian_simulator.clock import SECOND_US
from lingqian_simulator.key import PrivateKey, Suite, Validity

_KEY_KIND: Final = der.write(
    der.SEQUENCE, der.oid("1.2.840.10045.2.1"), der.oid("1.2.156.10197.1.301")
)
_SIGNATURE_KIND: Final = der.write(der.SEQUENCE, der.oid("1.2.156.10197.1.501"))
_UNCOMPRESSED: Final = 4
_TAG_BYTES: Final = 16


class Sm2PublicKey:
    """The half that may be shown."""

    def __init__(self, point: sm2.Point) -> None:
        if not sm2.is_on_curve(point):
            raise ValueError("not a point of the curve")
        self._point = point

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the other half signed these very bytes."""
        try:
            r, s = (_number(part) for part in der.read_sequence(signature))
        except ValueError:
            return False
        return sm2.verifies(self._point, sm2.digest_for(self._point, message), r, s)

    def encrypt(self, plaintext: bytes) -> bytes:
        """Close a sensitive field."""
        point, check, masked = sm2.encrypt(self._point, plaintext)
        return der.write(
            der.SEQUENCE,
            der.integer(point.x),
            der.integer(point.y),
            der.write(der.OCTET_STRING, check),
            der.write(der.OCTET_STRING, masked),
        )

    def info(self) -> bytes:
        """Return the SubjectPublicKeyInfo."""
        return der.write(der.SEQUENCE, _KEY_KIND, der.write(der.BIT_STRING, b"\0", self.octets()))

    def octets(self) -> bytes:
        """Return the point, uncompressed."""
        numbers = b"".join(part.to_bytes(sm2.SIZE) for part in self._point)
        return bytes((_UNCOMPRESSED,)) + numbers

    def pem(self) -> str:
        """Write the key as SubjectPublicKeyInfo."""
        return write_pem("PUBLIC KEY", self.info())


class Sm2PrivateKey:
    """The half that signs."""

    def __init__(self, private: int) -> None:
        if not 0 < private < sm2.N - 1:
            raise ValueError("not a private key of the curve")
        self._private = private
        self._point = sm2.times(private, sm2.G)

    def sign(self, message: bytes) -> bytes:
        """Sign raw bytes with SM3."""
        r, s = sm2.sign(self._private, sm2.digest_for(self._point, message))
        return der.write(der.SEQUENCE, der.integer(r), der.integer(s))

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Open a sensitive field; ValueError when it was not made for this key."""
        x, y, check, masked = der.read_sequence(ciphertext)
        point = sm2.Point(_number(x), _number(y))
        return sm2.decrypt(self._private, sm2.Cipher(point, check.content, masked.content))

    def public_key(self) -> Sm2PublicKey:
        """Return the half that may be shown."""
        return Sm2PublicKey(self._point)

    def pem(self) -> str:
        """Write the key as PKCS#8, unencrypted."""
        public = der.write(der.BIT_STRING, b"\0", self.public_key().octets())
        inner = der.write(
            der.SEQUENCE,
            der.integer(1),
            der.write(der.OCTET_STRING, self._private.to_bytes(sm2.SIZE)),
            der.write(0xA1, public),
        )
        outer = (der.integer(0), _KEY_KIND, der.write(der.OCTET_STRING, inner))
        return write_pem("PRIVATE KEY", der.write(der.SEQUENCE, *outer))


def make_key() -> Sm2PrivateKey:
    """Make a new pair."""
    return Sm2PrivateKey(secrets.randbelow(sm2.N - 2) + 1)


def private_key(pem: str) -> Sm2PrivateKey:
    """Read a private key from PKCS#8; ValueError when it is not SM2."""
    _, kind, wrapped = der.read_sequence(read_pem(pem))[:3]
    if kind.whole != _KEY_KIND:
        raise ValueError("not an SM2 private key")
    return Sm2PrivateKey(int.from_bytes(der.read_sequence(wrapped.content)[1].content))


def public_key(pem: str) -> Sm2PublicKey:
    """Read a public key, alone or inside a certificate; ValueError when it is not SM2."""
    elements = der.read_sequence(read_pem(pem))
    if "BEGIN CERTIFICATE" in pem:
        # Version, serial, algorithm, issuer, validity, subject; then the key.
        elements = der.read(der.read(elements[0].content)[6].content)
    kind, bits = elements
    if kind.whole != _KEY_KIND or bits.content[:2] != bytes((0, _UNCOMPRESSED)):
        raise ValueError("not an SM2 public key")
    numbers = bits.content[2:]
    x, y = numbers[: sm2.SIZE], numbers[sm2.SIZE :]
    return Sm2PublicKey(sm2.Point(int.from_bytes(x), int.from_bytes(y)))


def certify(key: PrivateKey, validity: Validity) -> str:
    """Sign a certificate over one's own key, PEM."""
    assert isinstance(key, Sm2PrivateKey)
    name = der.write(
        der.SEQUENCE,
        _named("2.5.4.6", der.write(der.PRINTABLE, b"CN")),
        _named("2.5.4.10", der.write(der.UTF8, validity.organisation.encode())),
        _named("2.5.4.3", der.write(der.UTF8, validity.common_name.encode())),
    )
    times = (_time(validity.not_before_us), _time(validity.not_after_us))
    inner = der.write(
        der.SEQUENCE,
        der.write(0xA0, der.integer(2)),  # version 3
        der.integer(int(validity.serial_no, 16)),
        _SIGNATURE_KIND,
        name,
        der.write(der.SEQUENCE, *times),
        name,
        key.public_key().info(),
    )
    signature = der.write(der.BIT_STRING, b"\0", key.sign(inner))
    return write_pem("CERTIFICATE", der.write(der.SEQUENCE, inner, _SIGNATURE_KIND, signature))


def seal(api_v3_key: str, nonce: bytes, associated: bytes, plaintext: bytes) -> bytes:
    """Encrypt with SM4-GCM; the tag comes last."""
    context = Cipher(algorithms.SM4(_sm4_key(api_v3_key)), modes.GCM(nonce)).encryptor()
    context.authenticate_additional_data(associated)
    return context.update(plaintext) + context.finalize() + context.tag


def unseal(api_v3_key: str, nonce: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    """Decrypt and check the tag; ValueError when anything was changed."""
    text, tag = ciphertext[:-_TAG_BYTES], ciphertext[-_TAG_BYTES:]
    context = Cipher(algorithms.SM4(_sm4_key(api_v3_key)), modes.GCM(nonce, tag)).decryptor()
    context.authenticate_additional_data(associated)
    try:
        return context.update(text) + context.finalize()
    except InvalidTag as fault:
        raise ValueError("the tag does not match") from fault


def write_pem(label: str, data: bytes) -> str:
    """Write bytes as PEM."""
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def read_pem(pem: str) -> bytes:
    """Read the bytes of a PEM text; ValueError when it is none."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    if len(lines) < 3 or not lines[0].startswith("-----BEGIN "):
        raise ValueError("not PEM")
    return base64.b64decode("".join(lines[1:-1]), validate=True)


def _sm4_key(api_v3_key: str) -> bytes:
    return sm2.sm3(api_v3_key.encode())[:16]


def _number(element: der.Element) -> int:
    if element.tag != der.INTEGER:
        raise ValueError("not a number")
    return int.from_bytes(element.content)


def _named(kind: str, value: bytes) -> bytes:
    return der.write(der.SET, der.write(der.SEQUENCE, der.oid(kind), value))


def _time(at_us: int) -> bytes:
    moment = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return der.write(der.TIME, moment.strftime("%y%m%d%H%M%SZ").encode())


SM: Final = Suite(
    name="SM",
    scheme="WECHATPAY2-SM2-WITH-SM3",
    certificate_type="SM2",
    aead="AEAD_SM4_GCM",
    make_key=make_key,
    private_key=private_key,
    public_key=public_key,
    certify=certify,
    seal=seal,
    unseal=unseal,
)
