"""Notices: the schedule, one id, one body, a fresh signature; and all that may go wrong."""

import base64
import json
import time

import pytest

from lingqian_simulator.notice import INTERVALS_S
from lingqian_simulator.rsa import private_key, public_key
from simulated import Client, wait_for


@pytest.fixture
def client(simulator):
    """An ordinary merchant."""
    return Client(simulator)


def paid(client, shop, number="TU_000001"):
    """Order and pay."""
    assert client.prepay(number, notify_url=shop.url).status == 200
    return client.pay(number)


def arm(client, name, **limits):
    """Arm a fault."""
    return client.running.control("/control/faults", {"name": name, **limits})


def notices(client):
    """Return what the simulator says of its notices."""
    return client.running.control("/control/notices")


def test_the_schedule_is_the_published_one():
    """Fifteen more tries, 24 hours and 4 minutes in all."""
    assert len(INTERVALS_S) == 15
    assert sum(INTERVALS_S) == 24 * 3600 + 4 * 60


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_notice_comes_again_until_it_is_taken(client, shop, status):
    """Same id, same bytes, new signature; a redirect is no acknowledgement."""
    shop.answers = [status, status, status, 200]
    paid(client, shop)
    came = shop.wait(4)
    assert len({body for _, body in came}) == 1
    assert len({headers["Wechatpay-Nonce"] for headers, _ in came}) == 4
    assert all(client.is_genuine(headers, body) for headers, body in came)
    wait_for(lambda: notices(client)[0]["state"] == "delivered")
    assert [s["result"] for s in notices(client)[0]["sendings"]] == [str(status)] * 3 + ["200"]
    time.sleep(0.1)
    assert len(shop.notices) == 4


def test_intervals_pass_on_the_business_clock(start, shop):
    """Moving the clock by an hour brings what was due in that hour, one after the other."""
    client = Client(start())
    shop.answers = [500] * 3
    paid(client, shop)
    shop.wait(1)
    for seconds, count in [(14, 1), (2, 2), (16, 3), (31, 4)]:
        wait_for(lambda: len(notices(client)[0]["sendings"]) == len(shop.notices))
        client.running.control("/control/clock", {"advance_s": seconds})
        shop.wait(count)
        time.sleep(0.1)
        assert len(shop.notices) == count


def test_a_notice_is_given_up_after_the_last_try(start, shop):
    """Whoever was away for a day must query."""
    client = Client(start(notice_scale=0))
    shop.answers = [500] * 20
    paid(client, shop)
    shop.wait(16)
    wait_for(lambda: notices(client)[0]["state"] == "exhausted")
    assert len(shop.notices) == 16
    client.running.control(f"/control/notices/{notices(client)[0]['id']}/send", {})
    assert shop.wait(17)[16][1] == shop.notices[0][1]


def test_a_shop_that_does_not_answer_is_a_failed_try(start):
    """A closed port, too, is written down as what it is."""
    client = Client(start())
    client.prepay()
    client.pay()
    wait_for(lambda: notices(client)[0]["sendings"])
    assert notices(client)[0]["sendings"][0]["result"].startswith("failed: ")


def test_lost_dropped_and_doubled(client, shop):
    """Lost: never. Dropped: the next try. Doubled: twice at once."""
    arm(client, "notice_lost")
    paid(client, shop)
    assert notices(client)[0]["state"] == "lost"
    arm(client, "notice_dropped")
    paid(client, shop, "TU_000002")
    shop.wait(1)
    wait_for(lambda: notices(client)[0]["state"] == "delivered")
    results = [s["result"] for s in notices(client)[0]["sendings"]]
    assert results == ["dropped on the way", "204"]
    arm(client, "notice_doubled")
    paid(client, shop, "TU_000003")
    first, second = shop.wait(3)[1:]
    assert first[1] == second[1]
    assert first[0]["Wechatpay-Nonce"] != second[0]["Wechatpay-Nonce"]
    assert client.query().json["trade_state"] == "SUCCESS"


def test_late_and_reordered(client, shop):
    """Late by the business clock; reordered behind the next one."""
    arm(client, "notice_late", seconds=3600)
    paid(client, shop)
    arm(client, "notice_reordered")
    paid(client, shop, "TU_000002")
    paid(client, shop, "TU_000003")
    numbers = [client.opened(body)["out_trade_no"] for _, body in shop.wait(2)]
    assert numbers == ["TU_000003", "TU_000002"]
    client.running.control("/control/clock", {"advance_s": 3601})
    assert client.opened(shop.wait(3)[2][1])["out_trade_no"] == "TU_000001"


