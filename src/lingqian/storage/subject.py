"""Subjects: what a number of ours or of a channel stands for, and whose trails tell it (追踪对象).

An order, or a payout, a gift, a stranger's payment, a line that only a bill knows.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lingqian.clearing.classify import CARRY_DAYS_MAX, Class
from lingqian.flows.mode import mode_key
from lingqian.kernel.clock import business_day
from lingqian.kernel.id import (
    PREFIX_ATTEMPT,
    PREFIX_GIFT,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_PAYOUT,
    PREFIX_REFUND,
    parse,
    show,
)
from lingqian.redpacket.packet import packet_order
from lingqian.storage import purse, query, query_top_up
from lingqian.storage.cashier import STRANGERS_LANE
from lingqian.storage.port import Connection
from lingqian.storage.saying import ONLY_BILLED, of_gift, of_payout, of_stranger
from lingqian.topup.evidence import Payment, stranger_id
from lingqian.topup.order import wallet_order
from lingqian.topup.sentence import Sentence

SELECT_DIFFERENCES: Final = (
    "SELECT difference_id, account, day, class_code FROM differences WHERE number = ?"
)
SELECT_NUMBERS: Final = "SELECT number FROM differences WHERE account = ? AND day = ?"
SELECT_ACCOUNTS: Final = "SELECT DISTINCT account FROM days"
SELECT_FLOW_DAYS: Final = "SELECT DISTINCT account, day FROM flows WHERE subject_id = ?"
SELECT_FLOWS: Final = "SELECT flow_id FROM flows WHERE subject_id = ?"
SELECT_PAYOUT_NO: Final = "SELECT payout_id FROM payouts WHERE channel_no = ?"
# A mode is set in every lane at once; one lane's rows tell it.
TOLD_LANE: Final = 0
_PAYOUT_LETTERS: Final = 28


class Subject(NamedTuple):
    """What a number stands for: its name, its order if it has one, and whose trails tell of it.

    `days` are reconciled days of channel accounts it is part of; of their rows only those about the
    whole day, or about something in `ids`, belong to the story. `numbers` are what bills call it.
    `said` is its sentence where it has no order.
    """

    name: str
    order_id: bytes
    ids: tuple[bytes, ...]
    days: tuple[tuple[str, int], ...] = ()
    numbers: frozenset[str] = frozenset()
    said: Sentence | None = None


def find(connection: Connection, number: str) -> Subject | None:
    """Return what a number of ours or of a channel stands for; None when nothing has it."""
    if not number:
        return None
    order_id = _order_of(connection, number)
    if order_id:
        return _order_subject(connection, order_id)
    for look in (_gift, _payout, _account, _stranger, _only_differing):
        found = look(connection, number)
        if found is not None:
            return found
    return None


def _ours(number: str) -> str:
    """Return a payout's number as we write it; the channel knows it without its underscore."""
    is_theirs = len(number) == _PAYOUT_LETTERS and number.startswith(PREFIX_PAYOUT)
    return f"{PREFIX_PAYOUT}_{number[2:]}" if is_theirs else number


def _order_of(connection: Connection, number: str) -> bytes:
    """Return the order that a number belongs to; empty for none."""
    order_id = parse(PREFIX_ORDER, number)
    if order_id is not None:
        return order_id if query.order(connection, order_id) else b""
    packet_id = parse(PREFIX_PACKET, number)
    if packet_id is not None:
        # A packet that was paid from the balance has no order, and no story with a channel.
        paid_by = packet_order(packet_id)
        return paid_by if query.order(connection, paid_by) else b""
    attempt_id = parse(PREFIX_ATTEMPT, number)
    refund_id = parse(PREFIX_REFUND, number) or query_top_up.refund_of(connection, number)
    if attempt_id is None and refund_id:
        refund = purse.refund(connection, refund_id)
        return b"" if refund is None else refund.order_id
    if attempt_id is None:
        for _, paid in query_top_up.by_transaction(connection, number):
            attempt_id = paid
    attempt = None if attempt_id is None else query.attempt(connection, attempt_id)
    return b"" if attempt is None else attempt.order_id


def _gift(connection: Connection, number: str) -> Subject | None:
    gift_id = parse(PREFIX_GIFT, number)
    row = None if gift_id is None else purse.gift(connection, gift_id)
    if gift_id is None or row is None:
        return None
    return Subject(number, b"", (gift_id,), said=of_gift(row))


def _payout(connection: Connection, number: str) -> Subject | None:
    payout_id = parse(PREFIX_PAYOUT, _ours(number))
    if payout_id is None:
        known: Any = connection.execute(SELECT_PAYOUT_NO, (number,)).fetchone()
        payout_id = None if known is None else known[0]
    row = None if payout_id is None else purse.payout(connection, payout_id)
    if payout_id is None or row is None:
        return None
    name = show(PREFIX_PAYOUT, payout_id)
    ids = [payout_id, *_told_apart(connection, payout_id)]
    ids += [each.id for each in query_top_up.notices(connection, payout_id)]
    flows: Any = connection.execute(SELECT_FLOW_DAYS, (payout_id,)).fetchall()
    numbers = frozenset(filter(None, (row.channel_no, name, name.replace("_", ""))))
    return Subject(name, b"", tuple(ids), tuple(flows), numbers, of_payout(row))


