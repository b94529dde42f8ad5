"""A phone's authenticator: makes passkeys and signs with them, written from the specification."""

import hashlib
import json
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from api.phone import b64

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def cbor(value):
    """Write a value as authenticators do."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def head(major, size):
    """Write a type and a size in the shortest form."""
    if size < 24:
        return bytes((major << 5 | size,))
    width = 0 if size < 256 else 1 if size < 65_536 else 2
    return bytes((major << 5 | 24 + width,)) + size.to_bytes(1 << width, "big")


class Authenticator:
    """One passkey; what is asked for can be made wrong by name."""

    def __init__(self, rp_id="127.0.0.1", origin=""):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(20)
        self.rp_id, self.origin, self.counter = rp_id, origin, 0

    def _client(self, kind, challenge="", **wrong):
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told | wrong).encode()

    def _data(self, flags, rest=b"", rp_id=None):
        name = hashlib.sha256((rp_id or self.rp_id).encode()).digest()
        return name + bytes((flags,)) + self.counter.to_bytes(4, "big") + rest

    def create(self, options, *, flags=PRESENT | VERIFIED | ATTESTED, key=None, rp_id=None,
               extra=b"", **wrong):  # fmt: skip
        """Return what `navigator.credentials.create` would give."""
        numbers = self._key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"),
                -3: numbers.y.to_bytes(32, "big")} | (key or {})  # fmt: skip
        rest = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(flags, rest + cbor(cose) + extra, rp_id)
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": data})
        told = {"challenge": options["challenge"]} | wrong
        client = self._client("webauthn.create", **told)
        return {"client_data": b64(client), "attestation": b64(attestation)}

    def get(self, payment, *, flags=PRESENT | VERIFIED, rp_id=None, rest=b"", **wrong):
        """Return what `navigator.credentials.get` would give for a payment's challenge."""
        told = b64(hashlib.sha256(payment.encode()).digest())
        client = self._client("webauthn.get", **({"challenge": told} | wrong))
        data = self._data(flags, rest, rp_id)
        signed = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return {
            "id": b64(self.credential_id),
            "client_data": b64(client),
            "authenticator_data": b64(data),
            "signature": b64(signed),
        }
