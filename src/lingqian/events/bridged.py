"""What bridging an outage tells the outside: modes, the line, advances and how they end (垫付事件).

Units: fen; coins.   Source: docs/reference/events.md.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.events.told import Page, Told, user
from lingqian.flows.advance import CLAW_BACK, REQUEST, WRITE_OFF
from lingqian.flows.command import AskAdvance, FundLine, SetMode, SettleAdvance
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import PREFIX_ORDER, show
from lingqian.topup.evidence import Effect
from lingqian.topup.mode import Mode

TYPES: Final = (
    "channel.mode_changed.v1",
    "line.funded.v1",
    "advance.given.v1",
    "advance.payment_requested.v1",
    "advance.confirmed.v1",
    "advance.clawed_back.v1",
    "advance.repaid.v1",
    "advance.written_off.v1",
)
# A mode is set in every lane; it is told once.
_TELLING_LANE: Final = 0


def _switched(page: Page) -> list[Told]:
    command = page.command
    if command.lane != _TELLING_LANE:
        return []
    data = {
        "account": command.account,
        "event": command.event,
        "mode": Mode(page.outcome.mode).name.lower(),
        "by": command.by,
        "why": command.why,
    }
    return [Told("channel.mode_changed.v1", command.account, data)]


def _funded(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    data = {
        "lane": command.lane,
        "amount_fen": command.amount_fen,
        "limit_fen": outcome.limit_fen,
        "exposure_fen": outcome.exposure_fen,
        "requested_by": command.requested_by,
    }
    return [Told("line.funded.v1", f"line {command.lane}", data)]


def _told(word: str, order_id: bytes, page: Page, more: dict[str, Any]) -> Told:
    order = page.facts.order(order_id)
    subject = show(PREFIX_ORDER, order_id)
    data = {
        "order_id": subject,
        "user_id": user(order.user_id),
        "amount_fen": order.amount_fen,
        **more,
    }
    return Told(f"advance.{word}.v1", subject, data, (order.user_id,))


def _given(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    more = {
        "account": command.account,
        "coins": outcome.coins,
        "due_at": rfc3339(outcome.deadline_us),
    }
    return [_told("given", command.order_id, page, more)]


_SETTLED: Final = {
    REQUEST: "payment_requested",
    CLAW_BACK: "clawed_back",
    WRITE_OFF: "written_off",
}


def _settled(page: Page) -> list[Told]:
    command, outcome = page.command, page.outcome
    more = {"unspent_fen": outcome.unspent_fen, "owed_fen": outcome.owed_fen, "by": command.by}
    return [_told(_SETTLED[command.event], command.order_id, page, more)]


def observed(page: Page) -> list[Told]:
    """Tell that an advance's money has come: in time, or after its coins were taken back."""
    outcome = page.outcome
    if outcome.effect == Effect.CONFIRMED:
        return [_told("confirmed", outcome.order_id, page, {})]
    if outcome.effect == Effect.REPAID:
        return [_told("repaid", outcome.order_id, page, {"repaid_fen": outcome.repaid_fen})]
    return []


TELLERS: Final[dict[type, Callable[[Page], list[Told]]]] = {
    SetMode: _switched,
    FundLine: _funded,
    AskAdvance: _given,
    SettleAdvance: _settled,
}
