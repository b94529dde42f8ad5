"""A phone: a key of its own, proofs made by an independent pen, and calls as its person."""

import base64
import hashlib
import json
import secrets
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from api.caller import Caller


def b64(raw):
    """Write bytes as tokens do."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Key:
    """A device's key pair; it never leaves this object, as it never leaves a phone."""

    def __init__(self):
        self._private = ec.generate_private_key(ec.SECP256R1())
        numbers = self._private.public_key().public_numbers()
        self.jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x.to_bytes(32, "big")),
            "y": b64(numbers.y.to_bytes(32, "big")),
        }

    def sign(self, message):
        """Return r and s."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def proof(self, method, url, token="", *, head=None, **claims):
        """Return a proof; `head` and `claims` say what is to be wrong with it."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk, **(head or {})}
        body = {"jti": secrets.token_hex(8), "htm": method, "htu": url, "iat": int(time.time())}
        if token:
            body["ath"] = b64(hashlib.sha256(token.encode()).digest())
        body |= claims
        body = {name: value for name, value in body.items() if value is not None}
        text = ".".join(b64(json.dumps(each).encode()) for each in (header, body))
        return f"{text}.{b64(self.sign(text.encode()))}"


class Phone(Caller):
    """Calls as the person who is signed in on it."""

    def __init__(self, port, key=None):
        super().__init__(port, "")
        self.device = key or Key()
        self.access = self.refresh_token = self.session_id = self.user_id = ""

    @property
    def origin(self):
        """Where the server is, as this phone sees it."""
        return f"http://127.0.0.1:{self.port}"

    def sign_in(self, link, name=""):
        """Use a link's token; return the answer and keep its tokens."""
        return self._keep(self._signed("/v1/sessions", {"link": link, "device_name": name}))

    def refresh(self, token=None):
        """Renew the tokens; return the answer and keep them."""
        body = {"refresh_token": token or self.refresh_token}
        return self._keep(self._signed("/v1/sessions/refresh", body))

    def _signed(self, path, body):
        proof = self.device.proof("POST", self.origin + path)
        return super().call("POST", path, body, headers={"DPoP": proof})

    def _keep(self, told):
        if told.status in (200, 201):
            self.access = told.body["access_token"]
            self.refresh_token = told.body["refresh_token"]
            self.session_id, self.user_id = told.body["session_id"], told.body["user_id"]
        return told

    def call(self, method, path, body=None, **more):
        """Send one request as this person, with a proof of its own."""
        proof = self.device.proof(method, self.origin + path.partition("?")[0], self.access)
        own = {"Authorization": f"DPoP {self.access}", "DPoP": proof}
        return super().call(
            method, path, body, **{**more, "headers": own | more.get("headers", {})}
        )


def link_of(api, user_id, **more):
    """Return the token of a new link for somebody."""
    told = api.post("/v1/session-links", {"user_id": user_id, **more})
    assert told.status == 201, told
    return told.body["url"].partition("#link=")[2]


def phone_of(api, user_id, name="", key=None):
    """Return a phone on which somebody is signed in."""
    phone = Phone(api.port, key)
    told = phone.sign_in(link_of(api, user_id), name)
    assert told.status == 201, told
    return phone
