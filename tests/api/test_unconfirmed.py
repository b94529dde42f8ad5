"""Payouts that the person never confirms: taken back once, whatever is lost on the way."""

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import OPENID, tilling
from lingqian.cli.main import app

DAY_S = 86_400


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and a platform whose merchant account is not empty."""
    with tilling(tmp_path_factory.mktemp("unconfirmed")) as found:
        mchid = found.platform.simulator.merchant.mchid
        found.platform.control("POST", f"/control/merchants/{mchid}/fund", {"amount_fen": 10**8})
        yield found


@pytest.fixture(autouse=True)
def _disarmed(till):
    """Leave no fault to the next test."""
    yield
    till.platform.disarm()


def stage(till, payout):
    """Return where a payout stands."""
    return till.api.get(f"/v1/payouts/{payout}").body["stage"]


def waiting(till, user):
    """Return a payout of 30 yuan that waits for the person."""
    body = {"user_id": user, "amount_fen": 3_000, "payee": {"openid": OPENID}}
    payout = till.api.post("/v1/payouts", body, once=f"w{user}").body["id"]
    wait_for(lambda: stage(till, payout) == "waiting")
    return payout


def theirs(till, payout):
    """Return the platform's rows of a payout's number."""
    number = payout.replace("_", "")
    rows = till.platform.control("GET", "/control/transfers")
    return [each for each in rows if each["out_bill_no"] == number]


def ended(till, payout, minutes=60):
    """Let business time pass, half an hour at a time, until a payout has ended; return how."""

    def is_over():
        till.api.advance(30 * 60)
        return stage(till, payout) in ("success", "failed", "cancelled")

    wait_for(is_over, minutes / 2)
    return stage(till, payout)


LOST = ((), ("notice_lost",), ("reset_after",), ("reset_before",), ("notice_lost", "reset_after"))


@pytest.mark.parametrize("lost", LOST, ids=lambda each: " and ".join(each) or "nothing")
def test_what_nobody_confirms_comes_back_once(till, lost):
    """After its day it is asked about and taken back: its notice lost, its answer lost, or both."""
    user = till.api.rich(10_000)
    payout = waiting(till, user)
    for fault in lost:
        if fault == "notice_lost":
            till.platform.arm(fault, event="MCHTRANSFER", count=0)
        else:
            till.platform.arm(fault, operation="cancel_transfer", count=2)
            till.platform.arm(fault, operation="query_transfer", count=1)
    assert till.fen(user) == 7_000
    till.api.advance(DAY_S - 60)
    assert ended(till, payout) in ("failed", "cancelled")
    assert till.fen(user) == 10_000
    till.api.advance(DAY_S)
    assert till.fen(user) == 10_000
    assert [each["state"] for each in theirs(till, payout)] in (["FAIL"], ["CANCELLED"])


@pytest.mark.parametrize("lost", [False, True], ids=["told", "not told"])
def test_what_the_platform_has_ended_by_its_own_clock_comes_back_once(till, lost):
    """Its day is over there first: taking back is refused, and the query says why."""
    user = till.api.rich(10_000)
    payout = waiting(till, user)
    if lost:
        till.platform.arm("notice_lost", event="MCHTRANSFER", count=0)
    till.api.advance(DAY_S + 3_600)
    assert ended(till, payout) == "failed"
    assert till.fen(user) == 10_000
    assert till.api.get(f"/v1/payouts/{payout}").body["fail_reason"] == "OVERDUE_CLOSE"


def test_what_was_confirmed_at_the_last_moment_is_not_given_back(till):
    """Confirmed just before it would be taken back, and nobody told us: it has arrived."""
    user = till.api.rich(10_000)
    payout = waiting(till, user)
    till.platform.arm("notice_lost", event="MCHTRANSFER", count=0)
    number = payout.replace("_", "")
    till.platform.control("POST", f"/control/transfers/{number}/confirm", {})
    till.api.advance(DAY_S + 3_600)
    assert ended(till, payout) == "success"
    assert till.fen(user) == 7_000


def test_what_was_stored_passes_the_audit(till):
    """What is on its way out is what payouts say, and no more."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
