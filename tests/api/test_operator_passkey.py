"""Operators by passkey: a finger beside the key, over this very act and no other (通行密钥)."""

import json
import time

import pytest

from api.authenticator import PRESENT, Authenticator
from api.caller import UNENCRYPTED, running
from api.phone import b64, phone_of
from api.test_operator import Operator, lingqian
from lingqian.identity.key import Scope

ME = "/v1/operators/me"
PASSKEYS = f"{ME}/passkeys"


def device_of(api):
    """Return an authenticator at the site of a caller's server."""
    return Authenticator(origin=f"http://127.0.0.1:{api.port}")


def options_of(api):
    """Ask what a passkey is made with."""
    told = api.post(f"{PASSKEYS}/options")
    assert told.status == 200, told
    return told.body["public_key"]


def added(api, device, **more):
    """Ask to keep a new passkey."""
    return api.post(PASSKEYS, {**device.create(options_of(api)), "name": "右手拇指"}, **more)


def fingered(house, *scopes):
    """Return an operator whose key has a passkey and no authenticator, and the device."""
    api = house.caller(*scopes)
    device = device_of(api)
    assert added(api, device).status == 201
    return api, device


def signed(device, text, **wrong):
    """Return the header that answers a challenge of an act."""
    proof = {"challenge": text, **device.get(text, **wrong)}
    return {"Operator-Passkey": b64(json.dumps(proof).encode())}


def needed(api, method, path, body=None, **more):
    """Ask for an act; return its challenge."""
    told = api.call(method, path, body, **more)
    assert (told.status, told.code) == (403, "operator_code_needed"), told
    assert "passkey" in told.body["needs"]
    return told.body["challenge"]


def test_a_finger_acts(house, api):
    """Refused with a challenge, signed, done, and on record; looking takes nothing."""
    operator, device = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    challenge = needed(operator, "DELETE", path)
    told = operator.call("DELETE", path, headers=signed(device, challenge))
    assert told.status == 200, told
    shown = operator.get(ME).body
    assert (shown["proofs"], [each["name"] for each in shown["passkeys"]]) == (
        ["passkey"], ["右手拇指"]
    )  # fmt: skip
    assert shown["passkeys"][0]["used_at"]
    acts = [each for each in api.get("/v1/acts?limit=50").body["acts"]
            if each["actor"] == shown["name"]]  # fmt: skip
    assert [(each["operation"], each["status"]) for each in acts] == [
        ("DELETE /v1/users/{user_id}/sessions", 200),
        ("DELETE /v1/users/{user_id}/sessions", 0),
        ("POST /v1/operators/me/passkeys", 201),
        ("POST /v1/operators/me/passkeys", 0),
    ]


def test_a_signature_is_taken_once_and_for_one_act(house, api):
    """Neither again, nor for another person, another body or under another key."""
    operator, device = fingered(house)
    users = [api.user() for _ in range(3)]
    first, other, third = [f"/v1/users/{each}/sessions" for each in users]
    header = signed(device, needed(operator, "DELETE", first))
    assert operator.call("DELETE", other, headers=header).code == "challenge_invalid"
    assert operator.call("DELETE", f"{first}?x=1", headers=header).code == "challenge_invalid"
    assert operator.call("DELETE", first, headers=header).status == 200
    told = operator.call("DELETE", first, headers=header)
    assert (told.code, "before" in told.body["detail"]) == ("challenge_invalid", True)
    stranger, theirs = fingered(house)
    challenge = needed(operator, "DELETE", third)
    for key, finger in ((stranger, theirs), (stranger, device), (operator, theirs)):
        told = key.call("DELETE", third, headers=signed(finger, challenge))
        assert told.code in ("challenge_invalid", "passkey_invalid"), told
    path, body = "/v1/webhook-endpoints", {"url": "https://shop.example/hook"}
    header = signed(device, needed(operator, "POST", path, body))
    told = operator.post(path, body | {"url": "https://evil.example/hook"}, headers=header)
    assert told.code == "challenge_invalid"


def test_an_older_challenge_is_spent_with_the_newer(house, api):
    """As with codes: forward only, so that nothing recorded comes back, not after a restart."""
    operator, device = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    older, newer = (needed(operator, "DELETE", path) for _ in range(2))
    assert operator.call("DELETE", path, headers=signed(device, newer)).status == 200
    assert operator.call("DELETE", path, headers=signed(device, older)).code == "challenge_invalid"


