"""Enrolment: a merchant comes to be, with the keys of both sides (商户入驻)."""

import msgspec

from lingqian_simulator.clock import SECOND_US
from lingqian_simulator.merchant import (
    SUITES,
    Credentials,
    Merchant,
    Mode,
    certify_merchant,
    new_public_key,
)
from lingqian_simulator.world import World


class NewMerchant(msgspec.Struct):
    """A wish for a merchant; what is left empty is made."""

    mchid: str
    appids: list[str]
    name: str = "零钱测试商户"
    api_v3_key: str = ""
    suite: str = "RSA"
    mode: Mode = "gradual"
    gradual_percent: int = 50
    public_key_pem: str = ""  # the merchant's own, of a key or a certificate; else one is made
    serial_no: str = ""


def enrol(world: World, wish: NewMerchant) -> Credentials:
    """Make a merchant, with its keys where it did not bring its own, and return all it needs."""
    suite = SUITES[wish.suite]
    now = world.clock.real_s() * SECOND_US
    private_pem, certificate_pem = "", ""
    if wish.public_key_pem:
        serial, public_pem = wish.serial_no, suite.public_key(wish.public_key_pem).pem()
    else:
        key = suite.make_key()
        serial, certificate_pem = certify_merchant(suite, key, world.chance, now)
        private_pem, public_pem = key.pem(), key.public_key().pem()
    public = None if wish.mode == "certificate" else new_public_key(suite, world.chance)
    merchant = Merchant(
        mchid=wish.mchid,
        name=wish.name,
        appids=wish.appids,
        api_v3_key=wish.api_v3_key or world.chance.alphanumerics(32),
        suite=wish.suite,
        mode=wish.mode,
        gradual_percent=wish.gradual_percent,
        keys={serial: public_pem},
        public_key=public,
    )
    world.save(merchant)
    return Credentials(
        mchid=merchant.mchid,
        appid=merchant.appids[0],
        private_key_pem=private_pem,
        certificate_pem=certificate_pem,
        serial_no=serial,
        api_v3_key=merchant.api_v3_key,
        platform_public_key_pem=public.public_pem if public else "",
        platform_public_key_id=public.serial if public else "",
        platform_certificates={
            key.serial: key.certificate_pem for key in world.certificates_of(wish.suite)
        },
        suite=wish.suite,
        mode=wish.mode,
    )
