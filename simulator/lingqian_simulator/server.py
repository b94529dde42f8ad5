"""The simulator as one thing to start and stop, inside a program or as a process (模拟器).

simulator = Simulator(SimulatorConfig())
await simulator.start()
simulator.base_urls, simulator.control_url, simulator.merchant
await simulator.stop()
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import msgspec

from lingqian_simulator import refund, transfer
from lingqian_simulator.chance import Chance
from lingqian_simulator.clock import Clock
from lingqian_simulator.control import Control
from lingqian_simulator.enrolment import NewMerchant, enrol
from lingqian_simulator.faceid import FaceIdSimulator
from lingqian_simulator.host import Host
from lingqian_simulator.merchant import SUITES, Credentials, Mode
from lingqian_simulator.notice import Courier
from lingqian_simulator.service import Service
from lingqian_simulator.store import Store
from lingqian_simulator.world import World

HOSTS: Final = 2
DEFAULT_MCHID: Final = "1900000001"
DEFAULT_APPID: Final = "wx8888888888888888"


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulator is started; a port of zero is whichever is free."""

    address: str = "127.0.0.1"
    ports: tuple[int, int] = (0, 0)
    control_port: int = 0
    seed: int = 1
    data: Path | None = None  # keep everything in this SQLite file
    notice_scale: float = 1.0  # factor on the intervals between sendings of a notice
    mchid: str = DEFAULT_MCHID
    appid: str = DEFAULT_APPID
    suite: str = "RSA"
    mode: Mode = "gradual"  # of the default merchant: it has both certificates and a public key
    gradual_percent: int = 50
    faceid_port: int | None = None  # where names and faces are checked; nowhere without it


class DefaultMerchant(msgspec.Struct):
    """The credentials of the merchant made at the first start, kept for the next."""

    credentials: Credentials


class Simulator:
    """A WeChat Pay of one's own."""

    def __init__(self, config: SimulatorConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.clock = clock or Clock()
        self._hosts: list[Host] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._credentials: Credentials | None = None
        self.faceid: FaceIdSimulator | None = None

    @property
    def base_urls(self) -> tuple[str, str]:
        """The two hosts of the API, without a path."""
        first, second = (host.base_url for host in self._hosts)
        return first, second

    @property
    def control_url(self) -> str:
        """Where the control calls and the pages of people are."""
        return self.control.url

    @property
    def merchant(self) -> Credentials:
        """What a client of the default merchant needs."""
        assert self._credentials is not None, "started before it is asked"
        return self._credentials

    async def start(self) -> None:
        """Open the ports and take up what was left."""
        config = self.config
        self.world = World(self.clock, Chance(config.seed), Store(config.data))
        self._prepare()
        self.control = Control(self.world, config.address, config.control_port)
        await self.control.up()
        if config.faceid_port is not None:
            self.faceid = FaceIdSimulator(config.address, config.faceid_port)
            await self.faceid.up()
        service = Service(self.world, self.control.url)
        self._hosts = [
            Host(service, number, config.address, config.ports[number]) for number in range(HOSTS)
        ]
        self.control.hosts = self._hosts
        for host in self._hosts:
            await host.up()
        self._courier = Courier(self.world, config.notice_scale)
        self._courier.open()
        refund.resume(self.world)
        transfer.resume(self.world)
        self._tasks = [asyncio.create_task(self.world.agenda.run())]

    async def stop(self) -> None:
        """Close the ports; what is in a file stays there."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for host in self._hosts:
            await host.down()
        if self.faceid is not None:
            await self.faceid.down()
        await self._courier.close()
        await self.control.down()
        self.world.store.close()

    def _prepare(self) -> None:
        for suite in SUITES:
            if not self.world.certificates_of(suite):
                self.world.rotate(suite)
        for kept in self.world.store.all(DefaultMerchant):
            self._credentials = kept.credentials
        if self._credentials is None:
            wish = NewMerchant(
                self.config.mchid, [self.config.appid], suite=self.config.suite,
                mode=self.config.mode, gradual_percent=self.config.gradual_percent,
            )  # fmt: skip
            self._credentials = enrol(self.world, wish)
            self.world.store.put("default", DefaultMerchant(self._credentials))
        self.world.store.commit()
