"""Every decoder that a channel feeds: notices, answers, bills; a reading or a refusal, no crash."""

import gzip
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqian.channels.port import BillKind
from lingqian.channels.wechatpay import message
from lingqian.channels.wechatpay.bill import parse_bill
from lingqian.channels.wechatpay.channel import unpacked
from lingqian.events.inbox import kept, read_kept
from lingqian.kernel.fault import BadSignature, Rejected
from unit.channels.platform import MCHID, NOW_US, channel, notice, seal, transaction, write_keys
from unit.channels.test_bill import FUND, FUND_SUMMARY, TRADE, row, sheet

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
FUND_BILL = sheet(
    FUND.format("(元)"),
    row("2026-03-09 05:01:46", "42", "1", "交易", "交易", "收入", "5.00", "5.00", "system", "", ""),
    FUND_SUMMARY,
    row("1", "1", "5.00", "0", "0.00"),
)
BILLS = ((BillKind.TRADE, TRADE), (BillKind.FUND, FUND_BILL))
ANSWERS = (
    (message.Transaction, message.read_trade),
    (message.Refund, message.read_refund),
    (message.Transfer, lambda each: message.read_payout(each, "po_1")),
    (message.Prepay, lambda each: each),
    (message.BillPlace, lambda each: each),
)
# A refund's or a transfer's notice, sealed under the name that makes it one.
NOTICES = {
    "TRANSACTION.SUCCESS": ("transaction", message.Transaction),
    "REFUND.SUCCESS": ("refund", message.Refund),
    "MCHTRANSFER.BILL.FINISHED": ("mch_payment", message.Transfer),
}


def often(examples):
    """Draw many more than the tests that need a server."""
    return settings(max_examples=examples * 8, suppress_health_check=list(HealthCheck))


def changed(shape):
    """Draw objects with a shape's fields, anything in any of them, and often good ones."""
    good = {name: st.just(value) for name, value in transaction().items()}
    names = dict.fromkeys(shape.__struct_fields__, JSON)
    return st.fixed_dictionaries({}, optional={**names, **good}) | st.fixed_dictionaries(
        {}, optional=names
    )


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The account whose door the notices come to."""
    return channel(write_keys(tmp_path_factory.mktemp("fuzz")))


@pytest.mark.parametrize("event", NOTICES)
def test_a_genuine_notice_is_read_or_refused(account, examples, event):
    """The platform changes its mind about its fields; what it signed is still no crash."""
    original, shape = NOTICES[event]

    @given(plain=changed(shape) | JSON)
    @often(examples)
    def feed(plain):
        resource = seal(json.dumps(plain).encode("utf-8", "surrogatepass"), associated=original)
        sealed = notice(event=event, resource={**resource, "original_type": original})
        try:
            found = account.parse_notice(sealed.headers, sealed.body, NOW_US)
        except Rejected:
            return
        assert found.merchant == MCHID
        assert found.reading is not None

    feed()


def test_a_stranger_is_never_let_in(account, examples):
    """Headers and bodies of any kind, the signed ones with a part replaced."""
    good = notice()

    @given(
        headers=st.dictionaries(st.sampled_from(sorted(good.headers)), st.text(max_size=60)),
        body=st.binary(max_size=300) | st.just(good.body),
        place=st.integers(0, len(good.body) - 1),
    )
    @often(examples)
    def feed(headers, body, place):
        sent = {**good.headers, **headers}
        turned = bytearray(body)
        if body == good.body:
            turned[place] ^= 1
        with pytest.raises((BadSignature, Rejected)):
            account.parse_notice(sent, bytes(turned), NOW_US)

    feed()


@pytest.mark.parametrize(("shape", "read"), ANSWERS, ids=[each.__name__ for each, _ in ANSWERS])
def test_an_answer_is_read_or_says_too_little(examples, shape, read):
    """A verified answer is the platform's word, and need not be a sensible one."""

    @given(raw=changed(shape) | JSON)
    @often(examples)
    def feed(raw):
        text = json.dumps(raw).encode("utf-8", "surrogatepass")
        try:
            read(msgspec.json.decode(text, type=shape))
        except (msgspec.DecodeError, ValueError):
            return

    feed()


@pytest.mark.parametrize(("kind", "good"), BILLS, ids=["trade", "fund"])
def test_a_bill_is_read_or_refused(examples, kind, good):
    """Anything pasted over a genuine file, packed or plain; and what is read adds up."""
    whole = parse_bill(kind, 20_521, good)
    assert whole.rows

    @given(
        junk=st.binary(max_size=80) | st.text(max_size=40).map(str.encode),
        place=st.integers(0, len(good)),
        cut=st.integers(0, 60),
    )
    @often(examples)
    def feed(junk, place, cut):
        raw = good[:place] + junk + good[place + cut :]
        try:
            found = parse_bill(kind, 20_521, raw)
            assert len(found.rows) <= len(whole.rows) + raw.count(b"\n")
            unpacked(gzip.compress(good)[: place % 90] + junk, 10_000)
        except Rejected:
            return

    feed()


def test_a_notice_is_kept_as_it_came(examples):
    """What was signed is read back byte for byte, whatever the headers were."""

    @given(
        headers=st.dictionaries(st.sampled_from(sorted(notice().headers)), st.text(max_size=60)),
        body=st.binary(max_size=300),
    )
    @often(examples)
    def feed(headers, body):
        plain = {name: value.replace("\n", "") for name, value in headers.items()}
        assert read_kept(kept(plain, body))[1] == body

    feed()
