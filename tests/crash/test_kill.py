"""C7: `kill -9` at random moments under load; clients remember what they were told (崩溃).

A real server on real HTTP. After each kill the file is audited as it lies, the server comes back,
what was told is told again, and what was not is asked again with the same key. At the end every
balance is what the answers say, to the fen.
"""

import random
import threading
import time
from contextlib import contextmanager

import pytest

from acceptance.server import serving
from crash.memory import Memory, question, reckon
from crash.size import BOUND_S, sized
from lingqian.compose import HEADS, KEYS
from lingqian.storage.audit import audit
from lingqian.storage.head import log_size, read_heads
from lingqian.storage.vault import open_vault

# Kills of one house, and how many houses of one lane and of four: 300 kills and 100 at full size.
# The file is audited whole after every kill, so one house that lived through all would take hours.
KILLS = sized(5, 50)
HOUSES = {1: sized(1, 6), 4: sized(1, 2)}
ROUNDS = [(lanes, house) for lanes, houses in HOUSES.items() for house in range(houses)]
CLIENTS, PEOPLE, EACH_FEN = 4, 30, 1_000_000
BETWEEN_S = (0.05, 1.2)
SETTLED_S = 90


class Client(threading.Thread):
    """Sends, claims and transfers until it is told to stop; asks again what was not answered."""

    def __init__(self, server, memory, ids, stop):
        super().__init__(daemon=True)
        self.server = server
        self.memory = memory
        self.ids = ids
        self.stop = stop
        self.packets = []

    def run(self):
        """Work; a server that is away is waited for."""
        while not self.stop.is_set():
            asked = self.memory.next_open() or self.choose()
            told = self.memory.ask(self.server, asked)
            if told is None:
                time.sleep(0.05)
            elif asked.path == "/v1/packets" and told.is_good:
                self.packets.append(told.word("id"))

    def choose(self):
        """Think of something new: claims mostly, of packets that live for a second or two."""
        dice = random.randrange(10)
        if self.packets and dice < 7:
            packet = random.choice(self.packets[-5:])
            return question(f"/v1/packets/{packet}/claims", user_id=random.choice(self.ids))
        if dice < 8:
            source, target = random.sample(self.ids, 2)
            amount_fen = random.randint(1, 5_000)
            return question(
                "/v1/transfers", source_id=source, target_id=target, amount_fen=amount_fen
            )
        return question(
            "/v1/packets",
            sender_id=random.choice(self.ids),
            kind=random.choice(("lucky", "equal")),
            total_fen=random.randint(1, 40) * 6,
            count=6,
            expires_in_s=random.randint(1, 2),
        )


def people(server):
    """Register people and give them money; return what each has."""
    ids = [
        server.good("POST", "/v1/users", {"external_id": f"p{number}", "nickname": f"p{number}"})
        for number in range(PEOPLE)
    ]
    for each in ids:
        server.good("POST", "/v1/sandbox/funding", {"user_id": each["id"], "amount_fen": EACH_FEN})
    return {each["id"]: EACH_FEN for each in ids}


def wait_until_settled(server):
    """Wait until the sweep has returned what nobody took."""
    end = time.monotonic() + SETTLED_S
    with server.reader() as connection:
        due = "SELECT COUNT(*) FROM progress WHERE due_at_us > 0"
        while connection.execute(due).fetchone()[0]:
            assert time.monotonic() < end, "packets that expired were never returned"
            time.sleep(0.1)


def wait_until_published(server):
    """Wait for the first head of every lane in use: one younger than a second may have none."""
    log = server.folder / HEADS
    with server.reader() as connection:
        used = {lane for (lane,) in connection.execute("SELECT lane FROM lanes WHERE next_seq > 1")}
    server.wait(lambda: used <= {line.head.lane for line in read_heads(log, log_size(log))})


def audited(server):
    """Hold the file as it lies to every law, the published heads and the sealed seeds included."""
    found = []
    with server.reader() as connection:
        audit(
            connection,
            heads=server.folder / HEADS,
            vault=open_vault(server.folder / KEYS),
            emit=found.append,
        )
    assert not found, found[:3]


def balances(server, ids):
    """Return what everybody has, on its way or not."""
    held = {}
    for each in ids:
        (row,) = server.good("GET", f"/v1/users/{each}/balances")["balances"]
        held[each] = row["amount_fen"] + row["incoming_fen"]
    return held


@contextmanager
def busy(server, memory, ids):
    """Let clients work for the length of a block."""
    stop = threading.Event()
    clients = [Client(server, memory, ids, stop) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        stop.set()
    for client in clients:
        client.join(60)


@pytest.mark.timeout(BOUND_S)
@pytest.mark.parametrize(("lanes", "house"), ROUNDS)
def test_kill_loses_and_doubles_nothing_that_was_answered(tmp_path, lanes, house):
    """The promise as an integrator meets it: an answer is for ever, a retry is free."""
    del house
    memory = Memory()
    with serving(tmp_path / "data", settings=f"lanes = {lanes}\n") as server:
        start_fen = people(server)
        wait_until_published(server)
        with busy(server, memory, list(start_fen)):
            for _ in range(KILLS):
                time.sleep(random.uniform(*BETWEEN_S))
                server.kill()
                audited(server)
                server.start()
                memory.ask_again(server, 20)
                assert not memory.wrong, memory.wrong[0]
        while (asked := memory.next_open()) is not None:
            memory.ask(server, asked)
        wait_until_settled(server)
        memory.ask_again(server, 500)
        assert not memory.wrong, memory.wrong[0]
        assert balances(server, start_fen) == dict(reckon(memory, start_fen))
        assert sum(told.is_good for told in memory.told.values()) > KILLS
        assert server.stop() == 0
        audited(server)
