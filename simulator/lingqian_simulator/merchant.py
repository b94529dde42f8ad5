"""Merchants: what WeChat Pay knows of them, and the keys of both sides (商户).

A merchant sees one of three worlds: platform certificates, the platform public key, or the days
between (`gradual`), when notices come signed by either.
"""

from typing import Final, Literal

import msgspec

from lingqian_simulator.chance import Chance
from lingqian_simulator.clock import DAY_US, SECOND_US
from lingqian_simulator.key import PrivateKey, PublicKey, Suite, Validity
from lingqian_simulator.rsa import RSA
from lingqian_simulator.sm import SM

SUITES: Final = {suite.name: suite for suite in (RSA, SM)}
CERTIFICATE_YEARS: Final = 5
_ISSUER: Final = "Tenpay.com"

Mode = Literal["certificate", "public_key", "gradual"]
RefundMode = Literal["auto", "manual"]


class PlatformKey(msgspec.Struct):
    """A key pair of the platform, and the serial by which it is named on the wire."""

    serial: str  # 40 hex digits, or PUB_KEY_ID_…
    suite: str
    private_pem: str
    public_pem: str
    certificate_pem: str = ""  # empty for a public key
    effective_us: int = 0  # real time, as all of a certificate
    expire_us: int = 0
    signs: bool = True
    number: int = 0  # of a certificate, in the order of their making


class Merchant(msgspec.Struct):
    """One merchant account; nothing here is shared with another but the platform certificates."""

    mchid: str
    name: str
    appids: list[str]
    api_v3_key: str
    suite: str = "RSA"
    mode: Mode = "certificate"
    gradual_percent: int = 10  # of notices signed with the public key while gradual
    keys: dict[str, str] = msgspec.field(default_factory=dict)  # serial → public PEM
    public_key: PlatformKey | None = None
    refund_mode: RefundMode = "auto"
    refund_delay_s: float = 1.0
    scenes: list[str] = msgspec.field(default_factory=lambda: ["1000", "1005", "1009", "1010"])


class Credentials(msgspec.Struct, frozen=True):
    """What a merchant downloads or sets on the merchant platform; all a client needs."""

    mchid: str
    appid: str
    private_key_pem: str
    certificate_pem: str
    serial_no: str
    api_v3_key: str
    platform_public_key_pem: str
    platform_public_key_id: str
    platform_certificates: dict[str, str]  # serial → PEM
    suite: str = "RSA"
    mode: Mode = "certificate"


def suite_of(merchant: Merchant) -> Suite:
    """Return the algorithms of a merchant."""
    return SUITES[merchant.suite]


def merchant_key(merchant: Merchant, serial_no: str) -> PublicKey | None:
    """Return the key that a merchant registered under a serial."""
    pem = merchant.keys.get(serial_no)
    return None if pem is None else suite_of(merchant).public_key(pem)


def new_serial(chance: Chance) -> str:
    """Draw the serial of a certificate: 40 upper-case hex digits, the first not zero."""
    return "5" + chance.hex(39).upper()


def new_certificate(suite: Suite, chance: Chance, now_us: int) -> PlatformKey:
    """Make a platform certificate that is valid from yesterday, for five years of real time."""
    key = suite.make_key()
    begin = (now_us - DAY_US) // SECOND_US * SECOND_US
    end = begin + CERTIFICATE_YEARS * 365 * DAY_US
    serial = new_serial(chance)
    validity = Validity(serial, "Tenpay.com Root CA", _ISSUER, begin, end)
    return PlatformKey(
        serial, suite.name, key.pem(), key.public_key().pem(), suite.certify(key, validity),
        effective_us=begin, expire_us=end,
    )  # fmt: skip


def new_public_key(suite: Suite, chance: Chance) -> PlatformKey:
    """Make a platform public key with its id (微信支付公钥)."""
    key = suite.make_key()
    serial = f"PUB_KEY_ID_0{chance.digits(33)}"
    return PlatformKey(serial, suite.name, key.pem(), key.public_key().pem())


def certify_merchant(suite: Suite, key: PrivateKey, chance: Chance, now_us: int) -> tuple[str, str]:
    """Make a merchant API certificate; return its serial and its PEM."""
    serial = new_serial(chance)
    begin = (now_us - DAY_US) // SECOND_US * SECOND_US
    end = begin + CERTIFICATE_YEARS * 365 * DAY_US
    validity = Validity(serial, "Lingqian test merchant", "Lingqian simulator", begin, end)
    return serial, suite.certify(key, validity)
