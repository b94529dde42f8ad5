"""国密 and RSA against published examples: what no round trip of our own can prove."""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from lingqian.channels.wechatpay import der, rsa, sm, sm2, sm2_pure
from lingqian.channels.wechatpay.keystore import read_certificate
from lingqian.channels.wechatpay.sm2 import N, Vector, choose, passes, sm3, write_signature
from lingqian.channels.wechatpay.sm2_libcrypto import LibcryptoSm2, write_private, write_public
from lingqian.channels.wechatpay.sm2_pure import PureSm2, public_of
from lingqian.channels.wechatpay.suite import RSA, SM2
from unit.channels.platform import MERCHANT_KEY, PLATFORM_KEY, private_pem, public_pem


def back_ends():
    """Return every back end that this machine has."""
    found = [PureSm2()]
    try:
        library = LibcryptoSm2()
        if passes(library):
            found.append(library)
    except (OSError, AttributeError):
        pass
    return found


BACK_ENDS = back_ends()
every = pytest.mark.parametrize("back_end", BACK_ENDS, ids=lambda each: each.name)


def test_sm2_signature_is_the_one_of_the_standard():
    """GB/T 32918.5 annex A, with its number used once."""
    fixed = PureSm2(lambda: Vector.CHANCE)
    signature = fixed.sign(Vector.PRIVATE, Vector.MESSAGE)
    assert signature == write_signature(Vector.R, Vector.S)
    assert public_of(Vector.PRIVATE) == Vector.PUBLIC


def test_sm2_sealing_is_the_one_of_the_standard():
    """GB/T 32918.5 annex C, in the order C1 C3 C2."""
    fixed = PureSm2(lambda: Vector.CHANCE)
    assert fixed.encrypt(Vector.PUBLIC, Vector.PLAIN) == Vector.SEALED


@every
def test_every_back_end_reproduces_the_standard(back_end):
    """Else it is refused at start-up."""
    assert passes(back_end)


@every
@settings(max_examples=25)
@given(st.binary(max_size=60))
def test_back_ends_read_each_other(back_end, message):
    """Two pieces of arithmetic by different people agree, or one is wrong."""
    pure = BACK_ENDS[0]
    assert pure.verify(Vector.PUBLIC, message, back_end.sign(Vector.PRIVATE, message))
    assert back_end.verify(Vector.PUBLIC, message, pure.sign(Vector.PRIVATE, message))
    if message:
        assert pure.decrypt(Vector.PRIVATE, back_end.encrypt(Vector.PUBLIC, message)) == message
        assert back_end.decrypt(Vector.PRIVATE, pure.encrypt(Vector.PUBLIC, message)) == message


@every
@settings(max_examples=25)
@given(st.binary(max_size=140))
def test_hostile_bytes_never_verify_and_never_open(back_end, data):
    """A decoder that crashes is a way to stop us."""
    assert not back_end.verify(Vector.PUBLIC, Vector.MESSAGE, data)
    assert not back_end.verify(data, Vector.MESSAGE, write_signature(Vector.R, Vector.S))
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        back_end.decrypt(Vector.PRIVATE, data)


@every
@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (N, 1), (1, N), (Vector.R, N - Vector.R), (Vector.S, Vector.R)]
)
def test_signatures_outside_the_range_are_refused(back_end, r, s):
    """The checks of GB/T 32918.2 §7.1, each of which a forger has used somewhere."""
    assert not back_end.verify(Vector.PUBLIC, Vector.MESSAGE, write_signature(r, s))


def test_a_signature_has_one_way_to_be_written(monkeypatch):
    """A number and itself plus the order are the same in the equation; only one may pass.

    A signature whose second number is small enough to be written both ways is made backwards, by
    choosing what the message hashes to.
    """
    total, second = 12_345, 5
    first = (total - second) % N
    x, _ = sm2_pure._affine(
        sm2_pure._sum(
            sm2_pure._times(second, sm2_pure._G),
            sm2_pure._times(total, sm2_pure._point(Vector.PUBLIC)),
        )
    )
    monkeypatch.setattr(sm2_pure, "_digest", lambda _public, _message: (first - x) % N)
    verify = PureSm2().verify
    assert verify(Vector.PUBLIC, b"", write_signature(first, second))
    assert not verify(Vector.PUBLIC, b"", write_signature(first, second + N))
    assert not verify(Vector.PUBLIC, b"", write_signature(first + N, second))


def test_a_sealed_text_has_one_way_to_be_written():
    """A coordinate beyond the field is another spelling of the same point.

    libcrypto lets it pass; what is sealed for us comes inside a signed answer in any case.
    """
    tags = (der.INTEGER, der.INTEGER, der.OCTET_STRING, der.OCTET_STRING)
    x, y, check, text = der.read_sequence(Vector.SEALED, *tags)
    parts = (
        der.write_integer(der.read_integer(x) + sm2.P),
        der.write(der.INTEGER, y),
        der.write(der.OCTET_STRING, check),
        der.write(der.OCTET_STRING, text),
    )
    sealed = der.write(der.SEQUENCE, b"".join(parts))
    with pytest.raises(ValueError, match="not on the curve"):
        PureSm2().decrypt(Vector.PRIVATE, sealed)


class Broken(PureSm2):
    """A back end that verifies everything."""

    def verify(self, _public, _message, _signature):
        """Say yes."""
        return True


def test_a_back_end_that_does_not_pass_is_passed_over():
    """A library that accepts everything would be worse than none."""

    def absent():
        raise OSError("none here")

    good = PureSm2()
    assert choose((absent, Broken, lambda: good)) is good
    with pytest.raises(ValueError, match="no SM2 back end"):
        choose((absent, Broken))


