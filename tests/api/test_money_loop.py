"""The whole loop of money: in by a channel, around as packets and gifts, out the way it came."""

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import OPENID, tilling
from lingqian.cli.main import app
from lingqian.identity.key import Scope

RICH_FEN = 100_000_000


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet with four lanes and a platform whose merchant account is not empty."""
    with tilling(tmp_path_factory.mktemp("loop"), lanes=4) as found:
        mchid = found.platform.simulator.merchant.mchid
        found.platform.control("POST", f"/control/merchants/{mchid}/fund", {"amount_fen": RICH_FEN})
        yield found


def paid(till, user, **more):
    """Open a top-up, pay it, wait until it is credited; return the order."""
    order = till.top_up(user, **more)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.order(order["id"])["is_credited"])
    return order


def test_a_refund_goes_back_under_one_number(till):
    """A part of a balance goes back: set aside at once, sent, confirmed, the fee returned."""
    user = till.api.user()
    order = paid(till, user)
    path = f"/v1/top-ups/{order['id']}/refunds"
    told = till.api.post(path, {"amount_fen": 2_000, "reason": "买多了"}, once=f"r{user}")
    assert told.status == 201, told
    assert till.fen(user) == 3_000
    refund = told.body["id"]
    wait_for(lambda: till.api.get(f"/v1/refunds/{refund}").body["stage"] == "success", 20)
    shown = till.api.get(f"/v1/refunds/{refund}").body
    assert (shown["charge_returned_fen"], shown["reason"]) == (12, "买多了")
    assert till.order(order["id"])["refund_state"] == "partial"
    again = till.api.post(path, {"amount_fen": 2_000, "reason": "买多了"}, once=f"r{user}")
    assert (again.status, again.body["id"]) == (200, refund)
    soon = till.api.post(path, {"amount_fen": 1_000}, once=f"s{user}")
    assert soon.code == "refund_too_soon"
    numbers = [each["out_refund_no"] for each in till.platform.control("GET", "/control/refunds")]
    assert numbers.count(refund) == 1
    trail = till.api.get(f"/v1/trails/{refund}").body
    assert trail["order_id"] == order["id"]


def test_coins_that_the_balance_paid_for_go_back_to_it(till):
    """No channel: what is left of the price is in the balance when the answer comes, and once."""
    user, streamer = till.api.rich(10_000), till.api.user()
    body = {"user_id": user, "plan_id": "coins-30", "pay_with": "balance"}
    order = till.api.post("/v1/top-ups", body, once=f"b{user}").body
    assert till.fen(user) == 7_000
    given = {"user_id": user, "streamer_id": streamer, "code": "rose", "count": 10}
    assert till.api.post("/v1/gifts", given, once=f"g{user}").status == 201
    path = f"/v1/top-ups/{order['id']}/refunds"
    assert till.order(order["id"])["refundable_fen"] == 2_000
    told = till.api.post(path, {"amount_fen": 2_000}, once=f"r{user}")
    assert told.status == 201, told
    assert till.order(order["id"])["refundable_fen"] == 0
    assert (told.body["stage"], told.body["way"]) == ("success", "balance")
    assert "attempt_id" not in told.body
    assert till.fen(user) == 9_000
    again = till.api.post(path, {"amount_fen": 2_000}, once=f"r{user}")
    assert (again.status, again.body["id"]) == (200, told.body["id"])
    assert till.fen(user) == 9_000
    more = till.api.post(path, {"amount_fen": 1}, once=f"s{user}")
    assert more.code == "exceeds_refundable"
    shown = till.order(order["id"])
    assert (shown["refund_state"], shown["is_credited"]) == ("partial", True)
    lines = till.api.get(f"/v1/users/{user}/statement").body["lines"]
    assert "refund_returned" in [each["what"] for each in lines]


def test_coins_go_back_at_full_price_where_the_operator_says_so(tmp_path):
    """`refund_basis = "paid_only"`: the house adds what the bonus had taken off a coin's worth."""
    with tilling(tmp_path, refund_basis="paid_only") as till:
        user, streamer = till.api.rich(10_000), till.api.user()
        body = {"user_id": user, "plan_id": "coins-50", "pay_with": "balance"}
        order = till.api.post("/v1/top-ups", body, once="bought").body
        given = {"user_id": user, "streamer_id": streamer, "code": "rose", "count": 10}
        assert till.api.post("/v1/gifts", given, once="given").status == 201
        path = f"/v1/top-ups/{order['id']}/refunds"
        assert till.order(order["id"])["refundable_fen"] == 4_250
        more = till.api.post(path, {"amount_fen": 4_251}, once="more")
        assert more.code == "exceeds_refundable"
        told = till.api.post(path, {"amount_fen": 4_250}, once="back")
        assert told.status == 201, told
        assert (told.body["coins"], told.body["subsidy_fen"]) == (425, 202)
        assert till.fen(user) == 9_250
        book = till.api.get(f"/v1/trails/{told.body['id']}").body["entries"][-1]["movements"]
        assert ("subsidy", "cash", 202) in [
            (each["debit"], each["credit"], each["amount"]) for each in book
        ]
    found = CliRunner().invoke(app, ["audit", "--data", str(tmp_path)])
    assert found.exit_code == 0, found.output


