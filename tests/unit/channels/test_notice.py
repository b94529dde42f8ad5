"""Notices: only the platform's own bytes, whole and fresh and about us, become a reading."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import (
    NoticeKind,
    PayoutState,
    RefundState,
    TradeState,
)
from lingqian.kernel.clock import from_rfc3339
from lingqian.kernel.fault import BadSignature, Rejected
from unit.channels.platform import (
    API_KEY,
    APPID,
    MCHID,
    NOW_S,
    NOW_US,
    STRANGER_KEY,
    channel,
    notice,
    seal,
    sign,
    transaction,
    write_keys,
)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """One account with its keys, on a clock that stands still."""
    return channel(write_keys(tmp_path_factory.mktemp("keys")))


def parse(account, sealed, now_us=NOW_US):
    """Hand a notice over."""
    return account.parse_notice(sealed.headers, sealed.body, now_us)


def test_payment_notice_is_read_to_the_last_field(account):
    """What credits money has to be said exactly, and never the person's own id."""
    found = parse(account, notice())
    assert found.kind is NoticeKind.PAYMENT
    assert found.merchant == MCHID
    assert found.signed_at_us == NOW_US
    reading = found.reading
    assert reading.attempt_no == "pa_0000000000000000000000000A"
    assert reading.state is TradeState.PAID
    assert (reading.amount_fen, reading.payer_fen, reading.settle_fen) == (5_000, 5_000, 5_000)
    assert reading.currency == "CNY"
    assert reading.transaction_id == "4200002026111900000000000001"
    assert reading.success_at_us == from_rfc3339("2026-11-19T02:34:56Z")
    assert reading.payer_digest == hashlib.sha256(b"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o").digest()
    assert "oUpF8" not in repr(found)


@pytest.mark.parametrize(("kind", "settled"), [("CASH", 5_000), ("NOCASH", 4_000)])
def test_only_unfunded_coupons_lower_what_is_settled(account, kind, settled):
    """A prefunded coupon was paid in beforehand; the other kind is the merchant's own rebate."""
    plain = transaction(
        amount={"total": 5_000, "payer_total": 4_000, "currency": "CNY"},
        promotion_detail=[{"coupon_id": "1", "amount": 1_000, "type": kind}],
    )
    reading = parse(account, notice(plain)).reading
    assert (reading.amount_fen, reading.payer_fen) == (5_000, 4_000)
    assert reading.settle_fen == settled


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ("SUCCESS", RefundState.SUCCESS),
        ("ABNORMAL", RefundState.ABNORMAL),
        ("CLOSED", RefundState.CLOSED),
    ],
)
def test_refund_notices_say_their_state_under_another_name(account, event, state):
    """A notice says `refund_status` where an answer says `status`."""
    plain = {
        "mchid": MCHID,
        "out_trade_no": "pa_1",
        "transaction_id": "42",
        "out_refund_no": "rf_1",
        "refund_id": "50",
        "refund_status": event,
        "user_received_account": "支付用户零钱",
        "amount": {"total": 5_000, "refund": 700, "payer_total": 5_000, "payer_refund": 700},
    }
    resource = {**seal(json.dumps(plain).encode(), associated="refund"), "original_type": "refund"}
    found = parse(account, notice(event=f"REFUND.{event}", resource=resource))
    assert found.kind is NoticeKind.REFUND
    assert found.reading.state is state
    assert found.reading.amount_fen == 700


def test_transfer_notice_comes_back_under_our_own_number(account):
    """Their number has no underscore; ours gets it back, so that it is found again."""
    plain = {
        "mch_id": MCHID,
        "out_bill_no": "po0000000000000000000000000A",
        "transfer_bill_no": "1330000071100999991182020050700019480001",
        "state": "SUCCESS",
        "transfer_amount": 200,
        "openid": "oUpF8",
        "fail_reason": None,
        "update_time": "2026-11-19T10:00:00+08:00",
    }
    resource = {**seal(json.dumps(plain).encode()), "original_type": "mch_payment"}
    found = parse(account, notice(event="MCHTRANSFER.BILL.FINISHED", resource=resource))
    assert found.kind is NoticeKind.PAYOUT
    assert found.reading.payout_no == "po_0000000000000000000000000A"
    assert found.reading.state is PayoutState.SUCCESS


@pytest.mark.parametrize("event", ["COMPLAINT.CREATE", "TRANSACTION.PAY_BACK", "X"])
def test_unknown_events_are_verified_and_kept(account, event):
    """There are ninety of them, and the platform adds more."""
    found = parse(account, notice(event=event))
    assert found.kind is NoticeKind.OTHER
    assert found.reading is None


def test_profit_sharing_is_no_payment_though_it_has_a_payments_name(account):
    """The same event with another original type would credit an order twice."""
    resource = {**seal(b"{}"), "original_type": "profitsharing"}
    assert parse(account, notice(resource=resource)).kind is NoticeKind.OTHER


