"""A top-up over a real pay sheet: whatever happens to the callback, the money arrives once."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import ACCOUNT, OPENID, tilling
from lingqian.cli.main import app
from lingqian.kernel.bound import NOTICE_BYTES_MAX


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and one platform for the file; tests use people of their own."""
    with tilling(tmp_path_factory.mktemp("till"), lanes=4) as found:
        yield found


@pytest.fixture(autouse=True)
def _calm(till):
    """No fault of one test meets another."""
    yield
    till.platform.disarm()


def test_a_payment_is_credited_by_its_notice(till):
    """The ordinary way: pay, notice, balance; and the sheet's parameters are those JSAPI wants."""
    user = till.api.user()
    order = till.top_up(user)
    assert order["state"] == "payable"
    assert set(order["invocation"]) == {
        "appId", "timeStamp", "nonceStr", "package", "signType", "paySign",
    }  # fmt: skip
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert till.fen(user) == 5_000
    assert till.order(order["id"])["attempts"][0]["transaction_id"]


def test_a_lost_callback_is_repaired_by_a_query(till):
    """The commonest complaint there is: paid and got nothing. Here nobody has to complain."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order), is_told=False)
    wait_for(lambda: till.state(order["id"]) == "credited", 15)
    assert till.fen(user) == 5_000
    trail = till.api.get(f"/v1/top-ups/{order['id']}/trail").body
    assert trail["is_credited"]
    assert "query" in [each["facts"].get("source") for each in trail["entries"]]
    assert "notice" not in [each["facts"].get("source") for each in trail["entries"]]


def test_a_client_that_comes_back_does_not_wait_for_anybody(till):
    """The channel is asked at once when the person returns, before the first timed query."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order), is_told=False)
    told = till.api.post(f"/v1/top-ups/{order['id']}/return")
    assert (told.status, told.body["state"]) == (200, "credited")
    assert till.fen(user) == 5_000


def test_the_same_key_gives_the_same_order_and_a_sheet_again(till):
    """A client that never saw the answer asks again and must not pay two orders."""
    user = till.api.user()
    first = till.top_up(user, once="same-key")
    again = till.top_up(user, once="same-key")
    assert again["id"] == first["id"]
    assert len(again["attempts"]) == 1
    assert again["invocation"]["package"].startswith("prepay_id=")


def test_a_doubled_notice_credits_once(till):
    """Two servers of the channel tell the same within a second."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.arm("notice_doubled")
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert till.fen(user) == 5_000


def caught(port):
    """Stand where the wallet was, refuse the next notice, and return it as it came."""
    found = {}

    class Catcher(BaseHTTPRequestHandler):
        def do_POST(self):
            found["body"] = self.rfile.read(int(self.headers["Content-Length"]))
            found["headers"] = dict(self.headers.items())
            found["path"] = self.path
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", port), Catcher) as server:
        server.timeout = 30
        while not found:
            server.handle_request()
    return found


def test_a_hundred_copies_at_once_credit_once(till):
    """Over twenty connections, all of them genuine, all of them answered, one of them kept."""
    user = till.api.user()
    order = till.top_up(user)
    till.stop()
    till.platform.pay(till.number(order))
    notice = caught(till.port)
    till.start()
    names = ("Wechatpay-", "Content-Type")
    headers = {name: value for name, value in notice["headers"].items() if name.startswith(names)}

    def send(_):
        return till.api.post(notice["path"], raw=notice["body"], headers=headers).status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(send, range(100)))
    assert statuses == [200] * 100
    wait_for(lambda: till.state(order["id"]) == "credited", 20)
    assert till.fen(user) == 5_000
    assert till.count("lingqian_notices_total", result="received") == 1
    assert till.count("lingqian_notices_total", result="known") == 99


def test_a_notice_left_behind_is_acted_on(till):
    """Killed between the answer and the credit: the row says that it was received, and no more."""
    user = till.api.user()
    order = till.top_up(user)
    till.house.on_loop(lambda: setattr(till.house.door.agent, "act_on", lambda _: None))
    till.platform.arm("error_before", count=0, operation="query")
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited", 25)
    trail = till.api.get(f"/v1/trails/{order['id']}").body
    credited = [each for each in trail["entries"] if each["facts"].get("effect") == "credited"]
    assert [each["facts"]["source"] for each in credited] == ["notice"]
    till.stop()
    till.start()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("notice_forged", "bad_signature"),
        ("notice_altered", "bad_signature"),
        ("notice_truncated", "bad_signature"),
        ("notice_expired", "expired"),
        ("notice_wrong_serial", "bad_signature"),
        ("notice_probe", "bad_signature"),
        ("notice_wrong_account", "other_merchant"),
    ],
)
def test_a_notice_that_is_not_right_is_refused_and_counted(till, fault, reason):
    """Refused with the right answer and counted; the query still credits the payment."""
    user = till.api.user()
    order = till.top_up(user)
    before = till.count("lingqian_notices_total", result=reason)
    till.platform.arm(fault)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.count("lingqian_notices_total", result=reason) > before)
    wait_for(lambda: till.state(order["id"]) == "credited", 15)
    assert till.fen(user) == 5_000
    entries = till.api.get(f"/v1/top-ups/{order['id']}/trail").body["entries"]
    facts = [each["facts"] for each in entries]
    credited = [each["source"] for each in facts if each.get("effect") == "credited"]
    # Behind a probe of the platform the true notice follows; else only a query can have told.
    assert credited == (["notice"] if fault == "notice_probe" else ["query"])


def test_a_wrong_amount_is_kept_apart_and_not_credited(till):
    """Rightly signed, of another amount: the money is booked, a person decides, nobody is paid."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order), amount_fen=4_999)
    wait_for(lambda: till.state(order["id"]) == "wrong_amount")
    assert till.fen(user) == 0


