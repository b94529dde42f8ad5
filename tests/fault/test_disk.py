"""A disk that is full, a folder that cannot be written, a log that lost its end (磁盘故障)."""

import contextlib
import os
import resource
import subprocess
import time

import pytest

import law
from acceptance import people
from acceptance.crew import Call
from acceptance.server import run, serving
from lingqian.storage.head import last_heads

DISK_BYTES, FILE_BYTES_MAX = 24 << 20, 6 << 20
PEOPLE, CALLS = 20, 400


def mounted(folder):
    """Mount a small disk of memory on a folder; say whether this process may."""
    folder.mkdir(parents=True, exist_ok=True)
    line = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "lingqian-test", folder]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(folder):
    """Yield whether a small disk of its own could be mounted on the folder."""
    is_mounted = os.geteuid() == 0 and mounted(folder)
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", folder], check=False)


def bounded_files():
    """Let this process write no file beyond a size; the bound may be lifted again."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, resource.RLIM_INFINITY))


def unbounded(server):
    """Lift the bound on the size of files of a server that runs."""
    lifted = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, lifted)


def payments(ids, first):
    """Return transfers, each under a key of its own."""
    calls = []
    for place in range(first, first + CALLS):
        body = {"source_id": ids[place % PEOPLE], "target_id": ids[(place + 1) % PEOPLE]}
        body |= {"amount_fen": 1, "note": "x" * 64}
        calls.append(Call("POST", "/v1/transfers", body, key=f"t{place}"))
    return calls


def until_refused(crew, server, ids):
    """Pay until the disk takes no more; return calls and what was told of each."""
    calls, told = [], []
    for first in range(0, 200 * CALLS, CALLS):
        calls += payments(ids, first)
        told += crew.ask(server, calls[first:])
        statuses = {each.status for each in told}
        assert statuses <= {200, 201, 503}, statuses
        if 503 in statuses:
            return calls, told
    raise AssertionError("the disk was never full")


def goes_on(crew, server, calls, told):
    """With room again everything goes on: no answer is lost, no refusal has used up its key."""
    patient = [each._replace(patience_s=30) for each in calls]
    again = crew.ask(server, patient)
    assert {each.status for each in again} <= {200, 201}
    for before, after in zip(told, again, strict=True):
        if before.status == 201:
            assert (after.status, after.body) == (200, before.body), "an answer has changed"
    with server.reader() as connection:
        assert connection.execute("SELECT count(*) FROM transfers").fetchone() == (len(calls),)
        law.all_laws(connection)
        (row,) = connection.execute("SELECT next_seq FROM lanes").fetchall()
    end = time.monotonic() + 5
    while last_heads(server.folder / "heads.log", [0])[0].seq != row[0] - 1:
        assert time.monotonic() < end, "heads are not published any more"
        time.sleep(0.1)


def survives(crew, server, make_room):
    """Fill the disk of a running server, look at what it still does, make room, go on."""
    ids = people.register(crew, server, PEOPLE)
    people.fund(crew, server, ids, 1_000_000)
    calls, told = until_refused(crew, server, ids)
    refused = next(each for each in told if each.status == 503)
    assert refused.body["code"] == "unavailable"
    assert refused.body["retry"] == "same_key"
    assert people.balance_fen(server, ids[0]) > 0, "reading does not need the disk"
    make_room()
    goes_on(crew, server, calls, told)
    assert server.stop() == 0, server.words()


@pytest.mark.timeout(180)
def test_files_that_may_not_grow_stop_writing_and_nothing_else(crew, tmp_path):
    """A quota is met in the middle of a batch: 503, reads go on, and later so does everything."""
    with serving(tmp_path / "data", preexec_fn=bounded_files) as server:
        survives(crew, server, lambda: unbounded(server))


@pytest.mark.timeout(180)
def test_full_disk_stops_writing_and_nothing_else(crew, tmp_path):
    """A disk of 24 MB that somebody else fills; without the right to mount, a quota again."""
    folder = tmp_path / "disk"
    with small_disk(folder) as is_mounted:
        ballast = folder / "ballast"
        if is_mounted:
            ballast.write_bytes(bytes(DISK_BYTES - FILE_BYTES_MAX))
        options = {} if is_mounted else {"preexec_fn": bounded_files}
        with serving(folder / "data", **options) as server:
            server.log = tmp_path / "log"

            def make_room():
                ballast.unlink(missing_ok=True)
                unbounded(server)

            survives(crew, server, make_room)


@pytest.mark.timeout(60)
def test_folder_that_cannot_be_written_is_said_in_one_line(tmp_path):
    """A wrong mount or owner: said at once, in words, before anything listens."""
    folder = tmp_path / "disk"
    with small_disk(folder) as is_mounted:
        with serving(folder / "data") as server:
            server.stop()
        lock = server.folder / "lock"
        if is_mounted:
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        else:
            lock.chmod(0o400)
        told = run("serve", "--data", str(server.folder), "--port", "0")
    assert told.returncode == 1
    assert told.stderr.startswith(f"lingqian: {server.folder} cannot be written: ")
    assert len(told.stderr.splitlines()) == 1


def test_file_that_is_no_database_is_said_in_one_line(tmp_path):
    """Whatever lies there is left as it is."""
    folder = tmp_path / "data"
    folder.mkdir()
    junk = b"this is not a ledger" * 500
    (folder / "ledger.db").write_bytes(junk)
    told = run("serve", "--data", str(folder), "--port", "0")
    assert told.returncode == 1
    assert told.stderr.startswith(f"lingqian: {folder / 'ledger.db'} is damaged ")
    assert len(told.stderr.splitlines()) == 1
    assert (folder / "ledger.db").read_bytes() == junk


@pytest.mark.timeout(60)
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_log_that_lost_its_end_is_never_started_silently(crew, tmp_path, keep):
    """A log cut short after a crash: refused, with the rows that were published and are gone."""
    with serving(tmp_path / "data") as server:
        ids = people.register(crew, server, PEOPLE)
        people.fund(crew, server, ids, 1_000_000)
        crew.good(server, payments(ids, 0))
        time.sleep(1.2)
        server.kill()
        log = server.folder / "ledger.db-wal"
        os.truncate(log, log.stat().st_size * keep // 4)
        told = run("serve", "--data", str(server.folder), "--port", "0")
        assert told.returncode == 1
        assert "are lost; their head was published at" in told.stderr
        assert "Traceback" not in told.stderr


def test_control_a_whole_log_starts_after_the_same_kill(crew, tmp_path):
    """Control: what is refused above is the loss, not the kill."""
    with serving(tmp_path / "data") as server:
        ids = people.register(crew, server, PEOPLE)
        people.fund(crew, server, ids, 1_000_000)
        crew.good(server, payments(ids, 0))
        time.sleep(1.2)
        server.kill()
        server.start()
        assert server.call("GET", "/readyz").status == 200
