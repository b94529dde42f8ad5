"""SM2 by the system's libcrypto: constant time, and fast; some distributions leave SM2 out.

Law: every object that libcrypto gives is freed; a call that fails is a ValueError, and its error
queue is emptied so that nobody else finds it.
Source: OpenSSL 3 manual, EVP_PKEY-SM2(7), EVP_DigestSign(3), EVP_PKEY_encrypt(3).
"""

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from lingqian.channels.wechatpay import der
from lingqian.channels.wechatpay.sm2 import EC_PUBLIC_KEY, SM2_CURVE, USER_ID
from lingqian.channels.wechatpay.sm2_pure import public_of

_POINTER: Final = ctypes.c_void_p
_SIZE: Final = ctypes.c_size_t
_INT: Final = ctypes.c_int
_TEXT: Final = ctypes.c_char_p
_LONG: Final = ctypes.c_long
# name → (result, arguments)
_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "d2i_AutoPrivateKey": (_POINTER, (_POINTER, _POINTER, _LONG)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, _POINTER, _LONG)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_new": (_POINTER, (_POINTER, _POINTER)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_POINTER, _TEXT, _INT)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_POINTER, _POINTER)),
    "EVP_sm3": (_POINTER, ()),
    "EVP_DigestSignInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestSign": (_INT, (_POINTER, _TEXT, _POINTER, _TEXT, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (_INT, (_POINTER, _TEXT, _SIZE, _TEXT, _SIZE)),
    "EVP_PKEY_encrypt_init": (_INT, (_POINTER,)),
    "EVP_PKEY_encrypt": (_INT, (_POINTER, _TEXT, _POINTER, _TEXT, _SIZE)),
    "EVP_PKEY_decrypt_init": (_INT, (_POINTER,)),
    "EVP_PKEY_decrypt": (_INT, (_POINTER, _TEXT, _POINTER, _TEXT, _SIZE)),
    "ERR_clear_error": (None, ()),
}
_SPARE_BYTES: Final = 256


def load() -> ctypes.CDLL:
    """Load libcrypto and name the functions we use.

    Raises: OSError when there is none; AttributeError when it lacks one of them.
    """
    name = ctypes.util.find_library("crypto")
    if name is None:
        raise OSError("there is no libcrypto here")
    library = ctypes.CDLL(name)
    for function, (result, arguments) in _FUNCTIONS.items():
        found = getattr(library, function)
        found.restype, found.argtypes = result, arguments
    return library


class LibcryptoSm2:
    """The back end of the system."""

    name = "libcrypto"
    is_constant_time = True

    def __init__(self) -> None:
        """Raises: OSError, AttributeError."""
        self._library = load()

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Return the signature: DER of (r, s)."""
        with self._private(private) as key, self._hashing(key) as hashing:
            self._must(
                self._library.EVP_DigestSignInit(hashing, None, self._library.EVP_sm3(), None, key)
            )
            return self._fill(
                _SPARE_BYTES,
                lambda out, size: self._library.EVP_DigestSign(
                    hashing, out, size, message, len(message)
                ),
            )

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is this key's."""
        library = self._library
        try:
            with self._public(public) as key, self._hashing(key) as hashing:
                self._must(
                    library.EVP_DigestVerifyInit(hashing, None, library.EVP_sm3(), None, key)
                )
                found = library.EVP_DigestVerify(
                    hashing, signature, len(signature), message, len(message)
                )
        except ValueError:
            return False
        library.ERR_clear_error()
        return bool(found == 1)

    def encrypt(self, public: bytes, plain: bytes) -> bytes:
        """Return DER of (x, y, C3 hash, C2 text)."""
        library = self._library
        with self._public(public) as key, self._context(key) as context:
            self._must(library.EVP_PKEY_encrypt_init(context))
            return self._fill(
                len(plain) + _SPARE_BYTES,
                lambda out, size: library.EVP_PKEY_encrypt(context, out, size, plain, len(plain)),
            )

    def decrypt(self, private: bytes, sealed: bytes) -> bytes:
        """Open what was sealed.

        Raises: ValueError.
        """
        library = self._library
        with self._private(private) as key, self._context(key) as context:
            self._must(library.EVP_PKEY_decrypt_init(context))
            return self._fill(
                len(sealed) + _SPARE_BYTES,
                lambda out, size: library.EVP_PKEY_decrypt(context, out, size, sealed, len(sealed)),
            )

    def _must(self, result: int) -> None:
        if result != 1:
            self._library.ERR_clear_error()
            raise ValueError("libcrypto refuses")

    def _fill(self, size_max: int, call: Any) -> bytes:  # noqa: ANN401 - a closure over ctypes
        """Give a call room for its result, and return what it wrote."""
        out = ctypes.create_string_buffer(size_max)
        size = _SIZE(size_max)
        self._must(call(out, ctypes.byref(size)))
        return out.raw[: size.value]

    @contextmanager
    def _private(self, private: bytes) -> Iterator[int]:
        with self._read("d2i_AutoPrivateKey", write_private(private)) as key:
            yield key

    @contextmanager
    def _public(self, public: bytes) -> Iterator[int]:
        with self._read("d2i_PUBKEY", write_public(public)) as key:
            yield key

    @contextmanager
    def _read(self, function: str, data: bytes) -> Iterator[int]:
        buffer = ctypes.create_string_buffer(data, len(data))
        start = _POINTER(ctypes.addressof(buffer))
        key = getattr(self._library, function)(None, ctypes.byref(start), len(data))
        if not key:
            self._library.ERR_clear_error()
            raise ValueError("libcrypto does not take the key")
        try:
            yield key
        finally:
            self._library.EVP_PKEY_free(key)

    @contextmanager
    def _context(self, key: int) -> Iterator[int]:
        context = self._library.EVP_PKEY_CTX_new(key, None)
        if not context:
            raise ValueError("libcrypto does not take the key")
        try:
            yield context
        finally:
            self._library.EVP_PKEY_CTX_free(context)

    @contextmanager
    def _hashing(self, key: int) -> Iterator[int]:
        """Yield a hashing context that knows the common user id."""
        hashing = self._library.EVP_MD_CTX_new()
        try:
            with self._context(key) as context:
                self._must(self._library.EVP_PKEY_CTX_set1_id(context, USER_ID, len(USER_ID)))
                self._library.EVP_MD_CTX_set_pkey_ctx(hashing, context)
                yield hashing
        finally:
            self._library.EVP_MD_CTX_free(hashing)


def _algorithm() -> bytes:
    ids = der.write(der.OBJECT_ID, EC_PUBLIC_KEY) + der.write(der.OBJECT_ID, SM2_CURVE)
    return der.write(der.SEQUENCE, ids)


def write_public(public: bytes) -> bytes:
    """Write a public key as SubjectPublicKeyInfo."""
    bits = der.write(der.BIT_STRING, b"\0\4" + public)
    return der.write(der.SEQUENCE, _algorithm() + bits)


def write_private(private: bytes) -> bytes:
    """Write a private key as PKCS#8, its public half with it: libcrypto signs with both."""
    half = der.write(der.CONTEXT_0 | 1, der.write(der.BIT_STRING, b"\0\4" + public_of(private)))
    inner = der.write_integer(1) + der.write(der.OCTET_STRING, private) + half
    key = der.write(der.OCTET_STRING, der.write(der.SEQUENCE, inner))
    return der.write(der.SEQUENCE, der.write_integer(0) + _algorithm() + key)
