"""The table of commands: number, need, decide, fold. This is the list of what the system does.

Law: the lane is the only caller of `decide`; `fold` is the only thing that changes a view.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lingqian.flows import (
    advance,
    attempt,
    behaviour,
    claim,
    clearing,
    close,
    evidence,
    gift,
    mode,
    notice,
    order,
    packet,
    park,
    payout,
    redirect,
    refund,
    relay,
    settle,
    transfer,
    user,
)
from lingqian.flows.command import (
    AddBeacon,
    AddEntropy,
    AllocateParked,
    AskAdvance,
    AskPayout,
    AskRefund,
    BeginAttempt,
    BeginClose,
    BeginPayout,
    CancelPayout,
    ChangeUser,
    ClaimPacket,
    CloseDay,
    ClosePacket,
    Command,
    DeliverRelay,
    DrawPacket,
    ExpireCoins,
    ExpireOrder,
    Fund,
    FundLine,
    NotePayout,
    NotePrepay,
    NoteRefund,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RecordBill,
    RecordDifference,
    RecordFlow,
    RecordMatch,
    RecordSteps,
    RedirectRefund,
    RegisterUser,
    ResolveDifference,
    SendGift,
    SendPacket,
    SetMembers,
    SetMode,
    SettleAdvance,
    SettleCase,
    SettleGift,
    Transfer,
)
from lingqian.flows.decision import Decision, Record
from lingqian.flows.view import Counter, Relay, View, Wanted
from lingqian.kernel.code import TABLE, Code
from lingqian.kernel.id import lane_of
from lingqian.ledger.chart import DEBIT_NORMAL
from lingqian.ledger.posting import Phase, Posted, Posting, post

Deepen = Callable[[View, Any, Wanted], None]


class Kind(NamedTuple):
    """One kind of command; `asked` are the fields a caller chose, compared when a key comes again.

    `deepen` steps name rows that only loaded rows can name. `outcomes` are what the journal may
    hold for it. `subject` is the field whose id names the home lane.
    """

    number: int
    command: type
    outcomes: tuple[type, ...]
    subject: str
    need: Callable[[Any, Wanted], None]
    decide: Callable[[View, Any, int], Decision]
    fold: Callable[[View, Record], None]
    deepen: tuple[Deepen, ...] = ()
    asked: tuple[str, ...] = ()


_TABLE: Final = (
    Kind(
        1, RegisterUser, (user.UserDone,), "user_id",
        user.need_register, user.decide_register, user.fold_register,
        asked=("external_mac",),
    ),
    Kind(
        2, ChangeUser, (user.UserDone,), "user_id",
        user.need_change, user.decide_change, user.fold_change,
        asked=("user_id", "account_class", "state", "nickname_mac"),
    ),
    Kind(
        3, SetMembers, (user.MembersDone,), "lane",
        user.need_members, user.decide_members, user.fold_members,
        asked=("conversation_id", "members"),
    ),
    Kind(
        4, Fund, (transfer.FundDone,), "user_id",
        transfer.need_fund, transfer.decide_fund, transfer.fold_fund,
        asked=("user_id", "amount_fen"),
    ),
    Kind(
        5, Transfer, (transfer.TransferDone,), "source_id",
        transfer.need_transfer, transfer.decide_transfer, transfer.fold_transfer,
        asked=("source_id", "target_id", "amount_fen", "note_mac"),
    ),
    Kind(
        6, SendPacket, (packet.SendDone,), "sender_id",
        packet.need_send, packet.decide_send, packet.fold_send,
        asked=(
            "sender_id", "kind", "is_lucky", "total_fen", "count", "share_fen_min",
            "share_fen_max", "spread", "lifetime_us", "draw_at_us", "awaits_entropy",
            "conversation_id", "recipients", "passphrase_mac", "greeting_mac", "cover",
            "is_by_channel",
        ),
    ),
    Kind(
        7, AddEntropy, (packet.MixDone,), "packet_id",
        packet.need_entropy, packet.decide_entropy, packet.fold_entropy,
    ),
    Kind(
        13, AddBeacon, (packet.MixDone,), "packet_id",
        packet.need_beacon, packet.decide_beacon, packet.fold_beacon,
    ),
    Kind(
        8, ClaimPacket, (claim.ClaimDone, claim.WrongPassphrase, claim.ClaimStopped), "packet_id",
        claim.need_claim, claim.decide_claim, claim.fold_claim,
    ),
    Kind(
        9, DrawPacket, (close.DrawDone,), "packet_id",
        close.want_tickets, close.decide_draw, close.fold_draw,
        (close.deepen_draw, close.deepen_order),
    ),
    Kind(
        10, ClosePacket, (close.CloseDone,), "packet_id",
        close.need_packet, close.decide_close, close.fold_close,
        (close.deepen_close, close.deepen_order),
    ),
    Kind(
        11, SettleCase, (settle.SettleDone,), "case_id",
        settle.need_settle, settle.decide_settle, settle.fold_settle,
        (settle.deepen_settle, settle.deepen_target),
    ),
    Kind(
        12, DeliverRelay, (relay.RelayDone,), "lane",
        relay.need_relay, relay.decide_relay, relay.fold_relay,
    ),
    Kind(
        28, FundLine, (advance.LineDone,), "lane",
        advance.need_fund_line, advance.decide_fund_line, advance.fold_fund_line,
        asked=("lane", "amount_fen"),
    ),
    Kind(
        29, AskAdvance, (advance.AdvanceDone,), "order_id",
        advance.need_advance, advance.decide_advance, advance.fold_advance,
        (advance.deepen_advance,),
    ),
    Kind(
        30, SettleAdvance, (advance.AdvanceSettled,), "order_id",
        advance.need_settle_advance, advance.decide_settle_advance, advance.fold_settle_advance,
        (advance.deepen_person,),
    ),
    Kind(
        32, SetMode, (mode.ModeDone,), "lane",
        mode.need_mode, mode.decide_mode, mode.fold_mode,
    ),
    Kind(
        14, OpenOrder, (order.OrderDone,), "user_id",
        order.need_open, order.decide_open, order.fold_open,
        asked=(
            "user_id", "order_kind", "object_id", "plan", "amount_fen", "coins", "bonus_coins",
            "bonus_life_us", "scene", "life_us", "is_from_balance",
        ),
    ),
    Kind(
        15, BeginAttempt, (attempt.AttemptDone,), "order_id",
        attempt.need_begin, attempt.decide_begin, attempt.fold_begin,
    ),
    Kind(
        16, NotePrepay, (attempt.PrepayDone,), "attempt_id",
        attempt.need_prepay, attempt.decide_prepay, attempt.fold_prepay, (attempt.deepen_order,),
    ),
    Kind(
        17, ReceiveNotice, (notice.NoticeDone, notice.NoticeAgain), "notice_key",
        notice.need_notice, notice.decide_notice, notice.fold_notice,
    ),
    Kind(
        18, Observe, (evidence.ObserveDone,), "attempt_id",
        evidence.need_observe, evidence.decide_observe, evidence.fold_observe,
        (evidence.deepen_observe, evidence.deepen_success),
    ),
    Kind(
        19, BeginClose, (attempt.CloseBegun,), "attempt_id",
        attempt.need_close, attempt.decide_close, attempt.fold_close, (attempt.deepen_order,),
    ),
    Kind(
        20, ExpireOrder, (order.ExpireDone,), "order_id",
        order.need_expire, order.decide_expire, order.fold_expire, (order.deepen_expire,),
    ),
    Kind(
        31, AllocateParked, (park.AllocateDone,), "transaction_key",
        park.need_allocate, park.decide_allocate, park.fold_allocate,
        (park.deepen_allocate, park.deepen_parked),
    ),
    Kind(
        21, AskRefund, (refund.Opened,), "order_id",
        refund.need_ask, refund.decide_ask, refund.fold_ask, (refund.deepen_ask,),
        asked=("order_id", "amount_fen", "reason_mac", "origin"),
    ),
    Kind(
        22, NoteRefund, (refund.RefundNoted,), "refund_id",
        refund.need_note, refund.decide_note, refund.fold_note,
        (refund.deepen_note, refund.deepen_channel),
    ),
    Kind(
        60, RedirectRefund, (redirect.Redirected,), "refund_id",
        redirect.need_redirect, redirect.decide_redirect, redirect.fold_redirect,
        asked=("refund_id", "way", "card_mac"),
    ),
    Kind(
        23, SendGift, (gift.GiftDone,), "user_id",
        gift.need_gift, gift.decide_gift, gift.fold_gift,
        asked=("user_id", "streamer_id", "code", "count", "scene"),
    ),
    Kind(
        24, SettleGift, (gift.IncomeDone,), "gift_id",
        gift.need_income, gift.decide_income, gift.fold_income, (gift.deepen_income,),
    ),
    Kind(
        25, ExpireCoins, (gift.ExpireDone,), "order_id",
        gift.need_expiry, gift.decide_expiry, gift.fold_expiry, (gift.deepen_expiry,),
    ),
    Kind(
        26, AskPayout, (payout.PayoutAsked,), "user_id",
        payout.need_ask, payout.decide_ask, payout.fold_ask,
        asked=("user_id", "account", "amount_fen", "payee_mac"),
    ),
    Kind(
        27, NotePayout, (payout.PayoutMoved,), "payout_id",
        payout.need_payout, payout.decide_note, payout.fold_note, (payout.deepen_payout,),
    ),
    Kind(
        33, BeginPayout, (payout.PayoutMoved,), "payout_id",
        payout.need_payout, payout.decide_begin, payout.fold_begin,
    ),
    Kind(
        34, CancelPayout, (payout.PayoutMoved,), "payout_id",
        payout.need_payout, payout.decide_cancel, payout.fold_cancel, (payout.deepen_payout,),
    ),
    Kind(
        40, RecordBill, (clearing.BillDone,), "day_id",
        clearing.need_bill, clearing.decide_bill, clearing.fold_bill,
    ),
    Kind(
        41, RecordMatch, (clearing.MatchDone,), "day_id",
        clearing.need_match, clearing.decide_match, clearing.fold_match,
    ),
    Kind(
        42, RecordDifference, (clearing.DifferenceDone,), "difference_id",
        clearing.need_difference, clearing.decide_difference, clearing.fold_difference,
    ),
    Kind(
        43, ResolveDifference, (clearing.DifferenceDone,), "difference_id",
        clearing.need_resolution, clearing.decide_resolution, clearing.fold_resolution,
        (clearing.deepen_resolution,),
    ),
    Kind(
        44, CloseDay, (clearing.CloseDayDone,), "day_id",
        clearing.need_close_day, clearing.decide_close_day, clearing.fold_close_day,
        (clearing.deepen_close_day,),
    ),
    Kind(
        45, RecordFlow, (clearing.FlowDone,), "flow_id",
        clearing.need_flow, clearing.decide_flow, clearing.fold_flow,
    ),
    Kind(
        50, RecordSteps, (behaviour.StepsDone,), "user_id",
        behaviour.need_steps, behaviour.decide_steps, behaviour.fold_steps,
    ),
)  # fmt: skip

KINDS: Final[dict[type, Kind]] = {kind.command: kind for kind in _TABLE}
BY_NUMBER: Final[dict[int, Kind]] = {kind.number: kind for kind in _TABLE}
KEYED: Final = frozenset(kind.command for kind in _TABLE if kind.asked)
assert set(KINDS) == set(Command.__args__), "every command is in the table once"


def home_lane(command: Command) -> int:
    """Return the lane that decides a command."""
    subject = getattr(command, KINDS[type(command)].subject)
    return subject if isinstance(subject, int) else lane_of(subject)


def need(command: Command, wanted: Wanted) -> None:
    """Name the rows a command touches, its key's first answer included."""
    KINDS[type(command)].need(command, wanted)
    if type(command) in KEYED:
        wanted.keys.add(command.key)  # type: ignore[union-attr]  # KEYED commands have a key


