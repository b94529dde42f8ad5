"""The relay: what one lane lets go, another credits exactly once, in order (通道间转账)."""

from typing import NamedTuple

from lingqian.flows.command import DeliverRelay
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import Counter, View, Wanted
from lingqian.kernel.code import Code
from lingqian.ledger.chart import transit_account
from lingqian.ledger.posting import Phase, Posting


class RelayDone(NamedTuple):
    """Items up to this number of the source's stream are credited."""

    mark: int


def mark_key(target: int, source: int) -> bytes:
    """Return the key of a watermark: how far `target` has taken `source`'s stream."""
    return target.to_bytes(2, "big") + source.to_bytes(2, "big")


def need_relay(command: DeliverRelay, wanted: Wanted) -> None:
    """Name the watermark, the transit account and the accounts to credit."""
    wanted.relay_marks.add(mark_key(command.lane, command.source))
    wanted.accounts.add(transit_account(command.lane))
    wanted.accounts.update([account for account, _ in command.items])


def decide_relay(view: View, command: DeliverRelay, at_us: int) -> Decision:
    """Credit the items this lane has not seen; those it has are skipped.

    Refuses: already_settled, relay_gap.
    """
    del at_us
    row = view.relay_marks.get(mark_key(command.lane, command.source))
    mark = 0 if row is None else row.value
    if command.first > mark + 1:
        return refused(Code.RELAY_GAP)
    fresh = command.items[mark + 1 - command.first :]
    if not fresh:
        return refused(Code.ALREADY_SETTLED)
    # From here it must succeed.
    transit = transit_account(command.lane)
    postings = tuple([Posting(Phase.POST, transit, *item) for item in fresh])
    return Decision(Code.OK, RelayDone(mark + len(fresh)), postings)


def fold_relay(view: View, record: Record) -> None:
    """Move the watermark."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, DeliverRelay), "the journal names its kind"
    assert isinstance(outcome, RelayDone), "the journal names its kind"
    view.relay_marks.put(mark_key(command.lane, command.source), Counter(outcome.mark))
