"""Passkeys: made, used for a payment, forgotten; and the ways one proves nothing (通行密钥)."""

import pytest

from api.authenticator import ATTESTED, PRESENT, VERIFIED, Authenticator
from api.caller import running
from api.phone import b64, phone_of
from lingqian.compose import SignatureRow
from lingqian.identity.cbor import Reader

PASSKEYS = "/v1/users/me/passkeys"
TOKENS = "/v1/users/me/payment-tokens"
PASSWORD = "/v1/users/me/payment-password"


def person(api):
    """Return the phone of somebody with money, and an authenticator in it."""
    phone = phone_of(api, api.rich(1_000_000))
    return phone, Authenticator(origin=phone.origin)


def options_of(phone, **told):
    """Ask what a passkey is made with."""
    told = phone.post(f"{PASSKEYS}/options", told)
    assert told.status == 200, told
    return told.body["public_key"]


def enrolled(api):
    """Return a phone whose owner has a passkey, and the passkey."""
    phone, device = person(api)
    told = phone.post(PASSKEYS, {**device.create(options_of(phone)), "name": "指纹"})
    assert told.status == 201, told
    return phone, device


def challenge_of(phone, target, once, amount_fen=20_000):
    """Ask for a payment; return its body and challenge."""
    body = {"target_id": target, "amount_fen": amount_fen}
    told = phone.post("/v1/transfers", body, once=once)
    assert told.code == "factor_needed", told
    return body, told.body


def test_a_fingerprint_pays(api):
    """Made once, asked for by name, used: the payment carries two kinds of proof."""
    phone, device = enrolled(api)
    target = api.user()
    body, told = challenge_of(phone, target, "one")
    assert told["needs"] == ["passkey"]
    answer = {"challenge": told["challenge"], "passkey": device.get(told["challenge"])}
    made = phone.post(TOKENS, answer)
    assert (made.status, made.body["factor"]) == (201, "passkey"), made
    token = made.body["payment_token"]
    wrong = phone.post(
        "/v1/transfers", body, once="one", headers={"Payment-Factor": f"password {token}"}
    )
    assert wrong.code == "challenge_invalid"
    headers = {"Payment-Factor": f"passkey {token}"}
    assert phone.post("/v1/transfers", body, once="one", headers=headers).status == 201
    (shown,) = phone.get("/v1/users/me/security").body["passkeys"]
    assert (shown["id"], shown["name"]) == (b64(device.credential_id), "指纹")
    assert shown["used_at"]


def test_options_are_what_a_browser_wants(api):
    """This site, ES256, the person verified, no attestation, none of those there are."""
    phone, device = enrolled(api)
    found = options_of(phone)
    assert found["rp"]["id"] == "127.0.0.1"
    assert found["pubKeyCredParams"] == [{"type": "public-key", "alg": -7}]
    assert found["authenticatorSelection"]["userVerification"] == "required"
    assert found["attestation"] == "none"
    assert [each["id"] for each in found["excludeCredentials"]] == [b64(device.credential_id)]
    assert phone.user_id not in str(found)


def test_adding_one_takes_the_password_where_there_is_one(api):
    """A borrowed phone does not learn another finger."""
    phone, device = person(api)
    phone.call("PUT", PASSWORD, {"password": "274913"})
    assert phone.post(f"{PASSKEYS}/options", {}).body["field"] == "password"
    assert phone.post(f"{PASSKEYS}/options", {"password": "999111"}).code == "wrong_password"
    made = phone.post(PASSKEYS, device.create(options_of(phone, password="274913")))
    assert made.status == 201
    _, told = challenge_of(phone, api.user(), "x")
    assert told["needs"] == ["passkey", "password"]


