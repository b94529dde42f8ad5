"""Advances: funding the line, giving coins before the money is proven, and how that ends (垫款).

Law: every command keeps the reserve law: what users are owed grows by an advance, so the same
amount goes from the operator's line to the bank; it comes back when the money is proven, when
coins are taken back, or when what was spent is repaid.
"""

from typing import Final, NamedTuple

from lingqian.flows.command import AskAdvance, FundLine, SettleAdvance
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import may_pay
from lingqian.flows.mode import is_advancing, mode_key
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import OK, Code
from lingqian.ledger.account import Account, balance_fen
from lingqian.ledger.chart import (
    Book,
    bank_account,
    cash_account,
    coin_account,
    coin_issued_account,
    coin_value_account,
    debt_account,
    held_account,
    house_account,
)
from lingqian.ledger.posting import Phase, Posting
from lingqian.topup.advance import (
    DEADLINE_US,
    LIMIT_FEN_MAX,
    MACHINE,
    Advance,
    AdvanceState,
    Asker,
    Borrower,
    History,
    Line,
    check_age,
    check_askers,
    check_history,
    check_line,
    check_person,
    exposure_fen,
    fill,
    take,
)
from lingqian.topup.grant import grant
from lingqian.topup.order import CREDIT_MACHINE, CreditState, Order, OrderKind, PayState

CLAW_BACK: Final = "claw_back"
WRITE_OFF: Final = "write_off"
# Ends nothing: the channel has proven that nothing was paid, and the person is told so, once.
REQUEST: Final = "request"
# Something was given before the money came: what the money does then is told here.
BRIDGED_STATES: Final = (CreditState.ADVANCED, CreditState.CLAWED_BACK, CreditState.WRITTEN_OFF)
# Money that is not here yet and may still come.
_AWAITED: Final = (PayState.NONE, PayState.PAYING)


class LineDone(NamedTuple):
    """The line after it was funded or drawn down: its limit and what is at stake."""

    limit_fen: int
    exposure_fen: int


class AdvanceDone(NamedTuple):
    """Coins were advanced; the money has to be proven by the deadline."""

    deadline_us: int
    coins: int


class AdvanceSettled(NamedTuple):
    """An advance ended without its money: what came back unspent, and what is owed or lost.

    After a payment request it is still open, and nothing has moved.
    """

    state: int
    unspent_fen: int
    owed_fen: int
    coins: int


def line_key(lane: int) -> bytes:
    """Return the key of a lane's line."""
    return lane.to_bytes(2, "big")


# --- the line -----------------------------------------------------------------------------------


def need_fund_line(command: FundLine, wanted: Wanted) -> None:
    """Name the line and the two accounts of the house."""
    wanted.lines.add(line_key(command.lane))
    wanted.accounts.update((_line(command.lane), cash_account(command.lane)))


def decide_fund_line(view: View, command: FundLine, at_us: int) -> Decision:
    """Put the operator's own money into the line, or take back what is not at stake.

    Refuses: exceeds_balance_max, exceeds_available.
    """
    del at_us
    line = view.lines.get(line_key(view.lane)) or Line()
    if line.limit_fen + command.amount_fen > LIMIT_FEN_MAX:
        return refused(Code.EXCEEDS_BALANCE_MAX)
    if line.limit_fen - exposure_fen(line) + command.amount_fen < 0 or not command.amount_fen:
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    after = _funded(line, command.amount_fen)
    ends = _line(view.lane), cash_account(view.lane)
    debit, credit = ends if command.amount_fen > 0 else ends[::-1]
    posting = Posting(Phase.POST, debit, credit, abs(command.amount_fen))
    return Decision(OK, LineDone(after.limit_fen, exposure_fen(after)), (posting,))


def _funded(line: Line, amount_fen: int) -> Line:
    after = Line(line.limit_fen, line.lost_fen, line.minute, line.minute_fen, line.open_fen)
    if amount_fen > 0:
        fill(after, amount_fen)
    else:
        after.limit_fen += amount_fen
    return after


def fold_fund_line(view: View, record: Record) -> None:
    """Write the line."""
    command = record.command
    assert isinstance(command, FundLine), "the journal names its kind"
    key = line_key(command.lane)
    view.lines.put(key, _funded(view.lines.get(key) or Line(), command.amount_fen))


# --- giving -------------------------------------------------------------------------------------


def need_advance(command: AskAdvance, wanted: Wanted) -> None:
    """Name the order, its possible grant and advance, the line and the accounts of the lane."""
    lane = command.order_id[0] << 8 | command.order_id[1]
    wanted.orders.add(command.order_id)
    wanted.grants.add(command.order_id)
    wanted.advances.add(command.order_id)
    wanted.lines.add(line_key(lane))
    wanted.modes.add(mode_key(lane, command.account))
    wanted.accounts.update((_owed_by_channel(lane), _line(lane), bank_account(lane)))
    wanted.accounts.update((coin_value_account(lane), coin_issued_account(lane)))
    wanted.askers.update(_askers(command))


