"""Funding and transfers: money into a balance, and from one balance to another (入金、转账)."""

from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.compliance.factor import strength
from lingqian.compliance.limit import Usage, check_factors, check_payment, count_payment
from lingqian.flows.command import Fund, Transfer
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.gate import (
    Opened,
    Stop,
    Subject,
    fold_opened,
    may_pay,
    want_case,
    weigh,
)
from lingqian.flows.view import Policy, Transferred, View, Wanted
from lingqian.kernel.bound import BALANCE_FEN_MAX
from lingqian.kernel.clock import business_day
from lingqian.kernel.code import OK, Code
from lingqian.kernel.machine import machine
from lingqian.ledger.account import Account, available_fen
from lingqian.ledger.chart import balance_account, bank_account, transit_account
from lingqian.ledger.hold import Hold, HoldState
from lingqian.ledger.posting import Phase, Posting
from lingqian.risk.rule import Action


class TransferState(IntEnum):
    """Where a transfer stands."""

    CREATED = 0
    DONE = 1
    HELD = 2
    REFUSED = 3


MACHINE: Final = machine(
    TransferState.CREATED,
    [
        (TransferState.CREATED, "pay", TransferState.DONE),
        (TransferState.CREATED, "hold", TransferState.HELD),
        (TransferState.HELD, "pay", TransferState.DONE),
        (TransferState.HELD, "refuse", TransferState.REFUSED),
    ],
)


class FundDone(NamedTuple):
    """Money has arrived; the funding's own id names it."""

    funding_id: bytes


class TransferDone(NamedTuple):
    """A transfer was paid, or set aside with the case that says why."""

    state: int
    opened: Opened | None


def need_fund(command: Fund, wanted: Wanted) -> None:
    """Name the rows a funding touches."""
    wanted.users.add(command.user_id)
    wanted.accounts.add(balance_account(command.user_id))
    wanted.accounts.add(bank_account(command.user_id[0] << 8 | command.user_id[1]))


def decide_fund(view: View, command: Fund, at_us: int) -> Decision:
    """Credit a balance out of the bank.

    Refuses: user_unknown, exceeds_balance_max.
    """
    del at_us
    if view.users.get(command.user_id) is None:
        return refused(Code.USER_UNKNOWN)
    source, target = bank_account(view.lane), balance_account(command.user_id)
    bank, known = view.accounts.get(source), view.accounts.get(target)
    # The bank carries everybody: it comes near the bound of a counter before any person does.
    funded_fen = bank.debits_posted if bank is not None else 0
    owned_fen = known.credits_posted if known is not None else 0
    if max(funded_fen, owned_fen) + command.amount_fen > BALANCE_FEN_MAX:
        return refused(Code.EXCEEDS_BALANCE_MAX)
    # From here it must succeed.
    posting = Posting(Phase.POST, source, target, command.amount_fen)
    return Decision(Code.OK, FundDone(command.funding_id), (posting,))


def fold_fund(view: View, record: Record) -> None:
    """Write nothing of its own: the posting is all there is."""
    del view, record


def landing(
    lane: int, user_id: bytes, amount_fen: int
) -> tuple[bytes, tuple[tuple[bytes, int], ...]]:
    """Return the account to credit here, and what the relay carries if the user lives elsewhere."""
    account = balance_account(user_id)
    if user_id[0] << 8 | user_id[1] == lane:
        return account, ()
    return transit_account(lane), ((account, amount_fen),)


def want_landing(lane: int, user_id: bytes, wanted: Wanted) -> None:
    """Name the rows that a credit to this user touches in this lane."""
    target_lane = user_id[0] << 8 | user_id[1]
    if target_lane == lane:
        wanted.accounts.add(balance_account(user_id))
        return
    wanted.accounts.add(transit_account(lane))
    wanted.relay_heads.add(lane.to_bytes(2, "big") + user_id[:2])


def need_transfer(command: Transfer, wanted: Wanted) -> None:
    """Name the rows a transfer touches."""
    key, _, source, target, _, _, _, _, _ = command
    wanted.users.add(source)
    wanted.usages.add(source)
    wanted.accounts.add(balance_account(source))
    if wanted.is_gated:
        want_case(wanted, key, asked(command))
    want_landing(source[0] << 8 | source[1], target, wanted)


def asked(command: Transfer) -> tuple[bytes | int, ...]:
    """Return what the payer chose; the case of a stopped transfer is named by it."""
    return command.source_id, command.target_id, command.amount_fen, command.note_mac


