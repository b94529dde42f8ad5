"""WeChat Pay as a channel: the port's verbs for one merchant account (微信支付渠道).

Law: no state of orders, no decision about money; a request goes out, a reading comes back.
Source: WeChat Pay APIv3, pages of each product and interface, read 2026-09.
"""

import asyncio
import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from lingqian.channels.port import (
    AbnormalRefund,
    Bill,
    BillKind,
    Notice,
    PayoutOrder,
    PayoutReading,
    PayoutState,
    Prepaid,
    Product,
    Profile,
    Purchase,
    Reading,
    RefundOrder,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.channels.wechatpay import message, state
from lingqian.channels.wechatpay.bill import parse_bill
from lingqian.channels.wechatpay.client import (
    Answer,
    Blind,
    Call,
    Client,
    Identity,
    SessionFactory,
    Watch,
    Way,
    new_session,
    origin_of,
)
from lingqian.channels.wechatpay.error import Meaning, Verb
from lingqian.channels.wechatpay.invoke import Parameters, confirm_parameters, pay_parameters
from lingqian.channels.wechatpay.keystore import (
    Keystore,
    PlatformKey,
    read_certificate,
    read_public_key,
)
from lingqian.channels.wechatpay.notice import NOTICE_BYTES_MAX, Owner, read_notice
from lingqian.channels.wechatpay.payout import their_number, transfer_body, wants_name
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.channels.wechatpay.sign import SERIAL, Credential
from lingqian.channels.wechatpay.suite import API_KEY_BYTES, SUITES, PrivateKey, Suite
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Rejected, Unknown

BILL_BYTES_MAX: Final = 512 * 1_024 * 1_024
_ORDERS: Final = "/v3/pay/transactions"
_REFUNDS: Final = "/v3/refund/domestic/refunds"
_TRANSFERS: Final = "/v3/fund-app/mch-transfer/transfer-bills"
_BILL_PATH: Final = {
    BillKind.TRADE: "/v3/bill/tradebill?bill_date={}&bill_type=ALL&tar_type=GZIP",
    BillKind.FUND: "/v3/bill/fundflowbill?bill_date={}&account_type=BASIC&tar_type=GZIP",
}
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_GZIP_MAGIC: Final = b"\x1f\x8b"

Shape = TypeVar("Shape")
Said = TypeVar("Said")


class WechatPay:
    """One merchant account; holds keys and a session, and nothing about orders."""

    def __init__(
        self,
        setting: ChannelRow,
        clock: Callable[[], int],
        session: SessionFactory = new_session,
        watch: Watch | None = None,
    ) -> None:
        """Read the account's keys; `clock` is the real time, because signatures always use it.

        Units: µs.
        Raises: ValueError and OSError for keys that cannot be used, naming the file.
        """
        self.setting = setting
        identity = read_identity(setting)
        keys = Keystore(identity.suite)
        for key in read_platform_keys(setting, identity.suite):
            keys.add(key)
        way = Way(setting.hosts, setting.timeout_s, clock, session, watch or Blind())
        self.client = Client(identity, keys, way)
        self._profile = profile_of(setting)

    @property
    def profile(self) -> Profile:
        """Return what this account is and can do."""
        return self._profile

    async def close_session(self) -> None:
        """End the connections; the account may be used again afterwards."""
        await self.client.close()

    async def prepay(self, purchase: Purchase) -> Prepaid:
        """Ask for a pay sheet; the same purchase may be asked for again."""
        appid = self._appid(purchase.product)
        body = message.order_body(purchase, appid, self.setting.mchid, self.setting.notify_url)
        target = f"{_ORDERS}/{state.ENDPOINT[purchase.product]}"
        personal = (purchase.payer, purchase.client_ip)
        answer = await self._asked(_post(Verb.PREPAY, target, body, personal=personal))
        found = _read(answer, message.Prepay, lambda each: each)
        token = found.prepay_id or found.code_url or found.h5_url
        if not token:
            raise Unknown("an answer without a token for the pay sheet")
        opened_us = self.client.way.clock() + state.SHEET_S[purchase.product] * SECOND_US
        return Prepaid(token, min(opened_us, purchase.expires_at_us))

    async def query(self, attempt_no: str) -> Reading:
        """Ask what became of an attempt."""
        target = f"{_order_path(attempt_no)}?mchid={self.setting.mchid}"
        answer = await self.client.ask(Call(Verb.QUERY, "GET", target))
        if answer is Meaning.ABSENT:
            return Reading(attempt_no, TradeState.ABSENT)
        reading = _read(_whole(answer), message.Transaction, message.read_trade)
        _same(reading.attempt_no, attempt_no)
        return reading

    async def close(self, attempt_no: str) -> None:
        """Ask that an attempt can no longer be paid."""
        target = f"{_order_path(attempt_no)}/close"
        await self.client.ask(_post(Verb.CLOSE, target, {"mchid": self.setting.mchid}))

    async def refund(self, order: RefundOrder) -> RefundReading:
        """Send a refund, or the same refund again."""
        body = message.refund_body(order, self.setting.notify_url)
        answer = await self._asked(_post(Verb.REFUND, _REFUNDS, body, personal=(order.reason,)))
        reading = _read(answer, message.Refund, message.read_refund)
        _same(reading.refund_no, order.refund_no)
        return reading

    async def query_refund(self, refund_no: str) -> RefundReading:
        """Ask what became of a refund."""
        target = f"{_REFUNDS}/{quote(refund_no, safe='')}"
        answer = await self.client.ask(Call(Verb.QUERY_REFUND, "GET", target))
        if answer is Meaning.ABSENT:
            return RefundReading(refund_no, RefundState.ABSENT)
        reading = _read(_whole(answer), message.Refund, message.read_refund)
        _same(reading.refund_no, refund_no)
        return reading

    async def refund_abnormal(self, order: AbnormalRefund) -> RefundReading:
        """Send an abnormal refund to a card; not to be repeated without a query between."""
        key = await self._sealing_key()
        body: dict[str, Any] = {
            "out_refund_no": order.refund_no,
            "type": "MERCHANT_BANK_CARD" if order.to_merchant else "USER_BANK_CARD",
        }
        if not order.to_merchant:
            body["bank_type"] = order.bank_type
            body["bank_account"] = _sealed(key, order.bank_account)
            body["real_name"] = _sealed(key, order.real_name)
        target = f"{_REFUNDS}/{quote(order.refund_id, safe='')}/apply-abnormal-refund"
        personal = (order.bank_account, order.real_name)
        call = _post(Verb.REFUND_ABNORMAL, target, body, personal=personal)
        answer = await self._asked(call._replace(serial=key.serial))
        reading = _read(answer, message.Refund, message.read_refund)
        _same(reading.refund_no, order.refund_no)
        return reading

    def parse_notice(self, headers: dict[str, str], body: bytes, now_us: int) -> Notice:
        """Verify, open and parse a notice: signature over the raw bytes first, then all else.

        Raises: BadSignature, Rejected.
        """
        if len(body) > NOTICE_BYTES_MAX:
            raise Rejected("notice_too_large", f"a notice has at most {NOTICE_BYTES_MAX} bytes")
        try:
            signed_at_us = self.client.keys.verify(headers, body, now_us)
        except BadSignature:
            if not self.client.keys.knows(headers.get(SERIAL, "")):
                self.client.want_refresh()
            raise
        identity = self.client.identity
        owner = Owner(self.setting.mchid, frozenset(self.setting.appids.values()))
        return read_notice(identity.suite, identity.aead, owner, body, signed_at_us)

    async def fetch_bill(self, kind: BillKind, day: int) -> Bill:
        """Fetch, check and parse a day's bill.

        Raises: Rejected `bill_creating`, `bill_hash`, `bill_…`, and the channel faults.
        """
        target = _BILL_PATH[kind].format(date.fromordinal(_EPOCH_DAY + day).isoformat())
        answer = await self.client.ask(Call(Verb.BILL, "GET", target))
        if answer is Meaning.EMPTY:
            return self.read_bill(kind, day, b"")
        place = _read(_whole(answer), message.BillPlace, lambda each: each)
        packed = await self._downloaded(place)
        # A large merchant's day takes seconds to read: never in the loop that answers people.
        return await asyncio.to_thread(self._opened_bill, kind, day, place.hash_value, packed)

    @staticmethod
    def read_bill(kind: BillKind, day: int, raw: bytes) -> Bill:
        """Read a bill again from its raw bytes; calls nobody, needs no key.

        Raises: Rejected.
        """
        return parse_bill(kind, day, raw)

    def _opened_bill(self, kind: BillKind, day: int, announced: str, packed: bytes) -> Bill:
        """Unpack a file, check its hash over the plain bytes, and read it.

        Raises: Rejected.
        """
        plain = unpacked(packed, BILL_BYTES_MAX)
        # The platform chose SHA-1; it guards against a broken transfer, not against a forger.
        found = hashlib.sha1(plain, usedforsecurity=False).hexdigest()
        if found != announced.lower():
            raise Rejected("bill_hash", "the bill is not the file that was announced")
        return self.read_bill(kind, day, plain)

    async def _downloaded(self, place: message.BillPlace) -> bytes:
        """Download a file from one of our own hosts, as it lies there.

        Raises: Rejected `bill_address`, and the channel faults.
        """
        host, target = origin_of(place.download_url)
        if place.hash_type != "SHA1" or host not in self.setting.hosts:
            raise Rejected("bill_address", "a bill lies elsewhere, or under another hash")
        call = Call(Verb.DOWNLOAD, "GET", target, bytes_max=BILL_BYTES_MAX, first_host=host)
        return _whole(await self.client.ask(call)).body

    async def pay_out(self, order: PayoutOrder) -> PayoutReading:
        """Send a transfer to a person's wallet, or the same transfer again."""
        key = await self._sealing_key()
        name = _sealed(key, order.real_name) if wants_name(order) else ""
        call = _post(
            Verb.PAY_OUT,
            _TRANSFERS,
            transfer_body(self.setting, order, name),
            personal=(order.payee, order.real_name, order.remark),
        )
        answer = await self._asked(call._replace(serial=key.serial))
        return _read_transfer(answer, order.payout_no)._replace(amount_fen=order.amount_fen)

    async def query_payout(self, payout_no: str) -> PayoutReading:
        """Ask what became of a transfer."""
        answer = await self.client.ask(Call(Verb.QUERY_PAYOUT, "GET", _payout_path(payout_no)))
        if answer is Meaning.ABSENT:
            return PayoutReading(payout_no, PayoutState.ABSENT)
        return _read_transfer(_whole(answer), payout_no)

    async def cancel_payout(self, payout_no: str) -> PayoutReading:
        """Ask that a transfer nobody has confirmed be taken back."""
        call = Call(Verb.CANCEL_PAYOUT, "POST", f"{_payout_path(payout_no)}/cancel")
        return _read_transfer(await self._asked(call), payout_no)

    async def echo(self, text: str) -> str:
        """Ask the platform to say a text back: signing, verifying and the way there in one."""
        call = _post(Verb.ECHO, "/v3/security/echo", {"echo_message": text})
        answer = await self._asked(call)
        return _read(answer, message.Echo, lambda each: each.echo_message)

    def invocation(self, product: Product, token: str) -> Parameters:
        """Return what a page or an app opens the pay sheet with; made anew each time it opens."""
        credential = self.client.identity.credential
        stamp = self.client.stamp()
        return pay_parameters(credential, product, self._appid(product), token, stamp)

    def confirmation(self, package: str) -> Parameters:
        """Return what a person's client confirms a transfer with."""
        return confirm_parameters(self.setting.mchid, self.setting.payout_appid, package)

    def _appid(self, product: Product) -> str:
        try:
            return self.setting.appids[product.name.lower()]
        except KeyError as error:
            raise Rejected("product_not_set", f"the account has no {product.name}") from error

    async def _sealing_key(self) -> PlatformKey:
        await self.client.tend()
        setting = self.setting
        wanted = setting.public_key_id if setting.mode == "public_key" else ""
        return self.client.keys.for_sealing(wanted, self.client.way.clock())

    async def _asked(self, call: Call) -> Answer:
        return _whole(await self.client.ask(call))


def read_identity(setting: ChannelRow) -> Identity:
    """Read who an account is.

    Raises: ValueError and OSError, naming the file.
    """
    suite = SUITES[setting.algorithm]
    key = read_merchant_key(setting)
    credential = Credential(setting.mchid, setting.merchant_serial, suite.scheme, key)
    is_public = setting.mode == "public_key"
    return Identity(
        suite,
        credential,
        suite.aead(read_api_key(setting)),
        setting.public_key_id if is_public else "",
        fetches_certificates=not is_public,
    )


def read_merchant_key(setting: ChannelRow) -> PrivateKey:
    """Read the merchant's private key.

    Raises: ValueError and OSError, naming the file.
    """
    pem = Path(setting.merchant_key_file).read_bytes()
    try:
        return SUITES[setting.algorithm].read_private(pem, setting.allows_pure_sm2)
    except ValueError as error:
        raise ValueError(f"{setting.merchant_key_file} cannot be used: {error}") from error


def read_api_key(setting: ChannelRow) -> bytes:
    """Read the APIv3 key.

    Raises: ValueError and OSError, naming the file.
    """
    key = Path(setting.api_v3_key_file).read_bytes().strip()
    if len(key) != API_KEY_BYTES:
        raise ValueError(f"{setting.api_v3_key_file} does not hold an APIv3 key of 32 bytes")
    return key


def read_platform_keys(setting: ChannelRow, suite: Suite) -> list[PlatformKey]:
    """Read every platform key that the settings name.

    Raises: ValueError and OSError, naming the file.
    """
    found = [
        _from_file(name, lambda pem: read_certificate(suite, pem))
        for name in setting.platform_certificate_files
    ]
    if setting.public_key_file:
        serial = setting.public_key_id
        found.append(
            _from_file(setting.public_key_file, lambda pem: read_public_key(suite, serial, pem))
        )
    return found


def _from_file(name: str, read: Callable[[bytes], PlatformKey]) -> PlatformKey:
    try:
        return read(Path(name).read_bytes())
    except ValueError as error:
        raise ValueError(f"{name} cannot be used: {error}") from error


def profile_of(setting: ChannelRow) -> Profile:
    """Return what an account can do, from its settings."""
    return Profile(
        setting.account,
        setting.channel,
        setting.name_zh,
        setting.name_en,
        "CNY",
        frozenset(Product[name.upper()] for name in setting.appids),
        setting.amount_fen_min,
        setting.amount_fen_max,
        can_refund_in_part=True,
        can_pay_out=bool(setting.payout_appid and setting.payout_scene_id),
        refund_days_max=setting.refund_days_max,
        bill_hour=setting.bill_hour,
    )


def unpacked(packed: bytes, bytes_max: int) -> bytes:
    """Unpack a gzip file up to a bound; a file that is none is returned as it is.

    Raises: Rejected `bill_malformed`, `bill_too_large`.
    """
    if not packed.startswith(_GZIP_MAGIC):
        return packed
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            plain = file.read(bytes_max + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Rejected("bill_malformed", "the bill cannot be unpacked") from error
    if len(plain) > bytes_max:
        raise Rejected("bill_too_large", f"a bill has at most {bytes_max} bytes")
    return plain


def _post(verb: Verb, target: str, body: dict[str, Any], personal: tuple[str, ...] = ()) -> Call:
    return Call(verb, "POST", target, msgspec.json.encode(body), personal=personal)


def _order_path(attempt_no: str) -> str:
    return f"{_ORDERS}/out-trade-no/{quote(attempt_no, safe='')}"


def _payout_path(payout_no: str) -> str:
    return f"{_TRANSFERS}/out-bill-no/{quote(their_number(payout_no), safe='')}"


def _sealed(key: PlatformKey, text: str) -> str:
    return base64.b64encode(key.key.seal_field(text.encode())).decode()


def _whole(answer: Answer | Meaning) -> Answer:
    """Insist on an answer where the table has no other.

    Raises: Unknown.
    """
    if isinstance(answer, Answer):
        return answer
    raise Unknown("the channel answered that there is nothing, where there must be something")


def _read(answer: Answer, shape: type[Shape], read: Callable[[Shape], Said]) -> Said:
    """Read a verified answer; one that says too little leaves the outcome open.

    Raises: Unknown.
    """
    try:
        return read(msgspec.json.decode(answer.body, type=shape))
    except (msgspec.DecodeError, ValueError) as error:
        raise Unknown("a verified answer does not say what it must") from error


def _read_transfer(answer: Answer, payout_no: str) -> PayoutReading:
    def read(found: message.Transfer) -> PayoutReading:
        if found.out_bill_no != their_number(payout_no):
            raise ValueError("an answer about another number")
        return message.read_payout(found, payout_no)

    return _read(answer, message.Transfer, read)


def _same(found: str, asked: str) -> None:
    if found != asked:
        raise Unknown("an answer about another number than the one asked for")
