"""Links: addresses that leave the house, in answers, in chats and on printed paper (链接).

Without a `public_origin` the host is the caller's word: good enough on one's own machine.
"""

import re
from typing import Final

from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET, show
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.problem import Refused

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def origin(door: Door, call: Call) -> str:
    """Return where people reach this house.

    Refuses: not_found, for a host that is no name of anything.
    """
    if door.wallet.config.public_origin:
        return door.wallet.config.public_origin
    host = call.header(b"host")
    if _HOST.fullmatch(host) is None:
        raise Refused(Code.NOT_FOUND)
    return f"{call.scope['scheme']}://{host}"


def packet_path(packet_id: bytes) -> str:
    """Return a packet's path: of its page for everybody, and of its place in the wallet."""
    return f"/packets/{show(PREFIX_PACKET, packet_id)}"
