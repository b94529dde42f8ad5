"""The operations of the platform itself: its certificates, and the self test (平台证书、自测)."""

import base64
import binascii

import msgspec

from lingqian_simulator.call import Call, Reply, reply
from lingqian_simulator.clock import SECOND_US, rfc3339
from lingqian_simulator.field import refuse_query
from lingqian_simulator.key import PublicKey
from lingqian_simulator.merchant import SUITES, Merchant, PlatformKey
from lingqian_simulator.notice import ECHOED, Letter, post
from lingqian_simulator.refusal import (
    NO_CERTIFICATE,
    NO_PLATFORM_SERIAL,
    PARAM_ERROR,
    UNKNOWN_PLATFORM_SERIAL,
    Refused,
)
from lingqian_simulator.signer import encryption_key, private_key, public_key

_TYPES = {"RSA": ("RSA",), "SM2": ("SM",), "ALL": ("RSA", "SM")}


def certificates(call: Call) -> Reply:
    """List the platform certificates, each sealed with the merchant's APIv3 key."""
    if call.merchant.mode == "public_key":
        raise Refused(NO_CERTIFICATE)
    own = "SM2" if call.merchant.suite == "SM" else "RSA"
    wanted = call.query.get("algorithm_type") or own
    if wanted not in _TYPES:
        refuse_query("algorithm_type", wanted, "映射到字段“算法类型”枚举值不合法")
    found = [key for suite in _TYPES[wanted] for key in call.world.certificates_of(suite)]
    live = [key for key in found if key.expire_us > call.world.clock.real_s() * SECOND_US]
    return reply({"data": [_sealed(call, key) for key in reversed(live)]})


def _sealed(call: Call, key: PlatformKey) -> dict[str, object]:
    suite = SUITES[key.suite]
    nonce = call.world.chance.alphanumerics(12)
    sealed = suite.seal(
        call.merchant.api_v3_key, nonce.encode(), b"certificate", key.certificate_pem.encode()
    )
    return {
        "serial_no": key.serial,
        "effective_time": rfc3339(key.effective_us),
        "expire_time": rfc3339(key.expire_us),
        "encrypt_certificate": {
            "algorithm": suite.aead,
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": base64.b64encode(sealed).decode(),
        },
    }


def opened(call: Call, field: str) -> str:
    """Return a sensitive field of the body in the clear; empty when it was not sent.

    Refuses: PARAM_ERROR without the serial it was encrypted for, or when it does not open.
    """
    value = call.body.get(field)
    if not value:
        return ""
    if not call.wanted_serial:
        raise Refused(NO_PLATFORM_SERIAL)
    key = encryption_key(call.world, call.merchant, call.wanted_serial)
    if key is None:
        raise Refused(UNKNOWN_PLATFORM_SERIAL)
    try:
        ciphertext = base64.b64decode(value, validate=True)
        return private_key(key.suite, key.private_pem).decrypt(ciphertext).decode()
    except (ValueError, binascii.Error) as fault:
        detail = {"field": f"/{field}", "value": "", "issue": "decrypt", "location": "body"}
        raise Refused(PARAM_ERROR, "敏感信息解密失败", detail) from fault


def closed(call: Call, text: str) -> str:
    """Encrypt a sensitive field for the merchant, by the key it registered last."""
    sealed = encryptor(call.merchant).encrypt(text.encode())
    return base64.b64encode(sealed).decode()


def encryptor(merchant: Merchant) -> PublicKey:
    """Return the public key that a merchant registered last."""
    return public_key(merchant.suite, list(merchant.keys.values())[-1])


def echo(call: Call) -> Reply:
    """Send back what came, and what came encrypted; also as a notice when one is wished."""
    text = opened(call, "encrypted_echo_message")
    answer = {"echo_message": call.body["echo_message"]}
    if text:
        answer["encrypted_echo_message"] = closed(call, text)
    url = call.body.get("notify_url")
    if url:
        told = {"echo_message": call.body["echo_message"]}
        if text:
            told["encrypt_echo_message"] = closed(call, text)
        post(call.world, call.merchant, Letter(ECHOED, url, "echo", told))
    return Reply(200, msgspec.json.encode(answer))
