"""The channel contract: one suite for every adapter, so that a fault tells the same everywhere."""

import asyncio
from hashlib import sha256

import pytest

from contract.stage import faulty, number, simulated
from lingqian.channels.port import (
    PAID_STATES,
    BillKind,
    BillSide,
    NoticeKind,
    PayoutOrder,
    PayoutState,
    Product,
    Purchase,
    RefundOrder,
    RefundState,
    TradeState,
)
from lingqian.kernel.clock import DAY_US, SECOND_US, business_day
from lingqian.kernel.fault import BadSignature, Rejected

STAGES = {
    "faulty": faulty,
    "public key": simulated("public_key"),
    "certificate": simulated("certificate"),
    "between the two": simulated("gradual"),
    "sm": simulated("certificate", "SM"),
}
A, B = number("pa", 1), number("pa", 2)
R, S = number("rf", 1), number("rf", 2)
O = number("po", 1)  # noqa: E741 - the letter of a payout
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture(params=STAGES)
def play(request, tmp_path):
    """Play a scene on a stage: `play(scene)`."""

    def run(scene):
        async def whole():
            async with STAGES[request.param](tmp_path) as stage:
                await scene(stage)

        asyncio.run(asyncio.wait_for(whole(), 60))

    return run


def purchase(stage, attempt_no=A, **changes):
    """Return what is to be paid: 50 yuan within a quarter of an hour."""
    found = Purchase(
        attempt_no,
        Product.JSAPI,
        "充值",
        5_000,
        "CNY",
        stage.now_us() // SECOND_US * SECOND_US + 900 * SECOND_US,
        OPENID,
        "203.0.113.7",
        "",
    )
    return found._replace(**changes)


async def paid(stage, attempt_no=A):
    """Order and pay."""
    await stage.channel.prepay(purchase(stage, attempt_no))
    await stage.pay(attempt_no)


def test_a_number_nobody_has_heard_of_is_absent(play):
    """Only this lets a number be sent for the first time again."""

    async def scene(stage):
        assert (await stage.channel.query(A)).state is TradeState.ABSENT
        assert (await stage.channel.query_refund(R)).state is RefundState.ABSENT
        assert (await stage.channel.query_payout(O)).state is PayoutState.ABSENT

    play(scene)


def test_the_same_purchase_may_be_asked_for_twice_and_another_under_its_number_not(play):
    """A retry after a timeout must be safe, and must not become another order."""

    async def scene(stage):
        order = purchase(stage)
        assert (await stage.channel.prepay(order)).token
        assert (await stage.channel.prepay(order)).token
        with pytest.raises(Rejected):
            await stage.channel.prepay(order._replace(amount_fen=5_001))
        assert (await stage.channel.query(A)).state is TradeState.NOT_PAID

    play(scene)


def test_query_and_notice_say_the_same_of_a_payment(play):
    """Whichever comes first credits, and the other must change nothing."""

    async def scene(stage):
        await paid(stage)
        reading = await stage.channel.query(A)
        assert reading.state in PAID_STATES
        assert reading.amount_fen == 5_000
        assert reading.currency == "CNY"
        ((headers, body),) = await stage.letters(1)
        notice = stage.channel.parse_notice(headers, body, stage.real_us())
        assert notice.kind is NoticeKind.PAYMENT
        assert notice.reading == reading
        again = stage.channel.parse_notice(headers, body, stage.real_us())
        assert again == notice
        with pytest.raises(Rejected):
            await stage.channel.prepay(purchase(stage))

    play(scene)


def test_forged_and_changed_and_late_notices_are_refused(play):
    """Anybody can write to the address, and keep what was written once."""

    async def scene(stage):
        await paid(stage)
        ((headers, body),) = await stage.letters(1)
        parse, now_us = stage.channel.parse_notice, stage.real_us()
        parse(headers, body, now_us)  # the control
        for wrong_headers, wrong_body in (
            (stage.forged(headers), body),
            (headers, body + b" "),
            (headers, body[:-1]),
            (headers, b""),
            ({}, body),
        ):
            with pytest.raises(BadSignature):
                parse(wrong_headers, wrong_body, now_us)
        with pytest.raises(BadSignature):
            parse(headers, body, now_us + 310 * SECOND_US)

    play(scene)


def test_closing_twice_is_closing_and_a_closed_order_cannot_be_ordered(play):
    """A timeout's next step is to close again."""

    async def scene(stage):
        await stage.channel.prepay(purchase(stage))
        await stage.channel.close(A)
        await stage.channel.close(A)
        assert (await stage.channel.query(A)).state is TradeState.CLOSED
        with pytest.raises(Rejected):
            await stage.channel.prepay(purchase(stage))

    play(scene)


def test_a_paid_order_refuses_to_close_and_stays_paid(play):
    """The person may pay between the last query and the close."""

    async def scene(stage):
        await paid(stage)
        with pytest.raises(Rejected):
            await stage.channel.close(A)
        assert (await stage.channel.query(A)).state in PAID_STATES

    play(scene)


def test_a_refund_sent_twice_is_one_refund(play):
    """Its number is the key; another number would be another refund."""

    async def scene(stage):
        await paid(stage)
        order = RefundOrder(R, A, 700, 5_000, "CNY", "不要了")
        first = await stage.channel.refund(order)
        second = await stage.channel.refund(order)
        assert first.refund_id == second.refund_id
        assert (first.amount_fen, first.attempt_no) == (700, A)
        with pytest.raises(Rejected):
            await stage.channel.refund(order._replace(amount_fen=701))
        assert (await stage.channel.query(A)).state is TradeState.REFUNDED

    play(scene)