def test_a_signature_pays_what_was_agreed(tmp_path):
    """L6: beyond two kinds' five thousand only the finger is asked for, and the agreement binds."""
    row = SignatureRow(day_fen=800_000, because="terms, 7")
    with running(tmp_path / "house", signature=row) as house:
        api = house.caller()
        phone, device = enrolled(api)
        phone.call("PUT", PASSWORD, {"password": "274913"})
        target = api.user()
        shown = {each["id"]: each["cap_fen"] for each in api.get("/v1/limits").body["factor_caps"]}
        assert shown == {"L4": 100_000, "L5": 500_000, "L6": 800_000}
        _, told = challenge_of(phone, target, "small", 500_000)
        assert told["needs"] == ["passkey", "password"]
        body, told = challenge_of(phone, target, "large", 500_001)
        assert told["needs"] == ["passkey"], "a password could not pay it"
        proof = {"challenge": told["challenge"], "password": "274913"}
        weaker = phone.post(TOKENS, proof).body["payment_token"]
        headers = {"Payment-Factor": f"password {weaker}"}
        again = phone.post("/v1/transfers", body, once="large", headers=headers)
        assert again.code == "exceeds_factors"
        assert paid(phone, device, target, "signed", 800_000).status == 201
        assert paid(phone, device, target, "more", 1).code == "exceeds_factors"


def test_without_an_agreement_a_finger_is_no_signature(api):
    """L5: two kinds, and not a fen more, whatever the phone signs by itself."""
    phone, device = enrolled(api)
    target = api.user()
    assert paid(phone, device, target, "all", 500_000).status == 201
    assert paid(phone, device, target, "more", 1).code == "exceeds_factors"


def paid(phone, device, target, once, amount_fen):
    """Pay somebody by the finger; return the answer."""
    body, told = challenge_of(phone, target, once, amount_fen)
    answer = {"challenge": told["challenge"], "passkey": device.get(told["challenge"])}
    token = phone.post(TOKENS, answer).body["payment_token"]
    headers = {"Payment-Factor": f"passkey {token}"}
    return phone.post("/v1/transfers", body, once=once, headers=headers)


WRONG_NEW = {
    "nobody verified": {"flags": PRESENT | ATTESTED},
    "nobody present": {"flags": VERIFIED | ATTESTED},
    "no credential": {"flags": PRESENT | VERIFIED},
    "another site": {"rp_id": "evil.example"},
    "another page": {"origin": "https://evil.example"},
    "a page within a page": {"crossOrigin": True},
    "another use": {"type": "webauthn.get"},
    "another algorithm": {"key": {3: -257}},
    "another curve": {"key": {-1: 6}},
    "a short point": {"key": {-2: b"x"}},
    "more than a credential": {"extra": b"\0"},
}


@pytest.mark.parametrize("wrong", WRONG_NEW.values(), ids=WRONG_NEW)
def test_what_is_no_passkey_of_ours_is_not_kept(api, wrong):
    """WebAuthn §7.1, check by check."""
    phone, device = person(api)
    told = phone.post(PASSKEYS, device.create(options_of(phone), **wrong))
    assert (told.status, told.code) == (403, "passkey_invalid"), told
    assert phone.get("/v1/users/me/security").body["passkeys"] == []


def test_a_challenge_is_of_one_session(api):
    """Neither made up nor somebody else's."""
    phone, device = person(api)
    other, _ = person(api)
    for challenge in (options_of(other)["challenge"], b64(bytes(24)), "", 5):
        told = phone.post(PASSKEYS, device.create({"challenge": challenge}))
        assert told.code == "challenge_invalid"
    assert phone.post(PASSKEYS, {"client_data": "AAAA", "attestation": "AAAA"}).code == (
        "challenge_invalid"
    )


WRONG_USE = {
    "nobody verified": {"flags": PRESENT},
    "another site": {"rp_id": "evil.example"},
    "another page": {"origin": "https://evil.example"},
    "another use": {"type": "webauthn.create"},
    "another challenge": {"challenge": "x" * 43},
    "more than was asked": {"rest": b"\0"},
}


