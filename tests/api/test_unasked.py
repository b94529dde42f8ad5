"""Money that nobody had asked for: booked, parked, and given back to its own payment."""

import asyncio

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import OPENID, tilling
from lingqian.channels.port import Product, Purchase
from lingqian.cli.main import app

FAR_US = 4_000_000_000_000_000


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet with four lanes and a platform whose merchant account is not empty."""
    with tilling(tmp_path_factory.mktemp("unasked"), lanes=4) as found:
        mchid = found.platform.simulator.merchant.mchid
        found.platform.control("POST", f"/control/merchants/{mchid}/fund", {"amount_fen": 10**8})
        yield found


def parked(till, fen):
    """Return the one payment that waits with this amount."""
    rows = till.api.get("/v1/parked-payments").body["payments"]
    found = [each for each in rows if each["parked_fen"] == fen]
    return found[0] if found else None


def give_back(till, payment):
    """Send a parked payment back; return what was answered."""
    return till.api.post(f"/v1/parked-payments/{payment['id']}/allocation", {"action": "refund"})


def theirs(till, payment):
    """Return the platform's refunds of a payment."""
    rows = till.platform.control("GET", "/control/refunds")
    return [each for each in rows if each["transaction_id"] == payment["transaction_id"]]


def arrived(till, payment):
    """Wait, minute by minute of business time, until a payment's one refund has arrived."""

    def is_there():
        till.api.advance(61)
        numbers = [each["out_refund_no"] for each in theirs(till, payment)]
        return numbers and till.api.get(f"/v1/refunds/{numbers[0]}").body["stage"] == "success"

    wait_for(is_there, 20)
    (row,) = theirs(till, payment)
    return row["out_refund_no"]


def sell_elsewhere(till, number, fen):
    """Let another system of the same merchant be paid; its notices come to us."""
    channel = till.house.door.wallet.channels["main"]
    purchase = Purchase(number, Product.JSAPI, "a book", fen, "CNY", FAR_US, OPENID, "", "")
    work = asyncio.run_coroutine_threadsafe(channel.prepay(purchase), till.house.loop)
    work.result(30)
    till.platform.pay(number)


@pytest.mark.parametrize("fault", ["", "reset_after", "error_before"])
def test_money_under_a_number_of_nobodys_goes_back_once(till, fault):
    """Refunded by the channel's own number of it; an answer may be lost on the way."""
    fen = 1_001 + len(fault)
    sell_elsewhere(till, f"books_{fen}_20261126", fen)
    wait_for(lambda: parked(till, fen))
    payment = parked(till, fen)
    assert payment["reason"] == "unknown_order"
    if fault:
        till.platform.arm(fault, operation="refund")
    assert give_back(till, payment).status == 200
    assert give_back(till, payment).code == "nothing_parked"
    number = arrived(till, payment)
    shown = till.api.get(f"/v1/refunds/{number}").body
    assert (shown["origin"], shown["amount_fen"]) == ("unasked", fen)
    assert shown["payment_id"] == payment["id"]
    assert "order_id" not in shown
    for name in (number, payment["transaction_id"]):
        kinds = [each["kind"] for each in till.api.get(f"/v1/trails/{name}").body["entries"]]
        assert {"observe", "allocate_parked", "note_refund"} <= set(kinds)


def test_a_second_payment_under_one_number_goes_back_and_the_first_stays(till):
    """Paid twice under one number: the order keeps its own money, the second payment returns."""
    user = till.api.user()
    order = till.top_up(user, amount_fen=1_501)
    attempt = till.number(order)
    till.platform.pay(attempt)
    wait_for(lambda: till.order(order["id"])["is_credited"])
    till.platform.pay(attempt, is_again=True)
    wait_for(lambda: parked(till, 1_501))
    payment = parked(till, 1_501)
    assert payment["reason"] == "two_payments"
    assert give_back(till, payment).status == 200
    number = arrived(till, payment)
    (refund,) = till.api.get(f"/v1/top-ups/{order['id']}/refunds").body["refunds"]
    assert refund["id"] == number
    assert till.fen(user) == 1_501
    assert till.order(order["id"])["refund_state"] == "none"
    assert till.order(order["id"])["state"] == "credited"


def test_what_was_stored_passes_the_audit(till):
    """Payments of nobody's order, their refunds and their fees keep every law."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
