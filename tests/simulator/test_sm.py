"""国密: the arithmetic against the standard, and a merchant that speaks nothing else."""

import base64
import shutil
import subprocess

import pytest

from lingqian_simulator import sm, sm2
from published import Sm2
from simulated import Client

PUBLIC = sm2.Point(Sm2.X, Sm2.Y)


def test_sm2_signs_the_published_example():
    """GB/T 32918.5 A.2: digest, r and s."""
    assert sm2.times(Sm2.PRIVATE, sm2.G) == PUBLIC
    digest, r_told, s_told = Sm2.DIGEST, Sm2.R, Sm2.S
    assert sm2.digest_for(PUBLIC, Sm2.MESSAGE) == digest
    assert sm2.sign(Sm2.PRIVATE, digest, Sm2.CHANCE) == (r_told, s_told)
    assert sm2.verifies(PUBLIC, digest, r_told, s_told)
    for r, s in (
        (r_told + 1, s_told), (r_told, s_told + 1), (s_told, r_told), (0, s_told), (r_told, 0),
        (sm2.N, s_told), (r_told, sm2.N),
    ):  # fmt: skip
        assert not sm2.verifies(PUBLIC, digest, r, s)
    assert not sm2.verifies(PUBLIC, digest + 1, r_told, s_told)


def test_sm2_encrypts_the_published_example():
    """GB/T 32918.5 annex C (C1, C3, C2), with the same key and number."""
    cipher = sm2.encrypt(PUBLIC, Sm2.PLAIN, Sm2.CHANCE)
    assert cipher == (sm2.Point(Sm2.C1_X, Sm2.C1_Y), Sm2.C3, Sm2.C2)
    assert sm2.decrypt(Sm2.PRIVATE, cipher) == Sm2.PLAIN
    with pytest.raises(ValueError, match="check value"):
        sm2.decrypt(Sm2.PRIVATE, cipher._replace(masked=bytes(19)))
    with pytest.raises(ValueError, match="curve"):
        sm2.decrypt(Sm2.PRIVATE, cipher._replace(point=sm2.Point(1, 1)))


def test_a_sealed_resource_opens_only_unchanged():
    """The tag is checked; the key is the start of SM3 over the APIv3 key's text."""
    parts = (b"n" * 12, b"transaction")
    sealed = sm.seal("k" * 32, *parts, b"{}")
    assert sm.unseal("k" * 32, *parts, sealed) == b"{}"
    assert len(sealed) == 2 + 16
    for key, associated, text in [
        ("j" * 32, b"transaction", sealed),
        ("k" * 32, b"refund", sealed),
        ("k" * 32, b"transaction", sealed[:-1] + b"\0"),
    ]:
        with pytest.raises(ValueError, match="tag"):
            sm.unseal(key, parts[0], associated, text)


def test_a_merchant_of_sm_lives_an_order(start, shop):
    """Scheme, signatures, notices, certificates and encrypted fields, all in 国密."""
    running = start(suite="SM", mode="gradual")
    client = Client(running)
    answer = client.prepay(notify_url=shop.url)
    assert answer.status == 200
    assert answer.headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SM2-WITH-SM3"
    assert client.is_genuine(answer.headers, answer.body)
    assert not client.is_genuine(answer.headers, answer.body + b" ")
    refused = client.call("GET", "/v3/certificates", scheme="WECHATPAY2-SHA256-RSA2048")
    assert refused.json["message"] == "Http头Authorization认证类型不正确"
    client.pay()
    headers, body = shop.wait()[0]
    assert client.is_genuine(headers, body)
    assert client.opened(body)["trade_state"] == "SUCCESS"
    data = client.call("GET", "/v3/certificates?algorithm_type=SM2").json["data"]
    assert {row["serial_no"] for row in data} == client.merchant.platform_certificates.keys()
    assert data[0]["encrypt_certificate"]["algorithm"] == "AEAD_SM4_GCM"
    everything = client.call("GET", "/v3/certificates?algorithm_type=ALL").json["data"]
    assert len(everything) == 2

    serial = client.merchant.platform_public_key_id
    key = sm.public_key(client.merchant.platform_public_key_pem)
    sealed = base64.b64encode(key.encrypt("张三".encode())).decode()
    wish = {"echo_message": "x", "encrypted_echo_message": sealed}
    found = client.call("POST", "/v3/security/echo", wish, headers={"Wechatpay-Serial": serial})
    own = sm.private_key(client.merchant.private_key_pem)
    opened = own.decrypt(base64.b64decode(found.json["encrypted_echo_message"]))
    assert opened.decode() == "张三"


def test_an_sm_certificate_is_read_by_a_stranger(start, tmp_path):
    """OpenSSL, where it knows SM2, verifies the certificate that is written here by hand."""
    openssl = shutil.which("openssl")
    pem = start(suite="SM").merchant.certificate_pem
    file = tmp_path / "sm.pem"
    file.write_text(pem)
    line = [openssl or "openssl", "verify", "-CAfile", str(file), str(file)]
    if (
        openssl is None
        or b"SM2"
        not in subprocess.run(
            [openssl, "ecparam", "-list_curves"], capture_output=True, check=False
        ).stdout
    ):
        assert sm.public_key(pem).pem().startswith("-----BEGIN PUBLIC KEY-----")
        return
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"{file}: OK", done.stderr
