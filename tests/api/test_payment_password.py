"""The payment password: set, tried, locked, reset; and what proves a payment (支付密码)."""

import base64
import threading

import pytest

from api.caller import UNENCRYPTED, running
from api.phone import Phone, link_of, phone_of
from lingqian.identity.password import LOCKS_S
from lingqian.kernel.id import parse
from lingqian.storage import password as rows
from lingqian.storage.vault import Vault

PASSWORD = "/v1/users/me/payment-password"
TOKENS = "/v1/users/me/payment-tokens"
WIDE = "\uff12\uff17\uff14\uff19\uff11\uff13"
GOOD, OTHER = "274913", "805162"


def guarded(api, amount_fen=1_000_000, **more):
    """Return the phone of somebody with money and a payment password."""
    phone = phone_of(api, api.rich(amount_fen), **more)
    told = phone.call("PUT", PASSWORD, {"password": GOOD})
    assert (told.status, told.body["has_password"]) == (200, True), told
    return phone


def challenge_for(phone, target, amount_fen, once):
    """Ask for a payment that needs a factor; return its body and its challenge."""
    body = {"target_id": target, "amount_fen": amount_fen}
    told = phone.post("/v1/transfers", body, once=once)
    assert (told.status, told.code) == (403, "factor_needed"), told
    assert told.body["needs"] == ["password"]
    return body, told.body["challenge"]


def token_for(phone, challenge, password=GOOD):
    """Answer a challenge; return the token."""
    told = phone.post(TOKENS, {"challenge": challenge, "password": password})
    assert (told.status, told.body["factor"]) == (201, "password"), told
    return told.body["payment_token"]


def pay(phone, body, once, token):
    """Ask once more, with the token."""
    headers = {"Payment-Factor": f"password {token}"}
    return phone.post("/v1/transfers", body, once=once, headers=headers)


def try_password(phone, password):
    """Use one try."""
    return phone.call("PUT", PASSWORD, {"password": OTHER, "old_password": password})


def test_a_gift_is_proven_as_other_payments_are(api):
    """Coins are money that was paid before: a found phone must not give them all away."""
    phone = guarded(api)
    for once in "abc":
        bought = {"plan_id": "coins-100", "pay_with": "balance", "user_id": phone.user_id}
        assert api.post("/v1/top-ups", bought, once=f"{phone.user_id}{once}").status == 201
    body = {"streamer_id": api.user(), "code": "rose", "count": 1}
    assert phone.post("/v1/gifts", body, once="rose").status == 201
    body |= {"count": 250}
    told = phone.post("/v1/gifts", body, once="many")
    assert (told.status, told.code, told.body["needs"]) == (403, "factor_needed", ["password"])
    token = token_for(phone, told.body["challenge"])
    proven_fen = told.body["amount_fen"]
    headers = {"Payment-Factor": f"password {token}"}
    dearer = phone.post("/v1/gifts", body | {"count": 300}, once="many", headers=headers)
    assert dearer.code == "challenge_invalid"
    given = phone.post("/v1/gifts", body, once="many", headers=headers)
    assert (given.status, given.body["value_fen"]) == (201, proven_fen)
    assert phone.post("/v1/gifts", body, once="many").status == 200
    assert api.get(f"/v1/users/{phone.user_id}/coins").body["available"] == 3 * 1_070 - 251 * 10


def test_a_day_of_small_gifts_is_proven_once_it_is_large(api):
    """A found phone gives what the device alone may pay in a day, in gifts as in transfers."""
    phone = guarded(api)
    for once in range(14):
        bought = {"plan_id": "coins-100", "pay_with": "balance", "user_id": phone.user_id}
        assert api.post("/v1/top-ups", bought, once=f"{phone.user_id}{once}").status == 201
    api.advance(86_400)  # another day: what was bought does not count any more
    body = {"streamer_id": api.user(), "code": "rose", "count": 50}
    told = [phone.post("/v1/gifts", body, once=f"gift {once}") for once in range(22)]
    assert [each.status for each in told] == [201] * 21 + [403]
    given_fen = sum(each.body["value_fen"] for each in told[:21])
    assert given_fen <= 100_000 < given_fen + told[-1].body["amount_fen"]
    assert "what was paid today asks for it" in told[-1].body["detail"]


