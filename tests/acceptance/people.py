"""People and packets over HTTP, in as few words as tests need."""

import secrets
from itertools import cycle

from acceptance.crew import Call

SHARE_FEN_MAX = 20_000


def register(crew, server, size, **more):
    """Register so many new people; return their ids."""
    batch = secrets.token_hex(4)
    bodies = [{"external_id": f"{batch}-{number}", **more} for number in range(size)]
    told = crew.good(server, [Call("POST", "/v1/users", body) for body in bodies])
    return [each["id"] for each in told]


def fund(crew, server, ids, amount_fen):
    """Give everybody play money."""
    bodies = [{"user_id": each, "amount_fen": amount_fen} for each in ids]
    crew.good(server, [Call("POST", "/v1/sandbox/funding", body) for body in bodies])


def packet(sender, total_fen, count, **more):
    """Return the call that sends a lucky packet."""
    body = {"sender_id": sender, "kind": "lucky", "total_fen": total_fen, "count": count, **more}
    at_s = body.pop("at_s", 0.0)
    return Call("POST", "/v1/packets", body, at_s=at_s)


def send(crew, server, calls):
    """Send packets; return what was answered."""
    return crew.good(server, calls)


def claim(packet_id, user_id, **more):
    """Return the call that opens a packet."""
    return Call("POST", f"/v1/packets/{packet_id}/claims", {"user_id": user_id}, **more)


def senders(crew, server, size, amount_fen=19_000_000):
    """Return an endless round of people with money."""
    ids = register(crew, server, size)
    fund(crew, server, ids, amount_fen)
    return cycle(ids)


def balance_fen(server, user_id):
    """Return all that a person has, on its way or not."""
    (row,) = server.good("GET", f"/v1/users/{user_id}/balances")["balances"]
    return row["amount_fen"] + row["incoming_fen"]