def test_a_gift_shares_what_its_coins_had_cost(till):
    """Coins are bought, given, shared between streamer and platform, and the income waits."""
    giver, streamer = till.api.user(), till.api.user()
    paid(till, giver, plan_id="coins-30")
    body = {"user_id": giver, "streamer_id": streamer, "code": "rose", "count": 10}
    told = till.api.post("/v1/gifts", body, once=f"g{giver}")
    assert told.status == 201, told
    assert told.body["value_fen"] == told.body["streamer_fen"] + told.body["platform_fen"] == 1_000
    assert till.api.get(f"/v1/users/{giver}/coins").body["paid"] == 200
    assert till.api.get(f"/v1/users/{streamer}/income").body["pending_fen"] == 500
    assert till.api.get(f"/v1/gifts/{told.body['id']}").body["state"] == "pending"
    more = till.api.post("/v1/gifts", {**body, "count": 100}, once=f"h{giver}")
    assert more.code == "exceeds_coins"


def packet(till, sender, **more):
    """Send a packet paid over JSAPI; return what was answered."""
    body = {
        "sender_id": sender,
        "kind": "lucky",
        "total_fen": 1_000,
        "count": 2,
        "pay_with": "channel",
        "product": "jsapi",
        "payer": {"openid": OPENID},
        **more,
    }
    told = till.api.post("/v1/packets", body, once=f"p{sender}")
    assert told.status == 201, told
    return told.body


def test_a_packet_paid_over_a_channel_opens_on_evidence(till):
    """Nobody can open it before the money is proven; then it is a packet like any other."""
    sender, friend = till.api.user(), till.api.user()
    made = packet(till, sender)
    assert (made["state"], made["top_up"]["state"]) == ("funding", "payable")
    assert made["top_up"]["invocation"]["package"]
    assert till.api.claim(made["id"], friend).code == "packet_not_funded"
    till.platform.pay(till.number(made["top_up"]))
    wait_for(lambda: till.api.get(f"/v1/packets/{made['id']}").body["state"] == "open")
    assert till.api.claim(made["id"], friend).status in (200, 201)
    assert till.fen(sender) == 0


def test_the_rest_of_a_packet_goes_back_to_its_payment(till):
    """What nobody took is refunded the way it came, and not into the balance."""
    sender = till.api.user()
    made = packet(till, sender, expires_in_s=2)
    till.platform.pay(till.number(made["top_up"]))
    order_id = made["top_up"]["id"]
    wait_for(lambda: till.order(order_id)["refund_state"] == "full", 30)
    refunds = till.api.get(f"/v1/top-ups/{order_id}/refunds").body["refunds"]
    assert [(each["origin"], each["amount_fen"]) for each in refunds] == [("packet_rest", 1_000)]
    assert till.fen(sender) == 0


def payout(till, user, amount_fen=3_000):
    """Ask for a payout and return the answer."""
    body = {"user_id": user, "amount_fen": amount_fen, "payee": {"openid": OPENID}}
    told = till.api.post("/v1/payouts", body, once=f"w{user}")
    assert told.status == 201, told
    return told.body