def test_a_private_key_on_the_slow_back_end_needs_a_setting(monkeypatch):
    """It does not run in constant time; verifying needs no secret and is always allowed."""
    monkeypatch.setattr(sm, "back_end", PureSm2)
    pem = as_pem("PRIVATE KEY", write_private(Vector.PRIVATE))
    with pytest.raises(ValueError, match="allows_pure_sm2"):
        sm.read_private(pem, allows_pure=False)
    signature = sm.read_private(pem, allows_pure=True).sign(b"m")
    public = sm.read_public(as_pem("PUBLIC KEY", write_public(Vector.PUBLIC)))
    assert public.verify(b"m", signature)
    assert not public.verify(b"n", signature)


def as_pem(label, data):
    """Write DER as PEM."""
    body = base64.encodebytes(data)
    return f"-----BEGIN {label}-----\n".encode() + body + f"-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        private_pem(MERCHANT_KEY),
        as_pem("PUBLIC KEY", write_public(Vector.PUBLIC)),
        as_pem("PRIVATE KEY", b""),
        as_pem("PRIVATE KEY", write_private(Vector.PRIVATE)[:-1]),
        as_pem("PRIVATE KEY", write_private(Vector.PRIVATE).replace(sm2.SM2_CURVE, b"\x2a" * 8)),
    ],
)
def test_other_files_are_no_sm2_keys(pem):
    """A key of another kind in the wrong setting is told at the start."""
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        sm.read_private(pem, allows_pure=True)


def test_rsa_suite_does_not_take_sm2_or_short_keys():
    """And the other way round."""
    with pytest.raises(ValueError, match="another kind"):
        RSA.read_public(as_pem("PUBLIC KEY", write_public(Vector.PUBLIC)))
    with pytest.raises(ValueError, match="another curve"):
        SM2.read_public(public_pem(PLATFORM_KEY))


def test_sm4_gcm_is_the_one_of_rfc_8998():
    """Annex A.1; and one bit of the tag changed does not open."""
    aead = sm.Sm4Gcm(bytes.fromhex("0123456789abcdeffedcba9876543210"))
    nonce = bytes.fromhex("00001234567800000000abcd")
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = b"".join(bytes([each]) * 8 for each in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")
    sealed = bytes.fromhex(
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    assert aead.encrypt(nonce, plain, associated) == sealed
    assert aead.decrypt(nonce, sealed, associated) == plain
    with pytest.raises(InvalidTag):
        aead.decrypt(nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), associated)


def test_the_sm4_key_is_the_first_half_of_a_digest():
    """Not the first half of the text."""
    text = b"0123456789abcdef0123456789ABCDEF"
    sealed = sm.Sm4Gcm(sm3(text)[:16]).encrypt(b"n" * 12, b"plain", b"aad")
    assert SM2.aead(text).decrypt(b"n" * 12, sealed, b"aad") == b"plain"


def test_an_sm2_certificate_gives_up_its_key(tmp_path):
    """Cryptography reads everything of it but this curve."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_bytes(as_pem("PRIVATE KEY", write_private(Vector.PRIVATE)))
    line = ["openssl", "req", "-x509", "-key", key, "-out", cert, "-sm3", "-days", "9"]
    more = ["-subj", "/CN=Tenpay", "-set_serial", "0x5157F09EFDC096DE", "-sigopt"]
    try:
        done = subprocess.run(
            [*line, *more, "distid:1234567812345678"], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no openssl here")
    if done.returncode:
        pytest.skip("this openssl has no SM2")
    found = read_certificate(SM2, Path(cert).read_bytes())
    assert found.serial == "5157F09EFDC096DE"
    assert found.key.verify(b"m", PureSm2().sign(Vector.PRIVATE, b"m"))


def test_rsa_signature_is_the_deterministic_one_of_rfc_8017():
    """EMSA-PKCS1-v1_5 by hand: the padding, the digest's name, the digest, raised to the key."""
    message = b"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
    numbers = MERCHANT_KEY.private_numbers()
    modulus = numbers.public_numbers.n
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    tail = b"\0" + prefix + hashlib.sha256(message).digest()
    padded = b"\0\1" + b"\xff" * (256 - 2 - len(tail)) + tail
    expected = pow(int.from_bytes(padded, "big"), numbers.d, modulus).to_bytes(256, "big")
    key = rsa.read_private(private_pem(MERCHANT_KEY), allows_pure=False)
    assert key.sign(message) == expected


def test_oaep_fields_open_with_sha1_and_not_otherwise():
    """The platform's guide and clients use SHA-1 here; one FAQ says otherwise."""
    public = rsa.read_public(public_pem(MERCHANT_KEY))
    private = rsa.read_private(private_pem(MERCHANT_KEY), allows_pure=False)
    assert private.open_field(public.seal_field("张三".encode())) == "张三".encode()
    with pytest.raises(ValueError):  # noqa: PT011 - theirs
        public.seal_field(b"x" * 215)
    with pytest.raises(ValueError):  # noqa: PT011 - theirs
        private.open_field(b"x" * 256)


@given(st.binary(max_size=60))
def test_der_reads_only_what_it_would_write(data):
    """Two encodings of one thing are two signatures of one message."""
    try:
        elements = der.read(data)
    except ValueError:
        return
    assert b"".join(der.write(tag, content) for tag, content in elements) == data


@given(st.integers(0, 2**300))
def test_der_numbers_come_back(value):
    """Also those whose first bit is set."""
    ((tag, content),) = der.read(der.write_integer(value))
    assert (tag, der.read_integer(content)) == (der.INTEGER, value)
