"""The platform's signature on answers and notices: which key, which headers (应答签名).

Law: whoever asks by `Wechatpay-Serial: PUB_KEY_ID_…` is answered under the public key; else the
merchant's mode decides. Signatures use real time, whatever the business clock says.
"""

import base64
import functools
from typing import Final, NamedTuple

from lingqian_simulator.key import PrivateKey, PublicKey
from lingqian_simulator.merchant import SUITES, Merchant, PlatformKey, suite_of
from lingqian_simulator.signature import answer_message
from lingqian_simulator.world import World

PROBE: Final = "WECHATPAY/SIGNTEST/"


class Stamp(NamedTuple):
    """What a signature is made with: the key, its name on the wire, the time."""

    key: PlatformKey
    serial: str
    at_s: int


@functools.lru_cache(maxsize=64)
def private_key(suite: str, pem: str) -> PrivateKey:
    """Return the key of a PEM text, read once."""
    return SUITES[suite].private_key(pem)


@functools.lru_cache(maxsize=1024)
def public_key(suite: str, pem: str) -> PublicKey:
    """Return the key of a PEM text, read once."""
    return SUITES[suite].public_key(pem)


@functools.lru_cache(maxsize=2)
def stranger(suite: str) -> PrivateKey:
    """Return a key that is nobody's, to forge with."""
    return SUITES[suite].make_key()


def answer_key(world: World, merchant: Merchant, wanted: str) -> PlatformKey:
    """Return the key that signs an answer, given the serial the request named, or an empty one."""
    public = merchant.public_key
    if public is not None and (merchant.mode == "public_key" or wanted == public.serial):
        return public
    return certificate_key(world, merchant)


def notice_key(world: World, merchant: Merchant) -> PlatformKey:
    """Return the key that signs a notice; while gradual, one or the other by chance."""
    public = merchant.public_key
    if public is not None:
        percent = {"public_key": 100, "certificate": 0, "gradual": merchant.gradual_percent}
        if world.chance.below(100) < percent[merchant.mode]:
            return public
    return certificate_key(world, merchant)


def certificate_key(world: World, merchant: Merchant) -> PlatformKey:
    """Return a platform certificate that signs; one by chance while two do."""
    signing = [key for key in world.certificates_of(merchant.suite) if key.signs]
    return signing[world.chance.below(len(signing))]


def encryption_key(world: World, merchant: Merchant, serial: str) -> PlatformKey | None:
    """Return the key a request says it encrypted with; None when it is not one of ours."""
    known = [*world.certificates_of(merchant.suite), merchant.public_key]
    return next((key for key in known if key is not None and key.serial == serial), None)


def headers(world: World, merchant: Merchant, stamp: Stamp, body: bytes) -> dict[str, str]:
    """Return the five headers of a signed answer or notice."""
    key = private_key(stamp.key.suite, stamp.key.private_pem)
    return headers_by(world, merchant, stamp, body, key)


def headers_by(
    world: World, merchant: Merchant, stamp: Stamp, body: bytes, key: PrivateKey
) -> dict[str, str]:
    """Return the five headers, signed by whatever key is handed in."""
    nonce = world.chance.alphanumerics(32)
    timestamp = str(stamp.at_s)
    signature = key.sign(answer_message(timestamp, nonce, body))
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": base64.b64encode(signature).decode(),
        "Wechatpay-Serial": stamp.serial,
        "Wechatpay-Signature-Type": suite_of(merchant).scheme,
    }


def probe(found: dict[str, str]) -> dict[str, str]:
    """Return the headers with a signature that is wrong on purpose (签名探测流量)."""
    genuine = found["Wechatpay-Signature"]
    return {**found, "Wechatpay-Signature": PROBE + genuine[len(PROBE) :]}
