"""Settings: one `[[channels]]` row is one merchant account with WeChat Pay (商户设置).

Law: a secret is never a value in a row, only the name of a file that holds it; so a row can be
printed, compared and sent to a colleague.
Units: fen; seconds; parts per million.
"""

import re
from pathlib import Path
from typing import Annotated, Final

import msgspec

from lingqian.channels.port import Product
from lingqian.channels.wechatpay.keystore import PUBLIC_KEY_PREFIX
from lingqian.channels.wechatpay.suite import SUITES
from lingqian.kernel.bound import AMOUNT_FEN_MAX

HOSTS: Final = ("https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com")
MODES: Final = ("public_key", "certificate")
LOOKS: Final = ("", "CONFIRM_PAGE", "RED_PACKET")
# Plain http is for a simulator on this very machine.
_LOOPBACK: Final = re.compile(r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)")
_NOTIFY_LENGTH_MAX: Final = 255

Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,31}$")]
Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]{6,32}$")]
Serial = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{1,64}$")]
AppId = Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,32}$")]
Fen = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_FEN_MAX)]


class ReportRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One line of what a transfer scene must be told, such as 活动名称."""

    info_type: str
    info_content: str


class ChannelRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A merchant account. Paths are taken from the data directory when they are not absolute.

    `appids` names the app of each product in use: jsapi, mini_program, app, h5, native. `hosts`
    are tried in this order. `notify_base_url` is where the platform reaches this server.
    """

    account: Name
    channel: str = "wechatpay"
    name_zh: str = "微信支付"
    name_en: str = "WeChat Pay"
    mchid: Digits
    appids: dict[str, AppId]
    hosts: tuple[str, ...] = HOSTS
    merchant_key_file: str
    merchant_serial: Serial
    merchant_certificate_file: str = ""
    api_v3_key_file: str
    mode: str = "public_key"
    public_key_file: str = ""
    public_key_id: str = ""
    platform_certificate_files: tuple[str, ...] = ()
    algorithm: str = "RSA"
    allows_pure_sm2: bool = False
    notify_base_url: str
    fee_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 6_000
    amount_fen_min: Fen = 1
    amount_fen_max: Fen = 5_000_000
    refund_days_max: Annotated[int, msgspec.Meta(ge=1, le=365)] = 365
    bill_hour: Annotated[int, msgspec.Meta(ge=9, le=23)] = 10
    timeout_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    payout_appid: str = ""
    payout_scene_id: str = ""
    payout_reports: tuple[ReportRow, ...] = ()
    payout_perception: str = ""
    payout_look: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that could not work.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        unknown = set(self.appids) - {product.name.lower() for product in Product}
        _must(not unknown, f"appids has no product called {', '.join(sorted(unknown))}")
        _must(bool(self.appids), "appids names no product")
        _must(self.channel == "wechatpay", "channel is wechatpay")
        _must(self.mode in MODES, f"mode is one of {', '.join(MODES)}")
        _must(self.algorithm in SUITES, f"algorithm is one of {', '.join(SUITES)}")
        _must(self.payout_look in LOOKS, "payout_look is CONFIRM_PAGE, RED_PACKET or empty")
        _must(self.amount_fen_min <= self.amount_fen_max, "amount_fen_min is above the max")
        _must(bool(self.hosts), "hosts names no host")
        for url in (*self.hosts, self.notify_base_url):
            _must(_is_sound(url), f"{url} is not https and not this machine's own loopback")
        _must(len(self.notify_url) <= _NOTIFY_LENGTH_MAX, "notify_base_url is too long")
        if self.mode == "public_key":
            _must(
                self.public_key_id.startswith(PUBLIC_KEY_PREFIX) and bool(self.public_key_file),
                f"mode public_key needs public_key_file, and public_key_id {PUBLIC_KEY_PREFIX}…",
            )

    @property
    def notify_url(self) -> str:
        """Return where the platform sends this account's notices."""
        return f"{self.notify_base_url.rstrip('/')}/v1/channels/{self.account}/notices"

    def in_folder(self, folder: Path) -> "ChannelRow":
        """Return the row with every path taken from a data directory."""

        def full(name: str) -> str:
            return str(folder / name) if name else ""

        return msgspec.structs.replace(
            self,
            merchant_key_file=full(self.merchant_key_file),
            merchant_certificate_file=full(self.merchant_certificate_file),
            api_v3_key_file=full(self.api_v3_key_file),
            public_key_file=full(self.public_key_file),
            platform_certificate_files=tuple(map(full, self.platform_certificate_files)),
        )


def _must(is_so: bool, words: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_so:
        raise ValueError(words)


def _is_sound(url: str) -> bool:
    is_plain = "?" not in url and "#" not in url and "@" not in url
    return is_plain and (url.startswith("https://") or _LOOPBACK.match(url) is not None)
