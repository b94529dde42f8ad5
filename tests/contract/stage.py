"""Stages for the channel contract: one adapter each, its other side, and the person who pays."""

import asyncio
import time
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from lingqian.channels.faulty import Faulty
from lingqian.channels.port import Product, Profile
from lingqian.channels.wechatpay.channel import WechatPay
from lingqian.channels.wechatpay.setting import ChannelRow, ReportRow
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import show
from lingqian_simulator.server import Simulator, SimulatorConfig

WAIT_S = 10


def number(prefix, ordinal):
    """Return one of our own numbers."""
    return show(prefix, ordinal.to_bytes(16))


class FaultyStage:
    """The channel in memory, whose clock stands still until it is moved."""

    def __init__(self):
        self.at_us = time.time_ns() // 1_000
        profile = Profile(
            *("main", "faulty", "模拟", "Faulty", "CNY", frozenset(Product), 1, 10**9),
            can_refund_in_part=True,
            can_pay_out=True,
            refund_days_max=365,
            bill_hour=10,
        )
        self.channel = Faulty(profile, b"contract".ljust(32), self.now_us)

    def now_us(self):
        """Return the business time."""
        return self.at_us

    def real_us(self):
        """Return the time that signatures go by."""
        return self.at_us

    async def advance(self, seconds):
        """Move the clock."""
        self.at_us += seconds * SECOND_US

    async def pay(self, attempt_no):
        """Let the person pay."""
        assert self.channel.pay(attempt_no)

    async def confirm(self, payout_no):
        """Let the person confirm a transfer."""
        assert self.channel.confirm(payout_no)

    async def fund(self, amount_fen):
        """Bring the merchant money: this one always has some."""

    async def letters(self, count):
        """Return the notices that have come."""
        found = self.channel.letters()
        assert len(found) == count
        return found

    def forged(self, headers):
        """Return the headers of another signature."""
        return {**headers, "faulty-signature": "0" * 64}


class SimulatorStage:
    """Our adapter against the simulator over loopback, and a receiver of its notices."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.received = asyncio.Queue()
        self.session = aiohttp.ClientSession()

    def open(self, row):
        """Open the account that a row describes."""
        self.channel = WechatPay(row, self.real_us)

    def now_us(self):
        """Return the business time."""
        return self.simulator.clock.now_us()

    def real_us(self):
        """Return the time that signatures go by."""
        return time.time_ns() // 1_000

    async def control(self, path, **body):
        """Press something on the control port."""
        async with self.session.post(self.simulator.control_url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def advance(self, seconds):
        """Move the business clock."""
        await self.control("/control/clock", advance_s=seconds)

    async def pay(self, attempt_no):
        """Let the person pay."""
        await self.control(f"/control/orders/{attempt_no}/pay")

    async def confirm(self, payout_no):
        """Let the person confirm a transfer."""
        await self.control(f"/control/transfers/{payout_no.replace('_', '')}/confirm")

    async def fund(self, amount_fen):
        """Bring the merchant money."""
        mchid = self.simulator.merchant.mchid
        await self.control(f"/control/merchants/{mchid}/fund", amount_fen=amount_fen)

    async def letters(self, count):
        """Wait for as many notices."""
        async with asyncio.timeout(WAIT_S):
            return [await self.received.get() for _ in range(count)]

    def forged(self, headers):
        """Return the headers of another signature."""
        return {**headers, "wechatpay-signature": "A" * 344}

    async def receive(self, request):
        """Take a notice in and answer at once."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.put_nowait((headers, await request.read()))
        return web.Response(status=204)

    async def close(self):
        """End the sessions."""
        await self.session.close()
        await self.channel.close_session()


@asynccontextmanager
async def faulty(_folder):
    """Set the stage of the channel in memory."""
    yield FaultyStage()


def simulated(mode="public_key", suite="RSA"):
    """Return a setter of the simulator's stage for one way of signing."""

    @asynccontextmanager
    async def set_stage(folder):
        simulator = Simulator(SimulatorConfig(mode=mode, suite=suite))
        await simulator.start()
        stage = SimulatorStage(simulator)
        app = web.Application()
        app.router.add_post("/{rest:.*}", stage.receive)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        stage.open(settings(folder, simulator, address, mode))
        try:
            yield stage
        finally:
            await stage.close()
            await simulator.stop()
            await runner.cleanup()

    return set_stage


def settings(folder, simulator, notify_base_url, mode):
    """Write the files of the simulator's merchant, and return the row that names them."""
    merchant = simulator.merchant
    (folder / "apiclient_key.pem").write_text(merchant.private_key_pem)
    (folder / "apiclient_cert.pem").write_text(merchant.certificate_pem)
    (folder / "pub_key.pem").write_text(merchant.platform_public_key_pem)
    (folder / "api_v3_key").write_text(merchant.api_v3_key)
    is_public = mode == "public_key"
    return ChannelRow(
        account="main",
        mchid=merchant.mchid,
        appids=dict.fromkeys(("jsapi", "mini_program", "app", "h5", "native"), merchant.appid),
        hosts=simulator.base_urls,
        merchant_key_file="apiclient_key.pem",
        merchant_serial=merchant.serial_no,
        merchant_certificate_file="apiclient_cert.pem",
        api_v3_key_file="api_v3_key",
        mode="public_key" if is_public else "certificate",
        public_key_file="pub_key.pem" if mode != "certificate" else "",
        public_key_id=merchant.platform_public_key_id if mode != "certificate" else "",
        algorithm="SM2" if merchant.suite == "SM" else "RSA",
        allows_pure_sm2=True,
        notify_base_url=notify_base_url,
        payout_appid=merchant.appid,
        payout_scene_id="1000",
        payout_reports=(ReportRow("活动名称", "提现"), ReportRow("奖励说明", "零钱提现")),
    ).in_folder(folder)