WRONG = {
    "nobody verified": {"flags": PRESENT},
    "another site": {"rp_id": "evil.example"},
    "another page": {"origin": "https://evil.example"},
    "another use": {"type": "webauthn.create"},
    "another challenge": {"challenge": b64(bytes(32))},
    "a page within a page": {"crossOrigin": True},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_a_device_signed_must_be_this_act(house, api, wrong):
    """Every check of a person's passkey holds for an operator's."""
    operator, device = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    header = signed(device, needed(operator, "DELETE", path), **wrong)
    assert operator.call("DELETE", path, headers=header).code == "passkey_invalid"


@pytest.mark.parametrize("text", ["x", "é", "AAAA", b64(b"{}"), b64(b"[]"), b64(b"[" * 2_000),
                                  b64(b'{"challenge":"lc_AA"}')])  # fmt: skip
def test_what_is_no_signature_is_refused(house, api, text):
    """Bytes of strangers, read strictly."""
    operator, _ = fingered(house)
    headers = {"Operator-Passkey": text.encode("latin-1")}
    told = operator.call("DELETE", f"/v1/users/{api.user()}/sessions", headers=headers)
    assert (told.status, told.code) == (403, "passkey_invalid")


def test_a_copied_passkey_gives_itself_away(house, api):
    """The counter goes upward, or somebody else has it too."""
    operator, device = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    device.counter = 7
    assert operator.call("DELETE", path, headers=signed(device, needed(operator, "DELETE", path)))
    told = operator.call("DELETE", path, headers=signed(device, needed(operator, "DELETE", path)))
    assert told.code == "passkey_invalid"


def test_code_and_finger_stand_beside_each_other(house, api):
    """Either acts; the second is added by the first; a key alone adds and forgets nothing."""
    operator = Operator(house, "xu.jing")
    device = device_of(operator)
    assert added(operator, device).code == "operator_code_needed"
    assert added(operator, device, headers={"Operator-Code": operator.code()}).status == 201
    path = f"/v1/users/{api.user()}/sessions"
    told = operator.call("DELETE", path)
    assert (told.body["needs"], told.body["field"]) == (["passkey", "code"], "Operator-Code")
    header = signed(device, told.body["challenge"])
    assert operator.call("DELETE", path, headers=header).status == 200
    assert operator.act("DELETE", path).status == 200
    own = f"{PASSKEYS}/{b64(device.credential_id)}"
    assert operator.call("DELETE", own).code == "operator_code_needed"
    assert house.caller().call("DELETE", own).code == "not_found"
    challenge = needed(operator, "DELETE", own)
    assert operator.call("DELETE", own, headers=signed(device, challenge)).status == 204
    told = operator.call("DELETE", path, headers=signed(device, challenge))
    assert told.code == "operator_code_needed", "what was forgotten is not listened to"
    assert operator.get(ME).body["proofs"] == ["code"]


def test_a_code_that_nobody_set_up_is_no_proof(house, api):
    """Downgrade: whoever has a finger only cannot do with six digits."""
    operator, _ = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    told = operator.call("DELETE", path, headers={"Operator-Code": "000000"})
    assert (told.code, told.body["field"]) == ("operator_code_needed", "Operator-Passkey")


def test_a_challenge_of_a_person_adds_no_operator(house, api):
    """Nor that of another key, one made up, or one of the payment's kind."""
    operator, phone = house.caller(), phone_of(api, api.user())
    device = device_of(operator)
    theirs = phone.post("/v1/users/me/passkeys/options", {}).body["public_key"]
    for options in (theirs, options_of(house.caller()), {"challenge": b64(bytes(24))}):
        told = operator.post(PASSKEYS, device.create(options))
        assert told.code == "challenge_invalid"
    assert phone.post(f"{PASSKEYS}/options").code == "scope_missing"
    assert operator.get(ME).body["passkeys"] == []


def test_ten_are_enough_and_one_belongs_to_one_key(house):
    """Nobody takes over what acts under another key."""
    operator, device = fingered(house)
    stranger = house.caller()
    assert added(stranger, device).code == "passkey_invalid"
    for _ in range(9):
        body = device_of(operator).create(options_of(operator))
        header = signed(device, needed(operator, "POST", PASSKEYS, body))
        assert operator.post(PASSKEYS, body, headers=header).status == 201
    body = device_of(operator).create(options_of(operator))
    header = signed(device, needed(operator, "POST", PASSKEYS, body))
    assert operator.post(PASSKEYS, body, headers=header).code == "passkey_invalid"


def test_roles_are_unchanged(house, api):
    """A finger gives no scope."""
    operator, device = fingered(house, Scope.REVIEW_CASES)
    path = f"/v1/users/{api.user()}/sessions"
    told = operator.call("DELETE", path, headers=signed(device, "lc_AAAA"))
    assert told.code == "scope_missing"


def test_the_command_lists_and_forgets(house):
    """On the machine itself, where a lost device must end at once."""
    operator = Operator(house, "tang.yu")
    device = device_of(operator)
    words = ("key", "passkeys", "tang.yu", "--data", house.folder)
    assert lingqian(*words).stdout.startswith("还没有")
    assert added(operator, device, headers={"Operator-Code": operator.code()}).status == 201
    own = b64(device.credential_id)
    listed = lingqian(*words)
    assert (own in listed.stdout, "never used" in listed.stdout) == (True, True)
    assert lingqian(*words, "--forget", "AAAA").returncode == 1
    assert lingqian(*words, "--forget", own).returncode == 0
    assert operator.get(ME).body["proofs"] == ["code"]
    assert lingqian("key", "passkeys", "nobody", "--data", house.folder).returncode == 1


def test_outside_the_sandbox_the_first_is_added_by_a_code(tmp_path):
    """Whoever has stolen a key does not make himself an operator with it."""
    with running(tmp_path / "house", profile="closed_loop", **UNENCRYPTED) as house:
        api = house.caller()
        assert added(api, device_of(api)).code == "operator_code_needed"
        operator = Operator(house, "gao.feng")
        device = device_of(operator)
        assert added(operator, device, headers={"Operator-Code": operator.code()}).status == 201
        path = f"/v1/users/{api.user()}/sessions"
        header = signed(device, needed(operator, "DELETE", path))
        assert operator.call("DELETE", path, headers=header).status == 200


def test_a_challenge_runs_out(house, api, monkeypatch):
    """Two minutes."""
    from lingqian.web import act  # noqa: PLC0415 - where the clock is read

    operator, device = fingered(house)
    path = f"/v1/users/{api.user()}/sessions"
    header = signed(device, needed(operator, "DELETE", path))
    later = time.time_ns() // 1_000 + 121 * 1_000_000
    house.on_loop(lambda: monkeypatch.setattr(act, "real_us", lambda: later))
    assert operator.call("DELETE", path, headers=header).code == "challenge_invalid"
