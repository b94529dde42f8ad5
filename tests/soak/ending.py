"""The end of a soak: what hangs is ended by the clock, the day is closed, every order is explained.

Units: seconds; fen.
"""

import time
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from lingqian.topup.order import CreditState, PayState
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import RefundStage
from soak.stage import ORDER_LIFE_S

SHANGHAI = timezone(timedelta(hours=8))
# The platform's bills of a day are there from ten in the morning of the next.
BILLS_AT = timedelta(hours=10, minutes=30)
OVER_S = 240
SELECT_ORDERS = "SELECT pay_state, credit_state, count(*) FROM orders GROUP BY 1, 2"
# Each pair is a whole story: the person has it, or had it and gave it back, or nobody ever paid.
EXPLAINED = {
    (PayState.PAID, CreditState.CREDITED),
    (PayState.PAID, CreditState.PART_REVERSED),
    (PayState.PAID, CreditState.REVERSED),
    (PayState.CLOSED, CreditState.NONE),
}
# Closed by the platform: the person has the money again, and the report says how often.
REFUNDS_OVER = {RefundStage.SUCCESS, RefundStage.CLOSED}
PAYOUTS_OVER = {
    PayoutStage.SUCCESS,
    PayoutStage.FAILED,
    PayoutStage.CANCELLED,
    PayoutStage.REFUSED,
}
STAGES = (
    ("refunds", RefundStage, REFUNDS_OVER),
    ("payouts", PayoutStage, PAYOUTS_OVER),
)


class Standing(NamedTuple):
    """What stands where, how often, and whether that is the end of its story."""

    what: str
    count: int
    is_over: bool


def standings(stage):
    """Count every order, refund and payout by where it stands."""
    with stage.server.reader() as connection:
        found = [
            Standing(f"order {PayState(pay).name} {CreditState(credit).name}", count, is_over)
            for pay, credit, count in connection.execute(SELECT_ORDERS)
            for is_over in [(pay, credit) in EXPLAINED]
        ]
        for name, kind, over in STAGES:
            rows = connection.execute(f"SELECT stage, count(*) FROM {name} GROUP BY 1")
            found += [Standing(f"{name} {kind(n).name}", count, n in over) for n, count in rows]
    return found


def hanging(stage):
    """Count what is not over yet."""
    return {each.what: each.count for each in standings(stage) if not each.is_over}


def advance(stage, by_s):
    """Move the business clock, the server's and the platform's; return what it then says."""
    told = stage.server.good("POST", "/v1/sandbox/clock", {"advance_s": by_s})
    return datetime.fromisoformat(told["now"]).astimezone(SHANGHAI)


def until_over(stage):
    """Wait until nothing hangs; return what still does when patience ends."""
    end_s = time.monotonic() + OVER_S
    while hanging(stage) and time.monotonic() < end_s:
        time.sleep(0.5)
    return hanging(stage)


def today(stage):
    """Return the business day that it is."""
    return advance(stage, 0).date()


def end(stage, first):
    """End what was opened, wait for the next morning's bills, and close each day with them."""
    advance(stage, ORDER_LIFE_S + 30)
    until_over(stage)
    now = advance(stage, 0)
    morning = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    advance(stage, int((morning + BILLS_AT - now).total_seconds()) + 1)
    days = [first + timedelta(days=each) for each in range((now.date() - first).days + 1)]
    runs = [closed(stage, each.isoformat()) for each in days]
    return {"hanging": until_over(stage), "standings": standings(stage), "days": runs}


def closed(stage, day):
    """Hold a day against the platform's bills, as often as they are still being made."""
    asked = {"account": stage.account, "day": day, "by": "soak"}
    end_s = time.monotonic() + OVER_S
    while True:
        run = stage.server.good("POST", "/v1/reconciliations", asked)
        if run["state"] == "closed" or time.monotonic() > end_s:
            path = f"/v1/reconciliations/{day}/{stage.account}"
            return run | {"differences": stage.server.good("GET", path)["differences"]}
        time.sleep(1)


def has(stage, user_id):
    """Return what the ledger says somebody has: fen, with nothing on its way, and coins."""
    (row,) = stage.server.good("GET", f"/v1/users/{user_id}/balances")["balances"]
    assert row["incoming_fen"] == 0, row
    return [row["amount_fen"], stage.server.good("GET", f"/v1/users/{user_id}/coins")["available"]]