def stage(till, identity):
    """Return where a payout stands."""
    return till.api.get(f"/v1/payouts/{identity}").body["stage"]


def test_a_payout_waits_for_the_person_and_arrives(till):
    """The money is set aside at once, confirmed by the person, and told of by a notice."""
    user = till.api.rich(10_000)
    asked = payout(till, user)
    assert till.fen(user) == 7_000
    wait_for(lambda: stage(till, asked["id"]) == "waiting", 20)
    shown = till.api.get(f"/v1/payouts/{asked['id']}").body
    assert shown["confirmation"]["package"]
    number = asked["id"].replace("_", "")
    till.platform.control("POST", f"/control/transfers/{number}/confirm", {})
    wait_for(lambda: stage(till, asked["id"]) == "success", 20)
    assert till.fen(user) == 7_000
    assert till.api.get(f"/v1/trails/{number}").body["subject"] == asked["id"]
    late = till.api.post(f"/v1/payouts/{asked['id']}/cancellation")
    assert late.code == "already_settled"


def test_a_payout_that_fails_comes_back(till):
    """Only the channel's own word brings the money back."""
    user = till.api.rich(10_000)
    asked = payout(till, user)
    wait_for(lambda: stage(till, asked["id"]) == "waiting", 20)
    number = asked["id"].replace("_", "")
    till.platform.control("POST", f"/control/transfers/{number}/refuse", {})
    wait_for(lambda: stage(till, asked["id"]) in ("failed", "cancelled"), 20)
    assert till.fen(user) == 10_000


def test_top_ups_above_the_daily_sum_wait_for_another_key(till):
    """50,000.00 yuan of a day pass, one fen more waits; the key that asked cannot release it."""
    user = till.api.user()
    first = paid(till, user, amount_fen=5_000_000)
    assert not first.get("will_be_reviewed")
    order = till.top_up(user, amount_fen=1)
    assert order["will_be_reviewed"]
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "held")
    cases = till.api.get("/v1/cases").body["cases"]
    case = next(each for each in cases if each["object_id"] == order["id"])
    path = f"/v1/cases/{case['id']}/release"
    assert till.api.post(path, {"by": "wang.li"}).code == "same_person"
    reviewer = till.house.caller(Scope.REVIEW_CASES)
    assert reviewer.post(path, {"by": "zhang.wei"}).status == 200
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert till.fen(user) == 5_000_001


def test_a_refused_review_sends_the_money_back(till):
    """The other end of a review: nothing is credited and the payment is refunded."""
    user = till.api.user()
    paid(till, user, amount_fen=5_000_000)
    order = till.top_up(user, amount_fen=700)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "held")
    cases = till.api.get("/v1/cases").body["cases"]
    case = next(each for each in cases if each["object_id"] == order["id"])
    reviewer = till.house.caller(Scope.REVIEW_CASES)
    assert reviewer.post(f"/v1/cases/{case['id']}/refusal", {"by": "zhang.wei"}).status == 200
    wait_for(lambda: till.state(order["id"]) == "rejected_returned", 20)
    assert till.fen(user) == 5_000_000


def test_one_clock_moves_both_sides(till):
    """The order runs out on both sides at once, and is closed by asking, closing and asking."""
    user = till.api.user()
    order = till.top_up(user)
    before = till.platform.control("GET", "/control/clock")["offset_s"]
    till.api.advance(3_600)
    assert till.platform.control("GET", "/control/clock")["offset_s"] >= before + 3_600
    wait_for(lambda: till.state(order["id"]) == "closed", 20)
    sources = [
        each["facts"].get("source")
        for each in till.api.get(f"/v1/top-ups/{order['id']}/trail").body["entries"]
    ]
    # The platform has closed it by its own clock; asked, it says so, and that is the end of it.
    assert sources[-1] in ("query", "close")


def test_what_the_loop_has_stored_passes_the_audit(till):
    """Coins, fees, refunds and payouts of all of the above keep every law."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