def decide(view: View, command: Command, at_us: int) -> Decision:
    """Decide one command; the first rung is always the key.

    Refuses: key_reused, and what the kind's own ladder refuses.
    """
    kind = KINDS[type(command)]
    if kind.asked:
        seen = view.seen[command.key]  # type: ignore[union-attr]  # kinds with `asked` have a key
        if seen is not None:
            return _again(kind, command, seen)
    return kind.decide(view, command, at_us)


def _again(kind: Kind, command: Command, seen: Record) -> Decision:
    if seen.kind != kind.number:
        return Decision(Code.KEY_REUSED, field="operation")
    for name in kind.asked:
        if getattr(command, name) != getattr(seen.command, name):
            return Decision(Code.KEY_REUSED, field=name)
    return Decision(seen.code, first=seen)


def burns(command: Command, code: int) -> bool:
    """Say whether this outcome uses up the command's key for ever."""
    return type(command) in KEYED and (not code or TABLE[Code(code)].burns)


def fold(view: View, record: Record) -> list[Posted]:
    """Apply one journal record to the view; the same code serves the lane and `rebuild`."""
    seq, _, number, code, command, outcome, postings, relayed = record
    kind = BY_NUMBER[number]
    if outcome is not None:
        kind.fold(view, record)
    posted: list[Posted] = []
    for posting in postings:
        posted.append(_fold_posting(view, seq, len(posted), posting))
    for account, amount_fen in relayed:
        _fold_credit(view, seq, account, amount_fen)
    if kind.asked and burns(command, code):  # type: ignore[arg-type]  # a Command by BY_NUMBER
        key = command.key  # type: ignore[attr-defined]  # kinds with `asked` have a key
        view.seen[key] = record
        view.new_keys.append((key, seq))
    return posted