def test_a_notice_that_alone_tells_another_amount_needs_no_person(till):
    """Rightly signed and one fen off: the channel is asked, says what was paid, and that counts."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.arm("notice_wrong_amount")
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert till.fen(user) == 5_000
    entries = till.api.get(f"/v1/top-ups/{order['id']}/trail").body["entries"]
    effects = [each["facts"]["effect"] for each in entries if "effect" in each["facts"]]
    # On a busy machine our own query may come first; the notice is then a word too late.
    assert effects[-2:] in (["doubted", "credited"], ["credited", "noted"])
    parked = till.api.get("/v1/parked-payments").body["payments"]
    assert not [each for each in parked if each["amount_fen"] == 5_001]


def test_a_doubted_notice_of_a_closed_number_is_asked_about_too(till):
    """We gave up, the person had paid, the notice is one fen off: the money is found even so."""
    user = till.api.user()
    order = till.top_up(user)
    assert till.api.post(f"/v1/top-ups/{order['id']}/cancellation").status == 200
    wait_for(lambda: till.state(order["id"]) == "closed")
    till.platform.arm("notice_wrong_amount")
    till.platform.pay(till.number(order), is_late=True)
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert till.fen(user) == 5_000


def test_bodies_that_are_too_large_are_not_read(till):
    """Five megabytes are refused by what they announce."""
    path = f"/v1/channels/{ACCOUNT}/notices"
    told = till.api.post(path, raw=b"x" * 5_000_000)
    assert (told.status, told.body["message"]) == (413, "too_large")
    told = till.api.post(path, raw=b"x" * (NOTICE_BYTES_MAX - 1))
    assert (told.status, told.body["code"]) == (401, "FAIL")
    assert till.api.post("/v1/channels/other/notices", raw=b"{}").status == 404
    found = till.api.get(f"/v1/channels/{ACCOUNT}/rejections").body["rejections"]
    assert found[0]["size"] == NOTICE_BYTES_MAX - 1


def test_a_closed_order_that_was_paid_all_the_same_is_credited(till):
    """Closed is what we say; the person's money says something else, and it is not dropped."""
    user = till.api.user()
    order = till.top_up(user)
    assert till.api.post(f"/v1/top-ups/{order['id']}/cancellation").status == 200
    wait_for(lambda: till.state(order["id"]) == "closed")
    till.platform.pay(till.number(order), is_late=True)
    wait_for(lambda: till.state(order["id"]) in ("credited", "rejected_returned"))
    assert till.fen(user) in (0, 5_000)


def test_a_create_call_cut_off_is_asked_about_and_never_made_anew(till):
    """Unknown is not failed: the same number is asked about until the channel says something."""
    user = till.api.user()
    till.platform.arm("reset_after", count=3, operation="jsapi")
    order = till.top_up(user)
    assert len(order["attempts"]) == 1
    assert order["state"] in ("payable", "unknown")
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited", 15)


