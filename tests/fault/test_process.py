"""Ends and limits of the process: a second one, a polite end, more than it can take (进程)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import law
from acceptance import people
from acceptance.crew import HEAD_START_S, Call
from acceptance.server import run, serving

PEOPLE, CALLS, SPAN_S = 20, 600, 2.0


def transfers(ids, size, span_s, **more):
    """Return transfers of one fen, each under a key of its own, spread over a time."""
    calls = []
    for place in range(size):
        body = {"source_id": ids[place % PEOPLE], "target_id": ids[(place + 1) % PEOPLE]}
        body["amount_fen"] = 1
        key, at_s = f"t{place}", span_s * place / size
        calls.append(Call("POST", "/v1/transfers", body, key=key, at_s=at_s, **more))
    return calls


def crowd(crew, server):
    """Return people with money."""
    ids = people.register(crew, server, PEOPLE)
    people.fund(crew, server, ids, 100_000)
    return ids


def kept(server, told):
    """Everything that was answered with a yes is in the ledger, once; and the laws hold."""
    done = {each.body["id"] for each in told if each.status in {200, 201}}
    with server.reader() as connection:
        (count,) = connection.execute("SELECT count(*) FROM transfers").fetchone()
        law.all_laws(connection)
    for each in done:
        assert server.good("GET", f"/v1/transfers/{each}")["state"] == "done"
    return len(done), count


def test_second_process_on_one_folder_is_refused_in_clear_words(tmp_path):
    """Two writers would fence each other for ever; the second is told who has the folder."""
    with serving(tmp_path / "data") as server:
        second = run("serve", "--data", str(server.folder), "--port", "0", timeout_s=30)
        assert second.returncode == 1
        assert f"is in use by process {server.process.pid}; stop it first" in second.stderr
        assert "Traceback" not in second.stderr
        assert server.call("GET", "/readyz").status == 200, "the first one was disturbed"


def answered_before(told, instant_s):
    """Whoever had asked a moment before an instant got a whole answer."""
    cut = [each for each in told if each.sent_s < instant_s - 0.05 and each.status == 0]
    assert not cut, f"{len(cut)} requests under way were cut off"


def ended_amid_load(crew, server, end, *, size=CALLS, span_s=SPAN_S):
    """Let transfers run, end the server in the middle; return what was told, and when it ended."""
    ids = crowd(crew, server)
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(crew.ask, server, transfers(ids, size, span_s))
        time.sleep(HEAD_START_S + max(0.2, span_s / 2))
        instant_s = time.time()
        code = end()
        return asked.result(), instant_s, code


@pytest.mark.timeout(120)
def test_sigterm_answers_what_is_under_way_and_loses_nothing(crew, tmp_path):
    """An upgrade is a SIGTERM: nobody who was let in may be left without an answer."""
    with serving(tmp_path / "data") as server:
        told, instant_s, code = ended_amid_load(crew, server, server.stop)
        assert code == 0, server.words()
        answered_before(told, instant_s)
        assert any(each.status == 0 for each in told), "it ended after the load, not amid it"
        server.start()
        done, count = kept(server, told)
        assert done == count, "a yes that is not in the ledger, or the other way round"


@pytest.mark.timeout(120)
def test_control_a_kill_cuts_requests_off_but_loses_no_answer(crew, tmp_path):
    """Control: the same check sees requests cut off by kill −9; answers given stay true."""
    with serving(tmp_path / "data") as server:
        told, instant_s, _ = ended_amid_load(crew, server, server.kill, size=3_000, span_s=0.0)
        with pytest.raises(AssertionError, match="were cut off"):
            answered_before(told, instant_s)
        server.start()
        done, count = kept(server, told)
        assert done <= count, "an answer was lost"


@pytest.mark.timeout(120)
def test_full_queue_says_429_and_when_to_come_back(crew, tmp_path):
    """More than it can take is refused at the door, soon and politely, and costs nobody a key."""
    settings = "queue_commands_max = 4\nbatch_commands_max = 1\n"
    with serving(tmp_path / "data", settings=settings) as server:
        ids = []
        for number in range(PEOPLE):
            ids.append(server.good("POST", "/v1/users", {"external_id": f"u{number}"})["id"])
            body = {"user_id": ids[-1], "amount_fen": 100_000}
            server.good("POST", "/v1/sandbox/funding", body)
        told = crew.ask(server, transfers(ids, CALLS, 0.0))
        busy = [each for each in told if each.status == 429]
        assert {each.status for each in told} == {201, 429}
        assert all(each.body["code"] == "busy" and int(each.retry_after) >= 1 for each in busy)
        again = crew.ask(server, transfers(ids, CALLS, 0.0, patience_s=60))
        assert {each.status for each in again} == {200, 201}
        assert sum(each.status == 201 for each in again) == len(busy), "a refusal burnt its key"
        assert kept(server, again) == (CALLS, CALLS)
