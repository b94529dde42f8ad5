"""Refunds that are stuck at the platform: a person sends them another way, under one number."""

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import tilling
from lingqian.cli.main import app
from lingqian.identity.key import Scope

CARD = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020000001234567", "real_name": "李明"}
TO_CARD = {"to": "card", "card": CARD}


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and a platform where refunds end when a test says so."""
    with tilling(tmp_path_factory.mktemp("stuck")) as found:
        merchant = f"/control/merchants/{found.platform.simulator.merchant.mchid}"
        found.platform.control("POST", f"{merchant}/fund", {"amount_fen": 10**8})
        found.platform.control("POST", merchant, {"refund_mode": "manual"})
        yield found


def shown(till, refund):
    """Return a refund as it is now."""
    return till.api.get(f"/v1/refunds/{refund}").body


def is_at(till, refund, stage):
    """Say whether a refund has come so far."""
    return shown(till, refund)["stage"] == stage


def theirs(till, refund):
    """Return the platform's rows under a refund's number."""
    rows = till.platform.control("GET", "/control/refunds")
    return [each for each in rows if each["out_refund_no"] == refund]


def end(till, refund, step):
    """Let the platform take a refund a step on."""
    till.platform.control("POST", f"/control/refunds/{refund}/{step}", {})


def stuck(till, user):
    """Return a refund of 20 yuan out of 50 that the platform calls abnormal."""
    order = till.top_up(user)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.order(order["id"])["is_credited"])
    path = f"/v1/top-ups/{order['id']}/refunds"
    refund = till.api.post(path, {"amount_fen": 2_000}, once=f"r{user}").body["id"]
    wait_for(lambda: theirs(till, refund))
    end(till, refund, "abnormal")
    wait_for(lambda: is_at(till, refund, "abnormal"))
    return refund


def redirect(till, refund, body, once=None):
    """Send a refund another way."""
    path = f"/v1/refunds/{refund}/redirection"
    return till.api.post(path, body, once=once or f"d{refund}")


def test_a_stuck_refund_arrives_on_the_persons_card(till):
    """It waits in a list for a person, keeps its number, and the card is told to nobody."""
    refund = stuck(till, till.api.user())
    waiting = till.api.get("/v1/refunds?limit=50").body["refunds"]
    assert refund in [each["id"] for each in waiting]
    told = redirect(till, refund, TO_CARD)
    assert (told.status, told.body["way"]) == (200, "card")
    again = redirect(till, refund, TO_CARD)
    assert again.status == 200
    wait_for(lambda: is_at(till, refund, "processing"))
    end(till, refund, "succeed")
    wait_for(lambda: is_at(till, refund, "success"))
    (row,) = theirs(till, refund)
    assert row["channel"] == "OTHER_BANKCARD"
    assert refund not in [each["id"] for each in till.api.get("/v1/refunds").body["refunds"]]
    trail = str(till.api.get(f"/v1/trails/{refund}").body)
    assert "改道" in trail
    assert CARD["bank_account"] not in trail


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "error_after"])
def test_a_call_whose_answer_is_lost_is_asked_about_before_it_is_made_again(till, fault):
    """Heard or not, one refund arrives once, under one number."""
    refund = stuck(till, till.api.user())
    till.platform.arm(fault, operation="abnormal_refund")
    assert redirect(till, refund, TO_CARD).status == 200

    def is_taken_a_minute_later():
        till.api.advance(61)
        return is_at(till, refund, "processing")

    wait_for(is_taken_a_minute_later)
    end(till, refund, "succeed")
    wait_for(lambda: is_at(till, refund, "success"))
    assert len(theirs(till, refund)) == 1


def test_what_arrives_with_the_merchant_waits_parked_for_its_owner(till):
    """The money came back to us and not to the person: it is still owed, and a person gives it."""
    user = till.api.user()
    refund = stuck(till, user)
    assert till.fen(user) == 3_000
    assert redirect(till, refund, {"to": "merchant"}).status == 200
    wait_for(lambda: is_at(till, refund, "processing"))
    end(till, refund, "succeed")
    wait_for(lambda: is_at(till, refund, "success"))
    parked = till.api.get("/v1/parked-payments").body["payments"]
    (waiting,) = [each for each in parked if each["parked_fen"] == 2_000]
    assert waiting["reason"] == "came_back"
    path = f"/v1/parked-payments/{waiting['id']}/allocation"
    assert till.api.post(path, {"action": "credit", "user_id": user}).status == 200
    assert till.fen(user) == 5_000


def test_what_cannot_be_sent_another_way(till):
    """A refund that is not stuck, one that does not exist, a card that is none, a key too small."""
    user = till.api.user()
    refund = stuck(till, user)
    bad = {"to": "card", "card": {**CARD, "bank_account": "6222 0200"}}
    assert redirect(till, refund, bad).code == "invalid_field"
    assert redirect(till, refund, {"to": "card"}).code == "invalid_field"
    assert redirect(till, refund, {"to": "merchant", "card": CARD}).code == "invalid_field"
    unkeyed = till.api.post(f"/v1/refunds/{refund}/redirection", TO_CARD)
    assert unkeyed.code == "key_required"
    end(till, refund, "succeed")
    wait_for(lambda: is_at(till, refund, "success"))
    assert redirect(till, refund, TO_CARD, once="late").code == "refund_not_stuck"
    nobody = "rf_" + "0" * 26
    assert redirect(till, nobody, TO_CARD, once="ghost").code == "refund_unknown"
    assert redirect(till, "rf_x", TO_CARD, once="none").code == "not_found"
    shop = till.house.caller(Scope.WRITE_REFUNDS)
    told = shop.post(f"/v1/refunds/{refund}/redirection", TO_CARD, once="shop")
    assert told.code == "scope_missing"


def test_what_was_stored_passes_the_audit(till):
    """Cards, parked money and refunds of all of the above keep every law."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
