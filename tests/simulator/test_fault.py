"""Faults between the service and its client: what was done, and what arrived."""

import http.client
import time
import urllib.error
import urllib.request

import pytest

from lingqian_simulator.fault import TABLE
from simulated import Client, fetch


@pytest.fixture
def client(simulator):
    """An ordinary merchant."""
    return Client(simulator)


def arm(client, name, **limits):
    """Arm a fault."""
    return client.running.control("/control/faults", {"name": name, **limits})


def was_accepted(client):
    """Say whether the order is known."""
    return client.query().status == 200


@pytest.mark.parametrize(
    ("name", "status", "is_accepted"),
    [
        ("limited_before", 429, False),
        ("limited_after", 429, True),
        ("error_before", 500, False),
        ("error_after", 500, True),
    ],
)
def test_refusals_before_and_after_taking_effect(client, name, status, is_accepted):
    """The client sees the same; only a query tells."""
    arm(client, name)
    answer = client.prepay()
    assert answer.status == status
    assert not [header for header in answer.headers if header.startswith("Wechatpay")]
    assert was_accepted(client) == is_accepted
    assert client.prepay().status == 200


@pytest.mark.parametrize(
    ("name", "is_accepted"),
    [
        ("reset_before", False),
        ("reset_after", True),
        ("timeout_before", False),
        ("timeout_after", True),
    ],
)
def test_no_answer_before_and_after_taking_effect(client, name, is_accepted):
    """A cut connection says nothing about what was done."""
    arm(client, name, seconds=0.05, operation="prepay_jsapi")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client.prepay()
    assert was_accepted(client) == is_accepted


def test_slow_is_slow(client):
    """The answer is right, and late."""
    arm(client, "slow", seconds=0.3)
    begin = time.monotonic()
    assert client.prepay().status == 200
    assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize("name", ["answer_probe", "answer_forged", "answer_wrong_serial"])
def test_an_answer_that_does_not_verify(client, name):
    """It is to be treated as an unknown outcome; the repetition is genuine."""
    arm(client, name)
    answer = client.prepay()
    assert answer.status == 200
    assert not client.is_genuine(answer.headers, answer.body)
    answer = client.prepay()
    assert client.is_genuine(answer.headers, answer.body)


def test_an_answer_without_signature_and_one_from_another_time(client):
    """Both have to be refused by a careful client."""
    arm(client, "answer_unsigned")
    assert "Wechatpay-Signature" not in client.prepay().headers
    arm(client, "clock_skew", seconds=-900)
    answer = client.prepay()
    assert client.is_genuine(answer.headers, answer.body)
    assert int(answer.headers["Wechatpay-Timestamp"]) < time.time() - 800


def test_a_host_that_is_down_refuses_and_the_other_goes_on(client):
    """Not a slow death: the port is closed, as when a data centre is gone."""
    client.running.control("/control/hosts/0/down", {})
    with pytest.raises(ConnectionRefusedError):
        client.prepay()
    assert client.call("GET", "/v3/certificates", host=1).status == 200
    before = client.running.base_url
    client.running.control("/control/hosts/0/up", {})
    assert client.running.base_url == before
    assert client.prepay().status == 200


def test_a_fault_keeps_to_its_host_operation_and_merchant(client):
    """So that a drill hits what it is meant for."""
    arm(client, "error_before", host=1, operation="query", mchid=client.merchant.mchid)
    assert client.prepay().status == 200
    assert client.query().status == 200
    target = f"/v3/pay/transactions/out-trade-no/TU_000001?mchid={client.merchant.mchid}"
    assert client.call("GET", target, host=1).status == 500
    assert client.call("GET", target, host=1).status == 200


def test_faults_are_listed_counted_and_taken_away(client):
    """The page shows what is armed; a wrong name is refused."""
    found = client.running.control("/control/faults")
    assert [row["name"] for row in found["table"]] == [row.name for row in TABLE]
    assert arm(client, "no_such")[0] == 422
    assert arm(client, "slow", count=-1)[0] == 422
    one = arm(client, "error_before", count=2, operation="query")
    arm(client, "slow")
    client.prepay()
    assert client.query().status == 500
    armed = client.running.control("/control/faults")["armed"]
    assert [(fault["name"], fault["struck"]) for fault in armed] == [("error_before", 1)]
    path = f"/control/faults/{one['id']}"
    assert client.running.control(path, method="DELETE")["armed"] == []
    assert client.query().status == 200


def test_another_page_may_not_control(client):
    """A web page that is open in the same browser could otherwise move money here."""
    assert client.running.control("/control/clock", {"offset_s": 1})["offset_s"] == 1
    request = urllib.request.Request(
        f"{client.running.simulator.control_url}/control/clock",
        b'{"offset_s": 2}',
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=5)
    found = fetch(f"{client.running.simulator.control_url}/control/clock")
    assert found["offset_s"] == 1


def test_rotation_lets_two_certificates_sign_for_a_while(start):
    """The last days of the old one: answers come under either, and both are listed."""
    client = Client(start(mode="certificate"))
    found = client.running.control("/control/certificates/rotate", {"signs": "both"})
    pems = {row["serial"]: row["certificate_pem"] for row in found if row["suite"] == "RSA"}
    assert len(pems) == 2
    client.merchant.platform_certificates.update(pems)
    serials = set()
    for _ in range(20):
        answer = client.call("GET", "/v3/certificates")
        assert client.is_genuine(answer.headers, answer.body)
        serials.add(answer.headers["Wechatpay-Serial"])
    assert serials == set(pems)
    assert {row["serial_no"] for row in answer.json["data"]} == set(pems)
    newest = list(pems)[-1]
    client.running.control(f"/control/certificates/{newest}/sign", {})
    assert client.call("GET", "/v3/certificates").headers["Wechatpay-Serial"] == newest


def test_a_merchant_with_only_a_public_key_has_no_certificates(start):
    """Merchants since 2024; and whoever asks under the key's id is answered under it."""
    client = Client(start(mode="public_key"))
    answer = client.call("GET", "/v3/certificates")
    assert (answer.status, answer.json["code"]) == (404, "RESOURCE_NOT_EXISTS")
    assert client.prepay().headers["Wechatpay-Serial"].startswith("PUB_KEY_ID_")
    gradual = Client(start(mode="gradual"))
    serial = gradual.merchant.platform_public_key_id
    target = "/v3/certificates"
    answer = gradual.call("GET", target, headers={"Wechatpay-Serial": serial})
    assert answer.headers["Wechatpay-Serial"] == serial
    assert gradual.call("GET", target).headers["Wechatpay-Serial"] != serial