@pytest.mark.parametrize("wrong", WRONG_USE.values(), ids=WRONG_USE)
def test_what_a_phone_signed_must_be_this_payment(api, wrong):
    """WebAuthn §7.2, check by check."""
    phone, device = enrolled(api)
    _, told = challenge_of(phone, api.user(), "x")
    answer = {"challenge": told["challenge"], "passkey": device.get(told["challenge"], **wrong)}
    found = phone.post(TOKENS, answer)
    assert (found.status, found.code) == (403, "passkey_invalid"), found


def test_another_key_another_person_a_copy(api):
    """The signature is the passkey's, the passkey is the person's, and a copy gives itself away."""
    phone, device = enrolled(api)
    stranger, theirs = enrolled(api)
    _, told = challenge_of(phone, api.user(), "x")
    challenge = told["challenge"]
    forged = theirs.get(challenge) | {"id": b64(device.credential_id)}
    for passkey in (forged, theirs.get(challenge)):
        assert phone.post(TOKENS, {"challenge": challenge, "passkey": passkey}).code == (
            "passkey_invalid"
        )
    device.counter = 7
    answer = {"challenge": challenge, "passkey": device.get(challenge)}
    assert phone.post(TOKENS, answer).status == 201
    assert phone.post(TOKENS, answer).code == "passkey_invalid", "the counter has not gone on"
    assert stranger.post(TOKENS, answer).code == "challenge_invalid"
    both = answer | {"password": "274913"}
    assert phone.post(TOKENS, both).body["field"] == "password"


def test_a_passkey_is_forgotten_and_there_are_not_too_many(api):
    """Its owner's word ends it; ten are enough; one cannot be added twice or taken over."""
    phone, device = enrolled(api)
    stranger, _ = person(api)
    again = stranger.post(PASSKEYS, device.create(options_of(stranger)))
    assert again.code == "passkey_invalid"
    path = f"{PASSKEYS}/{b64(device.credential_id)}"
    assert stranger.call("DELETE", path).code == "not_found"
    for _ in range(9):
        more = Authenticator(origin=phone.origin)
        assert phone.post(PASSKEYS, more.create(options_of(phone))).status == 201
    more = Authenticator(origin=phone.origin)
    assert phone.post(PASSKEYS, more.create(options_of(phone))).code == "passkey_invalid"
    assert phone.call("DELETE", path).status == 204
    assert phone.call("DELETE", path).code == "not_found"
    assert phone.call("DELETE", f"{PASSKEYS}/!").code == "not_found"
    assert len(phone.get("/v1/users/me/security").body["passkeys"]) == 9


GOOD = {b"\x00": 0, b"\x17": 23, b"\x18\x18": 24, b"\x39\x01\x00": -257, b"\x43abc": b"abc",
        b"\x63abc": "abc", b"\x82\x01\x20": [1, -1], b"\xa1\x61a\xf5": {"a": True},
        b"\xf6": None}  # fmt: skip
BAD = [b"", b"\x18", b"\x18\x17", b"\x19\x00\xff", b"\x43ab", b"\x5f\x41a\xff", b"\x62\xff\xfe",
       b"\x81" * 9, b"\xa2\x01\x01\x01\x02", b"\xa1\x41a\x01", b"\xa1\x80\x01", b"\xc0\x00",
       b"\xf9\x00\x00", b"\xf7", b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8,
       b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff"]  # fmt: skip


@pytest.mark.parametrize("raw", GOOD)
def test_cbor_is_read_as_the_specification_has_it(raw):
    """RFC 8949 appendix A, what of it authenticators write."""
    reader = Reader(raw)
    assert (reader.value(), reader.at) == (GOOD[raw], len(raw))


@pytest.mark.parametrize("raw", BAD)
def test_other_cbor_is_refused(raw):
    """Longer forms, no lengths, tags, floats, twice the same key, too deep, cut off: ValueError."""
    with pytest.raises(ValueError, match=r"\w"):
        Reader(raw).value()
