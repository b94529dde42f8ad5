"""The simulated payment platform beside a run: its process and our account with it (支付平台).

Nothing of the simulator is imported: it is started as anybody would start it and spoken to over
HTTP, so what it signs and sends is what a server on the other side of the wire would.
"""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from lingqian.bench.wire import Answered, Request, Site, read_answer, written
from lingqian.channels.port import Product, Purchase
from lingqian.compose import Config, Wallet
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import PREFIX_ATTEMPT, show
from lingqian.storage.cashier import OrderWish
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.order import OrderKind
from lingqian.topup.plan import FREE

ACCOUNT: Final = "wechat-main"
PRODUCT: Final = "native"
AMOUNT_FEN: Final = 100
_KEY_FILE: Final = "api_v3_key.txt"
_PROGRAM: Final = (sys.executable, "-m", "lingqian_simulator")
_STOP_S: Final = 10
_LIFE_S: Final = 900
_AHEAD_S: Final = 600
# The platform is asked by so many at once while a run is prepared.
_AT_ONCE: Final = 32


class Platform(NamedTuple):
    """A running simulator: where its control calls go, its files, and who we are to it."""

    control: Site
    folder: Path
    merchant: Mapping[str, str]

    def config(self, notify_base_url: str) -> Config:
        """Return a wallet's settings with our account, as an operator would write them."""
        merchant = self.merchant
        row: dict[str, Any] = {
            "account": ACCOUNT,
            "mchid": merchant["mchid"],
            "appids": {PRODUCT: merchant["appid"]},
            "hosts": (merchant["base_url"], merchant["standby_url"]),
            "merchant_key_file": str(self.folder / "apiclient_key.pem"),
            "merchant_serial": merchant["serial_no"],
            "api_v3_key_file": str(self.folder / _KEY_FILE),
            "public_key_file": str(self.folder / "pub_key.pem"),
            "public_key_id": merchant["platform_public_key_id"],
            "notify_base_url": notify_base_url,
        }
        return msgspec.convert({"channels": [row]}, Config)


@contextmanager
def platform(folder: Path) -> Iterator[Platform]:
    """Run a simulator on the real retry schedule, its keys in a folder; stop it afterwards."""
    folder.mkdir(mode=0o700)
    line = [*_PROGRAM, "--port", "0", "--control-port", "0", "--credentials", str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own module
        [*line, "--ends-with-input"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        try:
            control = ""
            for each in process.stdout:
                name, _, value = each.partition(" ")
                if name == "control":
                    control = value.strip()
                if name == "merchant":
                    break
            assert control, "the simulator says where it listens"
            merchant = tomllib.loads((folder / "merchant.toml").read_text("utf-8"))
            (folder / _KEY_FILE).write_text(merchant["api_v3_key"], "ascii")
            host, _, port = control.removeprefix("http://").rpartition(":")
            site = Site(host, int(port), "")
            asyncio.run(asked(site, _by_public_key(merchant["mchid"])))
            yield Platform(site, folder, merchant)
        finally:
            process.stdin.close()
            process.wait(_STOP_S)


def _by_public_key(mchid: str) -> Request:
    """Return the control call after which every notice is signed by the platform's public key."""
    return Request("POST", f"/control/merchants/{mchid}", b'{"mode": "public_key"}')


def payment(attempt_id: bytes) -> Request:
    """Return the control call by which a person pays an attempt's sheet."""
    return Request("POST", f"/control/orders/{show(PREFIX_ATTEMPT, attempt_id)}/pay", b"{}")


def loss() -> Request:
    """Return the control call by which the next notice is lost, and never sent again."""
    return Request("POST", "/control/faults", b'{"name": "notice_lost", "count": 1}')


async def asked(site: Site, request: Request) -> Answered:
    """Make one call on a connection of its own."""
    reader, writer = await asyncio.open_connection(site.host, site.port)
    try:
        writer.write(written(site, request))
        return await read_answer(reader)
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def opened(folder: Path, config: Config) -> AsyncIterator[Wallet]:
    """Open a wallet inside a loop and close it, its channels' connections first."""
    wallet = Wallet(folder, config)
    try:
        yield wallet
    finally:
        await wallet.close_channels()
        wallet.close()


async def sheets(wallet: Wallet, people: list[bytes]) -> list[bytes]:
    """Open a top-up for each person, up to its pay sheet at the platform; return the attempts.

    They are dated ahead, so that a server's own schedule does not ask about them in a run.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    wallet.clock.offset_us = _AHEAD_S * SECOND_US

    async def one(place: int, user_id: bytes) -> bytes:
        async with gate:
            return await _sheet(wallet, user_id, f"top-up-{place}")

    return await asyncio.gather(*[one(place, each) for place, each in enumerate(people)])


async def _sheet(wallet: Wallet, user_id: bytes, key: str) -> bytes:
    ask, cashier = wallet.intake.ask, wallet.cashier
    plan = FREE._replace(amount_fen=AMOUNT_FEN)
    wish = OrderWish(user_id, OrderKind.BALANCE, plan, _LIFE_S)
    order = cashier.open_order(wish, key, "bench")
    assert not (await ask(order)).code, "the benchmark's orders are all valid"
    order_id: bytes = order.command.order_id  # type: ignore[union-attr]  # an OpenOrder
    attempt_id = cashier.attempt_id(order_id)
    purchase = Purchase(
        show(PREFIX_ATTEMPT, attempt_id),
        Product[PRODUCT.upper()],
        plan.name_zh,
        AMOUNT_FEN,
        "CNY",
        wallet.clock.now_us() + _LIFE_S * SECOND_US,
        "",
        "",
        "",
    )
    await ask(cashier.begin_attempt(order_id, attempt_id, ACCOUNT, purchase))
    prepaid = await wallet.channels[ACCOUNT].prepay(purchase)
    await ask(cashier.note_prepay(attempt_id, PrepayResult.PAYABLE, prepaid.valid_until_us, ""))
    return attempt_id