@pytest.mark.parametrize(
    "name", ["notice_forged", "notice_altered", "notice_truncated", "notice_wrong_serial"]
)
def test_a_false_notice_does_not_verify_and_the_true_one_follows(client, shop, name):
    """A receiver refuses the first and takes the second."""
    shop.answers = [401]
    arm(client, name)
    paid(client, shop)
    false, true = shop.wait(2)
    assert not client.is_genuine(*false)
    assert client.is_genuine(*true)


def test_a_probe_is_wrong_on_purpose(client, shop):
    """The answer to it is noted; the true one comes at once, whatever was answered."""
    shop.answers = [401]
    arm(client, "notice_probe")
    paid(client, shop)
    probe, true = shop.wait(2)
    assert probe[0]["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert not client.is_genuine(*probe)
    assert client.is_genuine(*true)
    wait_for(lambda: len(notices(client)[0]["sendings"]) == 2)
    assert notices(client)[0]["sendings"][0]["result"] == "probe passed: 401"


def test_rightly_signed_but_wrong(client, shop):
    """Signature alone is not enough: age, amount and account have to be compared."""
    arm(client, "notice_expired")
    paid(client, shop)
    headers, body = shop.wait(1)[0]
    assert client.is_genuine(headers, body)
    assert int(headers["Wechatpay-Timestamp"]) < time.time() - 500
    arm(client, "notice_wrong_amount")
    paid(client, shop, "TU_000002")
    headers, body = shop.wait(2)[1]
    assert client.is_genuine(headers, body)
    assert client.opened(body)["amount"]["total"] == 5001
    arm(client, "notice_wrong_account")
    paid(client, shop, "TU_000003")
    headers, body = shop.wait(3)[2]
    assert client.is_genuine(headers, body)
    assert client.opened(body)["mchid"] != client.merchant.mchid
    arm(client, "notice_huge")
    paid(client, shop, "TU_000004")
    headers, body = shop.wait(4)[3]
    assert len(body) > 5_000_000
    assert client.is_genuine(headers, body)


def test_only_the_kind_that_was_named_is_struck(client, shop):
    """A fault for refunds leaves payments alone."""
    arm(client, "notice_lost", event="REFUND.")
    paid(client, shop)
    shop.wait(1)
    client.refund("R1", 100, notify_url=shop.url)
    wait_for(lambda: len(notices(client)) == 2)
    assert notices(client)[0]["state"] == "lost"


def lost_of(start, seed):
    """Return which of forty orders' notices are lost by chance."""
    client = Client(start())
    arm(client, "notice_lost", count=0, probability=0.3, seed=seed)
    for number in range(40):
        client.prepay(f"TU_1{number:05d}")
        client.pay(f"TU_1{number:05d}")
    return [notice["about"] for notice in notices(client) if notice["state"] == "lost"]


def test_chance_repeats_with_its_seed(start):
    """A failing run can be run again."""
    first = lost_of(start, 7)
    assert 4 <= len(first) <= 22
    assert lost_of(start, 7) == first
    assert lost_of(start, 8) != first


def test_self_test_comes_back_encrypted_and_as_a_notice(client, shop):
    """What was sent encrypted returns under the merchant's own key."""
    serial = client.merchant.platform_public_key_id
    sealed = public_key(client.merchant.platform_public_key_pem).encrypt("零钱".encode())
    wish = {
        "echo_message": "hello",
        "encrypted_echo_message": base64.b64encode(sealed).decode(),
        "notify_url": shop.url,
    }
    found = client.call("POST", "/v3/security/echo", wish, headers={"Wechatpay-Serial": serial})
    own = private_key(client.merchant.private_key_pem)
    assert own.decrypt(base64.b64decode(found.json["encrypted_echo_message"])) == "零钱".encode()
    headers, body = shop.wait(1)[0]
    assert client.is_genuine(headers, body)
    assert json.loads(body)["event_type"] == "SECURITY_ECHO.SUCCESS"
    assert client.opened(body)["echo_message"] == "hello"
