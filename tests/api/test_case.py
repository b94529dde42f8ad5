"""What the gate stops: held with an owner and a deadline, released or refused by a person."""

import pytest

from api.caller import running, wait_for
from lingqian.compose import RuleRow


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A server with one rule of every verdict."""
    rules = (
        RuleRow("large", "transfer", "review", 5_000),
        RuleRow("forbidden", "transfer", "block", 9_000),
        RuleRow("odd", "transfer", "challenge", 700),
        RuleRow("slow", "send", "delay", 5_000, 600),
        RuleRow("watch", "claim", "review", 4_000),
    )
    with running(tmp_path_factory.mktemp("gated"), rules=rules) as house:
        yield house.caller()


def pay(api, source, target, amount_fen, once="pay"):
    """Ask for a transfer."""
    body = {"source_id": source, "target_id": target, "amount_fen": amount_fen}
    return api.post("/v1/transfers", body, once=f"{once}-{source}")


def test_a_held_transfer_waits_and_its_money_is_set_aside(gated):
    """Neither paid nor spendable, until somebody decides."""
    source, target = gated.rich(10_000), gated.user()
    held = pay(gated, source, target, 6_000)
    assert (held.status, held.body["state"]) == (201, "held")
    case_id = held.body["case_id"]
    balance = gated.balance(source)
    assert (balance["held_fen"], balance["available_fen"]) == (6_000, 4_000)
    case = gated.get(f"/v1/cases/{case_id}").body
    assert (case["state"], case["rule"], case["owner"]) == ("held", "large", "risk")
    assert case["object_id"] == held.body["id"]
    assert case["due_at"] > case["opened_at"]
    assert case_id in [each["id"] for each in gated.get("/v1/cases").body["cases"]]
    told = gated.post(f"/v1/cases/{case_id}/release", {"by": "wang.li"})
    assert (told.status, told.body["state"], told.body["decided_by"]) == (
        200, "released", "wang.li",
    )  # fmt: skip
    assert gated.balance(target)["amount_fen"] == 6_000
    assert gated.get(f"/v1/transfers/{held.body['id']}").body["state"] == "done"
    again = gated.post(f"/v1/cases/{case_id}/release", {"by": "wang.li"})
    assert (again.status, again.code) == (409, "case_closed")


def test_a_refused_transfer_gives_its_money_back(gated):
    """The other way a case can end."""
    source = gated.rich(10_000)
    held = pay(gated, source, gated.user(), 6_000).body
    told = gated.post(f"/v1/cases/{held['case_id']}/refusal", {"by": "wang.li"})
    assert told.body["state"] == "refused"
    assert gated.balance(source)["available_fen"] == 10_000
    assert gated.get(f"/v1/transfers/{held['id']}").body["state"] == "refused"
    assert held["case_id"] not in [each["id"] for each in gated.get("/v1/cases").body["cases"]]
    every = gated.get("/v1/cases?state=all").body["cases"]
    assert held["case_id"] in [each["id"] for each in every]


def test_a_challenge_moves_nothing_and_names_its_case(gated):
    """The app shows one more step, then asks again with the same key."""
    source, target = gated.rich(10_000), gated.user()
    told = pay(gated, source, target, 800)
    assert (told.status, told.code, told.body["retry"]) == (403, "challenge_required", "same_key")
    assert gated.balance(source)["held_fen"] == 0
    gated.post(f"/v1/cases/{told.body['case_id']}/release", {"by": "face check"})
    assert pay(gated, source, target, 800).status == 201


def test_a_blocked_transfer_is_refused(gated):
    """The strictest verdict wins over the review that would apply too."""
    told = pay(gated, gated.rich(10_000), gated.user(), 9_500)
    assert (told.status, told.code) == (403, "blocked")


def test_a_delayed_packet_opens_by_the_clock(gated):
    """Delay needs nobody: time releases it."""
    sender, user = gated.rich(10_000), gated.user()
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 6_000, "count": 2}
    made = gated.post("/v1/packets", body, once=f"delay-{sender}")
    assert (made.status, made.body["state"], made.body["expires_at"]) == (201, "held", None)
    packet = made.body["id"]
    assert gated.claim(packet, user).code == "packet_not_open"
    assert gated.get(f"/v1/packets/{packet}?viewer_id={user}").status == 404
    assert gated.get(f"/v1/packets/{packet}?viewer_id={sender}").body["state"] == "held"
    gated.advance(601)
    wait_for(lambda: gated.get(f"/v1/packets/{packet}").body["state"] == "open")
    assert gated.get(f"/v1/packets/{packet}").body["expires_at"]


def test_a_held_claim_takes_no_share(gated):
    """C11: released within the packet's life, the claim is tried again and gets its share."""
    packet = gated.packet(gated.rich(10_000), total_fen=4_500, count=1)
    user, quick = gated.user(), gated.user()
    told = gated.claim(packet, user)
    assert (told.status, told.code) == (403, "claim_held")
    assert gated.get(f"/v1/packets/{packet}").body["remaining_count"] == 1
    gated.post(f"/v1/cases/{told.body['case_id']}/release", {"by": "wang.li"})
    assert gated.claim(packet, user).body["amount_fen"] == 4_500
    assert gated.claim(packet, quick).code == "packet_finished"


def test_cases_come_in_pages(gated):
    """A reviewer's list may be long."""
    for _ in range(3):
        pay(gated, gated.rich(10_000), gated.user(), 6_000)
    first = gated.get("/v1/cases?limit=2").body
    second = gated.get(f"/v1/cases?limit=2&cursor={first['next_cursor']}").body
    ids = [case["id"] for page in (first, second) for case in page["cases"]]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 3


def test_a_case_that_is_not_there_is_not_found(gated):
    """And cannot be decided."""
    nothing = "cs_00000000000000000000000000"
    assert gated.get(f"/v1/cases/{nothing}").code == "case_unknown"
    assert gated.post(f"/v1/cases/{nothing}/release", {"by": "x"}).code == "case_unknown"
    assert gated.get("/v1/cases/x").status == 404
