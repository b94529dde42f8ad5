"""The checklist of an account: what can be known about it without moving money (自检).

Law: nothing here orders, pays, refunds or transfers; the one number asked about cannot exist.
"""

import stat
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from cryptography import x509

from lingqian.channels.wechatpay.channel import (
    WechatPay,
    read_api_key,
    read_merchant_key,
    read_platform_keys,
)
from lingqian.channels.wechatpay.client import Answer, Call
from lingqian.channels.wechatpay.error import Meaning, Verb, read_refusal, row_of
from lingqian.channels.wechatpay.keystore import serial_of
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.channels.wechatpay.suite import SUITES
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import Fault, Unsent

SKEW_S_GOOD: Final = 60
ECHO: Final = "lingqian channel check"
_PROBE: Final = b"lingqian channel check: is this one pair of keys?"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Finding(NamedTuple):
    """One line of the checklist: what was looked at, whether it is good, what is so, what to do."""

    name: str
    is_good: bool
    says: str
    advice: str = ""


def _good(name: str, says: str, advice: str = "") -> Finding:
    return Finding(name, is_good=True, says=says, advice=advice)


def _bad(name: str, says: str, advice: str) -> Finding:
    return Finding(name, is_good=False, says=says, advice=advice)


def check_files(setting: ChannelRow) -> Iterator[Finding]:
    """Look at every file the settings name, and at whether they belong together."""
    for name in (setting.merchant_key_file, setting.api_v3_key_file):
        yield _check_mode(Path(name))
    yield _tried(
        "api_v3_key",
        lambda: f"{len(read_api_key(setting))} bytes",
        "set the APIv3 key on the merchant platform (账户中心 → API安全) and write it to the file",
    )
    yield _tried(
        "merchant_key",
        lambda: _merchant_key(setting),
        "merchant_key_file is apiclient_key.pem of the merchant certificate",
    )
    if setting.merchant_certificate_file:
        yield _tried(
            "merchant_certificate",
            lambda: _certificate(setting),
            "merchant_serial, apiclient_key.pem and apiclient_cert.pem come from one download",
        )
    yield _tried(
        "platform_keys",
        lambda: _platform_keys(setting),
        "public_key_file is pub_key.pem, public_key_id the id shown beside it (微信支付公钥)",
    )
    yield _check_notify(setting)
    yield _check_payout(setting)


async def check_hosts(setting: ChannelRow, clock: Callable[[], int]) -> AsyncIterator[Finding]:
    """Call each host: is it there, is its clock right, do both sides accept signatures."""
    for host in dict.fromkeys(setting.hosts):
        account = WechatPay(msgspec.structs.replace(setting, hosts=(host,)), clock)
        try:
            async for finding in _check_host(account, host):
                yield finding
        finally:
            await account.close_session()


async def _check_host(account: WechatPay, host: str) -> AsyncIterator[Finding]:
    client = account.client
    number = f"check-{client.stamp().nonce[:20]}"
    target = f"/v3/pay/transactions/out-trade-no/{number}?mchid={account.setting.mchid}"
    call = Call(Verb.QUERY, "GET", target)
    try:
        answer = await client.send(call)
    except Fault as fault:
        advice = "look at DNS, the firewall for outgoing HTTPS, and the proxy"
        yield _bad(f"host {host}", str(fault), advice)
        return
    yield _good(f"host {host}", f"answers with {answer.status}")
    yield _check_clock(host, answer, client.way.clock())
    yield _check_signed(host, answer)
    yield await _check_answer(account, host)


def _check_clock(host: str, answer: Answer, now_us: int) -> Finding:
    name = f"clock {host}"
    try:
        theirs_s = int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp())
    except (ValueError, TypeError):
        return _bad(name, "the answer has no Date", "is a proxy in between?")
    skew_s = now_us // SECOND_US - theirs_s
    says = f"ours is {skew_s:+d} s from theirs; signatures allow 300 s"
    return Finding(name, abs(skew_s) <= SKEW_S_GOOD, says, "" if abs(skew_s) <= 1 else "run NTP")


def _check_signed(host: str, answer: Answer) -> Finding:
    """Judge the answer to a question about a number that cannot exist."""
    refusal = read_refusal(answer.status, answer.body)
    row = row_of(Verb.QUERY, refusal.status, refusal.code)
    is_accepted = row.meaning is Meaning.ABSENT
    says = f"{refusal.status} {refusal.code or 'without a code'}: {refusal.message}"
    advice = "" if is_accepted else f"{row.step}; mchid, merchant_serial and key belong together"
    return Finding(f"signature {host}", is_accepted, says, advice)


async def _check_answer(account: WechatPay, host: str) -> Finding:
    """Let the platform sign something: an echo, or its certificates."""
    name = f"answer {host}"
    try:
        if account.client.identity.fetches_certificates:
            await account.client.refresh()
        is_same = await account.echo(ECHO) == ECHO
    except Fault as fault:
        advice = "is public_key_id the id of pub_key.pem? is the mode right for this account?"
        if isinstance(fault, Unsent):
            advice = "the host was there a moment ago; run this again"
        return _bad(name, f"not verified: {fault}", advice)
    known = ", ".join(account.client.keys.serials())
    return Finding(name, is_same, f"an echo came back verified; keys known: {known}")


def _check_mode(path: Path) -> Finding:
    name = f"file {path}"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _bad(name, error.strerror or "cannot be read", "name an existing file")
    is_closed = not mode & _OTHERS
    advice = "" if is_closed else f"chmod 600 {path}"
    return Finding(name, is_closed, f"mode {stat.S_IMODE(mode):04o}", advice)


def _tried(name: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return _good(name, look())
    except (ValueError, OSError) as error:
        return _bad(name, str(error), advice)


def _merchant_key(setting: ChannelRow) -> str:
    read_merchant_key(setting)
    return f"{setting.algorithm} private key; serial {setting.merchant_serial}"


def _certificate(setting: ChannelRow) -> str:
    """Say that the certificate has the serial and the key; raise ValueError when it has not."""
    pem = Path(setting.merchant_certificate_file).read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    serial = serial_of(certificate)
    if serial != setting.merchant_serial:
        raise ValueError(f"the certificate's serial is {serial}, merchant_serial is another")
    key = SUITES[setting.algorithm].read_certificate(certificate)
    if not key.verify(_PROBE, read_merchant_key(setting).sign(_PROBE)):
        raise ValueError("the certificate is not of this private key")
    return f"belongs to the key, until {certificate.not_valid_after_utc:%Y-%m-%d}"


def _platform_keys(setting: ChannelRow) -> str:
    found = [key.serial for key in read_platform_keys(setting, SUITES[setting.algorithm])]
    if not found and setting.mode == "public_key":
        raise ValueError("no platform key is configured")
    return f"{', '.join(found) or 'none yet: certificates are fetched'}; mode {setting.mode}"


def _check_notify(setting: ChannelRow) -> Finding:
    url = setting.notify_url
    if url.startswith("https://"):
        return _good("notify_url", url)
    says = f"{url}: only a simulator on this machine reaches it"
    return _good("notify_url", says, "a real account needs https and a public name")


def _check_payout(setting: ChannelRow) -> Finding:
    if not setting.payout_scene_id:
        return _good("payout", "off: no payout_scene_id")
    is_whole = bool(setting.payout_appid and setting.payout_reports)
    advice = "" if is_whole else "a scene needs payout_appid and its payout_reports"
    return Finding("payout", is_whole, f"scene {setting.payout_scene_id}", advice)
