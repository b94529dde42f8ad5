"""The other side of the wire, in the hands of a test: keys of a platform, and scripted answers."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from lingqian.channels.wechatpay.channel import WechatPay
from lingqian.channels.wechatpay.client import new_session
from lingqian.channels.wechatpay.setting import ChannelRow

NOW_US = 1_794_000_000_000_000
NOW_S = NOW_US // 1_000_000
MCHID = "1900000001"
APPID = "wx0123456789abcdef"
API_KEY = b"0123456789abcdef0123456789ABCDEF"
PUBLIC_ID = "PUB_KEY_ID_0119000000012026010100000001"
SCHEME = "WECHATPAY2-SHA256-RSA2048"


def make_key():
    """Return a fresh RSA key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


MERCHANT_KEY = make_key()
PLATFORM_KEY = make_key()
STRANGER_KEY = make_key()


def private_pem(key):
    """Return a private key as a download of the merchant platform has it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key):
    """Return a public key as `pub_key.pem` has it."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def certificate(key, serial, from_s=NOW_S - 86_400, days=1_000):
    """Return a certificate over a key, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com Root CA")])
    begin = datetime.fromtimestamp(from_s, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


class Sealed(NamedTuple):
    """Headers and body of a signed message."""

    headers: dict[str, str]
    body: bytes


def sign(body, *, key=PLATFORM_KEY, serial=PUBLIC_ID, at_s=NOW_S, nonce="n" * 32):
    """Sign a body as the platform does."""
    message = f"{at_s}\n{nonce}\n".encode() + body + b"\n"
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return Sealed(
        {
            "wechatpay-timestamp": str(at_s),
            "wechatpay-nonce": nonce,
            "wechatpay-signature": base64.b64encode(signature).decode(),
            "wechatpay-serial": serial,
            "wechatpay-signature-type": SCHEME,
        },
        body,
    )


def seal(plain, *, api_key=API_KEY, associated="transaction", nonce="abcdefghijkl"):
    """Seal a resource as the platform does."""
    sealed = AESGCM(api_key).encrypt(nonce.encode(), plain, associated.encode())
    return {
        "original_type": "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": associated,
        "nonce": nonce,
    }


def transaction(**changes):
    """Return a paid order as the platform says it."""
    return {
        "mchid": MCHID,
        "appid": APPID,
        "out_trade_no": "pa_0000000000000000000000000A",
        "transaction_id": "4200002026111900000000000001",
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "success_time": "2026-11-19T10:34:56+08:00",
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": 5_000, "payer_total": 5_000, "currency": "CNY"},
        **changes,
    }


def notice(plain=None, *, event="TRANSACTION.SUCCESS", resource=None, **signing):
    """Return a whole notice, sealed and signed."""
    plain = json.dumps(transaction() if plain is None else plain).encode()
    body = {
        "id": "0b6bd1a6-7e52-5b0b-8a50-2fd0b2f4c0b1",
        "create_time": "2026-11-19T10:34:57+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event,
        "summary": "支付成功",
        "resource": seal(plain) if resource is None else resource,
    }
    return sign(json.dumps(body).encode(), **signing)


def write_keys(folder):
    """Write the files that a merchant downloads, and return a row that names them."""
    (folder / "key.pem").write_bytes(private_pem(MERCHANT_KEY))
    (folder / "pub.pem").write_bytes(public_pem(PLATFORM_KEY))
    (folder / "apiv3").write_bytes(API_KEY + b"\n")
    return ChannelRow(
        account="main",
        mchid=MCHID,
        appids=dict.fromkeys(("jsapi", "mini_program", "app", "h5", "native"), APPID),
        hosts=("http://127.0.0.1:9", "http://127.0.0.1:9"),
        merchant_key_file="key.pem",
        merchant_serial="5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
        api_v3_key_file="apiv3",
        public_key_file="pub.pem",
        public_key_id=PUBLIC_ID,
        notify_base_url="https://wallet.example",
        payout_appid=APPID,
        payout_scene_id="1000",
        timeout_s=2,
    ).in_folder(folder)


def channel(row, now_us=NOW_US, **more):
    """Return the account on a clock that stands still."""
    return WechatPay(row, lambda: now_us, new_session, **more)


class Request(NamedTuple):
    """A request as its bytes came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Host:
    """A host that answers from a script; an answer is bytes, or what to do instead."""

    def __init__(self):
        self.script = []
        self.requests = []

    def say(self, status, body=b"", headers=None, *, signed=None):
        """Add an answer; a 2xx is signed unless it is said otherwise."""
        headers = dict(headers or {})
        if signed if signed is not None else 200 <= status < 300:
            headers = {**sign(body).headers, **headers}
        headers["Connection"] = "close"
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {status} Said", *lines, f"Content-Length: {len(body)}"])
        self.script.append(head.encode() + b"\r\n\r\n" + body)

    async def serve(self, reader, writer):
        """Answer one request of a connection, then close it."""
        try:
            request = await self._read(reader)
            self.requests.append(request)
            answer = self.script.pop(0)
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _read(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body)


@asynccontextmanager
async def hosts(count=2):
    """Run scripted hosts on loopback; yields them and their addresses."""
    found = [Host() for _ in range(count)]
    servers = [await asyncio.start_server(host.serve, "127.0.0.1", 0) for host in found]
    urls = tuple(f"http://127.0.0.1:{each.sockets[0].getsockname()[1]}" for each in servers)
    try:
        yield found, urls
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()