def decide_transfer(view: View, command: Transfer, at_us: int) -> Decision:
    """Move money between people: who, limits, risk, funds.

    Refuses: same_user, user_unknown, real_name_required, account_frozen, the limits, blocked,
    challenge_required, exceeds_available.
    """
    _, _, source, target, amount_fen, _, target_class, target_state, factors = command
    if source == target:
        return refused(Code.SAME_USER)
    code = check_payer(view, source, amount_fen, at_us, factors) or may_pay(
        target_class, target_state
    )
    if code:
        return refused(code)
    stop = _weigh(view, command, at_us) if view.policy.rules else None
    if stop is not None and stop.code:
        outcome = None if stop.opened is None else TransferDone(TransferState.CREATED, stop.opened)
        return Decision(stop.code, outcome)
    if not has_available(view, source, amount_fen):
        return refused(Code.EXCEEDS_AVAILABLE)
    # From here it must succeed.
    account, relayed = landing(view.lane, target, amount_fen)
    if stop is not None:
        posting = Posting(Phase.HOLD, balance_account(source), account, amount_fen)
        return Decision(Code.OK, TransferDone(TransferState.HELD, stop.opened), (posting,))
    posting = _new(Posting, (_POST, balance_account(source), account, amount_fen))
    return _new(Decision, (OK, _DONE, (posting,), relayed, "", None))


def _weigh(view: View, command: Transfer, at_us: int) -> Stop | None:
    subject = Subject(
        command.key,
        Action.TRANSFER,
        command.transfer_id,
        command.source_id,
        command.amount_fen,
        asked(command),
    )
    return weigh(view, subject, at_us)


# Makes a named tuple in half the time of its own constructor: for those made for every command.
_new: Final = tuple.__new__
_DONE: Final = TransferDone(TransferState.DONE, None)
_HELD: Final = TransferState.HELD
_POST: Final = Phase.POST


def check_payer(
    view: View, user_id: bytes, amount_fen: int, at_us: int, factors: int | None
) -> Code:
    """Say whether a person exists, may pay, and fits the limits of the class and of the factors.

    `factors` is None where the law caps nothing by them: money to the person's own account.
    Refuses: user_unknown, real_name_required, account_frozen, the limits of compliance.limit.
    """
    user = view.users.get(user_id)
    if user is None:
        return Code.USER_UNKNOWN
    code = may_pay(user.account_class, user.state)
    if code:
        return code
    policy, usage, day = view.policy, view.usages.get(user_id), business_day(at_us)
    code = check_payment(policy.caps[user.account_class], usage, amount_fen, day)
    if code or factors is None:
        return code
    return check_proof(policy, usage, amount_fen, day, factors)


def check_proof(
    policy: Policy, usage: Usage | None, amount_fen: int, day: int, factors: int
) -> Code:
    """Say whether a day holds one more payment by these factors.

    Refuses: exceeds_factors.
    """
    cap_fen = policy.factor_caps[strength(factors) if factors else 0]
    return OK if cap_fen is None else check_factors(cap_fen, usage, amount_fen, day)


def has_available(view: View, user_id: bytes, amount_fen: int) -> bool:
    """Say whether a balance covers an amount after its open holds."""
    counters: Account | None = view.accounts.get(balance_account(user_id))
    return counters is not None and available_fen(counters) >= amount_fen


def count_usage(view: View, user_id: bytes, amount_fen: int, at_us: int) -> None:
    """Count one payment against the person's limits."""
    count_payment(edit_usage(view, user_id), amount_fen, at_us)


def edit_usage(view: View, user_id: bytes) -> Usage:
    """Return what a person has paid, to be counted on; the first payment opens the row."""
    usages = view.usages
    usage = usages.rows[user_id]
    if usage is None:
        usage = usages.rows[user_id] = Usage()
    usages.dirty[user_id] = usage
    return usage


def fold_transfer(view: View, record: Record) -> None:
    """Write the transfer, its hold and its case where there is one, and count it."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, Transfer), "the journal names its kind"
    assert isinstance(outcome, TransferDone), "the journal names its kind"
    if outcome.opened is not None:
        fold_opened(view, outcome.opened, record)
    if record.code:
        return
    _, transfer_id, source, target, amount_fen, note_mac, _, _, _ = command
    at_us = record.at_us
    row = Transferred(amount_fen, at_us, note_mac, source, outcome.state, target)
    view.transfers.put(transfer_id, row)
    count_usage(view, source, amount_fen, at_us)
    if outcome.state == _HELD:
        posting = record.postings[0]
        hold = Hold(command.amount_fen, record.at_us, posting.credit, posting.debit, HoldState.HELD)
        view.holds.put(command.transfer_id, hold)