@pytest.mark.parametrize("offset_s", [-301, 301])
def test_old_and_future_notices_are_refused(account, offset_s):
    """A recorded notice must not be played again for ever."""
    with pytest.raises(BadSignature):
        parse(account, notice(at_s=NOW_S + offset_s))
    parse(account, notice(at_s=NOW_S + (300 if offset_s > 0 else -300)))  # the control


def test_a_strangers_signature_is_refused(account):
    """Anybody can write to the address."""
    with pytest.raises(BadSignature):
        parse(account, notice(key=STRANGER_KEY))


@pytest.mark.parametrize("serial", ["PUB_KEY_ID_0", "0119000000012026010100000001", ""])
def test_a_serial_is_looked_up_as_it_stands(account, serial):
    """The prefix is part of it."""
    with pytest.raises(BadSignature):
        parse(account, notice(serial=serial))


def test_a_probe_is_a_signature_that_is_not_right(account):
    """Answering SUCCESS to it would fail the platform's test of us."""
    sealed = notice()
    for junk in ("WECHATPAY/SIGNTEST/abc", "WECHATPAY/SIGNTEST/" + "A" * 325):
        headers = {**sealed.headers, "wechatpay-signature": junk}
        with pytest.raises(BadSignature):
            account.parse_notice(headers, sealed.body, NOW_US)


@pytest.mark.parametrize(
    "name", ["timestamp", "nonce", "signature", "serial"], ids=lambda name: name
)
def test_each_header_is_needed(account, name):
    """None has a default."""
    sealed = notice()
    del sealed.headers[f"wechatpay-{name}"]
    with pytest.raises(BadSignature):
        parse(account, sealed)


def test_one_changed_byte_is_refused(account):
    """Also a blank at the end, which a careless proxy or parser adds."""
    sealed = notice()
    for body in (sealed.body + b" ", sealed.body.replace(b"transaction", b"transactioN", 1)):
        with pytest.raises(BadSignature):
            account.parse_notice(sealed.headers, body, NOW_US)


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        (transaction(mchid="1900000002"), "other_merchant"),
        (transaction(appid="wx9999999999999999"), "other_app"),
        (transaction(transaction_id=""), "notice_malformed"),
        (transaction(success_time="yesterday"), "notice_malformed"),
        (transaction(amount={"total": 50.5}), "notice_malformed"),
        (transaction(amount={"total": -1}), "notice_malformed"),
        (transaction(amount={"total": 2**53}), "notice_malformed"),
        ({"out_trade_no": "x"}, "notice_malformed"),
        ([], "notice_malformed"),
    ],
)
def test_signed_notices_that_are_not_ours_to_book_are_refused_by_name(account, plain, code):
    """A signature says who wrote it, not that it is about us or that it can be booked."""
    with pytest.raises(Rejected) as caught:
        parse(account, notice(plain))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "resource",
    [
        seal(b"{}", api_key=API_KEY[::-1]),
        {**seal(b"{}"), "nonce": "abcdefghijkX"},
        {**seal(b"{}"), "associated_data": "refund"},
        {**seal(b"{}"), "ciphertext": ""},
        {**seal(b"{}"), "ciphertext": base64.b64encode(b"short").decode()},
        {**seal(b"{}"), "ciphertext": "no base64"},
        {**seal(b"{}"), "ciphertext": "\u94b1"},
        {**seal(b"{}"), "nonce": ""},
        {**seal(json.dumps(transaction()).encode()), "algorithm": "AEAD_SM4_GCM"},
    ],
)
def test_resources_that_do_not_open_give_a_clean_fault(account, resource):
    """A wrong key, nonce or tag has crashed other clients."""
    with pytest.raises(Rejected) as caught:
        parse(account, notice(resource=resource))
    assert caught.value.code in ("resource_unopened", "notice_malformed")
    assert API_KEY.decode() not in str(caught.value)


def test_too_large_a_notice_is_not_even_verified(account):
    """Verifying costs; the bound comes first."""
    with pytest.raises(Rejected, match="notice_too_large"):
        parse(account, sign(b" " * (64 * 1_024 + 1)))


@given(
    headers=st.dictionaries(
        st.sampled_from(sorted(notice().headers)), st.text(max_size=40), max_size=5
    ),
    body=st.binary(max_size=200),
)
def test_bytes_from_the_street_only_ever_give_a_fault(account, headers, body):
    """Nothing a stranger sends may come out as anything else."""
    with pytest.raises(BadSignature):
        account.parse_notice({**notice().headers, **headers}, body, NOW_US)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
fields = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(transaction()), json_values))


@given(changes=fields)
def test_signed_nonsense_is_refused_or_read(account, changes):
    """The platform is not our enemy, but it changes its mind about its fields."""
    sealed = notice(transaction(**changes))
    try:
        found = parse(account, sealed)
    except Rejected:
        return
    assert found.merchant == MCHID
    assert found.reading.amount_fen >= found.reading.settle_fen >= 0
    assert changes.get("appid", APPID) == APPID


@given(body=st.binary(max_size=300))
def test_signed_bytes_of_any_kind_are_refused_or_read(account, body):
    """Also when they are no JSON at all."""
    with pytest.raises(Rejected):
        parse(account, sign(body))
