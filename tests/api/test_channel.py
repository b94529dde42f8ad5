"""Channels over HTTP: how they stand, a person's word on their mode, the line, and an outage."""

import json

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import ACCOUNT, tilling
from lingqian.cli.main import app
from lingqian.identity.key import Scope

MODE = f"/v1/channels/{ACCOUNT}/mode"


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """A wallet and a platform for the whole module."""
    with tilling(tmp_path_factory.mktemp("till")) as found:
        yield found


def change(till, event):
    """Change the mode as a person would."""
    return till.api.post(MODE, {"event": event, "by": "wang.li", "why": "a drill"})


def test_a_fresh_account_is_normal_and_routable(till):
    """What an operator sees first: every account, its products, its hosts."""
    (shown,) = till.api.get("/v1/channels").body["channels"]
    assert (shown["account"], shown["mode"]) == (ACCOUNT, "normal")
    assert {each["product"] for each in shown["products"]} == {
        "jsapi", "mini_program", "app", "h5", "native",
    }  # fmt: skip
    assert all(each["is_routable"] for each in shown["products"])
    for host in shown["hosts"]:
        # Bills are fetched meanwhile, so other lines may have come.
        assert {"operation": "prepay", "phase": "closed"} in host["lines"]
    alone = till.api.get(f"/v1/channels/{ACCOUNT}").body
    assert (alone["account"], alone["products"]) == (ACCOUNT, shown["products"])
    assert till.api.get("/v1/channels/other").status == 404


def test_a_persons_word_is_kept_with_its_reason_and_refused_where_it_cannot_be(till):
    """The table of modes decides; what it refuses is a conflict and changes nothing."""
    assert change(till, "allow").code == "already_settled"
    told = change(till, "force_off")
    assert (told.status, told.body["mode"]) == (200, "forced_off")
    assert (told.body["by"], told.body["why"]) == ("wang.li", "a drill")
    assert change(till, "force_off").status == 409
    assert change(till, "degrade").status == 422
    assert change(till, "allow").body["mode"] == "unwinding"
    path = f"/v1/channels/{ACCOUNT}"
    wait_for(lambda: till.api.get(path).body["mode"] == "normal")
    assert till.api.get(f"/v1/channels/{ACCOUNT}/outages").body == {"outages": []}
    assert till.api.get(f"/v1/channels/{ACCOUNT}/outages/1").status == 404


def test_the_line_is_funded_once_per_key_and_gives_back_what_is_not_out(till):
    """The operator's own money: moved once, read back to the fen."""
    path = "/v1/advance-lines/funding"
    first = till.api.post(path, {"amount_fen": 100_000}, once="line-1")
    assert first.status == 201
    assert (first.body["limit_fen"], first.body["minute_fen_max"]) == (100_000, 5_000)
    assert till.api.post(path, {"amount_fen": 100_000}, once="line-1").status == 200
    assert till.api.post(path, {"amount_fen": 1}, once="line-1").code == "key_reused"
    assert till.api.post(path, {"amount_fen": -100_001}, once="line-2").code == "exceeds_available"
    assert till.api.post(path, {"amount_fen": 5, "lane": 9}, once="line-3").body["field"] == "lane"
    assert till.api.post(path, {"amount_fen": -100_000}, once="line-4").body["limit_fen"] == 0
    assert [each["limit_fen"] for each in till.api.get("/v1/advance-lines").body["lines"]] == [0]
    assert till.api.get("/v1/advances").body == {"advances": [], "next_cursor": None}


def test_only_an_operators_key_may_look_and_switch(till):
    """An app that sells coins has no say about the operator's own money."""
    others = till.house.caller(*[each for each in Scope if each != Scope.OPERATE_CHANNELS])
    assert others.get("/v1/channels").status == 403
    assert others.post("/v1/advance-lines/funding", {"amount_fen": 5}, once="x").status == 403
    assert others.post(MODE, {"event": "allow", "by": "x", "why": "y"}).status == 403


def test_a_debt_that_is_not_there_cannot_be_given_up(till):
    """There has to have been an advance."""
    path = "/v1/advances/tu_00006D3YKTB2N4Q6S8V1X3Z5AC/write-off"
    assert till.api.post(path, {"by": "wang.li"}).code == "advance_unknown"


def run(caller, *words):
    """Run `lingqian channel` as a person with this key would."""
    env = {"LINGQIAN_URL": f"http://127.0.0.1:{caller.port}", "LINGQIAN_KEY": caller.key}
    return CliRunner().invoke(app, ["channel", *words], env=env)


def test_the_commands_show_and_switch_what_the_server_does(till):
    """On call, a terminal is what there is."""
    shown = run(till.api, "list")
    assert shown.exit_code == 0, shown.output
    assert f"{ACCOUNT}  normal" in shown.stdout
    assert "prepay closed" in shown.stdout
    words = ("mode", ACCOUNT, "force_off", "--by", "wang.li", "--why", "a drill")
    done = run(till.api, *words)
    assert done.exit_code == 0, done.output
    assert "forced_off" in done.stdout
    assert "by wang.li: a drill" in done.stdout
    again = run(till.api, *words)
    assert again.exit_code == 1
    assert "already_settled" in again.stderr
    assert run(till.api, "list").exit_code == 1
    assert (
        run(till.api, "mode", ACCOUNT, "allow", "--by", "wang.li", "--why", "over").exit_code == 0
    )
    wait_for(lambda: run(till.api, "list").exit_code == 0)
    assert "no outage" in run(till.api, "report", ACCOUNT).stdout
    assert json.loads(run(till.api, "list", "--json").stdout)[0]["account"] == ACCOUNT