def _askers(command: AskAdvance) -> list[bytes]:
    """Return the keys of the device and the address that are known."""
    return [each for each in (command.device, command.address) if each]


def _asked_here(view: View, command: AskAdvance) -> list[bytes]:
    """Return the orders that were last advanced to the same device and the same address."""
    found = [view.askers.get(each) for each in _askers(command)]
    return [each.order_id for each in found if each is not None]


def deepen_advance(view: View, command: AskAdvance, wanted: Wanted) -> None:
    """Name what the person has, and the advances last asked for from the same place."""
    deepen_person(view, command, wanted)
    wanted.advances.update(_asked_here(view, command))


def deepen_person(view: View, command: AskAdvance | SettleAdvance, wanted: Wanted) -> None:
    """Name what the order's person has: class, advances, coins and debt."""
    order = view.orders.get(command.order_id)
    if order is not None:
        want_person(order.user_id, wanted)


def want_person(user_id: bytes, wanted: Wanted) -> None:
    """Name a person's rows that an advance or its end touches."""
    wanted.users.add(user_id)
    wanted.borrowers.add(user_id)
    wanted.accounts.update((coin_account(user_id), debt_account(user_id)))


def decide_advance(view: View, command: AskAdvance, at_us: int) -> Decision:
    """Give an order's coins before its money is proven: mode, order, person, history, line.

    Refuses: order_unknown, order_not_advanceable, line_closed, real_name_required,
    account_frozen, advance_open, debt_open, advance_open_here, under_age, history_too_short,
    line_exhausted, exceeds_advance_max, line_paced.
    """
    order = view.orders.get(command.order_id)
    if order is None:
        return refused(Code.ORDER_UNKNOWN)
    if not _is_advanceable(order):
        return refused(Code.ORDER_NOT_ADVANCEABLE)
    if not is_advancing(view, command.account):
        return refused(Code.LINE_CLOSED)
    code = _check_person(view, order.user_id) or _check_means(view, command, order, at_us)
    if code:
        return refused(code)
    # From here it must succeed.
    coins = order.coins + order.bonus_coins
    postings = (
        Posting(
            Phase.POST, _owed_by_channel(view.lane), coin_value_account(view.lane), order.amount_fen
        ),
        Posting(Phase.POST, bank_account(view.lane), _line(view.lane), order.amount_fen),
        Posting(Phase.POST, coin_issued_account(view.lane), coin_account(order.user_id), coins),
    )
    return Decision(OK, AdvanceDone(at_us + DEADLINE_US, coins), postings)


def _is_advanceable(order: Order) -> bool:
    """Say whether an order's money can still come and nothing has been given for it."""
    is_bare = order.credit_state == CreditState.NONE and order.pay_state in _AWAITED
    return is_bare and order.kind == OrderKind.COINS


def _check_person(view: View, user_id: bytes) -> Code:
    user = view.users.have(user_id)
    debt: Account | None = view.accounts.get(debt_account(user_id))
    debt_fen = 0 if debt is None else balance_fen(debt_account(user_id), debt)
    code = may_pay(user.account_class, user.state)
    return code or check_person(user.account_class, view.borrowers.get(user_id), debt_fen)


def _check_means(view: View, command: AskAdvance, order: Order, at_us: int) -> Code:
    history = History(command.credited_count, command.first_credited_at_us, command.credited_fen)
    line = view.lines.get(line_key(view.lane))
    newest = [view.advances.get(each) for each in _asked_here(view, command)]
    code = check_askers(newest) or check_age(is_minor=command.is_minor)
    code = code or check_history(history, at_us)
    return code or check_line(line, history, order.amount_fen, at_us)


def fold_advance(view: View, record: Record) -> None:
    """Write the advance, its grant, the person's open advance and the line.

    The order stays payable until the deadline: the same order is what the person pays later.
    """
    command, outcome, at_us = record.command, record.outcome, record.at_us
    assert isinstance(command, AskAdvance), "the journal names its kind"
    assert isinstance(outcome, AdvanceDone), "the journal names its kind"
    order = view.orders.edit(command.order_id)
    order.credit_state = CREDIT_MACHINE.step(order.credit_state, "advance")
    order.credited_at_us = at_us
    order.expires_at_us = max(order.expires_at_us, outcome.deadline_us)
    order.due_at_us = order.expires_at_us
    _put_advance(view, command.order_id, order, record)
    bonus_ends_us = at_us + order.bonus_life_us if order.bonus_life_us else 0
    given = grant(
        order.user_id, (order.coins, order.bonus_coins), order.amount_fen, (at_us, bonus_ends_us)
    )
    given.is_advance = 1
    view.add_grant(command.order_id, given)
    view.trail(record.seq, command.order_id)


