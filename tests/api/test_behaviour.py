"""Behaviour over HTTP: steps told once, money that never waits for them, funnel and forecast."""

import csv
import io
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import OPENID, tilling
from lingqian.cli.main import app
from lingqian.kernel.bound import QUEUE_COMMANDS_MAX, STEPS_AT_ONCE_MAX
from lingqian.storage.intake import Intake

WHOLE = ("plan_view", "amount_select", "quote", "invoke", "sheet_shown", "confirmed")


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """A wallet beside a simulated WeChat Pay."""
    with tilling(tmp_path_factory.mktemp("behaviour") / "data") as found:
        yield found


def moment(before_s=0):
    """Return the time, some seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=before_s)).isoformat(timespec="milliseconds")


def steps(names, scene="", order_id=None, **last):
    """Return steps of one passage as a page tells them; `last` goes to the last of them."""
    trace = secrets.token_hex(16)
    told = [
        {"id": f"{trace[:8]}-{place}", "trace_id": trace, "step": name, "scene": scene,
         "at": moment(len(names) - place)}
        for place, name in enumerate(names)
    ]  # fmt: skip
    if order_id:
        told[-1]["order_id"] = order_id
    told[-1] |= last
    return told


def tell(api, user, events, **more):
    """Tell steps of a person."""
    return api.post("/v1/behaviour-events", {"user_id": user, "events": events, **more})


def test_steps_are_taken_down_once(api):
    """A page that had no answer tells everything again."""
    user = api.user()
    told = steps(["plan_view", "amount_select"])
    first = tell(api, user, told)
    assert first.status == 202, first
    assert (first.body["recorded"], first.body["known"]) == (2, 0)
    again = tell(api, user, [*told, *steps(["quote"])])
    assert (again.body["recorded"], again.body["known"]) == (1, 2)


def test_the_answer_says_what_to_prepare(api):
    """Who comes nearer to paying gets more prepared, and every reason is told."""
    user = api.user()
    idle = tell(api, user, steps(["plan_view"], scene="live")).body
    eager = tell(api, user, steps(["amount_select", "quote"], scene="live")).body
    assert eager["probability_ppm"] > idle["probability_ppm"]
    assert eager["prepare"] == ["connection", "quote", "sheet"]
    told = api.get(f"/v1/users/{user}/payment-forecast").body
    assert told["probability_ppm"] == eager["probability_ppm"]
    parts = {part["name"]: part for part in told["parts"]}
    assert parts["is_quoted"]["value"] == parts["is_fan"]["value"] == 1
    assert all(part["meaning"] for part in told["parts"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"step": "paid"}, "events[0].step"),
        ({"step": "credited"}, "events[0].step"),
        ({"at": "yesterday"}, "events[0].at"),
        ({"at": "2026-11-22T00:43:11"}, "events[0].at"),
        ({"trace_id": "xyz"}, "events[0].trace_id"),
        ({"reason": "back"}, "events[0].reason"),
        ({"reason": "bored", "step": "cancel"}, "events[0].reason"),
        ({"amount_fen": -1}, "events[0].amount_fen"),
        ({"id": ""}, "events[0].id"),
        ({"order_id": "tu_00006D3YKTB2N4Q6S8V1X3Z5AC"}, "events[0].order_id"),
        ({"weight": 1}, "events[0].weight"),
    ],
)
def test_what_cannot_be_a_step_is_refused(api, change, field):
    """Nothing a page may not say is taken down; a page cannot claim that it has been paid."""
    user = api.user()
    (good,) = steps(["plan_view"])
    told = tell(api, user, [good | change])
    assert (told.status, told.code, told.body["field"]) == (422, "invalid_field", field)
    assert tell(api, user, [good]).body["recorded"] == 1


def test_bounds_and_people(api):
    """A call has a bound; a stranger has no steps; the time of nobody is nobody's."""
    user = api.user()
    many = steps(["plan_view"] * (STEPS_AT_ONCE_MAX + 1))
    assert tell(api, user, many).code == "invalid_field"
    assert tell(api, user, []).code == "invalid_field"
    nobody = "us_00006D3YKS8YZ1M6TQ5C4JX0AB"
    assert tell(api, nobody, steps(["plan_view"])).code == "user_unknown"
    assert api.get(f"/v1/users/{nobody}/payment-forecast").code == "user_unknown"


def test_steps_give_way_to_money(api, monkeypatch):
    """While a quarter of the queue is full, a page is told to come again."""
    user = api.user()
    depth = property(lambda _: QUEUE_COMMANDS_MAX // 4 + 1)
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "depth", depth)
        told = tell(api, user, steps(["plan_view"]))
        assert (told.status, told.headers["retry-after"]) == (429, "1")
        assert api.post("/v1/sandbox/funding", {"user_id": user, "amount_fen": 100},
                        once=f"busy {user}").status == 201  # fmt: skip
    assert tell(api, user, steps(["plan_view"])).status == 202


