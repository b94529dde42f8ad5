"""Items: what we booked of a channel's money, and what the channel's bill says beside it (对账项).

Law: an item is one key; either side may be missing, never both. Units: fen; hundred-thousandths of
a yuan where a fee is as printed; Shanghai days. Our day is the channel's success time, not the
time we booked, so what was paid at midnight needs no buffer.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.channels.port import BillRow, BillSide, TradeState

# A thousandth of a fen's worth in a bill's fee column: 0.00001 yuan.
FEE_E5_PER_FEN: Final = 1_000


class Way(IntEnum):
    """Whether money came from a person or went back."""

    PAY = 1
    REFUND = 2


WAYS: Final = {BillSide.PAYMENT: Way.PAY, BillSide.REFUND: Way.REFUND}


class Standing(IntEnum):
    """How far our own side has come.

    OPEN: an attempt that may still be paid, a refund without an end. DEAD: an attempt we closed or
    that failed, a refund the channel closed. DONE: the money is in our books.
    """

    OPEN = 1
    DEAD = 2
    DONE = 3


class Booked(NamedTuple):
    """Our own side of one payment attempt or one refund.

    `number` is ours (out_trade_no, out_refund_no), `channel_no` the channel's, empty until known.
    `day` is the day of the channel's success, 0 before it. `fee_fen` is the fee we booked, or that
    we booked as returned. `rate_ppm` is the plan's rate, 0 where it is not known. `seen_day` is the
    day of the bill that has already shown this item, 0 for none. `has_rival`: another attempt paid
    the same order and this one has not been given back. `says` is the channel's latest answer to a
    query about an item that no bill shows. `is_returned`: a fund bill has shown the money of a
    refund that failed coming back.
    """

    way: Way
    number: str
    attempt_no: str
    channel_no: str
    standing: Standing
    day: int
    amount_fen: int
    settle_fen: int
    fee_fen: int
    rate_ppm: int = 0
    seen_day: int = 0
    has_rival: bool = False
    says: TradeState = TradeState.UNKNOWN
    is_returned: bool = False


class Item(NamedTuple):
    """One key with its two sides; `copies` are further bill lines of the same transaction.

    `is_second`: the bill has another transaction under a number of ours that is taken; such an item
    goes by the channel's own number.
    """

    way: Way
    number: str
    booked: Booked | None
    billed: BillRow | None
    copies: tuple[BillRow, ...] = ()
    is_second: bool = False

    @property
    def ours_fen(self) -> int:
        """Return what our books move, in positive; 0 while nothing is booked."""
        booked = self.booked
        if booked is None or booked.standing != Standing.DONE:
            return 0
        return booked.amount_fen if self.way == Way.PAY else -booked.amount_fen

    @property
    def theirs_fen(self) -> int:
        """Return what the bill moves, in positive; 0 where the bill shows no money."""
        moved = sum(row.amount_fen for row in self.lines if moves(row))
        return moved if self.way == Way.PAY else -moved

    @property
    def settled_gap_fen(self) -> int:
        """Return how much more the channel has settled for this item than we have booked.

        After a coupon that the merchant bears, that is less than what was paid.
        """
        theirs = sum(row.settle_fen for row in self.lines if moves(row))
        is_done = self.booked is not None and self.booked.standing == Standing.DONE
        ours = self.booked.settle_fen if self.booked is not None and is_done else 0
        return theirs - ours if self.way == Way.PAY else ours - theirs

    @property
    def fee_gap_fen(self) -> int:
        """Return how much more the channel took for this item than we have booked."""
        theirs = sum(fee_fen(row) for row in self.lines if moves(row))
        is_done = self.booked is not None and self.booked.standing == Standing.DONE
        ours = self.booked.fee_fen if self.booked is not None and is_done else 0
        return theirs - ours if self.way == Way.PAY else ours - theirs

    @property
    def lines(self) -> tuple[BillRow, ...]:
        """Return every bill line of this key."""
        return () if self.billed is None else (self.billed, *self.copies)


# Words of the status column under which no money moved, or moved back: REVOKED is a reversed
# payment code (交易状态), FAIL a failed refund (退款状态). Source: wechatpay-v3 reference 12.1.
_VOID: Final = frozenset({"REVOKED", "FAIL", "CLOSED"})
# A refund that could not reach the person's card; it waits for a person (转入代发).
ASTRAY: Final = frozenset({"CHANGE", "ABNORMAL"})


def moves(row: BillRow) -> bool:
    """Say whether a bill line moved money and left it there."""
    return row.state not in _VOID


def fee_fen(row: BillRow) -> int:
    """Return a line's fee as the fund bill takes it: to the fen, half up; a return is positive.

    Source: top-up reference 10; the trade bill prints five decimals, the fund bill two.
    """
    size = abs(row.fee_e5)
    return (size + FEE_E5_PER_FEN // 2) // FEE_E5_PER_FEN


def number_of(row: BillRow) -> str:
    """Return our own number of a trade-bill line."""
    is_refund = row.side == BillSide.REFUND and row.refund_no
    return row.refund_no if is_refund else row.attempt_no


def channel_no_of(row: BillRow) -> str:
    """Return the channel's number of a trade-bill line."""
    return row.refund_id if row.side == BillSide.REFUND else row.transaction_id
