"""`lingqian case` and `lingqian refund`: a person at a shell decides, on a running server."""

import json

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import free_port, tilling
from lingqian.cli.main import app
from lingqian.identity.key import Scope


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and a platform where refunds end when a test says so."""
    with tilling(tmp_path_factory.mktemp("desk")) as found:
        merchant = f"/control/merchants/{found.platform.simulator.merchant.mchid}"
        found.platform.control("POST", f"{merchant}/fund", {"amount_fen": 10**8})
        found.platform.control("POST", merchant, {"refund_mode": "manual"})
        yield found


def run(caller, *words, typed=None):
    """Run a command against the server of a caller, with that caller's key."""
    env = {"LINGQIAN_URL": f"http://127.0.0.1:{caller.port}", "LINGQIAN_KEY": caller.key}
    return CliRunner().invoke(app, [*words], env=env, input=typed)


def held(till):
    """Return a person with 50,000 yuan of today, a further order that is held, and its case."""
    user = till.api.user()
    first = till.top_up(user, amount_fen=5_000_000)
    till.platform.pay(till.number(first))
    wait_for(lambda: till.order(first["id"])["is_credited"])
    order = till.top_up(user, amount_fen=700)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "held")
    listed = json.loads(run(till.api, "case", "list", "--json").stdout)
    (case,) = [each["id"] for each in listed if each["object_id"] == order["id"]]
    return user, order["id"], case


def test_a_held_top_up_is_released_by_another_key(till):
    """The key that asked is refused, whatever name is written; another key releases."""
    user, order, case = held(till)
    same = run(till.api, "case", "release", case, "--by", "zhang.wei")
    assert same.exit_code == 1
    assert "same_person" in same.stderr
    assert "申请人不能审核自己的申请" in same.stderr
    assert till.state(order) == "held"
    reviewer = till.house.caller(Scope.REVIEW_CASES)
    done = run(reviewer, "case", "release", case, "--by", "zhang.wei")
    assert done.exit_code == 0, done.output
    assert "released" in done.stdout
    assert till.fen(user) == 5_000_700
    shown = json.loads(run(reviewer, "case", "show", case, "--json").stdout)
    assert shown["decided_by"] != shown["requested_by"] != ""
    again = run(reviewer, "case", "release", case, "--by", "zhang.wei")
    assert (again.exit_code, "case_closed" in again.stderr) == (1, True)


def test_a_held_top_up_is_returned_by_another_key(till):
    """Refused: nothing is credited and the payment goes back the way it came."""
    user, order, case = held(till)
    reviewer = till.house.caller(Scope.REVIEW_CASES)
    done = run(reviewer, "case", "refuse", case, "--by", "zhang.wei")
    assert (done.exit_code, "refused" in done.stdout) == (0, True)
    assert till.fen(user) == 5_000_000
    wait_for(lambda: till.order(order)["refund_state"] == "pending")
    assert case not in run(reviewer, "case", "list").stdout
    assert case in run(reviewer, "case", "list", "--all").stdout
    told = run(reviewer, "case", "show", case).stdout
    assert "asked for by" in told
    assert "decided by" in told


def test_a_stuck_refund_is_sent_to_a_card_and_its_number_is_never_shown(till):
    """The number comes from the keyboard; neither the answer nor the list of refunds has it."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.order(order["id"])["is_credited"])
    path = f"/v1/top-ups/{order['id']}/refunds"
    refund = till.api.post(path, {"amount_fen": 2_000}, once=f"r{user}").body["id"]

    def stage():
        return json.loads(run(till.api, "refund", "show", refund, "--json").stdout)["stage"]

    wait_for(lambda: stage() in ("processing", "submitted"))
    early = run(till.api, "refund", "merchant", refund)
    assert (early.exit_code, "refund_not_stuck" in early.stderr) == (1, True)
    till.platform.control("POST", f"/control/refunds/{refund}/abnormal", {})
    wait_for(lambda: stage() == "abnormal")
    assert refund in run(till.api, "refund", "list").stdout
    words = ("refund", "card", refund, "--bank", "ICBC_DEBIT", "--holder", "李明")
    done = run(till.api, *words, typed="6222 0200 0000 1234 567\n")
    assert done.exit_code == 0, done.output
    assert "to card" in done.stdout
    assert "6222" not in done.output
    wait_for(lambda: stage() == "processing")
    assert "No refund waits" in run(till.api, "refund", "list").stdout


@pytest.mark.parametrize("words", [("case", "list"), ("refund", "list")])
def test_what_cannot_be_asked_is_said_in_one_line(till, words):
    """No key, a wrong key, no server, no address: each ends with a line that says what to do."""
    runner = CliRunner()
    port = till.api.port
    none = runner.invoke(app, [*words, "--url", f"http://127.0.0.1:{port}"])
    assert (none.exit_code, "LINGQIAN_KEY" in none.stderr) == (2, True)
    wrong = runner.invoke(app, [*words, "--url", f"http://127.0.0.1:{port}", "--key", "lq_x"])
    assert (wrong.exit_code, "unauthenticated" in wrong.stderr) == (1, True)
    assert wrong.stderr.count("A valid key or token is missing.") == 1
    away = f"http://127.0.0.1:{free_port()}"
    silent = runner.invoke(app, [*words, "--url", away, "--key", "lq_x"])
    assert (silent.exit_code, "does not answer" in silent.stderr) == (1, True)
    odd = runner.invoke(app, [*words, "--url", "nowhere", "--key", "lq_x"])
    assert (odd.exit_code, "not the address" in odd.stderr) == (2, True)
