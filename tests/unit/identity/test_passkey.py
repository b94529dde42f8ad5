"""Passkeys beside an independent reader: what ours believes, the library believes as well.

The other way round does not hold; the last test says where, and is why ours is the one at the door
(decision 0020).
"""

import hashlib

import pytest
import webauthn

from api.authenticator import ATTESTED, PRESENT, VERIFIED, Authenticator, cbor
from api.phone import b64
from lingqian.identity.passkey import Assertion, Passkey, Site, check_assertion, read_new
from lingqian.identity.possession import read64

SITE = Site("pay.example", frozenset(("https://pay.example",)))
CHALLENGE = b"0123456789abcdef"
TOLD = {"challenge": b64(CHALLENGE)}


def device():
    """Return an authenticator of a phone that is at our site."""
    return Authenticator("pay.example", "https://pay.example")


def ours_makes(made):
    """Say what ours reads of a new passkey; None when it refuses."""
    try:
        return read_new(SITE, CHALLENGE, read64(made["client_data"]), read64(made["attestation"]))
    except ValueError:
        return None


def theirs_makes(made, at):
    """Say whether the library takes a new passkey."""
    told = {
        "id": b64(at.credential_id),
        "rawId": b64(at.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": made["client_data"],
            "attestationObject": made["attestation"],
        },
    }
    try:
        return webauthn.verify_registration_response(
            credential=told,
            expected_challenge=CHALLENGE,
            expected_rp_id=SITE.rp_id,
            expected_origin=list(SITE.origins),
            require_user_verification=True,
            supported_pub_key_algs=[-7],
        )
    except Exception:  # noqa: BLE001 - what it raises for bytes of strangers is not a short list
        return None


def cose_of(passkey):
    """Return a passkey's key as RFC 9053 writes it."""
    return cbor({1: 2, 3: -7, -1: 1, -2: passkey.key.x, -3: passkey.key.y})


MADE = {
    "as it should be": {},
    "nobody verified": {"flags": PRESENT | ATTESTED},
    "nobody present": {"flags": VERIFIED | ATTESTED},
    "no credential": {"flags": PRESENT | VERIFIED},
    "another site": {"rp_id": "evil.example"},
    "another page": {"origin": "https://evil.example"},
    "another use": {"type": "webauthn.get"},
    "another challenge": {"challenge": b64(b"x" * 16)},
    "another algorithm": {"key": {3: -257}},
    "more than a credential": {"extra": b"\0"},
    "extensions": {"flags": 0xC5, "extra": cbor({"credProps": True})},
}


@pytest.mark.parametrize("wrong", MADE.values(), ids=MADE)
def test_what_ours_keeps_the_library_would_keep(wrong):
    """One authenticator, two readers; the same key, id and counter where both believe it."""
    at = device()
    made = at.create(TOLD, **wrong)
    mine, theirs = ours_makes(made), theirs_makes(made, at)
    assert (mine is None) == (theirs is None), (mine, theirs)
    if mine is not None:
        assert (mine.credential_id, mine.counter) == (theirs.credential_id, theirs.sign_count)
        assert theirs.credential_public_key == cose_of(mine)


USED = {
    "as it should be": {},
    "nobody verified": {"flags": PRESENT},
    "nobody present": {"flags": VERIFIED},
    "another site": {"rp_id": "evil.example"},
    "another page": {"origin": "https://evil.example"},
    "another use": {"type": "webauthn.create"},
    "another challenge": {"challenge": b64(b"x" * 32)},
    "more than was asked": {"rest": b"\0"},
}


@pytest.mark.parametrize("counter", [0, 7, 8, 9])
@pytest.mark.parametrize("wrong", USED.values(), ids=USED)
def test_what_ours_believes_the_library_believes(wrong, counter):
    """A signature over a payment's challenge, with counters before, at and after the known one."""
    at = device()
    made = ours_makes(at.create(TOLD))
    known = Passkey(made.credential_id, made.key, 8 if counter else 0)
    at.counter = counter
    said = {name: read64(text) for name, text in at.get("payment", **wrong).items()}
    challenge = hashlib.sha256(b"payment").digest()
    mine, theirs = judged(challenge, known, said)
    assert mine == theirs, (mine, theirs)
    flipped = said | {"signature": said["signature"][:-1] + bytes((said["signature"][-1] ^ 1,))}
    assert judged(challenge, known, flipped) == (None, None)


def judged(challenge, known, said):
    """Return the new counter as ours and as the library has it; None for a refusal each."""
    parts = (said["client_data"], said["authenticator_data"], said["signature"])
    try:
        mine = check_assertion(SITE, challenge, known, Assertion(*parts))
    except ValueError:
        mine = None
    told = {
        "id": b64(said["id"]),
        "rawId": b64(said["id"]),
        "type": "public-key",
        "response": dict(
            zip(("clientDataJSON", "authenticatorData", "signature"), map(b64, parts), strict=True)
        ),
    }
    try:
        theirs = webauthn.verify_authentication_response(
            credential=told,
            expected_challenge=challenge,
            expected_rp_id=SITE.rp_id,
            expected_origin=list(SITE.origins),
            credential_public_key=cose_of(known),
            credential_current_sign_count=known.counter,
            require_user_verification=True,
        ).new_sign_count
    except Exception:  # noqa: BLE001 - as above
        theirs = None
    return mine, theirs


LOOSER = {
    "a page within a page of another site": {"crossOrigin": True},
    "a point that is not on the curve": {"key": {-2: b"x" * 32}},
    "a point of one byte": {"key": {-2: b"x"}},
    "a pattern to be compiled": {"flags": 0xC5, "extra": b"\xa1\x61a\xd8\x23\x65(a+)+"},
    "another curve": {"key": {-1: 6}},
}


@pytest.mark.parametrize("wrong", LOOSER.values(), ids=LOOSER)
def test_where_the_library_is_looser(wrong):
    """Should it become as strict, this fails, and 0020 is to be thought over."""
    at = device()
    made = at.create(TOLD, **wrong)
    assert ours_makes(made) is None
    assert theirs_makes(made, at) is not None
