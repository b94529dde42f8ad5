"""Requests drawn from our own document: nothing that fits it, or just does not, is a 5xx."""

import warnings
from contextlib import closing

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from typer.testing import CliRunner

from api.caller import moment, wait_for
from api.till import ACCOUNT, OPENID
from lingqian.cli.main import app
from lingqian.web.app import OPERATIONS
from lingqian.web.document import document

DOCUMENT = document(OPERATIONS)
CLOCK = "/v1/sandbox/clock"
# The stream never ends; its own tests read it. The clock comes last: it ends what could be hit.
ROWS = sorted(
    [(row.method, row.path) for row in OPERATIONS if row.path != "/v1/events"],
    key=lambda row: row[1] == CLOCK,
)
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NAMES = {"user_id", "sender_id", "source_id", "target_id", "viewer_id", "streamer_id"}


@pytest.fixture(scope="module")
def world(till):
    """People, packets of every kind, cases, and the whole loop of money to hit upon."""
    api = till.api
    users = [api.rich(50_000) for _ in range(4)]
    friends = {"kind": "targeted", "recipient_ids": users[1:3]}
    packets = [
        api.packet(users[0]),
        api.packet(users[0], kind="passphrase", passphrase="0"),
        api.packet(users[1], kind="draw", draw_at=moment(api, 3_600)),
        api.packet(users[2], await_entropy=True),
        api.packet(users[0], **friends),
        api.packet(users[3], total_fen=6_000),
    ]
    pay = {"source_id": users[0], "target_id": users[1], "amount_fen": 6_000}
    held = api.post("/v1/transfers", pay, once="fuzz").body
    return api, {
        "user_id": users,
        "packet_id": packets,
        "case_id": [held["case_id"]],
        "transfer_id": [held["id"]],
        "account": [ACCOUNT],
        **loop(till, users),
    }


def loop(till, users):
    """Live the loop of money once: orders of every end, a refund, a gift, payouts, parked money."""
    api = till.api
    mchid = till.platform.simulator.merchant.mchid
    till.platform.control("POST", f"/control/merchants/{mchid}/fund", {"amount_fen": 10_000_000})
    paid, coins, wrong, opened = [
        till.top_up(users[0], **more)
        for more in ({"amount_fen": 9_000}, {"plan_id": "coins-30"}, {}, {"product": "native"})
    ]
    for order, wish in ((paid, {}), (coins, {}), (wrong, {"amount_fen": 4_999})):
        till.platform.pay(till.number(order), **wish)
    wait_for(lambda: till.order(coins["id"])["is_credited"], 30)
    wait_for(lambda: till.order(paid["id"])["is_credited"], 30)
    wait_for(lambda: till.state(wrong["id"]) == "wrong_amount", 30)
    back = api.post(f"/v1/top-ups/{paid['id']}/refunds", {"amount_fen": 100}, once="back").body
    rose = {"user_id": users[0], "streamer_id": users[1], "code": "rose", "count": 2}
    out = {"user_id": users[1], "amount_fen": 1_000, "payee": {"openid": OPENID}}
    parked = api.get("/v1/parked-payments").body["payments"]
    orders = [paid, coins, wrong, opened]
    return {
        "order_id": [each["id"] for each in orders],
        "number": [till.number(each) for each in orders],
        "refund_id": [back["id"]],
        "gift_id": [api.post("/v1/gifts", rose, once="rose").body["id"]],
        "payout_id": [api.post("/v1/payouts", out, once="out").body["id"]],
        "payment_id": [each["id"] for each in parked],
    }


def real(data, world, name, value):
    """Put an id that exists in the place of one that was drawn, most of the time."""
    known = world.get("user_id" if name in NAMES else name)
    if known is None or not isinstance(value, str) or not data.draw(st.integers(0, 3)):
        return value
    return data.draw(st.sampled_from(known))


def real_within(data, world, part):
    """Return a part of a request with such ids in it; what was drawn may belong to the document."""
    if not isinstance(part, dict):
        return part
    return {name: real(data, world, name, value) for name, value in part.items()}


def test_what_was_hit_is_there(world):
    """The control: ids of everything there is were taken, or every request would be a 404."""
    api, ids = world
    for path, name in (
        ("top-ups", "order_id"),
        ("refunds", "refund_id"),
        ("gifts", "gift_id"),
        ("payouts", "payout_id"),
        ("trails", "number"),
        ("cases", "case_id"),
    ):
        assert [api.get(f"/v1/{path}/{each}").status for each in ids[name]] == [200] * len(
            ids[name]
        )
    assert ids["payment_id"]


@pytest.mark.timeout(6 * 3_600)
@pytest.mark.parametrize("mode", MODES, ids=["fits", "does-not"])
@pytest.mark.parametrize(("method", "path"), ROWS)
def test_no_request_makes_the_server_fail(world, examples, method, path, mode):
    """And every answer is one the document promises."""
    api, ids = world
    row = from_dict(DOCUMENT)[path][method]
    if mode == schemathesis.GenerationMode.NEGATIVE and not (row.body.items or row.query.items):
        return  # nothing in it that could be wrong
    session = requests.Session()
    with closing(session):

        @hypothesis.given(case=row.as_strategy(generation_mode=mode), data=st.data())
        @hypothesis.settings(
            max_examples=examples,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        def ask(case, data):
            for name, value in (case.path_parameters or {}).items():
                case.path_parameters[name] = real(data, ids, name, value)
            case.query = real_within(data, ids, case.query)
            case.body = real_within(data, ids, case.body)
            answer = case.call(
                base_url=f"http://127.0.0.1:{api.port}",
                session=session,
                headers={"Authorization": f"Bearer {api.key}"},
                timeout=30,
                allow_redirects=False,
            )
            case.validate_response(answer, checks=CHECKS)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tools; our own would fail in other tests
            ask()


def test_what_was_asked_has_left_the_books_whole(world, till):
    """Whatever the requests did, it was a command that may be done: every law holds."""
    assert world
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
