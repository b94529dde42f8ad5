"""The vault: keys that lie outside the database, and the four things done with them (密钥库).

One 32-byte root per generation under `keys/`, never in a backup of the database; every purpose has
its own key by HKDF. Sealed bytes begin with the generation and, in its highest bit, the cipher: AES
or SM4 (国密), both with GCM; so roots and ciphers can be changed while old bytes are still read.
Source: NIST SP 800-38D; GB/T 32907 and RFC 8998 for SM4-GCM; risk-compliance reference 8.
"""

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lingqian.kernel.fault import Damaged

_ROOT_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MAC_BYTES: Final = 16
_TAG_BYTES: Final = 16
_SM4: Final = 0x80
_PURPOSES: Final = ("seed", "personal", "webhook", "backup", "identity")
# What is told of people; the rest is the house's own and stays with one cipher.
_PEOPLES: Final = ("personal", "identity")
AES_256_GCM: Final = "aes-256-gcm"
SM4_GCM: Final = "sm4-gcm"


class Sm4Gcm:
    """SM4 in Galois counter mode, with the two verbs of the library's AESGCM."""

    def __init__(self, key: bytes) -> None:
        self._cipher = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        """Return the cipher text with its tag behind it."""
        work = Cipher(self._cipher, modes.GCM(nonce)).encryptor()
        work.authenticate_additional_data(bound)
        return work.update(plain) + work.finalize() + work.tag

    def decrypt(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Return the plain text.

        Raises: InvalidTag, ValueError when the bytes were changed or are too few.
        """
        body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        work = Cipher(self._cipher, modes.GCM(nonce, tag)).decryptor()
        work.authenticate_additional_data(bound)
        return work.update(body) + work.finalize()


class Vault:
    """Seals, opens, digests and signs; holds its keys in memory only."""

    def __init__(self, roots: dict[int, bytes], cipher: str = AES_256_GCM) -> None:
        assert roots, "a vault has at least one root"
        assert all(0 < number < _SM4 for number in roots), "a generation is seven bits"
        assert cipher in (AES_256_GCM, SM4_GCM), "one of the ciphers there are"
        self._newest = max(roots)
        self._peoples_bit = _SM4 if cipher == SM4_GCM else 0
        self._ciphers: dict[tuple[int, str], AESGCM | Sm4Gcm] = {
            (number, purpose): AESGCM(_derive(root, purpose))
            for number, root in roots.items()
            for purpose in _PURPOSES
        }
        self._ciphers |= {
            (number | _SM4, purpose): Sm4Gcm(_derive(root, f"sm4/{purpose}", 16))
            for number, root in roots.items()
            for purpose in _PEOPLES
        }
        # Digests and signatures must stay comparable for ever: they use the first root.
        first = roots[min(roots)]
        self._mac_key = _derive(first, "mac")
        self._pepper_key = _derive(first, "pepper")
        self._signer = Ed25519PrivateKey.from_private_bytes(_derive(first, "sign"))
        self.public_key = self._signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def seal(self, purpose: str, bound: bytes, plain: bytes) -> bytes:
        """Encrypt under a purpose's newest key, bound to what the bytes belong to."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        first = self._first(purpose)
        return bytes((first,)) + nonce + self._ciphers[first, purpose].encrypt(nonce, plain, bound)

    def _first(self, purpose: str) -> int:
        return self._newest | (self._peoples_bit if purpose in _PEOPLES else 0)

    def is_fresh(self, purpose: str, sealed: bytes) -> bool:
        """Say whether bytes are sealed as they would be now: newest root, chosen cipher."""
        return sealed[:1] == bytes((self._first(purpose),))

    def open(self, purpose: str, bound: bytes, sealed: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises: Damaged when the bytes were changed, moved to another owner, or the root is gone.
        """
        cipher = self._ciphers.get((sealed[0] if sealed else 0, purpose))
        if cipher is None:
            raise Damaged("sealed bytes name a key that is not in the key folder")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, bound)
        except (InvalidTag, ValueError) as error:
            raise Damaged("sealed bytes were changed or belong elsewhere") from error

    def mac(self, purpose: str, *parts: bytes) -> bytes:
        """Return a keyed digest of sixteen bytes over length-prefixed parts."""
        message = b"".join(
            [len(part).to_bytes(4, "big") + part for part in (purpose.encode(), *parts)]
        )
        return hmac.digest(self._mac_key, message, "sha256")[:_MAC_BYTES]

    def secret(self, purpose: str, bound: bytes) -> bytes:
        """Return 32 bytes that only this vault can make again, such as a packet's salt."""
        return hmac.digest(self._mac_key, purpose.encode() + b"\0" + bound, "sha256")

    def pepper(self, owner_id: bytes, text: bytes) -> bytes:
        """Return a short secret of a person under a key that is used for nothing else."""
        return hmac.digest(self._pepper_key, owner_id + b"\0" + text, "sha256")

    def same(self, one: bytes, two: bytes) -> bool:
        """Compare two digests in constant time."""
        return hmac.compare_digest(one, two)

    def sign(self, message: bytes) -> bytes:
        """Sign with the installation's Ed25519 key."""
        return self._signer.sign(message)


def _derive(root: bytes, purpose: str, size: int = 32) -> bytes:
    return HKDFExpand(SHA256(), size, b"lingqian/v1/" + purpose.encode()).derive(root)


def open_vault(folder: Path, cipher: str = AES_256_GCM) -> Vault:
    """Open the key folder, making it with a first root when there is none.

    Raises: Damaged when a key file is not 32 bytes of hex or can be read by others.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = sorted(folder.glob("root-*.key"))
    if not files:
        files = [_new_root(folder, 1)]
    return Vault({int(file.stem[5:]): _read_root(file) for file in files}, cipher)


def has_root(folder: Path) -> bool:
    """Say whether a key folder holds a root."""
    return any(folder.glob("root-*.key"))


def forget_first_root(folder: Path) -> None:
    """Remove the root that `open_vault` has just made for a database that has another one."""
    (folder / "root-001.key").unlink()


def rotate(folder: Path) -> int:
    """Add a new root; new bytes are sealed under it, old bytes stay readable. Return its number."""
    newest = max((int(file.stem[5:]) for file in folder.glob("root-*.key")), default=0)
    _new_root(folder, newest + 1)
    return newest + 1


def _new_root(folder: Path, number: int) -> Path:
    path = folder / f"root-{number:03d}.key"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(_ROOT_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def _read_root(path: Path) -> bytes:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Damaged(f"{path} can be read by others; chmod 600 it")
    try:
        root = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError as error:
        raise Damaged(f"{path} is not a key file") from error
    if len(root) != _ROOT_BYTES:
        raise Damaged(f"{path} is not a key file")
    return root


def fingerprint(public_key: bytes) -> str:
    """Return the short name of a public key, as proofs and logs show it."""
    return sha256(public_key).hexdigest()[:16]
