"""C11: what the gate stops takes no share, and goes on when somebody says so (风控与实名).

The rules stand in `lingqian.toml`, as an operator writes them; cases are decided over HTTP.
"""

import pytest

from acceptance import people
from acceptance.crew import Call
from acceptance.rival import consuming
from acceptance.server import serving

RULES = """
[[rules]]
name = "large shares wait a minute"
action = "claim"
amount_fen_min = 500
verdict = "delay"
delay_s = 60

[[rules]]
name = "very large shares are looked at"
action = "claim"
amount_fen_min = 5000
verdict = "review"

[[rules]]
name = "very large packets are looked at"
action = "send"
amount_fen_min = 1000000
verdict = "review"
"""
SMALL_FEN, DELAYED_FEN, REVIEWED_FEN = 300, 3_000, 30_000
COUNT = 3
BY = {"by": "wang.li"}


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A server whose operator has written rules."""
    with serving(tmp_path_factory.mktemp("gate") / "data", settings=RULES) as server:
        yield server


@pytest.fixture(scope="module")
def sender(crew, gated):
    """People who can pay, in turn."""
    return people.senders(crew, gated, 2)


def remaining(crew, target, packet_id):
    """Return how many shares nobody has."""
    (card,) = crew.good(target, [Call("GET", f"/v1/packets/{packet_id}")])
    return card["remaining_count"]


def stopped_without_a_share(crew, target, packet_id, user, code):
    """A stopped claim names its reason and leaves every share where it was; return the answer."""
    before = remaining(crew, target, packet_id)
    (told,) = crew.ask(target, [people.claim(packet_id, user)])
    assert (told.status, told.body["code"]) == (403, code), told
    after = remaining(crew, target, packet_id)
    assert after == before, f"a stopped claim took a share: {before} became {after}"
    return told.body


def sent(crew, target, sender, total_fen):
    """Send a packet of three shares; return its id."""
    (made,) = people.send(crew, target, [people.packet(next(sender), total_fen, COUNT)])
    return made["id"]


def open_for(gated, packet_id, user):
    """Open a packet for somebody; return status and what was said."""
    return gated.call("POST", f"/v1/packets/{packet_id}/claims", {"user_id": user})


def test_c11_a_held_claim_takes_no_share_until_released(crew, gated, sender):
    """C11: review holds the claim, not the share; released within its life, it opens."""
    packet_id = sent(crew, gated, sender, REVIEWED_FEN)
    first, second, third = people.register(crew, gated, 3)
    cases = [
        stopped_without_a_share(crew, gated, packet_id, user, "claim_held")["case_id"]
        for user in (first, second, third, first)
    ]
    assert cases[3] == cases[0], "the same claim opened two cases"
    waiting = gated.good("GET", f"/v1/cases/{cases[0]}")
    assert (waiting["state"], waiting["user_id"]) == ("held", first)
    assert gated.good("POST", f"/v1/cases/{cases[0]}/release", BY)["state"] == "released"
    gated.good("POST", f"/v1/cases/{cases[1]}/refusal", BY)
    assert open_for(gated, packet_id, first).status == 201
    assert open_for(gated, packet_id, second).body["code"] == "blocked"
    assert open_for(gated, packet_id, third).body["code"] == "claim_held"
    assert remaining(crew, gated, packet_id) == COUNT - 1


def test_c11_a_delayed_claim_opens_when_its_time_has_come(crew, gated, sender):
    """C11: the clock releases what only had to wait; the smaller packet never waited."""
    packet_id = sent(crew, gated, sender, DELAYED_FEN)
    (user,) = people.register(crew, gated, 1)
    case = stopped_without_a_share(crew, gated, packet_id, user, "claim_held")["case_id"]
    gated.good("POST", "/v1/sandbox/clock", {"advance_s": 61})
    gated.wait(lambda: gated.good("GET", f"/v1/cases/{case}")["state"] == "released")
    assert open_for(gated, packet_id, user).status == 201
    assert open_for(gated, sent(crew, gated, sender, SMALL_FEN), user).status == 201


def test_c11_a_release_after_expiry_brings_nothing_back(crew, gated, sender):
    """C11: within its lifetime, says the law; afterwards the money has gone back."""
    packet_id = sent(crew, gated, sender, REVIEWED_FEN)
    (user,) = people.register(crew, gated, 1)
    case = stopped_without_a_share(crew, gated, packet_id, user, "claim_held")["case_id"]
    gated.good("POST", "/v1/sandbox/clock", {"advance_s": 86_401})
    released = gated.call("POST", f"/v1/cases/{case}/release", BY)
    assert released.status in {200, 409}
    assert open_for(gated, packet_id, user).body["code"] == "packet_expired"


def test_c11_without_a_real_name_nothing_is_taken(crew, gated, sender):
    """C11: who still has to show a name may come back with it and find the share."""
    packet_id = sent(crew, gated, sender, SMALL_FEN)
    (user,) = people.register(crew, gated, 1, account_class=0)
    stopped_without_a_share(crew, gated, packet_id, user, "real_name_required")
    gated.good("PATCH", f"/v1/users/{user}", {"account_class": 2})
    assert open_for(gated, packet_id, user).status == 201
    assert remaining(crew, gated, packet_id) == COUNT - 1


def test_c11_a_held_packet_opens_under_the_case_it_named(crew, gated, sender):
    """A sender's money waits aside until a person decides, found by the case in the answer."""
    wanted = people.packet(next(sender), 1_000_000, 100)
    (made,) = people.send(crew, gated, [wanted])
    assert made["state"] == "held"
    (user,) = people.register(crew, gated, 1)
    assert open_for(gated, made["id"], user).body["code"] in {"packet_not_open", "packet_unknown"}
    assert gated.good("GET", f"/v1/cases/{made['case_id']}")["object_id"] == made["id"]
    gated.good("POST", f"/v1/cases/{made['case_id']}/release", BY)
    assert gated.good("GET", f"/v1/packets/{made['id']}")["state"] == "open"


def test_c11_control_a_share_taken_before_the_check_is_seen(crew, rival):
    """Control: a rule that books first and judges afterwards loses a share to a held claim."""
    target = rival(consuming)
    packet_id = sent(crew, target, iter("s"), SMALL_FEN)
    with pytest.raises(AssertionError, match="took a share: 3 became 2"):
        stopped_without_a_share(crew, target, packet_id, "u", "claim_held")
