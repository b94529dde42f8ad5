"""Rows and lines for tests of clearing: a payment or refund that agrees, to be spoilt."""

from lingqian.channels.port import BillRow, BillSide, FundRow
from lingqian.clearing.item import Booked, Standing, Way

DAY = 20_500
DAY_US = 86_400_000_000
NOON_US = DAY * DAY_US + 4 * 3_600_000_000


def paid(number, amount_fen=5_000, fee_fen=30, **change):
    """Return our row of a payment that is in the books."""
    way, done = Way.PAY, Standing.DONE
    row = Booked(
        way, number, number, f"T{number}", done, DAY, amount_fen, amount_fen, fee_fen, 6_000
    )
    return row._replace(**change)


def refunded(number, amount_fen=2_000, fee_fen=12, **change):
    """Return our row of a refund that has succeeded."""
    way, done = Way.REFUND, Standing.DONE
    row = Booked(
        way, number, f"p{number}", f"R{number}", done, DAY, amount_fen, amount_fen, fee_fen
    )
    return row._replace(**change)


def line(row, **change):
    """Return the trade-bill line that agrees with a row of ours."""
    is_payment = row.way == Way.PAY
    agreed = BillRow(
        side=BillSide.PAYMENT if is_payment else BillSide.REFUND,
        at_us=NOON_US,
        attempt_no=row.attempt_no,
        transaction_id=row.channel_no if is_payment else f"T{row.attempt_no}",
        refund_no="" if is_payment else row.number,
        refund_id="" if is_payment else row.channel_no,
        amount_fen=row.amount_fen,
        settle_fen=row.settle_fen,
        coupon_fen=0,
        fee_e5=(1 if is_payment else -1) * row.fee_fen * 1_000,
        rate_ppm=6_000,
        state="SUCCESS",
        product="JSAPI",
    )
    return agreed._replace(**change)


def flows(lines, opening_fen=0):
    """Return the fund bill that agrees with trade-bill lines, one second apart."""
    rows, balance = [], opening_fen
    for each in lines:
        is_payment = each.side == BillSide.PAYMENT
        fee = (abs(each.fee_e5) + 500) // 1_000
        moved = (
            ((BillSide.PAYMENT, each.settle_fen), (BillSide.FEE, -fee))
            if is_payment
            else ((BillSide.REFUND, -each.settle_fen), (BillSide.FEE_RETURN, fee))
        )
        for side, amount in moved:
            balance += amount
            at_us = NOON_US + len(rows) * 1_000_000
            no = each.transaction_id if is_payment else each.refund_id
            rows.append(FundRow(side, at_us, no, f"F{len(rows)}", side.name, amount, balance, no))
    return rows