def test_a_gift_that_coins_do_not_cover_asks_for_nothing(api):
    """Nobody types six digits for a gift that cannot be given."""
    phone = guarded(api)
    body = {"streamer_id": api.user(), "code": "rose", "count": 300}
    assert phone.post("/v1/gifts", body, once="poor").code == "exceeds_coins"


@pytest.mark.parametrize("digits", ["000000", "123456", "654321", "111222", "121212", "123123",
                                    "012345", "789012", "567890"])  # fmt: skip
def test_what_everybody_tries_first_is_refused(api, digits):
    """A million words are few enough; the first hundred are not among them."""
    told = phone_of(api, api.user()).call("PUT", PASSWORD, {"password": digits})
    assert (told.status, told.code) == (422, "weak_password")


@pytest.mark.parametrize(
    "text",
    ["12345", "1234567", "27491x", "\uff12\uff17\uff14\uff19\uff11\uff13", "", 274_913, None],
)
def test_a_password_is_six_digits(api, text):
    """Wide digits are other letters; the answer never repeats what was sent."""
    told = phone_of(api, api.user()).call("PUT", PASSWORD, {"password": text})
    assert (told.status, told.body["field"]) == (422, "password")
    assert not text or str(text) not in str(told.body)


def test_a_password_is_changed_by_who_knows_it(api):
    """A borrowed phone that is signed in does not take the purse over."""
    phone = guarded(api)
    told = phone.call("PUT", PASSWORD, {"password": OTHER})
    assert (told.status, told.body["field"]) == (422, "old_password")
    assert try_password(phone, "999111").code == "wrong_password"
    assert try_password(phone, GOOD).status == 200
    assert try_password(phone, GOOD).code == "wrong_password"
    told = phone.call("PUT", PASSWORD, {"password": GOOD, "old_password": OTHER})
    assert (told.status, told.body["tries_left"]) == (200, 5)


def test_five_tries_then_a_lock_that_grows(api):
    """Whoever guesses waits longer each time; the right one waits too."""
    phone = guarded(api)
    for lock_s in LOCKS_S[:2]:
        left = [try_password(phone, "999111").body["tries_left"] for _ in range(5)]
        assert left == [4, 3, 2, 1, 0]
        told = try_password(phone, GOOD)
        assert (told.status, told.code) == (429, "password_locked")
        assert lock_s - 60 < int(told.headers["retry-after"]) <= lock_s
        assert told.body["locked_until"]
        assert phone.get("/v1/users/me/security").body["locked_until"] == told.body["locked_until"]
        api.advance(lock_s)  # sessions keep real time, whatever the business clock says
    assert try_password(phone, GOOD).status == 200


