"""The server as a process of its own: it starts, says where, drains, and leaves cleanly."""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from api.caller import UNENCRYPTED, Caller, running, wait_for
from lingqian.kernel.fault import Unsent
from lingqian.web import door

LINGQIAN = str(Path(sys.executable).with_name("lingqian"))


@contextmanager
def process(data):
    """Run `lingqian serve` on a free port; yield it with a caller."""
    key = subprocess.run(
        [LINGQIAN, "key", "new", f"k{time.time_ns()}", "--data", data],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout.strip()  # fmt: skip
    line = [LINGQIAN, "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as found:
        try:
            said = found.stdout.readline()
            assert said.startswith("Lingqian listens on http://127.0.0.1:"), found.stderr.read()
            yield found, Caller(int(said.rsplit(":", 1)[1]), key)
        finally:
            found.kill()


def test_an_answer_on_a_kept_connection_goes_out_at_once(tmp_path):
    """Else each waits 40 ms for an acknowledgement: so slow we once were to every pooled client."""
    with running(tmp_path) as house, closing(HTTPConnection("127.0.0.1", house.port)) as link:
        link.request("GET", "/livez")
        assert link.getresponse().read()

        def options():
            links = [each.transport for each in house.server.server_state.connections]
            found = [each.get_extra_info("socket") for each in links]
            return [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in found]

        assert [bool(each) for each in house.on_loop(options)] == [True]


def test_a_stop_loses_no_answer(tmp_path):
    """Everybody who got through has an answer, and what was answered is there afterwards."""
    with process(str(tmp_path / "data")) as (server, api):
        source, target = api.rich(1_000_000), api.user()
        paid, faults = [], []

        def pay(number):
            for count in range(1_000):
                body = {"source_id": source, "target_id": target, "amount_fen": 1}
                try:
                    told = api.post("/v1/transfers", body, once=f"{number}-{count}")
                except OSError:
                    return
                (paid if told.status == 201 else faults).append(told)

        threads = [threading.Thread(target=pay, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(paid) > 50)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        for thread in threads:
            thread.join()
        assert {told.status for told in faults} <= {503}
        assert server.stderr.read() == ""
    with process(str(tmp_path / "data")) as (_, api):
        assert api.balance(target)["amount_fen"] >= len(paid)


def test_a_second_server_on_the_same_folder_is_refused(tmp_path):
    """Two writers on one file would be two truths."""
    data = str(tmp_path / "data")
    with process(data):
        line = [LINGQIAN, "serve", "--data", data, "--port", "0"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "in use" in done.stderr
        assert "Traceback" not in done.stderr


def test_readiness_is_withdrawn_when_the_lane_stops_or_a_commit_hangs(tmp_path, monkeypatch):
    """A balancer must send people elsewhere; the process itself is still alive."""
    with running(tmp_path) as house:
        api = house.caller()
        assert api.get("/readyz").status == 200
        monkeypatch.setattr(type(house.door.wallet.intake), "waits_s", property(lambda _: 60.0))
        told = api.get("/readyz")
        assert (told.status, told.code, told.headers["retry-after"]) == (503, "unavailable", "1")
        monkeypatch.undo()
        assert api.get("/readyz").status == 200
        house.on_loop(house.door.stop)
        assert api.get("/readyz").status == 503
        assert api.get("/livez").status == 200


def test_too_many_at_once_are_asked_to_come_back(tmp_path):
    """The queue is bounded, and the answer says when."""
    with running(tmp_path, queue_commands_max=1) as house:
        api = house.caller()
        blocked = threading.Event()
        intake = house.door.wallet.intake
        intake.chore(lambda _: blocked.wait(20))
        body = {"external_id": "x"}
        waiting = threading.Thread(target=lambda: api.post("/v1/users", body))
        waiting.start()
        wait_for(lambda: intake.depth == 1)
        told = api.post("/v1/users", {"external_id": "y"})
        assert (told.status, told.code, told.headers["retry-after"]) == (429, "busy", "1")
        blocked.set()
        waiting.join()
        assert api.post("/v1/users", {"external_id": "y"}).status == 201


def test_a_commit_that_did_not_happen_burns_no_key(tmp_path, monkeypatch):
    """503 means: the same key again, and the money moves once."""
    with running(tmp_path) as house:
        api = house.caller()
        user = api.user()
        body = {"user_id": user, "amount_fen": 5}
        store = house.door.wallet._writer.store  # this one: other servers share the process

        def fail(*_):
            raise Unsent("the disk is away")

        monkeypatch.setattr(store, "commit", fail)
        told = api.post("/v1/sandbox/funding", body, once="again")
        assert (told.status, told.code, told.body["retry"]) == (503, "unavailable", "same_key")
        monkeypatch.undo()
        assert api.post("/v1/sandbox/funding", body, once="again").status == 201
        assert api.balance(user)["amount_fen"] == 5


def test_work_beside_the_requests_begins_again_after_a_mistake(tmp_path, monkeypatch):
    """One odd row must not keep everybody's money from coming back."""
    real, calls = door.due, []

    with running(tmp_path) as house:

        def due(reader, *words):
            if reader is house.door.reader:  # other servers share the process
                calls.append(words)
                if len(calls) < 3:
                    raise ZeroDivisionError
            return real(reader, *words)

        monkeypatch.setattr(door, "due", due)
        monkeypatch.setattr(door, "AGAIN_AFTER_S", 0.05)
        api = house.caller()
        sender = api.rich(1_000)
        api.packet(sender, total_fen=1_000, expires_in_s=1)
        api.advance(2)
        wait_for(lambda: api.balance(sender)["amount_fen"] == 1_000)


def test_what_was_counted_can_be_read(api):
    """Commands by kind and code, batches, the queue, requests by operation and status."""
    api.claim(api.packet(api.rich()), api.user())
    text = api.get("/metrics").body.decode()
    assert 'lingqian_commands_total{code="ok",kind="ClaimPacket"}' in text
    assert "lingqian_batch_seconds_bucket" in text
    assert "lingqian_batch_commands_count" in text
    assert "lingqian_queue_commands 0.0" in text
    assert 'path="/v1/packets/{packet_id}/claims",status="201"' in text


def test_the_sandbox_is_closed_elsewhere(tmp_path):
    """Play money must not exist beside real money."""
    with running(tmp_path, profile="licensed", **UNENCRYPTED) as house:
        api = house.caller()
        user = api.user()
        body = {"user_id": user, "amount_fen": 1}
        assert api.post("/v1/sandbox/funding", body, once="x").code == "sandbox_only"
        assert api.post("/v1/sandbox/clock", {"advance_s": 1}).code == "sandbox_only"


def test_the_clock_goes_forward_only_and_not_out_of_the_world(tmp_path):
    """And is still where it was put after a restart."""
    with running(tmp_path) as house:
        api = house.caller()
        before = api.post("/v1/sandbox/clock", {"advance_s": 0}).body["now"]
        after = api.post("/v1/sandbox/clock", {"advance_s": 30 * 86_400}).body["now"]
        assert after > before
        assert api.post("/v1/sandbox/clock", {"advance_s": -1}).status == 422
        told = {}
        for _ in range(100):
            told = api.post("/v1/sandbox/clock", {"advance_s": 400 * 86_400})
            if told.status != 200:
                break
        assert (told.status, told.body["field"]) == (422, "advance_s")
        late = api.post("/v1/sandbox/clock", {"advance_s": 0}).body["now"]
        user = api.rich()
        api.claim(api.packet(user), user)
    with running(tmp_path) as house:
        assert house.caller().post("/v1/sandbox/clock", {"advance_s": 0}).body["now"] >= late


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_what_is_public_needs_no_key(house, path):
    """And shows nothing of anybody."""
    told = Caller(house.port, "").get(path)
    assert told.status == 200
    assert b"us_0000" not in (told.body if isinstance(told.body, bytes) else b"")
