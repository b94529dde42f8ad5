"""The stage of a soak: a server and a payment platform, each a process of its own, and everybody.

Units: fen.
"""

import json
import subprocess
import sys
import tomllib
import urllib.request
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from acceptance.server import Server, surroundings
from api.till import free_port
from lingqian.cli.demo.platform import FOLDER, SETTINGS, channel_row
from soak.size import PEOPLE

GROUP = "festival"
PURSE_FEN = 500_000
PLATFORM_FEN = 100_000_000
LOST_CALLBACKS = 0.01
# So little that it is full, and all that the process holds can be judged, before the hour begins.
PAGE_CACHE_MIB = 32
# The shortest life there is, so that what was opened and not paid ends while somebody looks.
ORDER_LIFE_S = 60
PHONES = ("小明", "阿婆", "Lina")
STREAMERS = ("歌手青禾", "棋手阿岚")


class Control:
    """The platform's control calls and the person's own buttons."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def post(self, path, wish):
        """Make a call; return its answer."""
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, json.dumps(wish).encode(), headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.loads(answer.read())


class Stage(NamedTuple):
    """Who and what is there: ids of people, of those with a phone here, and of streamers."""

    server: Server
    control: Control
    account: str
    people: list
    phones: list
    streamers: list


@contextmanager
def platform(home):
    """Run the simulator as anybody would; it ends with this process. Yield its control calls."""
    home.mkdir(mode=0o700, parents=True)
    line = [sys.executable, "-m", "lingqian_simulator", "--port", "0", "--control-port", "0"]
    line += ["--data", str(home / "simulator.db"), "--credentials", str(home)]
    line += ["--notice-scale", "0.1", "--ends-with-input"]
    process = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings()
    )
    try:
        yield Control(address_said(process))
    finally:
        process.communicate(timeout=40)


def address_said(process):
    """Read its opening lines up to the last; return the address of the control port."""
    said = {}
    while "merchant" not in said:
        line = process.stdout.readline()
        assert line, f"the platform ended before it began: {said}"
        name, _, value = line.partition(" ")
        said[name] = value.strip()
    return said["control"]


@contextmanager
def staged(folder):
    """Have platform and server run, and everybody registered, for the length of a block."""
    data = folder / "data"
    with platform(data / FOLDER) as control:
        merchant = tomllib.loads((data / FOLDER / SETTINGS).read_text("utf-8"))
        port = free_port()
        row = channel_row(data, merchant, f"http://127.0.0.1:{port}")
        server = Server(data, env=settings(row, control))
        server.port = port
        try:
            server.start()
            yield people_on(server, control, row)
        finally:
            server.end()


def settings(row, control):
    """Return the server's surroundings: two lanes, so that money crosses between them."""
    return surroundings(
        LINGQIAN_LANES="2",
        LINGQIAN_CHANNELS=json.dumps([msgspec.to_builtins(row)]),
        LINGQIAN_SIMULATOR_CONTROL_URL=control.url,
        LINGQIAN_ORDER_LIFE_S=str(ORDER_LIFE_S),
        LINGQIAN_PAGE_CACHE_MIB=str(PAGE_CACHE_MIB),
    )


def people_on(server, control, row):
    """Register everybody, give them money, put them into one group, and lose some callbacks."""
    account = f"/control/merchants/{row.mchid}"
    control.post(account, {"mode": "public_key"})
    control.post(f"{account}/fund", {"amount_fen": PLATFORM_FEN})
    lost = {"name": "notice_lost", "count": 0, "probability": LOST_CALLBACKS}
    control.post("/control/faults", {**lost, "event": "TRANSACTION."})
    names = [f"乡亲{number}" for number in range(PEOPLE)]
    ids = [registered(server, name) for name in (*names, *PHONES, *STREAMERS)]
    people, phones = ids[:PEOPLE], ids[PEOPLE : PEOPLE + len(PHONES)]
    for user_id in (*people, *phones):
        funding = {"user_id": user_id, "amount_fen": PURSE_FEN}
        server.good("POST", "/v1/sandbox/funding", funding)
    members = {"member_ids": [*people, *phones]}
    server.good("PUT", f"/v1/conversations/{GROUP}/members", members)
    return Stage(server, control, row.account, people, phones, ids[PEOPLE + len(PHONES) :])


def registered(server, name):
    """Register somebody; return the id."""
    row = {"external_id": f"soak-{name}", "nickname": name}
    return server.good("POST", "/v1/users", row)["id"]
