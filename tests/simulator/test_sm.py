"""国密: published vectors, and a merchant that speaks nothing else."""

import base64
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lingqian_simulator import sm, sm2
from simulated import Client

# GB/T 32918.5-2017, annex A: the key pair, and A.2, the signature of "message digest".
PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
PUBLIC = sm2.Point(
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA


def test_sm2_signs_the_published_example():
    """GB/T 32918.5 A.2: digest, r and s."""
    assert sm2.times(PRIVATE, sm2.G) == PUBLIC
    digest = sm2.digest_for(PUBLIC, b"message digest")
    assert digest == 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
    assert sm2.sign(PRIVATE, digest, NONCE) == (R, S)
    assert sm2.verifies(PUBLIC, digest, R, S)
    for r, s in [(R + 1, S), (R, S + 1), (S, R), (0, S), (R, 0), (sm2.N, S), (R, sm2.N)]:
        assert not sm2.verifies(PUBLIC, digest, r, s)
    assert not sm2.verifies(PUBLIC, digest + 1, R, S)


def test_sm2_encrypts_the_published_example():
    """GB/T 32918.5 A.3 (C1, C3, C2), with the same key and nonce."""
    cipher = sm2.encrypt(PUBLIC, b"encryption standard", NONCE)
    assert cipher.point == sm2.Point(
        0x04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73,
        0xE858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0,
    )
    check = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
    assert cipher.check.hex() == check
    assert cipher.masked.hex() == "21886ca989ca9c7d58087307ca93092d651efa"
    assert sm2.decrypt(PRIVATE, cipher) == b"encryption standard"
    with pytest.raises(ValueError, match="check value"):
        sm2.decrypt(PRIVATE, cipher._replace(masked=bytes(19)))
    with pytest.raises(ValueError, match="curve"):
        sm2.decrypt(PRIVATE, cipher._replace(point=sm2.Point(1, 1)))


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_of_the_published_examples(message, digest):
    """GB/T 32905, both examples."""
    assert sm2.sm3(message).hex() == digest


def test_sm4_of_the_published_examples():
    """GB/T 32907 A.1 (one block), RFC 8998 A.1 (GCM)."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    block = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # the vector's own mode
    assert block.update(key).hex() == "681edf34d206965e86b3e94f536e4246"
    text = bytes.fromhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
    )
    sealed = Cipher(
        algorithms.SM4(key), modes.GCM(bytes.fromhex("00001234567800000000abcd"))
    ).encryptor()
    sealed.authenticate_additional_data(bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    out = sealed.update(text) + sealed.finalize()
    assert out.hex() == (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    )
    assert sealed.tag.hex() == "83de3541e4c2b58177e065a9bf7b62ec"


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
