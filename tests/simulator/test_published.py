"""Published known answers, on both sides of the wire: what no round trip of our own can prove."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lingqian.channels.wechatpay import rsa, sm
from lingqian.channels.wechatpay.sign import Stamp, request_message
from lingqian.channels.wechatpay.sm2 import USER_ID, Vector, sm3
from lingqian.channels.wechatpay.suite import RSA
from lingqian_simulator import signature, sm2
from lingqian_simulator.merchant import SUITES
from published import (
    AEAD_ASSOCIATED,
    AEAD_NONCE,
    AEAD_PLAIN,
    CCM_SEALED,
    CCM_TAG,
    GCM_SEALED,
    GCM_TAG,
    SAMPLE_APPID,
    SAMPLE_AT_S,
    SAMPLE_NONCE,
    SAMPLE_PACKAGE,
    SAMPLE_PAY_SIGN,
    SAMPLE_PUBLIC_PEM,
    SAMPLE_REQUESTS,
    SM3,
    SM4_AFTER_ROUNDS,
    SM4_BLOCKS,
    SM4_KEY,
    SM4_ROUNDS,
    Sm2,
)

BLOCK = 16
COUNTER_BYTES = 3
STAMP = Stamp(SAMPLE_AT_S, SAMPLE_NONCE)
sides = pytest.mark.parametrize("digest", [sm3, sm2.sm3], ids=["channel", "simulator"])


def test_the_channels_own_start_up_vectors_are_the_published_ones():
    """A library is chosen by them: typed wrong in one place, every back end would be refused."""
    assert int.from_bytes(Vector.PRIVATE) == Sm2.PRIVATE
    assert Sm2.X.to_bytes(32) + Sm2.Y.to_bytes(32) == Vector.PUBLIC
    assert (Vector.CHANCE, Vector.R, Vector.S) == (Sm2.CHANCE, Sm2.R, Sm2.S)
    assert (Vector.MESSAGE, Vector.PLAIN, USER_ID) == (Sm2.MESSAGE, Sm2.PLAIN, Sm2.USER_ID)
    for part in (Sm2.C1_X.to_bytes(32), Sm2.C1_Y.to_bytes(32), Sm2.C3, Sm2.C2):
        assert part in Vector.SEALED


@sides
def test_the_identity_and_the_message_digest_to_what_is_signed(digest):
    """GB/T 32918.5 A.2: ZA over name, curve and point; then e over ZA and the message."""
    numbers = (sm2.A, sm2.B, *sm2.G, Sm2.X, Sm2.Y)
    name = (len(Sm2.USER_ID) * 8).to_bytes(2) + Sm2.USER_ID
    za = digest(name + b"".join(each.to_bytes(32) for each in numbers))
    assert int.from_bytes(za) == Sm2.ZA
    assert int.from_bytes(digest(za + Sm2.MESSAGE)) == Sm2.DIGEST
    assert sm2.digest_for(sm2.Point(Sm2.X, Sm2.Y), Sm2.MESSAGE) == Sm2.DIGEST


@sides
@pytest.mark.parametrize(("message", "expected"), SM3)
def test_sm3_of_both_examples(digest, message, expected):
    """GB/T 32905 annex A."""
    assert digest(message).hex() == expected


def ecb(key):
    """Return the bare cipher, which is the vectors' own mode."""
    return Cipher(algorithms.SM4(key), modes.ECB()).encryptor()


@pytest.mark.parametrize(("key", "plain", "sealed"), SM4_BLOCKS)
def test_sm4_of_the_published_blocks(key, plain, sealed):
    """GB/T 32907 A.1; draft-ribose-cfrg-sm4-10 A.2.1."""
    assert ecb(key).update(bytes.fromhex(plain)).hex() == sealed


def test_sm4_a_million_times():
    """GB/T 32907 A.2: a mistake in one bit of one table would show."""
    cipher, block = ecb(SM4_KEY), SM4_KEY
    for _ in range(SM4_ROUNDS):
        block = cipher.update(block)
    assert block.hex() == SM4_AFTER_ROUNDS


def test_sm4_gcm_of_rfc_8998():
    """A.1, sealed and opened by the channel's own code."""
    aead = sm.Sm4Gcm(SM4_KEY)
    assert aead.encrypt(AEAD_NONCE, AEAD_PLAIN, AEAD_ASSOCIATED) == GCM_SEALED + GCM_TAG
    assert aead.decrypt(AEAD_NONCE, GCM_SEALED + GCM_TAG, AEAD_ASSOCIATED) == AEAD_PLAIN


def test_sm4_ccm_of_rfc_8998():
    """A.2. APIv3 does not use it; over our block cipher it is one more witness for that cipher."""
    cipher = ecb(SM4_KEY)
    counters = [
        bytes((COUNTER_BYTES - 1,)) + AEAD_NONCE + number.to_bytes(COUNTER_BYTES)
        for number in range(len(AEAD_PLAIN) // BLOCK + 1)
    ]
    first, *stream = [cipher.update(each) for each in counters]
    sealed = bytes(a ^ b for a, b in zip(AEAD_PLAIN, b"".join(stream), strict=True))
    assert sealed == CCM_SEALED
    # Flags: associated data, a tag of 16 bytes, a length of three; then all of it in blocks.
    begin = bytes((0x40 | 7 << 3 | COUNTER_BYTES - 1,)) + AEAD_NONCE
    begin += len(AEAD_PLAIN).to_bytes(COUNTER_BYTES)
    named = len(AEAD_ASSOCIATED).to_bytes(2) + AEAD_ASSOCIATED
    named += bytes(-len(named) % BLOCK)
    mac, whole = bytes(BLOCK), begin + named + AEAD_PLAIN
    for at in range(0, len(whole), BLOCK):
        mac = cipher.update(bytes(a ^ b for a, b in zip(mac, whole[at : at + BLOCK], strict=True)))
    assert bytes(a ^ b for a, b in zip(mac, first, strict=True)) == CCM_TAG


@pytest.mark.parametrize(("method", "target", "body", "signed"), SAMPLE_REQUESTS)
def test_the_documentations_requests_verify_on_both_sides(method, target, body, signed):
    """What we sign is what they signed, and what the simulator checks is that as well."""
    ours = request_message(method, target, STAMP, body)
    parts = signature.Authorization("", "m", SAMPLE_NONCE, str(SAMPLE_AT_S), "s", "")
    assert signature.request_message(method, target, parts, body) == ours
    assert rsa.read_public(SAMPLE_PUBLIC_PEM.encode()).verify(ours, signed)
    key = SUITES["RSA"].public_key(SAMPLE_PUBLIC_PEM)
    assert key.verifies(signed, ours)
    for wrong in (ours + b"\n", ours[:-1], ours.replace(b"1554208460", b"1554208461")):
        assert not key.verifies(signed, wrong)
        assert not RSA.read_public(SAMPLE_PUBLIC_PEM.encode()).verify(wrong, signed)


def test_the_documentations_pay_sheet_verifies_on_both_sides():
    """The simulator's sheet checks `paySign` over these four lines."""
    message = signature.pay_message(SAMPLE_APPID, str(SAMPLE_AT_S), SAMPLE_NONCE, SAMPLE_PACKAGE)
    assert SUITES["RSA"].public_key(SAMPLE_PUBLIC_PEM).verifies(SAMPLE_PAY_SIGN, message)
    assert rsa.read_public(SAMPLE_PUBLIC_PEM.encode()).verify(message, SAMPLE_PAY_SIGN)
