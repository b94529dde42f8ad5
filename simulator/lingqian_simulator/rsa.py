"""RSA with SHA-256 and OAEP, and AES-256-GCM: what most merchants use.

Source: WeChat Pay APIv3, signing rules (签名生成), sensitive fields and encrypted resources.
"""

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from lingqian_simulator.clock import SECOND_US
from lingqian_simulator.key import PrivateKey, Suite, Validity

KEY_BITS: Final = 2048
# SHA-1 is what the official guide and every official SDK use here; the strength of OAEP does not
# rest on collisions.
_OAEP: Final = padding.OAEP(
    mgf=padding.MGF1(hashes.SHA1()),  # noqa: S303 - the protocol's own choice
    algorithm=hashes.SHA1(),  # noqa: S303 - as above
    label=None,
)


class RsaPublicKey:
    """The half that may be shown."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key = key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Say whether the other half signed these very bytes."""
        try:
            self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def encrypt(self, plaintext: bytes) -> bytes:
        """Close a sensitive field; at most 214 bytes for 2048 bits."""
        return self._key.encrypt(plaintext, _OAEP)

    def pem(self) -> str:
        """Write the key as SubjectPublicKeyInfo."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()


class RsaPrivateKey:
    """The half that signs."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key

    def sign(self, message: bytes) -> bytes:
        """Sign raw bytes with PKCS#1 v1.5."""
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Open a sensitive field; ValueError when it was not made for this key."""
        return self.key.decrypt(ciphertext, _OAEP)

    def public_key(self) -> RsaPublicKey:
        """Return the half that may be shown."""
        return RsaPublicKey(self.key.public_key())

    def pem(self) -> str:
        """Write the key as PKCS#8, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def make_key() -> RsaPrivateKey:
    """Make a new pair."""
    return RsaPrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS))


def private_key(pem: str) -> RsaPrivateKey:
    """Read a private key; ValueError when it is not RSA."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA private key")  # noqa: TRY004 - the text is wrong, not its type
    return RsaPrivateKey(key)


def public_key(pem: str) -> RsaPublicKey:
    """Read a public key, alone or inside a certificate; ValueError when it is not RSA."""
    if "BEGIN CERTIFICATE" in pem:
        key: object = x509.load_pem_x509_certificate(pem.encode()).public_key()
    else:
        key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA public key")  # noqa: TRY004 - as above
    return RsaPublicKey(key)


def certify(key: PrivateKey, validity: Validity) -> str:
    """Sign a certificate over one's own key, PEM."""
    assert isinstance(key, RsaPrivateKey)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, validity.organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, validity.common_name),
        ]
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.key.public_key())
        .serial_number(int(validity.serial_no, 16))
        .not_valid_before(datetime.fromtimestamp(validity.not_before_us // SECOND_US, UTC))
        .not_valid_after(datetime.fromtimestamp(validity.not_after_us // SECOND_US, UTC))
        .sign(key.key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def seal(api_v3_key: str, nonce: bytes, associated: bytes, plaintext: bytes) -> bytes:
    """Encrypt with AES-256-GCM under the 32 bytes of the key's text; the tag comes last."""
    return AESGCM(api_v3_key.encode()).encrypt(nonce, plaintext, associated)


def unseal(api_v3_key: str, nonce: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    """Decrypt and check the tag; ValueError when anything was changed."""
    try:
        return AESGCM(api_v3_key.encode()).decrypt(nonce, ciphertext, associated)
    except InvalidTag as fault:
        raise ValueError("the tag does not match") from fault


RSA: Final = Suite(
    name="RSA",
    scheme="WECHATPAY2-SHA256-RSA2048",
    certificate_type="RSA",
    aead="AEAD_AES_256_GCM",
    make_key=make_key,
    private_key=private_key,
    public_key=public_key,
    certify=certify,
    seal=seal,
    unseal=unseal,
)