def _put_advance(view: View, order_id: bytes, order: Order, record: Record) -> None:
    deadline_us = record.outcome.deadline_us  # type: ignore[attr-defined]  # an AdvanceDone
    state = MACHINE.step(AdvanceState.OFFERED, "advance")
    amount_fen, user_id = order.amount_fen, order.user_id
    asked: AskAdvance = record.command  # type: ignore[assignment]  # by who calls
    row = Advance(
        amount_fen,
        record.at_us,
        deadline_us,
        deadline_us,
        0,
        0,
        state,
        0,
        user_id,
        asked.account,
        0,
        asked.device,
        asked.address,
    )
    view.advances.put(order_id, row)
    for each in _askers(asked):
        view.askers.put(each, Asker(order_id))
    known = view.borrowers.get(user_id) or Borrower()
    known.open_order = order_id
    view.borrowers.put(user_id, known)
    take(view.lines.edit(line_key(view.lane)), amount_fen, record.at_us)


# --- proven ---------------------------------------------------------------------------------------


def want_proof(order_id: bytes, order: Order, wanted: Wanted) -> None:
    """Name the rows that proven money of an advanced order touches."""
    lane = order_id[0] << 8 | order_id[1]
    wanted.advances.add(order_id)
    wanted.lines.add(line_key(lane))
    wanted.accounts.update((_owed_by_channel(lane), _line(lane), bank_account(lane), _loss(lane)))
    want_person(order.user_id, wanted)


def confirmed(lane: int, order_id: bytes, amount_fen: int) -> tuple[Posting, ...]:
    """Return the postings by which proven money ends an open advance and fills the line again."""
    return (
        Posting(Phase.POST, held_account(order_id), _owed_by_channel(lane), amount_fen),
        Posting(Phase.POST, _line(lane), bank_account(lane), amount_fen),
    )


def fold_confirmed(view: View, order_id: bytes, record: Record) -> None:
    """Write that an advance's money has come: its coins are as any others from now on."""
    advance = view.advances.edit(order_id)
    advance.state = MACHINE.step(advance.state, "confirm")
    advance.due_at_us = 0
    advance.ended_at_us = record.at_us
    view.borrowers.edit(advance.user_id).open_order = b""
    view.lines.edit(line_key(view.lane)).open_fen -= advance.amount_fen
    view.grants.edit(order_id).is_advance = 0


def owed_fen(view: View, user_id: bytes) -> int:
    """Return what a person still owes of advances; the next top-up repays it first."""
    borrower = view.borrowers.get(user_id)
    return 0 if borrower is None else borrower.owed_fen


def want_owed(lane: int, user_id: bytes, wanted: Wanted) -> None:
    """Name the rows by which a person's money repays what is owed of advances."""
    wanted.borrowers.add(user_id)
    wanted.lines.add(line_key(lane))
    wanted.accounts.update((debt_account(user_id), _line(lane), bank_account(lane)))


def repaid(lane: int, source: bytes, user_id: bytes, amount_fen: int) -> tuple[Posting, ...]:
    """Return the postings by which a person's money in `source` repays what is owed."""
    if not amount_fen:
        return ()
    return (
        Posting(Phase.POST, source, debt_account(user_id), amount_fen),
        Posting(Phase.POST, _line(lane), bank_account(lane), amount_fen),
    )


def fold_repaid(view: View, user_id: bytes, amount_fen: int) -> None:
    """Write a repayment: the person owes less, and the line has what it had lost."""
    if not amount_fen:
        return
    borrower = view.borrowers.edit(user_id)
    borrower.owed_fen -= amount_fen
    assert borrower.owed_fen >= 0, "no more is repaid than is owed"
    fill(view.lines.edit(line_key(view.lane)), amount_fen)


# --- not proven ---------------------------------------------------------------------------------


def need_settle_advance(command: SettleAdvance, wanted: Wanted) -> None:
    """Name the order, its advance and grant, the line and the accounts of the lane."""
    lane = command.order_id[0] << 8 | command.order_id[1]
    wanted.orders.add(command.order_id)
    wanted.grants.add(command.order_id)
    wanted.advances.add(command.order_id)
    wanted.lines.add(line_key(lane))
    wanted.accounts.update((_owed_by_channel(lane), _line(lane), bank_account(lane), _loss(lane)))
    wanted.accounts.update((coin_value_account(lane), coin_issued_account(lane)))


