"""A real server whose file system fails it: no room left, and a log that lost its tail.

Refusing is allowed, and so is standing still; losing, doubling and starting silently are not.
"""

import resource
import time

import pytest

from acceptance.server import Server, serving
from crash.memory import Memory, question, reckon

EACH_FEN = 100_000
ROOM_BYTES = 1_500_000
ASKS_MAX = 20_000
HEADS_S = 2.5


def people(server):
    """Register two people with money; return what each has."""
    found = {}
    for name in ("a", "b"):
        person = server.good("POST", "/v1/users", {"external_id": name, "nickname": name})["id"]
        server.good("POST", "/v1/sandbox/funding", {"user_id": person, "amount_fen": EACH_FEN})
        found[person] = EACH_FEN
    return found


def pay(server, memory, start_fen):
    """Move one fen and return what was told, None for no answer."""
    source, target = start_fen
    asked = question("/v1/transfers", source_id=source, target_id=target, amount_fen=1)
    return memory.ask(server, asked)


def balances(server, ids):
    """Return what everybody has."""
    return {
        each: server.good("GET", f"/v1/users/{each}/balances")["balances"][0]["amount_fen"]
        for each in ids
    }


@pytest.mark.timeout(300)
def test_server_without_room_refuses_and_goes_on_when_there_is_room(tmp_path):
    """No file may grow past a bound: writes get no answer, reads go on, nothing told is lost."""

    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))

    memory = Memory()
    narrow = Server(tmp_path / "data", preexec_fn=bound)
    try:
        narrow.start()
        start_fen = people(narrow)
        for _ in range(ASKS_MAX):
            if pay(narrow, memory, start_fen) is None:
                break
        assert memory.open, "the file never met its bound"
        assert narrow.call("GET", f"/v1/users/{next(iter(start_fen))}/balances").status == 200
        assert pay(narrow, memory, start_fen) is None
    finally:
        narrow.end()
    narrow.options.pop("preexec_fn")
    try:
        narrow.start()
        memory.ask_again(narrow, 200)
        while (asked := memory.next_open()) is not None:
            assert memory.ask(narrow, asked) is not None
        assert not memory.wrong, memory.wrong[0]
        assert balances(narrow, start_fen) == dict(reckon(memory, start_fen))
        assert narrow.stop() == 0
        narrow.audit()
    finally:
        narrow.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_server_does_not_start_on_a_log_that_lost_its_tail(tmp_path, left):
    """Rows whose heads were published are gone: a start that said nothing would hide the loss."""
    memory = Memory()
    with serving(tmp_path / "data") as server:
        start_fen = people(server)
        for _ in range(40):
            assert pay(server, memory, start_fen) is not None
        time.sleep(HEADS_S)
        server.kill()
        log = server.folder / "ledger.db-wal"
        with log.open("r+b") as file:
            file.truncate(int(log.stat().st_size * left))
        with pytest.raises(AssertionError, match=r"rows \d+ to \d+ are lost"):
            server.start()
        assert server.process.returncode not in (None, 0)
