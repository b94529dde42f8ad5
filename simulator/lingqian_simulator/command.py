"""The command `lingqian-simulator`: the simulator as a process of its own.

Exit codes: 0 stopped; 2 asked wrongly.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Final

import typer

from lingqian_simulator.merchant import Credentials
from lingqian_simulator.server import DEFAULT_APPID, DEFAULT_MCHID, Simulator, SimulatorConfig

_SUITES: Final = ("RSA", "SM")

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def simulate(  # noqa: PLR0913 - each argument is an option of the command
    *,
    port: Annotated[
        int, typer.Option(help="Of the first host; the second is the next one.")
    ] = 8700,
    control_port: Annotated[int, typer.Option(help="Of the control calls and the pages.")] = 8710,
    address: Annotated[str, typer.Option(help="To listen on.")] = "127.0.0.1",
    data: Annotated[Path | None, typer.Option(help="A file to keep everything in.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="A folder for the default merchant's keys.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every id, nonce and fault.")] = 1,
    notice_scale: Annotated[float, typer.Option(help="Factor on the notice intervals.")] = 1.0,
    suite: Annotated[str, typer.Option(help="Of the default merchant: RSA or SM.")] = "RSA",
    mchid: Annotated[str, typer.Option(help="Of the default merchant.")] = DEFAULT_MCHID,
    appid: Annotated[str, typer.Option(help="Of the default merchant.")] = DEFAULT_APPID,
    faceid_port: Annotated[
        int | None, typer.Option(help="Serve name and face checks here; 0 takes a free port.")
    ] = None,
    ends_with_input: Annotated[
        bool, typer.Option("--ends-with-input", help="Stop when standard input ends: no orphans.")
    ] = False,
) -> None:
    """Serve WeChat Pay APIv3 on this machine, on two hosts, with pages to pay on."""
    if suite not in _SUITES:
        raise typer.BadParameter("RSA or SM", param_hint="--suite")
    second = port + 1 if port else 0
    config = SimulatorConfig(
        address=address,
        ports=(port, second),
        control_port=control_port,
        seed=seed,
        data=data,
        notice_scale=notice_scale,
        suite=suite,
        mchid=mchid,
        appid=appid,
        faceid_port=faceid_port,
    )
    asyncio.run(_serve(config, credentials, ends_with_input=ends_with_input))


async def _serve(config: SimulatorConfig, folder: Path | None, *, ends_with_input: bool) -> None:
    simulator = Simulator(config)
    await simulator.start()
    try:
        if folder is not None:
            write_credentials(folder, simulator.merchant, simulator.base_urls)
        first, second = simulator.base_urls
        typer.echo(f"API      {first}  {second}")
        typer.echo(f"control  {simulator.control_url}")
        if simulator.faceid is not None:
            typer.echo(f"faceid   {simulator.faceid.url}")
        typer.echo(f"merchant {simulator.merchant.mchid}  {simulator.merchant.appid}")
        await _until_told(ends_with_input=ends_with_input)
    finally:
        await simulator.stop()


async def _until_told(*, ends_with_input: bool) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    if ends_with_input:
        threading.Thread(target=_await_end_of_input, args=(loop, told), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no handlers in a loop
            loop.add_signal_handler(number, told.set)
    await told.wait()


def _await_end_of_input(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    """Read until whoever started us is gone, in whatever way."""
    while sys.stdin.buffer.read(4_096):
        continue
    with contextlib.suppress(RuntimeError):  # the loop has ended before
        loop.call_soon_threadsafe(told.set)


def write_credentials(folder: Path, merchant: Credentials, base_urls: tuple[str, str]) -> None:
    """Write what a merchant platform would have given, in files only the owner can read."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "apiclient_key.pem": merchant.private_key_pem,
        "apiclient_cert.pem": merchant.certificate_pem,
        "pub_key.pem": merchant.platform_public_key_pem,
        "merchant.toml": _settings(merchant, base_urls),
    }
    for serial, pem in merchant.platform_certificates.items():
        files[f"wechatpay_{serial}.pem"] = pem
    for name, text in files.items():
        if text:
            _write(folder / name, text)


def _settings(merchant: Credentials, base_urls: tuple[str, str]) -> str:
    rows = {
        "mchid": merchant.mchid,
        "appid": merchant.appid,
        "serial_no": merchant.serial_no,
        "api_v3_key": merchant.api_v3_key,
        "suite": merchant.suite,
        "mode": merchant.mode,
        "platform_public_key_id": merchant.platform_public_key_id,
        "base_url": base_urls[0],
        "standby_url": base_urls[1],
    }
    return "".join(f'{name} = "{value}"\n' for name, value in rows.items())


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