@pytest.mark.parametrize(
    "query",
    ["since=2026-11-31", "since=2026-11-02&until=2026-11-01", "since=2026-01-01&until=2026-12-31",
     "since=x", "days=3"],
)  # fmt: skip
def test_a_funnel_needs_days_that_are(api, query):
    """Calendar dates, in order, and not too many."""
    told = api.get(f"/v1/funnel?{query}")
    assert (told.status, told.code) == (422, "invalid_field")


def test_a_funnel_of_no_steps_is_empty(api):
    """The day before anything was."""
    told = api.get("/v1/funnel?since=2020-01-01&until=2020-01-02")
    assert (told.status, told.body["rows"]) == (200, [])


def paid(till, user, **more):
    """Top up with steps up to the confirmation; return the order's id once it is credited."""
    order = till.top_up(user, **more)
    told = tell(till.api, user, steps(WHOLE, "live", order["id"]))
    assert told.status == 202, told
    till.platform.pay(till.number(order))
    wait_for(lambda: till.order(order["id"])["is_credited"])
    return order["id"]


def run(till, *words):
    """Run the command beside the server."""
    return CliRunner().invoke(app, ["funnel", "--data", str(till.folder), *words])


def test_a_funnel_ends_with_what_the_ledger_proves(till):
    """One pays and spends, one pays, one gives up: three segments of one day, in every form."""
    spender, saver, leaver = (till.api.user() for _ in range(3))
    paid(till, spender, plan_id="coins-50", payer={"openid": OPENID})
    gift = {"user_id": spender, "streamer_id": saver, "code": "rose", "count": 1}
    assert till.api.post("/v1/gifts", gift, once=f"g{spender}").status == 201
    paid(till, saver)
    left = till.top_up(leaver)
    events = steps(["plan_view", "quote", "invoke"], "shop", left["id"])
    events += [{**events[0], "id": "gone", "step": "cancel", "reason": "closed_sheet"}]
    assert tell(till.api, leaver, events).body["recorded"] == 4
    # A page that lies about an order of somebody else is not believed.
    stolen = tell(till.api, leaver, steps(["quote"], order_id=till.top_up(saver)["id"]))
    assert stolen.code == "invalid_field"

    rows = {row["segment"]: row for row in till.api.get("/v1/funnel").body["rows"] if row["day"]}
    fans, shoppers = rows["fan"], rows["shopper"]
    assert fans["reached"]["plan_view"] == fans["reached"]["credited"] == 2
    assert fans["reached"]["first_spend"] == 1
    assert (fans["credited_orders"], fans["payers"], fans["channel_ppm"]) == (2, 2, 1_000_000)
    assert fans["abandonment_ppm"] == 0
    assert shoppers["reached"]["invoke"] == 1
    assert shoppers["reached"]["sheet_shown"] == shoppers["reached"]["paid"] == 0
    assert (shoppers["abandonment_ppm"], shoppers["cancelled"]) == (1_000_000, {"closed_sheet": 1})

    told = run(till, "--json")
    assert told.exit_code == 0, told.output
    same = {row["segment"]: row for row in json.loads(told.stdout)["rows"] if row["day"]}
    assert same == rows
    table = list(csv.DictReader(io.StringIO(run(till, "--csv").stdout)))
    assert [row["first_spend"] for row in table if row["segment"] == "fan"] == ["1", "1"]
    assert "粉丝 fan" in run(till).stdout.replace("\n", " ")
    assert "AUC" in run(till, "--forecast").stdout
    judged = json.loads(run(till, "--forecast", "--json").stdout)
    assert judged["cases"] == 3
    assert sum(each["count"] for each in judged["bins"]) == 3


def test_a_phone_keeps_real_time_when_the_sandbox_moves_on(tmp_path):
    """Two days later by the wallet's clock alone, who pays at once has not given up."""
    with tilling(tmp_path / "data") as till:
        till.api.advance(2 * 86_400)
        user = till.api.user()
        paid(till, user)
        (row,) = [row for row in till.api.get("/v1/funnel").body["rows"] if row["day"]]
        assert (row["segment"], row["sheets_asked"], row["abandoned"]) == ("fan", 1, 0)


def test_the_command_says_what_is_wrong(till, tmp_path):
    """No such day, no such folder, nothing there."""
    assert run(till, "--since", "soon").exit_code == 2
    assert run(till, "--since", "2026-11-02", "--until", "2026-11-01").exit_code == 2
    assert "Nobody has taken a step" in run(till, "--until", "2020-01-01").stdout
    none = CliRunner().invoke(app, ["funnel", "--data", str(tmp_path / "none")])
    assert none.exit_code == 2


def test_behaviour_passes_the_audit(till):
    """What pages tell is folded from the journal like everything else."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
