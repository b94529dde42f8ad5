"""The API with an echo beside it: what a request costs when nothing stands behind it (回声).

`lingqian bench` starts this in a process of its own and compares the processor time of an echo with
that of a claim: same framework, same door, same rank, same validation, an answer of the same shape.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import msgspec

from lingqian.compose import Config, Wallet
from lingqian.identity.key import Scope
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET, parse
from lingqian.web.app import create_app
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.loop import new_loop
from lingqian.web.operation import Operation, bind
from lingqian.web.problem import problem
from lingqian.web.reply import Reply, reply
from lingqian.web.route.claim import ClaimMade, NewClaim, Receipt
from lingqian.web.server import address, listen, run

PATH: Final = "/v1/packets/{packet_id}/echoes"
_ZEROS: Final = "0" * 32


async def echo(door: Door, call: Call) -> Reply:
    """Read a claim as the claim's own handler does, and answer in its shape."""
    del door
    packet_id = parse(PREFIX_PACKET, call.path_params["packet_id"])
    body = await call.take(NewClaim)
    user_id = call.who(body.user_id, "user_id")
    if packet_id is None:
        return problem(Code.INVALID_FIELD)
    receipt = Receipt(1, packet_id.hex(), user_id.hex() + _ZEROS)
    return reply(201, ClaimMade("claimed", 1, 1, receipt))


ECHO: Final = Operation(
    method="POST",
    path=PATH,
    run=echo,
    summary="Answer without doing anything",
    tag="packets",
    scopes=(Scope.ACT_USERS,),
    takes=NewClaim,
)


async def serve(folder: Path, config: Config) -> None:
    """Serve the API and the echo on a free port until a signal; say where on standard output."""
    wallet = Wallet(folder, config)
    try:
        with listen("127.0.0.1", 0) as listening:
            app = create_app(wallet)
            app.register(bind(app.state.door, ECHO))
            sys.stdout.write(address(listening) + "\n")
            sys.stdout.flush()
            await run(app, listening, app.state.door.stop)
    finally:
        wallet.close()


def main() -> None:
    """Serve the folder named on the command line, on the loop that `lingqian serve` uses.

    A second argument is the settings, as JSON.
    """
    folder, *given = sys.argv[1:]
    config = msgspec.json.decode(given[0], type=Config) if given else Config()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(Path(folder), config))


if __name__ == "__main__":
    main()