def test_more_than_was_paid_does_not_go_back(play):
    """In one refund or in two."""

    async def scene(stage):
        await paid(stage)
        whole = RefundOrder(R, A, 5_000, 5_000, "CNY", "")
        with pytest.raises(Rejected):
            await stage.channel.refund(whole._replace(amount_fen=5_001))
        with pytest.raises(Rejected):
            await stage.channel.refund(whole._replace(attempt_no=B))
        await stage.channel.refund(whole)
        await stage.advance(61)
        with pytest.raises(Rejected):
            await stage.channel.refund(whole._replace(refund_no=S, amount_fen=1))

    play(scene)


def test_a_refund_comes_to_its_end_and_a_notice_tells(play):
    """Accepted is not done."""

    async def scene(stage):
        await paid(stage)
        await stage.letters(1)
        await stage.channel.refund(RefundOrder(R, A, 700, 5_000, "CNY", ""))
        await stage.advance(3_600)
        ((headers, body),) = await stage.letters(1)
        notice = stage.channel.parse_notice(headers, body, stage.real_us())
        assert notice.kind is NoticeKind.REFUND
        assert notice.reading.refund_no == R
        assert notice.reading.state is RefundState.SUCCESS
        reading = await stage.channel.query_refund(R)
        assert reading.state is RefundState.SUCCESS
        assert reading.amount_fen == notice.reading.amount_fen == 700

    play(scene)


def test_a_transfer_is_confirmed_by_the_person_and_told_of_under_our_number(play):
    """Sending it twice pays once."""

    async def scene(stage):
        await stage.fund(1_000_000)
        order = PayoutOrder(O, OPENID, 300, "提现", "")
        first = await stage.channel.pay_out(order)
        second = await stage.channel.pay_out(order)
        assert first.channel_no == second.channel_no
        assert first.payout_no == O
        waiting = await stage.channel.query_payout(O)
        assert waiting.state is PayoutState.AWAITING_PERSON
        await stage.confirm(O)
        ((headers, body),) = await stage.letters(1)
        notice = stage.channel.parse_notice(headers, body, stage.real_us())
        assert notice.kind is NoticeKind.PAYOUT
        assert (notice.reading.payout_no, notice.reading.amount_fen) == (O, 300)
        assert (await stage.channel.query_payout(O)).state is PayoutState.SUCCESS

    play(scene)


def test_a_transfer_nobody_has_confirmed_can_be_taken_back(play):
    """And one that was cannot."""

    async def scene(stage):
        await stage.fund(1_000_000)
        await stage.channel.pay_out(PayoutOrder(O, OPENID, 300, "提现", ""))
        gone = (PayoutState.CANCELLING, PayoutState.CANCELLED)
        assert (await stage.channel.cancel_payout(O)).state in gone
        with pytest.raises(Rejected):
            await stage.channel.cancel_payout(number("po", 2))

    play(scene)


def test_the_bill_of_a_day_comes_in_the_morning_and_has_every_line(play):
    """What a day is closed on, and what tells of money we have never heard of."""

    async def scene(stage):
        day = await morning_after(stage)
        bill = await stage.channel.fetch_bill(BillKind.TRADE, day)
        found = {(row.side, row.attempt_no, row.refund_no): row for row in bill.rows}
        assert set(found) == {
            (BillSide.PAYMENT, A, ""),
            (BillSide.PAYMENT, B, ""),
            (BillSide.REFUND, A, R),
        }
        payment = found[BillSide.PAYMENT, A, ""]
        reading = await stage.channel.query(A)
        assert (payment.amount_fen, payment.fee_e5) == (5_000, 30_000)
        assert payment.transaction_id == reading.transaction_id
        assert payment.at_us == reading.success_at_us // SECOND_US * SECOND_US
        refund = found[BillSide.REFUND, A, R]
        assert (refund.amount_fen, refund.fee_e5) == (700, -4_000)
        funds = (await stage.channel.fetch_bill(BillKind.FUND, day)).rows
        assert sum(row.amount_fen for row in funds) == 2 * (5_000 - 30) - 700 + 4
        empty = await stage.channel.fetch_bill(BillKind.TRADE, day - 1)
        assert empty.rows == ()
        assert stage.channel.read_bill(BillKind.TRADE, day - 1, empty.raw) == empty

    play(scene)


def test_a_kept_bill_is_read_again_as_it_was_fetched(play):
    """A closed day is derived anew from raw bytes: whoever made them must know them again."""

    async def scene(stage):
        day = await morning_after(stage)
        for kind in BillKind:
            bill = await stage.channel.fetch_bill(kind, day)
            assert bill.rows
            assert sha256(bill.raw).digest() == bill.digest
            assert stage.channel.read_bill(kind, day, bill.raw) == bill
            for junk in (bill.raw[:-7], b"\xff" + bill.raw, b"another channel's bill"):
                with pytest.raises(Rejected):
                    stage.channel.read_bill(kind, day, junk)

    play(scene)


async def morning_after(stage):
    """Let two people pay and one be given money back, and the next morning come."""
    day = business_day(stage.now_us())
    midnight_us = (day + 1) * DAY_US - 8 * 3_600 * SECOND_US
    if stage.now_us() > midnight_us - 120 * SECOND_US:
        await stage.advance(300)
        day, midnight_us = day + 1, midnight_us + DAY_US
    await paid(stage)
    await paid(stage, B)
    await stage.channel.refund(RefundOrder(R, A, 700, 5_000, "CNY", "a,b"))
    with pytest.raises(Rejected):
        await stage.channel.fetch_bill(BillKind.TRADE, day)
    await stage.advance((midnight_us - stage.now_us()) // SECOND_US + 10 * 3_600 + 60)
    return day