def test_many_tries_at_once_are_no_more_tries(api):
    """Twenty at the same moment: five are looked at, the rest meet the lock."""
    phone = guarded(api)
    told = []

    def guess(number):
        told.append(try_password(phone, f"{number:03d}911").code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["password_locked"] * 15 + ["wrong_password"] * 5


def test_a_crash_gives_no_more_tries(tmp_path, monkeypatch):
    """The try is on disk before the password is looked at."""
    with running(tmp_path / "house") as house:
        phone = guarded(house.caller())
        monkeypatch.setattr(rows, "is_password", lambda *_: 1 / 0)
        for _ in range(5):
            assert try_password(phone, GOOD).status == 500
        monkeypatch.undo()
        assert try_password(phone, GOOD).code == "password_locked"


def test_a_reset_takes_a_day_and_can_be_called_off(api):
    """Whoever has lost nothing sees it coming."""
    phone = guarded(api)
    path = f"/v1/users/{phone.user_id}/payment-password/reset"
    assert phone.post(PASSWORD + "/reset", {}).code == "real_name_required"
    assert api.post(path, {}).body["reset_at"]
    assert phone.get("/v1/users/me/security").body["reset_at"]
    assert try_password(phone, "999111").code == "wrong_password"
    assert "reset_at" not in phone.call("DELETE", PASSWORD + "/reset").body
    first = api.post(path, {}).body["reset_at"]
    api.advance(3_600)
    assert api.post(path, {}).body["reset_at"] == first, "asking again makes it no later"
    api.advance(86_400)
    assert phone.get("/v1/users/me/security").body == {
        "has_password": False, "account_class": 3, "passkeys": [],
    }  # fmt: skip
    assert phone.call("PUT", PASSWORD, {"password": OTHER}).status == 200
    assert api.post(f"/v1/users/{api.user()}/payment-password/reset", {}).code == (
        "password_not_set"
    )


def test_small_payments_need_the_device_alone(api):
    """Up to fifty yuan from a new device, to whomever."""
    phone = guarded(api)
    body = {"target_id": api.user(), "amount_fen": 4_999}
    assert phone.post("/v1/transfers", body, once="small").status == 201


def test_a_large_payment_is_proven_by_the_password(api):
    """Refused with a challenge; proven; paid once; and asked again it is the first answer."""
    phone, target = guarded(api), api.user()
    body, challenge = challenge_for(phone, target, 20_000, "large")
    token = token_for(phone, challenge)
    assert pay(phone, body, "large", token).status == 201
    assert pay(phone, body, "large", token).status == 200
    assert phone.post("/v1/transfers", body, once="large").status == 200
    assert api.balance(target)["amount_fen"] == 20_000


def test_the_rules_look_at_device_payee_and_day(api):
    """New device from fifty yuan, first payee from a hundred, and what makes the day large."""
    phone, target = guarded(api), api.user()
    body, challenge = challenge_for(phone, target, 5_000, "new device")
    assert pay(phone, body, "new device", token_for(phone, challenge)).status == 201
    told = phone.post("/v1/transfers", {**body, "amount_fen": 30_000}, once="x")
    assert "金额较大" in told.body["detail"]
    for number in range(19):
        small = {"target_id": target, "amount_fen": 4_999}
        assert phone.post("/v1/transfers", small, once=f"s{number}").status == 201
    told = phone.post("/v1/transfers", {"target_id": target, "amount_fen": 20}, once="day")
    assert (told.code, "今日累计" in told.body["detail"]) == ("factor_needed", True)


def test_an_old_device_is_trusted_further(house, api):
    """A day later the first payee still asks, and the second time it does not."""
    phone, target = guarded(api), api.user()
    older = "UPDATE devices SET created_at_us = 1 WHERE user_id = unhex(?)"
    whose = (parse("us", phone.user_id).hex(),)
    house.door.wallet.intake.chore(lambda db: db.execute(older, whose)).result(10)
    body = {"target_id": target, "amount_fen": 10_000}
    told = phone.post("/v1/transfers", body, once="first")
    assert "首次" in told.body["detail"]
    token = token_for(phone, told.body["challenge"])
    assert pay(phone, body, "first", token).status == 201
    assert phone.post("/v1/transfers", body, once="second").status == 201


def test_packets_and_coins_are_payments_too(api):
    """Whatever leaves the balance is under the same rules; claims are not."""
    phone = guarded(api)
    packet = {"kind": "lucky", "total_fen": 20_000, "count": 2}
    assert phone.post("/v1/packets", packet, once="p").code == "factor_needed"
    payout = {"amount_fen": 1, "payee": {"openid": "o"}}
    assert phone.post("/v1/payouts", payout, once="o").code in ("factor_needed", "no_channel")
    told = phone.post("/v1/packets", packet, once="p")
    token = token_for(phone, told.body["challenge"])
    headers = {"Payment-Factor": f"password {token}"}
    assert phone.post("/v1/packets", packet, once="p", headers=headers).status == 201


def test_without_a_password_a_large_payment_waits_for_one(api):
    """The page leads to setting it; nothing is paid meanwhile."""
    phone = phone_of(api, api.rich())
    told = phone.post("/v1/transfers", {"target_id": api.user(), "amount_fen": 20_000}, once="x")
    assert (told.status, told.code) == (409, "password_not_set")


def test_a_token_is_good_for_its_payment_only(api):
    """Not for another amount, key, payee, session, person or name of a factor; nor changed."""
    phone, target = guarded(api), api.user()
    body, challenge = challenge_for(phone, target, 20_000, "one")
    token = token_for(phone, challenge)
    raw = bytearray(base64.urlsafe_b64decode(token[3:] + "==="))
    raw[0] |= 8  # says that it was signed
    forged = "lp_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    for told in (
        pay(phone, {**body, "amount_fen": 20_001}, "one", token),
        pay(phone, body, "two", token),
        pay(phone, {**body, "target_id": api.user()}, "one", token),
        pay(phone, body, "one", forged),
        pay(phone, body, "one", "lp_x"),
        phone.post(
            "/v1/transfers", body, once="one", headers={"Payment-Factor": f"passkey {token}"}
        ),
        phone.post("/v1/transfers", body, once="one", headers={"Payment-Factor": token}),
    ):
        assert (told.status, told.code) == (403, "challenge_invalid"), told
    second = Phone(api.port)
    second.sign_in(link_of(api, phone.user_id))
    assert pay(second, body, "one", token).code == "challenge_invalid"
    told = second.post(TOKENS, {"challenge": challenge, "password": GOOD})
    assert told.code == "challenge_invalid"
    assert pay(phone, body, "one", token).status == 201


