"""The bare cost of a notice: what nobody who takes one can do without (下界).

One RSA-2048 verification and one AES-GCM opening each, and the very rows that the lane has written,
already encoded, in one durable transaction for a whole group.
"""

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lingqian.bench.platform import Platform
from lingqian.bench.porter import Received
from lingqian.bench.raw import Raw, Statement


class Sealed(NamedTuple):
    """What the cost of one notice is paid for: a signature to check, a text to open."""

    message: bytes
    signature: bytes
    nonce: bytes
    associated: bytes
    cipher: bytes


class _Resource(msgspec.Struct):
    ciphertext: str
    nonce: str
    associated_data: str


class _Envelope(msgspec.Struct):
    resource: _Resource


class Rows(NamedTuple):
    """What the lane wrote for a group: to keep its notices, then to credit them."""

    kept: list[Statement]
    credited: list[Statement]


class Cost(NamedTuple):
    """What a group cost until kept, until credited, and of the processor for all. Units: s."""

    kept_s: float
    credited_s: float
    cpu_s: float


def sealed(received: Received) -> Sealed:
    """Take a notice apart, so that nothing of that is counted later."""
    headers, body = received.headers, received.request.body
    resource = msgspec.json.decode(body, type=_Envelope).resource
    stamp = f"{headers['wechatpay-timestamp']}\n{headers['wechatpay-nonce']}\n"
    return Sealed(
        stamp.encode() + body + b"\n",
        base64.b64decode(headers["wechatpay-signature"]),
        resource.nonce.encode(),
        resource.associated_data.encode(),
        base64.b64decode(resource.ciphertext),
    )


class Bare:
    """The platform's key, our own, and the engine alone on two copies of the file.

    One copy takes what keeps a group, the other all of the group in one transaction.
    """

    def __init__(self, paying: Platform, copies: tuple[Path, Path]) -> None:
        key = serialization.load_pem_public_key((paying.folder / "pub_key.pem").read_bytes())
        assert isinstance(key, rsa.RSAPublicKey), "the account signs by RSA"
        self._key = key
        self._aead = AESGCM(paying.merchant["api_v3_key"].encode())
        self._keeping, self._crediting = Raw(copies[0]), Raw(copies[1])

    def lap(self, group: Sequence[Sealed], rows: Rows) -> Cost:
        """Check, open and write one group, both ways; what is not part of a cost is not counted."""
        clock, cpu = time.perf_counter, time.process_time
        began_s, began_cpu_s = clock(), cpu()
        self._open(group)
        opened_s, cpu_s = clock() - began_s, cpu() - began_cpu_s
        began_s = clock()
        self._keeping.write(rows.kept)
        kept_s = clock() - began_s
        self._keeping.write(rows.credited)
        began_s, began_cpu_s = clock(), cpu()
        self._crediting.write([*rows.kept, *rows.credited])
        credited_s, cpu_s = clock() - began_s, cpu_s + cpu() - began_cpu_s
        return Cost(opened_s + kept_s, opened_s + credited_s, cpu_s)

    def _open(self, group: Sequence[Sealed]) -> None:
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        for each in group:
            self._key.verify(each.signature, each.message, scheme, digest)
            self._aead.decrypt(each.nonce, each.cipher, each.associated)

    def close(self) -> None:
        """Release the copies."""
        self._keeping.close()
        self._crediting.close()