# Phases by number, looked up once: of these two an account's history tells.
_MOVES: Final = frozenset((int(Phase.POST), int(Phase.CAPTURE)))


def _fold_posting(view: View, seq: int, leg: int, posting: Posting) -> Posted:
    phase, debit_account, credit_account, amount_fen = posting
    debit, credit = view.account(debit_account), view.account(credit_account)
    posted = post(debit_account, debit, credit_account, credit, posting)
    debit.seq = credit.seq = seq
    if phase in _MOVES:
        debit_fen = amount_fen if debit_account[16] in DEBIT_NORMAL else -amount_fen
        credit_fen = -amount_fen if credit_account[16] in DEBIT_NORMAL else amount_fen
        view.new_entries += (
            (debit_account, seq, leg, debit_fen, posted.debit_after_fen),
            (credit_account, seq, leg, credit_fen, posted.credit_after_fen),
        )
    return posted


def _fold_credit(view: View, seq: int, account: bytes, amount_fen: int) -> None:
    key = view.lane.to_bytes(2, "big") + account[:2]
    head = view.relay_heads.get(key)
    if head is None:
        head = Counter()
    head.value += 1
    view.relay_heads.put(key, head)
    view.new_relays.append(Relay(key[:2], key[2:], head.value, account, amount_fen, seq))