def decide_settle_advance(view: View, command: SettleAdvance, at_us: int) -> Decision:
    """Take an unpaid advance's coins back at its deadline, or give up what is still owed of it.

    Before that, ask the person once for the payment that the channel has not had.

    Refuses: advance_unknown, already_settled, not_due.
    """
    advance = view.advances.get(command.order_id)
    if advance is None:
        return refused(Code.ADVANCE_UNKNOWN)
    if command.event == REQUEST:
        return _requested(view, command.order_id, advance)
    if (advance.state, command.event) not in MACHINE.steps or command.event == "confirm":
        return refused(Code.ALREADY_SETTLED)
    if command.event == WRITE_OFF:
        return _written_off(view, command.order_id, advance)
    # While an attempt can still be paid, or nobody has said that it was not, coins stay.
    if at_us < advance.deadline_us or view.orders.have(command.order_id).live_attempt:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    return _clawed_back(view, command.order_id, advance)


def _requested(view: View, order_id: bytes, advance: Advance) -> Decision:
    """Ask for the payment of the same order, when none of its numbers can be paid any more."""
    if advance.state != AdvanceState.OPEN or advance.asked_at_us:
        return refused(Code.ALREADY_SETTLED)
    if view.orders.have(order_id).live_attempt:
        return refused(Code.NOT_DUE)
    # From here it must succeed.
    return Decision(OK, AdvanceSettled(AdvanceState.OPEN, 0, 0, 0))


def _clawed_back(view: View, order_id: bytes, advance: Advance) -> Decision:
    """Return by components: the cash of coins left goes back, the cash of coins spent is owed."""
    lane, given = view.lane, view.grants.have(order_id)
    coins = given.paid_left + given.bonus_left
    unspent_fen = given.cash_fen - given.released_fen
    owed = advance.amount_fen - unspent_fen
    receivable = _owed_by_channel(lane)
    steps = (
        (coin_value_account(lane), receivable, unspent_fen),
        (_line(lane), bank_account(lane), unspent_fen),
        (debt_account(advance.user_id), receivable, owed),
        (coin_account(advance.user_id), coin_issued_account(lane), coins),
    )
    postings = tuple([Posting(Phase.POST, *step) for step in steps if step[2]])
    state = AdvanceState.CLAWED_BACK
    return Decision(OK, AdvanceSettled(state, unspent_fen, owed, coins), postings)


def _written_off(view: View, order_id: bytes, advance: Advance) -> Decision:
    borrower = view.borrowers.have(advance.user_id)
    lost_fen = borrower.owed_fen if borrower.owing_order == order_id else 0
    if not lost_fen:
        return refused(Code.ALREADY_SETTLED)
    # From here it must succeed.
    debit, credit = _loss(view.lane), debt_account(advance.user_id)
    postings = (Posting(Phase.POST, debit, credit, lost_fen),)
    return Decision(OK, AdvanceSettled(AdvanceState.WRITTEN_OFF, 0, lost_fen, 0), postings)


def fold_settle_advance(view: View, record: Record) -> None:
    """Write how an advance ended: coins gone, debt recorded or given up; or was asked for."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, SettleAdvance), "the journal names its kind"
    assert isinstance(outcome, AdvanceSettled), "the journal names its kind"
    advance = view.advances.edit(command.order_id)
    if command.event == REQUEST:
        advance.asked_at_us = record.at_us
        view.trail(record.seq, command.order_id)
        return
    advance.state = MACHINE.step(advance.state, command.event)
    advance.due_at_us = 0
    advance.ended_at_us = record.at_us
    order = view.orders.edit(command.order_id)
    order.credit_state = CREDIT_MACHINE.step(order.credit_state, command.event)
    borrower = view.borrowers.edit(advance.user_id)
    view.trail(record.seq, command.order_id)
    if command.event == WRITE_OFF:
        borrower.owed_fen = 0
        return
    advance.unspent_fen, advance.owed_fen = outcome.unspent_fen, outcome.owed_fen
    borrower.open_order = b""
    if outcome.owed_fen:
        borrower.owed_fen, borrower.owing_order = outcome.owed_fen, command.order_id
    line = view.lines.edit(line_key(view.lane))
    line.open_fen -= advance.amount_fen
    line.lost_fen += outcome.owed_fen
    _empty(view, command.order_id)


def _empty(view: View, order_id: bytes) -> None:
    """Take every coin of a grant away; what was not earned of its cash has gone back."""
    given = view.grants.edit(order_id)
    assert not given.paid_frozen + given.bonus_frozen, "an unpaid order has nothing to refund"
    given.paid_left = given.bonus_left = 0
    given.released_fen = given.cash_fen
    given.due_at_us = 0


def _line(lane: int) -> bytes:
    return house_account(lane, Book.LINE)


def _owed_by_channel(lane: int) -> bytes:
    return house_account(lane, Book.ADVANCE)


def _loss(lane: int) -> bytes:
    return house_account(lane, Book.CREDIT_LOSS)