def _account(connection: Connection, number: str) -> Subject | None:
    """Return a channel account: how it was served, and who switched it."""
    mode = mode_key(TOLD_LANE, number)
    is_known = query.one(connection, "modes", mode) is not None
    return Subject(number, b"", (mode,)) if is_known else None


def _order_subject(connection: Connection, order_id: bytes) -> Subject:
    # The own wallet may have paid in its place: that is the same story.
    ids = [order_id, wallet_order(order_id)]
    days: dict[tuple[str, int], None] = {}
    numbers: set[str] = set()
    accounts: dict[bytes, str] = {}
    for attempt_id, row in query_top_up.attempts(connection, order_id):
        accounts[attempt_id] = row.account
        own = {show(PREFIX_ATTEMPT, attempt_id), row.transaction_id}
        payments = query_top_up.payments(connection, attempt_id)
        ids += [attempt_id, *[each.id for each in payments]]
        ids += [each.id for each in query_top_up.notices(connection, attempt_id)]
        ids += _differences(connection, own, days)
        numbers |= own | {each.row.transaction_id for each in payments}
        for at_us in (row.success_at_us, *[each.row.success_at_us for each in payments]):
            _add_day(days, row.account, at_us)
    for refund_id, row in purse.refunds_of(connection, order_id):
        own = {show(PREFIX_REFUND, refund_id), row.channel_refund_id}
        ids += [refund_id, *_told_apart(connection, refund_id)]
        ids += [each.id for each in query_top_up.notices(connection, refund_id)]
        ids += _differences(connection, own, days)
        numbers |= own
        for at_us in (row.created_at_us, row.success_at_us):
            _add_day(days, accounts.get(row.attempt_id, ""), at_us)
    known = frozenset(filter(None, numbers))
    return Subject(show(PREFIX_ORDER, order_id), order_id, tuple(ids), tuple(days), known)


def _add_day(days: dict[tuple[str, int], None], account: str, at_us: int) -> None:
    """Take in the business day of an instant at which money moved."""
    if account and at_us:
        days[account, business_day(at_us)] = None


def _differences(
    connection: Connection, numbers: Iterable[str], days: dict[tuple[str, int], None]
) -> list[bytes]:
    """Return the differences found about some numbers, and take in their days.

    What is carried is looked for in the next days' bills, so those are part of it.
    """
    found: list[bytes] = []
    for number in filter(None, numbers):
        rows: Any = connection.execute(SELECT_DIFFERENCES, (number,)).fetchall()
        for identity, account, day, class_code in rows:
            found.append(identity)
            more = CARRY_DAYS_MAX if class_code == Class.T1 else 0
            days.update(dict.fromkeys([(account, day + step) for step in range(more + 1)]))
    return found


def _told_apart(connection: Connection, subject_id: bytes) -> list[bytes]:
    """Return the movements that only a fund bill has shown of a refund or a payout."""
    rows: Any = connection.execute(SELECT_FLOWS, (subject_id,)).fetchall()
    return [identity for (identity,) in rows]


def _transaction_of(connection: Connection, number: str) -> str:
    """Return the channel's payment that a refund of nobody's order is of; else the number."""
    refund_id = parse(PREFIX_REFUND, number) or query_top_up.refund_of(connection, number)
    refund = purse.refund(connection, refund_id) if refund_id else None
    return number if refund is None else purse.paid(connection, refund).transaction_id


def _stranger(connection: Connection, asked: str) -> Subject | None:
    """Return a channel's payment that is no order of ours, by the channel's number or its own."""
    number = _transaction_of(connection, asked)
    found = query_top_up.by_transaction(connection, number)
    for (account,) in connection.execute(SELECT_ACCOUNTS).fetchall():
        own = stranger_id(STRANGERS_LANE, str(account), number)
        found += [(each.id, own) for each in query_top_up.payments(connection, own)]
    if not found:
        return None
    ids: list[bytes] = []
    days: dict[tuple[str, int], None] = {}
    numbers, said = {number}, None
    for key, attempt_id in found:
        ids += [key, attempt_id, *purse.refunds_of_payment(connection, key)]
        ids += [each.id for each in query_top_up.notices(connection, attempt_id)]
        row = query_top_up.payment(connection, key)
        if row is not None:
            numbers.add(row.transaction_id)
            numbers |= _own_numbers(connection, row)
            said = of_stranger(row)
            _add_day(days, row.account, row.success_at_us)
    ids += _differences(connection, sorted(numbers), days)
    return Subject(number, b"", tuple(ids), tuple(days), frozenset(numbers), said)


def _own_numbers(connection: Connection, row: Payment) -> set[str]:
    """Return the number a stranger's payment was made under: a difference of its day keeps it."""
    day = business_day(row.success_at_us)
    found: Any = connection.execute(SELECT_NUMBERS, (row.account, day)).fetchall()
    return {
        number
        for (number,) in found
        if stranger_id(STRANGERS_LANE, row.account, number) == row.attempt_id
    }


def _only_differing(connection: Connection, number: str) -> Subject | None:
    """Return what only a bill has told of: a number in a difference and nowhere else."""
    days: dict[tuple[str, int], None] = {}
    ids = _differences(connection, [number], days)
    if not ids:
        return None
    return Subject(number, b"", tuple(ids), tuple(days), frozenset([number]), ONLY_BILLED)