def test_another_product_closes_the_first_attempt_before_it_begins_one(till):
    """R1: at most one attempt of an order can be paid."""
    user = till.api.user()
    order = till.top_up(user)
    path = f"/v1/top-ups/{order['id']}/attempts"
    told = till.api.post(path, {"product": "native"})
    assert told.status == 200, told
    assert told.body["invocation"]["code_url"]
    assert [each["state"] for each in told.body["attempts"]] == ["closed", "payable"]
    told = till.api.post(path, {"product": "native"})
    assert len(told.body["attempts"]) == 2


def test_a_restart_in_the_middle_keeps_the_schedule(till):
    """What is due stands in rows: the next process goes on asking."""
    user = till.api.user()
    order = till.top_up(user)
    till.stop()
    till.platform.pay(till.number(order), is_told=False)
    till.start()
    wait_for(lambda: till.state(order["id"]) == "credited", 20)
    assert till.fen(user) == 5_000


def test_coins_are_given_by_plan(till):
    """A plan of the list gives what the list says."""
    user = till.api.user()
    plans = till.api.get("/v1/top-up-plans").body["plans"]
    plan = next(each for each in plans if each["bonus_coins"])
    order = till.top_up(user, plan_id=plan["id"])
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    assert (order["coins"], order["bonus_coins"]) == (plan["coins"], plan["bonus_coins"])
    assert till.fen(user) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount_fen": 5_000}, "product"),
        ({"amount_fen": 5_000, "product": "jsapi"}, "payer"),
        ({"amount_fen": 5_000, "product": "h5"}, "client_ip"),
        ({"amount_fen": 5_000, "plan_id": "coins-6", "product": "native"}, "plan_id"),
        ({"plan_id": "nothing", "product": "native"}, "plan_id"),
    ],
)
def test_what_a_payment_needs_is_asked_for_before_an_order_exists(till, body, field):
    """A refusal that names the field costs nobody an order."""
    user = till.api.user()
    told = till.api.post("/v1/top-ups", {"user_id": user, **body}, once=f"{user}{field}")
    assert told.body["field"] == field
    assert till.api.get(f"/v1/users/{user}/top-ups").body["top_ups"] == []


def test_every_number_leads_to_the_same_story(till):
    """Support has whatever the person reads out: ours, the attempt's, the channel's."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    transaction_id = till.order(order["id"])["attempts"][0]["transaction_id"]
    for number in (order["id"], till.number(order), transaction_id):
        told = till.api.get(f"/v1/trails/{number}")
        assert told.body["order_id"] == order["id"]
    raw = till.api.get(f"/v1/trails/{order['id']}?notices=raw").body["notices"]
    assert json.loads(raw[0]["body"])["event_type"] == "TRANSACTION.SUCCESS"
    assert OPENID not in json.dumps(told.body)
    page = till.api.get(f"/v1/trails/{order['id']}", headers={"Accept": "text/html"})
    assert "已到账" in page.body.decode()
    assert till.api.get("/v1/trails/no-such-number").status == 404


def test_the_command_tells_the_same_story(till):
    """On call at night there is a shell and a data directory."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order))
    wait_for(lambda: till.state(order["id"]) == "credited")
    done = CliRunner().invoke(
        app, ["trail", till.number(order), "--data", str(till.folder), "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["order_id"], told["is_credited"]) == (order["id"], True)
    assert [each["id"] for each in told["entries"]] == [
        each["id"] for each in till.api.get(f"/v1/trails/{order['id']}").body["entries"]
    ]
    lost = CliRunner().invoke(app, ["trail", "pa_0", "--data", str(till.folder)])
    assert lost.exit_code == 1


def test_parked_money_is_placed_by_a_person(till):
    """Genuine, of another amount: it is booked, waits, and is credited to whose it is."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order), amount_fen=4_998)
    wait_for(lambda: till.state(order["id"]) == "wrong_amount")
    found = till.api.get("/v1/parked-payments").body["payments"]
    parked = next(each for each in found if each["parked_fen"] == 4_998)
    path = f"/v1/parked-payments/{parked['id']}/allocation"
    assert till.api.post(path, {"action": "credit"}).body["field"] == "user_id"
    assert till.api.post(path, {"action": "credit", "user_id": user}).status == 200
    assert till.fen(user) == 4_998
    assert till.api.post(path, {"action": "credit", "user_id": user}).code == "nothing_parked"


def test_what_the_wallet_has_stored_passes_the_audit(till):
    """Every notice opens under its key, every posting is its order's, every trail is folded."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
