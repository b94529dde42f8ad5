"""`lingqian serve`: the wallet behind HTTP, until it is told to stop (服务)."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from lingqian.cli.config import DATA_DEFAULT, DataFolder, load_or_exit


def serve(
    data: DataFolder = DATA_DEFAULT,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0: a free one.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="edge, lane, relay, jobs or all, once for each: one of several."),
    ] = None,
) -> None:
    """Serve the HTTP API on a data directory, made when there is none.

    Stop it with Ctrl-C or SIGTERM: what waits is answered first.
    """
    from lingqian.web.server import address, listen  # noqa: PLC0415 - help must be quick

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    config = load_or_exit(data, roles=role)
    try:
        listening = listen(host or config.host, config.port if port is None else port)
    except OSError as error:
        typer.echo(f"lingqian: cannot listen there: {error}", err=True)
        raise typer.Exit(1) from error
    scheme = "https" if config.tls_certificate else "http"
    with listening:
        _run(data, config, listening, f"Lingqian listens on {address(listening, scheme)}")


def _run(data: Path, config: Any, listening: Any, words: str) -> None:  # noqa: ANN401 - kept out of start-up
    from lingqian.compose import Wallet  # noqa: PLC0415 - help must be quick
    from lingqian.web.app import create_app  # noqa: PLC0415 - as above
    from lingqian.web.loop import new_loop  # noqa: PLC0415 - as above
    from lingqian.web.server import open_tls, run  # noqa: PLC0415 - as above

    async def main() -> None:
        tls = open_tls(data, config.tls_certificate, config.tls_key)
        wallet = Wallet(data, config)
        try:
            app = create_app(wallet)
            typer.echo(words)
            await run(app, listening, app.state.door.stop, tls)
        finally:
            wallet.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
