"""The demo's payment platform: the simulator as a process of its own, and our account (支付平台).

Nothing of the simulator is imported: it is started as anybody would start it, read off its own
lines, and spoken to over HTTP. It ends with the demo, also when the demo is killed.
"""

import asyncio
import contextlib
import os
import sys
import tomllib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from lingqian.channels.wechatpay.setting import ChannelRow

ACCOUNT: Final = "wechat-main"
FOLDER: Final = "simulator"
SETTINGS: Final = "merchant.toml"
KEY_FILE: Final = "api_v3_key.txt"
DATA: Final = "simulator.db"
# A demo is watched by people: a notice that was dropped comes again in seconds.
NOTICE_SCALE: Final = 0.1
PAYOUT_SCENE: Final = "1000"
PAYOUT_REPORTS: Final = (("活动名称", "零钱提现"), ("奖励说明", "账户余额"))
_START_S: Final = 30
_STOP_S: Final = 10
_PROGRAM: Final = (sys.executable, "-m", "lingqian_simulator")


class Platform(NamedTuple):
    """A running simulator: where its control calls and pages are, and who we are to it."""

    control: str
    merchant: Mapping[str, str]


class PlatformError(RuntimeError):
    """The simulator could not be started; its own words say why."""


@contextlib.asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[Platform]:
    """Run a simulator whose world is kept in a folder.

    Raises: PlatformError.
    """
    home = folder / FOLDER
    home.mkdir(mode=0o700, exist_ok=True)
    line = [*_PROGRAM, "--port", "0", "--control-port", "0", "--data", str(home / DATA)]
    line += ["--credentials", str(home), "--notice-scale", str(NOTICE_SCALE), "--ends-with-input"]
    process = await asyncio.create_subprocess_exec(*line, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        control = await _said(process)
        yield Platform(control, tomllib.loads((home / SETTINGS).read_text("utf-8")))
    finally:
        await _end(process)


async def _said(process: asyncio.subprocess.Process) -> str:
    """Wait for the last of its opening lines; return the address of the control port."""
    assert process.stdout is not None, "asked for above"
    control = ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_S):
            async for line in process.stdout:
                name, _, value = line.decode().partition(" ")
                if name == "control":
                    control = value.strip()
                if name == "merchant":
                    return control
    if process.returncode is None:
        process.kill()
    assert process.stderr is not None, "asked for above"
    raise PlatformError((await process.stderr.read()).decode().strip() or "it said nothing")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


def channel_row(folder: Path, merchant: Mapping[str, str], notify_base_url: str) -> ChannelRow:
    """Return our account's settings, as an operator would write them from the merchant's files."""
    secret = folder / FOLDER / KEY_FILE
    handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(merchant["api_v3_key"])
    appid = merchant["appid"]
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "mchid": merchant["mchid"],
        "appids": dict.fromkeys(("jsapi", "mini_program", "app", "h5", "native"), appid),
        "hosts": (merchant["base_url"], merchant["standby_url"]),
        "merchant_key_file": f"{FOLDER}/apiclient_key.pem",
        "merchant_certificate_file": f"{FOLDER}/apiclient_cert.pem",
        "merchant_serial": merchant["serial_no"],
        "api_v3_key_file": f"{FOLDER}/{KEY_FILE}",
        "public_key_file": f"{FOLDER}/pub_key.pem",
        "public_key_id": merchant["platform_public_key_id"],
        "notify_base_url": notify_base_url,
        "payout_appid": appid,
        "payout_scene_id": PAYOUT_SCENE,
        "payout_reports": [
            {"info_type": kind, "info_content": words} for kind, words in PAYOUT_REPORTS
        ],
    }
    return msgspec.convert(fields, ChannelRow)


class Phone:
    """What a person does on the phone: pay, or take a transfer; over the control port."""

    def __init__(self, session: aiohttp.ClientSession, control: str) -> None:
        self._session = session
        self.control = control.rstrip("/")

    async def pay(self, attempt_no: str) -> bool:
        """Pay an order's sheet."""
        return await self.do(f"orders/{attempt_no}/pay")

    async def take(self, payout_no: str) -> bool:
        """Confirm a transfer; its number at the platform has no underscore."""
        return await self.do(f"transfers/{payout_no.replace('_', '')}/confirm")

    async def do(self, path: str, wish: Mapping[str, Any] | None = None) -> bool:
        """Make one control call; say whether it was done."""
        url = f"{self.control}/control/{path}"
        async with self._session.post(url, json=dict(wish or {})) as answer:
            return answer.ok

    async def clock(self, offset_s: float) -> None:
        """Set the platform's business clock to the wallet's."""
        await self.do("clock", {"offset_s": offset_s})