def test_a_challenge_takes_wrong_passwords_as_tries(api):
    """Guessing at payments is guessing: the same counter, the same lock."""
    phone = guarded(api)
    _, challenge = challenge_for(phone, api.user(), 20_000, "x")
    for _ in range(5):
        assert phone.post(TOKENS, {"challenge": challenge, "password": "999111"}).code == (
            "wrong_password"
        )
    assert try_password(phone, GOOD).code == "password_locked"
    assert phone.post(TOKENS, {"challenge": "lc_x", "password": GOOD}).code == "challenge_invalid"


def test_the_rule_cannot_be_talked_down(api):
    """Factor downgrade: no header, field or scheme of the caller's makes a factor unnecessary."""
    phone, target = guarded(api), api.user()
    body = {"target_id": target, "amount_fen": 20_000}
    for headers in ({}, {"Payment-Factor": ""}, {"X-Payment-Factor": "none"}):
        told = phone.post("/v1/transfers", body, once="x", headers=headers)
        assert told.code == "factor_needed"
    for extra in ({"factors": 15}, {"needs": []}):
        assert phone.post("/v1/transfers", body | extra, once="x").code == "invalid_field"
    assert api.balance(target)["amount_fen"] == 0


def test_the_kinds_used_stand_in_the_journal_and_bind_the_day(api):
    """Two kinds pay five thousand yuan a day and not a fen more (L5)."""
    phone, target = guarded(api), api.user()
    body, challenge = challenge_for(phone, target, 500_000, "all")
    assert pay(phone, body, "all", token_for(phone, challenge)).status == 201
    body, challenge = challenge_for(phone, target, 1, "more")
    told = pay(phone, body, "more", token_for(phone, challenge))
    assert (told.status, told.code) == (409, "exceeds_factors")


def test_a_licensed_house_caps_what_an_app_vouches_for(tmp_path):
    """There the law's row for fewer than two kinds binds calls with a key as well."""
    with running(tmp_path / "licensed", profile="licensed", **UNENCRYPTED) as house:
        caps = house.door.wallet.policy.factor_caps
    assert caps == (100_000, 100_000, 500_000, None)


def test_stolen_rows_cannot_be_tried_without_the_pepper(house, api):
    """Two people with the same digits have nothing in common, and another pepper opens neither."""
    ids = [parse("us", guarded(api).user_id) for _ in range(2)]
    reader, vault = house.door.wallet.reader, house.door.wallet.vault
    found = house.on_loop(lambda: [rows.find(reader, each, 1).hashed for each in ids])
    assert found[0][17:] != found[1][17:]
    assert rows.is_password(vault, ids[0], GOOD, found[0])
    assert not rows.is_password(vault, ids[1], GOOD, found[0])
    assert not rows.is_password(Vault({1: bytes(32)}), ids[0], GOOD, found[0])
