"""What reconciling tells the outside: days closed, differences found, differences ended (对账事件).

Fetching, comparing and what a fund bill shows besides are steps on the way: the trail shows those.
Units: fen; Shanghai days as calendar dates.   Source: docs/reference/events.md.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.clearing.classify import TABLE, Class, Owner
from lingqian.clearing.difference import OPEN_STATES, Difference, DifferenceState, Remedy
from lingqian.clearing.item import Way
from lingqian.clearing.report import show_day
from lingqian.events.incoming import silent
from lingqian.events.told import Page, Told
from lingqian.flows.command import (
    CloseDay,
    RecordBill,
    RecordDifference,
    RecordFlow,
    RecordMatch,
    ResolveDifference,
)
from lingqian.kernel.clock import rfc3339
from lingqian.kernel.id import PREFIX_DIFFERENCE, show

TYPES: Final = ("day.closed.v1", "difference.found.v1", "difference.resolved.v1")


def _recorded(page: Page) -> list[Told]:
    """Tell a difference that somebody waits for, or that has ended by itself."""
    command, outcome = page.command, page.outcome
    data = _named(command.difference_id, command, outcome.state)
    if outcome.state not in OPEN_STATES:
        return [_told("resolved", data, "")]
    known = TABLE[Class(command.class_code)]
    data |= {
        "owner": Owner(known.owner).name.lower(),
        "is_urgent": known.is_urgent,
        "gap_fen": command.gap_fen,
        "charge_gap_fen": command.fee_gap_fen,
        "remedy": Remedy(command.remedy).name.lower(),
    }
    return [Told("difference.found.v1", data["difference_id"], data)]


def _resolved(page: Page) -> list[Told]:
    """Tell a difference that a person has ended; what is only proposed has not ended."""
    command, outcome = page.command, page.outcome
    if outcome.state in OPEN_STATES:
        return []
    row = page.facts.difference(command.difference_id)
    return [_told("resolved", _named(command.difference_id, row, outcome.state), command.by)]


def _named(identity: bytes, row: RecordDifference | Difference, state: int) -> dict[str, Any]:
    """Return what names a difference: fixed when it was found, but for where it stands now."""
    return {
        "difference_id": show(PREFIX_DIFFERENCE, identity),
        "account": row.account,
        "day": show_day(row.day),
        "class": row.class_code,
        "kind": Way(row.way).name.lower(),
        "number": row.number,
        "state": DifferenceState(state).name.lower(),
    }


def _told(word: str, data: dict[str, Any], by: str) -> Told:
    return Told(f"difference.{word}.v1", data["difference_id"], {**data, "decided_by": by})


def _closed(page: Page) -> list[Told]:
    """Tell a closed day; its row is never changed again, so it is told the same way for ever."""
    day, outcome = page.facts.day(page.command.day_id), page.outcome
    data = {
        "account": day.account,
        "day": show_day(day.day),
        "items": day.items,
        "ours_fen": day.ours_fen,
        "theirs_fen": day.theirs_fen,
        "closing_fen": day.closing_fen,
        "carried": outcome.carried,
        "owned": outcome.owned,
        "closed_at": rfc3339(page.record.at_us),
        "closed_by": page.command.by,
        "result_sha256": page.command.result_digest.hex(),
    }
    return [Told("day.closed.v1", f"{day.account}/{show_day(day.day)}", data)]


TELLERS: Final[dict[type, Callable[[Page], list[Told]]]] = {
    RecordBill: silent,
    RecordMatch: silent,
    RecordFlow: silent,
    RecordDifference: _recorded,
    ResolveDifference: _resolved,
    CloseDay: _closed,
}
