"""Notices: kept before they are processed, once by the channel's own id (通知收件箱)."""

from typing import NamedTuple

from lingqian.flows.command import ReceiveNotice
from lingqian.flows.decision import Decision, Record
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import OK, Code
from lingqian.topup.evidence import Reason
from lingqian.topup.notice import MACHINE, Notice, NoticeState


class NoticeDone(NamedTuple):
    """A notice is kept; the order it speaks of, where there is one."""

    order_id: bytes


class NoticeAgain(NamedTuple):
    """A notice came again; how often it has come. Nothing but that is written."""

    copies: int


def need_notice(command: ReceiveNotice, wanted: Wanted) -> None:
    """Name the notice and the attempt it speaks of."""
    wanted.notices.add(command.notice_key)
    if command.attempt_id:
        wanted.attempts.add(command.attempt_id)


def decide_notice(view: View, command: ReceiveNotice, at_us: int) -> Decision:
    """Keep a verified notice; one that is known is counted and changes nothing.

    Refuses: notice_known.
    """
    del at_us
    known = view.notices.get(command.notice_key)
    if known is not None:
        return Decision(Code.NOTICE_KNOWN, NoticeAgain(known.copies + 1))
    attempt = view.attempts.get(command.attempt_id) if command.attempt_id else None
    # From here it must succeed.
    return Decision(OK, NoticeDone(b"" if attempt is None else attempt.order_id))


def fold_notice(view: View, record: Record) -> None:
    """Write the notice, or count another copy."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, ReceiveNotice), "the journal names its kind"
    if isinstance(outcome, NoticeAgain):
        view.notices.edit(command.notice_key).copies = outcome.copies
        return
    assert isinstance(outcome, NoticeDone), "the journal names its kind"
    notice = Notice(
        account=command.account,
        at_us=record.at_us,
        attempt_id=command.attempt_id,
        copies=1,
        digest=command.digest,
        event=command.event,
        reason=Reason.NONE,
        signed_at_us=command.signed_at_us,
        state=NoticeState.RECEIVED,
    )
    view.notices.put(command.notice_key, notice)
    view.trail(record.seq, command.notice_key, outcome.order_id)


def want_notice(key: bytes, wanted: Wanted) -> None:
    """Name the notice that brought a reading, where one did."""
    if key:
        wanted.notices.add(key)


def end_notice(view: View, key: bytes, event: str, reason: int) -> None:
    """Write what became of a notice; one that has ended already stays as it is."""
    if not key:
        return
    notice = view.notices.get(key)
    if notice is None or (notice.state, event) not in MACHINE.steps:
        return
    notice = view.notices.edit(key)
    notice.state = MACHINE.step(notice.state, event)
    notice.reason = reason
