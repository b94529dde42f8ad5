"""Archives: one file, encrypted in frames, in which a cut, a swap or a flipped bit is found (归档).

Law: nothing of an archive is used before its last frame has been seen and its checksum fits. The
file's key is drawn anew for each archive and wrapped by a lock: the installation's own keys, a
passphrase, or the public key of a recipient who alone can open it.

Layout: magic, length of the header (4 bytes), header; then frames, each a length (4 bytes), 1 for
the last frame or 0, and AES-256-GCM bytes whose nonce is the frame's number and that last mark, and
whose associated data is the header's SHA-256; then SHA-256 of everything before it.
Source: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015).
"""

import os
import secrets
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from lingqian.kernel.fault import Damaged
from lingqian.storage.head import sync_folder
from lingqian.storage.vault import Vault

FRAME_BYTES: Final = 1 << 20
_MAGIC: Final = b"lingqian archive\x01"
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 16
_HEADER_BYTES_MAX: Final = 4_096
_TAG_BYTES: Final = 16
_BOUND: Final = b"lingqian archive key"
# 128 MiB of memory for each guess.
_SCRYPT_COST: Final = 1 << 17
_LENGTH: Final = struct.Struct(">I")
_FRAME: Final = struct.Struct(">IB")
_NONCE: Final = struct.Struct(">3xQB")
# A wrapping key is used for one file's key and never again.
_ONCE: Final = bytes(12)


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the clear: how the file's key is wrapped, and nothing else."""

    lock: str
    wrapped: bytes


class Lock(NamedTuple):
    """One way to wrap a file's key."""

    name: str
    wrap: Callable[[bytes], bytes]


class Keyring(NamedTuple):
    """Whatever the opener has; an archive says which of it is needed."""

    vault: Vault | None = None
    passphrase: bytes = b""
    identity: X25519PrivateKey | None = None


def plain_lock() -> Lock:
    """Return the lock that locks nothing; it must be asked for."""
    return Lock("plain", lambda _key: b"")


def vault_lock(vault: Vault) -> Lock:
    """Return the lock of the installation's own keys."""
    return Lock("vault", lambda key: vault.seal("backup", _BOUND, key))


def passphrase_lock(passphrase: bytes) -> Lock:
    """Return the lock of a passphrase, made slow to guess by scrypt."""
    assert passphrase, "an empty passphrase locks nothing"

    def wrap(key: bytes) -> bytes:
        salt = secrets.token_bytes(_SALT_BYTES)
        return salt + AESGCM(_stretched(passphrase, salt)).encrypt(_ONCE, key, _BOUND)

    return Lock("passphrase", wrap)


def recipient_lock(recipient: X25519PublicKey) -> Lock:
    """Return the lock of a recipient's public key; who makes the archive cannot open it again."""

    def wrap(key: bytes) -> bytes:
        own = X25519PrivateKey.generate()
        public = own.public_key().public_bytes_raw()
        wrapping = _agreed(own.exchange(recipient), public + recipient.public_bytes_raw())
        return public + AESGCM(wrapping).encrypt(_ONCE, key, _BOUND)

    return Lock("recipient", wrap)


def read_recipient(pem: bytes) -> X25519PublicKey:
    """Read a recipient's public key.

    Raises: Damaged when it is no X25519 key.
    """
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise Damaged(f"the recipient's key cannot be read: {error}") from error
    if not isinstance(key, X25519PublicKey):
        raise Damaged("the recipient's key is no X25519 key")
    return key


def read_identity(pem: bytes) -> X25519PrivateKey:
    """Read the private key of a recipient.

    Raises: Damaged when it is no X25519 key.
    """
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise Damaged(f"the identity cannot be read: {error}") from error
    if not isinstance(key, X25519PrivateKey):
        raise Damaged("the identity is no X25519 key")
    return key


def _stretched(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, n=_SCRYPT_COST, r=8, p=1).derive(passphrase)


def _agreed(shared: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, None, _BOUND + info).derive(shared)


def _unwrap(header: Header, keyring: Keyring) -> bytes:
    """Return the file's key.

    Raises: Damaged when the keyring lacks what the archive needs, or it is the wrong one.
    """
    if header.lock == "plain":
        return b""
    try:
        if header.lock == "vault" and keyring.vault is not None:
            return keyring.vault.open("backup", _BOUND, header.wrapped)
        if header.lock == "passphrase" and keyring.passphrase:
            salt, body = header.wrapped[:_SALT_BYTES], header.wrapped[_SALT_BYTES:]
            return AESGCM(_stretched(keyring.passphrase, salt)).decrypt(_ONCE, body, _BOUND)
        if header.lock == "recipient" and keyring.identity is not None:
            return _unwrap_recipient(header.wrapped, keyring.identity)
    except (InvalidTag, ValueError) as error:
        raise Damaged(f"the archive does not open with this {header.lock}") from error
    raise Damaged(f"the archive is locked by {header.lock!r}, which was not given")


