"""The vault: sealed bytes open only where they belong, and keys stay outside the database."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from lingqian.kernel.fault import Damaged
from lingqian.storage.vault import SM4_GCM, Sm4Gcm, Vault, fingerprint, open_vault, rotate

VAULT = Vault({1: b"\1" * 32})


@given(st.binary(max_size=100), st.binary(max_size=40))
def test_sealed_bytes_open_where_they_belong(plain, bound):
    """The one thing a vault is for."""
    assert VAULT.open("seed", bound, VAULT.seal("seed", bound, plain)) == plain


def test_sealing_twice_gives_two_ciphers():
    """Who sees the table must not see which greetings are alike."""
    assert VAULT.seal("personal", b"a", b"hi") != VAULT.seal("personal", b"a", b"hi")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_sealed_bytes_that_were_changed_do_not_open(place, flip):
    """At any byte: generation, nonce, cipher or tag."""
    sealed = bytearray(VAULT.seal("seed", b"owner", b"thirty-two bytes of a secret...."))
    sealed[place % len(sealed)] ^= flip
    with pytest.raises(Damaged):
        VAULT.open("seed", b"owner", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\1", b"\1" * 13, b"\1" * 28, b"\7" * 60])
def test_sealed_bytes_that_are_too_short_or_of_an_unknown_root_do_not_open(sealed):
    """Damaged, and no other error."""
    with pytest.raises(Damaged):
        VAULT.open("seed", b"owner", sealed)


def test_sealed_bytes_do_not_open_for_another_owner_or_purpose():
    """A row that was moved is as bad as a row that was changed."""
    sealed = VAULT.seal("seed", b"owner", b"secret")
    for purpose, bound in (("seed", b"other"), ("personal", b"owner")):
        with pytest.raises(Damaged, match="belong elsewhere"):
            VAULT.open(purpose, bound, sealed)


def test_rotated_vault_reads_the_old_and_writes_the_new(tmp_path):
    """Digests and signatures stay comparable; only sealing moves on."""
    old = open_vault(tmp_path / "keys")
    sealed = old.seal("seed", b"owner", b"secret")
    assert rotate(tmp_path / "keys") == 2
    new = open_vault(tmp_path / "keys")
    assert new.open("seed", b"owner", sealed) == b"secret"
    assert new.seal("seed", b"owner", b"secret")[0] == 2
    assert new.mac("external", b"a") == old.mac("external", b"a")
    assert new.secret("salt", b"p") == old.secret("salt", b"p")
    assert new.public_key == old.public_key


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_mac_tells_parts_apart(one, two):
    """Parts are length-prefixed: ab+c is not a+bc."""
    assert (VAULT.mac("p", *one) == VAULT.mac("p", *two)) == (one == two)


def test_mac_and_secret_differ_by_purpose_and_root():
    """A digest of one purpose says nothing about another."""
    other = Vault({1: b"\2" * 32})
    assert len({VAULT.mac("a", b"x"), VAULT.mac("b", b"x"), other.mac("a", b"x")}) == 3
    assert len({VAULT.secret("a", b"x"), VAULT.secret("b", b"x"), other.secret("a", b"x")}) == 3
    assert len(VAULT.secret("salt", b"p")) == 32


def test_signature_is_ed25519_under_the_public_key():
    """Anybody with the public key can check it, with any library."""
    key = Ed25519PublicKey.from_public_bytes(VAULT.public_key)
    key.verify(VAULT.sign(b"message"), b"message")
    assert len(fingerprint(VAULT.public_key)) == 16


def test_first_opening_makes_a_root_that_only_its_owner_can_read(tmp_path):
    """And the second finds the same one."""
    folder = tmp_path / "keys"
    first = open_vault(folder)
    (file,) = folder.iterdir()
    assert open_vault(folder).public_key == first.public_key
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_root_that_others_can_read_is_refused(tmp_path):
    """A key that was readable must be thought known."""
    open_vault(tmp_path)
    (file,) = tmp_path.glob("root-*.key")
    file.chmod(0o640)
    with pytest.raises(Damaged, match="chmod"):
        open_vault(tmp_path)


@pytest.mark.parametrize("text", ["", "zz", "ab" * 31, "ab" * 33])
def test_file_that_is_no_key_is_refused(tmp_path, text):
    """Never a shorter key in silence."""
    file = tmp_path / "root-001.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(Damaged, match="not a key file"):
        open_vault(tmp_path)


def test_sm4_seals_what_is_told_of_people_and_nothing_else():
    """By setting; what either cipher has sealed opens under both settings."""
    chinese = Vault({1: b"\1" * 32}, SM4_GCM)
    for purpose, first in (("personal", 0x81), ("identity", 0x81), ("seed", 1), ("backup", 1)):
        sealed = chinese.seal(purpose, b"owner", b"secret")
        assert sealed[0] == first
        assert VAULT.open(purpose, b"owner", sealed) == b"secret"
        assert chinese.open(purpose, b"owner", VAULT.seal(purpose, b"owner", b"x")) == b"x"
        assert chinese.is_fresh(purpose, sealed)
        assert VAULT.is_fresh(purpose, sealed) == (first == 1)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_sm4_bytes_that_were_changed_do_not_open(place, flip):
    """At any byte; moved to another owner neither; cut to nothing neither."""
    chinese = Vault({1: b"\1" * 32}, SM4_GCM)
    sealed = bytearray(chinese.seal("personal", b"owner", b"a name"))
    with pytest.raises(Damaged):
        chinese.open("personal", b"other", bytes(sealed))
    with pytest.raises(Damaged):
        chinese.open("personal", b"owner", bytes(sealed[: place % len(sealed)]))
    sealed[place % len(sealed)] ^= flip
    with pytest.raises(Damaged):
        chinese.open("personal", b"owner", bytes(sealed))


def test_sm4_gcm_is_that_of_rfc_8998():
    """Known answer: appendix A.1."""
    sealed = Sm4Gcm(bytes.fromhex("0123456789abcdeffedcba9876543210")).encrypt(
        bytes.fromhex("00001234567800000000abcd"),
        bytes.fromhex("aa" * 8 + "bb" * 8 + "cc" * 8 + "dd" * 8 + "ee" * 8 + "ff" * 8
                      + "ee" * 8 + "aa" * 8),
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    )  # fmt: skip
    assert sealed.hex() == (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