def _unwrap_recipient(wrapped: bytes, identity: X25519PrivateKey) -> bytes:
    public, body = wrapped[:_KEY_BYTES], wrapped[_KEY_BYTES:]
    shared = identity.exchange(X25519PublicKey.from_public_bytes(public))
    wrapping = _agreed(shared, public + identity.public_key().public_bytes_raw())
    return AESGCM(wrapping).decrypt(_ONCE, body, _BOUND)


class _Summed:
    """A file and the digest of all that has passed through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = sha256()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes.

        Raises: Damaged when the file ends before.
        """
        data = self.file.read(size)
        if len(data) != size:
            raise Damaged("the archive was cut")
        self.digest.update(data)
        return data


class _Frames:
    """Seals and opens frames in order, under one file's key."""

    def __init__(self, key: bytes, header: bytes) -> None:
        self._cipher = AESGCM(key) if key else None
        self._bound = sha256(header).digest()
        self._number = 0

    def _nonce(self, *, is_last: bool) -> bytes:
        nonce = _NONCE.pack(self._number, is_last)
        self._number += 1
        return nonce

    def seal(self, data: bytes, *, is_last: bool) -> bytes:
        nonce = self._nonce(is_last=is_last)
        return data if self._cipher is None else self._cipher.encrypt(nonce, data, self._bound)

    def open(self, data: bytes, *, is_last: bool) -> bytes:
        nonce = self._nonce(is_last=is_last)
        if self._cipher is None:
            return data
        try:
            return self._cipher.decrypt(nonce, data, self._bound)
        except InvalidTag as error:
            raise Damaged(f"frame {self._number - 1} of the archive was changed") from error


def write_archive(path: Path, lock: Lock, manifest: Any, parts: Iterator[bytes]) -> bytes:  # noqa: ANN401 - any msgpack value
    """Write an archive durably under its name, or not at all; return its checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            checksum = _write(_Summed(file), lock, msgspec.msgpack.encode(manifest), parts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
    return checksum


def _write(out: _Summed, lock: Lock, manifest: bytes, parts: Iterator[bytes]) -> bytes:
    key = b"" if lock.name == "plain" else secrets.token_bytes(_KEY_BYTES)
    header = msgspec.msgpack.encode(Header(lock.name, lock.wrap(key)))
    out.write(_MAGIC + _LENGTH.pack(len(header)) + header)
    frames = _Frames(key, header)
    waiting = manifest
    for part in parts:
        _frame(out, frames, waiting, is_last=False)
        waiting = part
    _frame(out, frames, waiting, is_last=True)
    checksum = out.digest.digest()
    out.file.write(checksum)
    return checksum


def _frame(out: _Summed, frames: _Frames, data: bytes, *, is_last: bool) -> None:
    assert len(data) <= FRAME_BYTES, "a frame is bounded"
    sealed = frames.seal(data, is_last=is_last)
    out.write(_FRAME.pack(len(sealed), is_last) + sealed)


def read_archive(path: Path, keyring: Keyring) -> Iterator[bytes]:
    """Yield the manifest's bytes, then the data; complete only when it ends without a fault.

    Raises: Damaged when the archive was changed, cut or prolonged, or does not open.
    """
    with path.open("rb") as file:
        source = _Summed(file)
        if source.read(len(_MAGIC)) != _MAGIC:
            raise Damaged(f"{path} is no archive of this program")
        (length,) = _LENGTH.unpack(source.read(_LENGTH.size))
        if length > _HEADER_BYTES_MAX:
            raise Damaged("the archive's header is too long")
        raw = source.read(length)
        try:
            header = msgspec.msgpack.decode(raw, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Damaged(f"the archive's header cannot be read: {error}") from error
        frames = _Frames(_unwrap(header, keyring), raw)
        is_last = 0
        while not is_last:
            length, is_last = _FRAME.unpack(source.read(_FRAME.size))
            if length > FRAME_BYTES + _TAG_BYTES:
                raise Damaged("a frame of the archive is too long")
            yield frames.open(source.read(length), is_last=bool(is_last))
        if file.read() != source.digest.digest():
            raise Damaged("the archive does not fit its checksum")


def lock_of(path: Path) -> str:
    """Return what an archive is locked by, without opening it.

    Raises: Damaged when it is no archive.
    """
    with path.open("rb") as file:
        source = _Summed(file)
        if source.read(len(_MAGIC)) != _MAGIC:
            raise Damaged(f"{path} is no archive of this program")
        (length,) = _LENGTH.unpack(source.read(_LENGTH.size))
        raw = source.read(min(length, _HEADER_BYTES_MAX))
    try:
        return msgspec.msgpack.decode(raw, type=Header).lock
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"the archive's header cannot be read: {error}") from error


def checksum_of(path: Path) -> bool:
    """Say whether an archive fits its checksum; needs no key."""
    digest = sha256()
    left = path.stat().st_size - digest.digest_size
    with path.open("rb") as file:
        while left > 0:
            data = file.read(min(left, FRAME_BYTES))
            if not data:
                return False
            digest.update(data)
            left -= len(data)
        return file.read() == digest.digest()
