"""A day from pay sheet to close against the simulator: a lost callback, a broken line, a proof."""

import asyncio
import csv
import io
import threading
from datetime import datetime, timedelta
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from api.caller import running, wait_for
from lingqian.channels.port import BillKind
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.clearing.classify import Class
from lingqian.clearing.difference import day_id, difference_id
from lingqian.clearing.item import Way
from lingqian.clearing.report import read_day as business
from lingqian.cli.main import app
from lingqian.events import reconcile
from lingqian.flows.command import RecordBill, RecordDifference
from lingqian.identity.key import Scope
from lingqian.kernel.id import PREFIX_DIFFERENCE, show
from lingqian.storage.lane import Submission
from simulated import CHINA, Client, Running

ACCOUNT = "wx-main"
NOWHERE = "http://127.0.0.1:9"


def settings(folder, running_simulator):
    """Write a merchant's files as the platform hands them out, and return the settings."""
    given = running_simulator.merchant
    keys = folder / "merchant"
    keys.mkdir(parents=True)
    texts = {
        "key.pem": given.private_key_pem,
        "api_v3.key": given.api_v3_key,
        "pub.pem": given.platform_public_key_pem,
    }
    names = [f"platform-{number}.pem" for number, _ in enumerate(given.platform_certificates)]
    texts |= dict(zip(names, given.platform_certificates.values(), strict=True))
    for name, text in texts.items():
        (keys / name).write_text(text)
        (keys / name).chmod(0o600)
    row = ChannelRow(
        account=ACCOUNT,
        mchid=given.mchid,
        appids={"native": given.appid, "jsapi": given.appid},
        hosts=tuple(running_simulator.simulator.base_urls),
        merchant_key_file="merchant/key.pem",
        merchant_serial=given.serial_no,
        api_v3_key_file="merchant/api_v3.key",
        mode="certificate",
        platform_certificate_files=tuple(f"merchant/{name}" for name in names),
        # Every callback is lost: nobody listens there.
        notify_base_url=NOWHERE,
    )
    return {"channels": (row,)}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A wallet, a channel that is simulated beyond our own door, and somebody who calls.

    The worker closes the empty day before: from then on these tests run the days. Its bills are
    there from ten in the morning on, so the night, if it is night in China, is passed over.
    """
    monkeypatch.setattr(reconcile, "EVERY_S", 0.1)
    simulator = Running()
    folder = tmp_path / "data"
    try:
        with running(folder, **settings(folder, simulator)) as house:
            api = house.caller()
            pass_the_night(api, simulator)
            wait_for(lambda: [each["state"] for each in days(api)] == ["closed"])
            monkeypatch.setattr(reconcile, "EVERY_S", 3_600.0)
            threading.Event().wait(0.5)  # its last short look is over
            yield house, api, simulator
    finally:
        simulator.close()


def days(api):
    """Return the days of all accounts, the newest first."""
    return api.get("/v1/reconciliations").body["days"]


def top_up(api, user, number):
    """Open an order and return the channel's number of its attempt."""
    body = {"user_id": user, "amount_fen": 5_000, "product": "native"}
    told = api.post("/v1/top-ups", body, once=f"t{number}")
    assert told.status == 201, told
    return told.body


def local_time(api):
    """Return the wallet's time in China."""
    now = api.post("/v1/sandbox/clock", {"advance_s": 0}).body["now"]
    return datetime.fromisoformat(now).astimezone(CHINA)


def move_to(api, simulator, local, morning):
    """Move both clocks from one time to another."""
    seconds = int((morning - local).total_seconds())
    simulator.control("/control/clock", {"advance_s": seconds})
    api.advance(seconds)


def pass_the_night(api, simulator):
    """Move both clocks to half past ten of today, unless it is later."""
    local = local_time(api)
    morning = local.replace(hour=10, minute=30, second=0, microsecond=0)
    if local < morning:
        move_to(api, simulator, local, morning)


def next_morning(api, simulator):
    """Move both clocks to the next day at half past ten; return the day that is over."""
    local = local_time(api)
    morning = local.replace(hour=10, minute=30, second=0, microsecond=0) + timedelta(days=1)
    move_to(api, simulator, local, morning)
    return local.strftime("%Y-%m-%d")


def run_day(api, day):
    """Run a day and return how it ended."""
    told = api.post("/v1/reconciliations", {"account": ACCOUNT, "day": day, "by": "amy"})
    assert told.status == 200, told
    return told.body


def pay(simulator):
    """Press pay on every sheet that is open."""
    for order in simulator.control("/control/orders"):
        simulator.control(f"/control/orders/{order['out_trade_no']}/pay", {})


def asked(house, each):
    """Put a command to the lane, as the worker does."""
    answer = asyncio.run_coroutine_threadsafe(house.door.ask(Submission(each)), house.loop)
    return answer.result(30)


def command(*words):
    """Run `lingqian reconcile`."""
    shell = typer.Typer(add_completion=False)
    shell.command("reconcile")(import_module("lingqian.cli.reconcile").reconcile)
    return CliRunner().invoke(shell, [str(word) for word in words])


def test_a_day_from_the_pay_sheet_to_the_close(shop, tmp_path):
    """What a newcomer tries: pay, lose the callback, close the day, prove it, print it."""
    house, api, simulator = shop
    user = api.user()
    top_up(api, user, 1)
    pay(simulator)
    day = next_morning(api, simulator)
    assert run_day(api, day) == {
        "account": ACCOUNT, "day": day, "state": "closed", "blockers": [], "words": [], "waits": "",
    }  # fmt: skip
    assert api.balance(user)["amount_fen"] == 5_000
    shown = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["reconciliation"]
    assert (shown["ours_fen"], shown["theirs_fen"]) == (5_000, 5_000)
    listed = api.get("/v1/reconciliations").body
    assert listed["days"][0] == shown
    assert listed["next_cursor"] is None
    first = api.get("/v1/reconciliations?limit=1").body
    second = api.get(f"/v1/reconciliations?limit=1&cursor={first['next_cursor']}").body
    assert [*first["days"], *second["days"]] == listed["days"]
    assert second["next_cursor"] is None
    page = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}?form=html")
    assert "已日结" in page.body.decode()
    assert "style-src" in page.headers["content-security-policy"]

    proven = command("--data", house.folder, "--rederive", day)
    assert proven.exit_code == 0, proven.output
    assert shown["result_sha256"] in proven.stdout
    files = [tmp_path / name for name in ("day.csv", "day.html")]
    told = command("--data", house.folder, "--csv", files[0], "--html", files[1])
    assert told.exit_code == 0, told.output
    assert all(file.stat().st_size for file in files)
    assert "已日结" in command("--data", house.folder, "--day", day).stdout


def bill_lines(told):
    """Return what a story tells of bills' lines: in Chinese, and of which money."""
    lines = [each for each in told["entries"] if each["kind"] == "bill_line"]
    return {each["zh"].split("：")[1].split("，")[0]: each["facts"]["amount_fen"] for each in lines}


def test_the_trail_shows_the_lines_of_the_bills_themselves(shop):
    """A lost callback: what credited the person is the bill, and there it stands, line by line."""
    house, api, simulator = shop
    user = api.user()
    order = top_up(api, user, 1)
    other = top_up(api, user, 2)
    pay(simulator)
    day = next_morning(api, simulator)
    assert run_day(api, day)["state"] == "closed"
    number = order["attempts"][0]["id"]
    told = api.get(f"/v1/trails/{number}").body
    assert (told["state"], told["is_credited"]) == ("credited", True)
    assert bill_lines(told) == {
        "收款 50.00 元": 5_000, "交易 50.00 元": 5_000, "扣除交易手续费 -0.30 元": -30,
    }  # fmt: skip
    kinds = [each["kind"] for each in told["entries"]]
    assert kinds.index("record_bill") < kinds.index("bill_line") < kinds.index("close_day")
    lines = [each for each in told["entries"] if each["kind"] == "bill_line"]
    shown = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["reconciliation"]
    sums = {shown["trade_bill_sha256"], shown["fund_bill_sha256"]}
    assert {each["facts"]["digest"] for each in lines} == sums
    assert {each["facts"].get("attempt_no", number) for each in lines} == {number}
    assert other["attempts"][0]["id"] not in str(lines)

    page = api.get(f"/v1/trails/{number}", headers={"Accept": "text/html"}).body.decode()
    assert "交易账单有此行" in page
    assert 'lang="en"' in page
    told = CliRunner().invoke(app, ["trail", number, "--data", str(house.folder)])
    assert told.exit_code == 0, told.output
    assert "资金账单有此行" in told.output
    assert "line of the trade bill" in told.output


def test_the_trail_of_a_line_of_nobody_says_so(shop):
    """Money under a number that is none of ours: asked for by that number, or by the channel's."""
    _, api, simulator = shop
    stranger = Client(simulator)
    assert stranger.prepay("from_elsewhere_1", total=700).status == 200
    paid = stranger.pay("from_elsewhere_1", nocash_coupon_fen=200)
    transaction = paid["payments"][0]["transaction_id"]
    day = next_morning(api, simulator)
    ended = run_day(api, day)
    assert (ended["state"], ended["blockers"]) == ("closed", [])
    for number in ("from_elsewhere_1", transaction):
        told = api.get(f"/v1/trails/{number}").body
        assert (told["state"], told.get("is_credited"), told.get("order_id")) == (
            "parked",
            None,
            None,
        )
        assert "单号不是我方的" in told["message_zh"]
        assert "收款 7.00 元" in bill_lines(told)
        assert "L4" in [each["facts"].get("class_code") for each in told["entries"]]


def test_a_broken_line_is_classified_and_the_day_waits(shop):
    """The bill says a fen more: nothing is booked, the day stays open until the bill is right."""
    house, api, simulator = shop
    user = api.user()
    for number in range(3):
        top_up(api, user, number)
    pay(simulator)
    day = next_morning(api, simulator)
    wait_for(lambda: api.balance(user)["amount_fen"] == 15_000)
    simulator.control("/control/faults", {"name": "bill_broken_line", "count": 1})
    ended = run_day(api, day)
    assert ended["state"] == "matched"
    assert "bills_disagree" in ended["blockers"]
    found = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["differences"]
    assert sorted(each["class_code"] for each in found) == ["B1", "L5"]
    assert not any(each["is_booked"] for each in found)
    path, pages = f"/v1/reconciliations/{day}/{ACCOUNT}?limit=1", []
    cursor = ""
    while cursor is not None:
        page = api.get(f"{path}&cursor={cursor}").body
        pages += [each["class_code"] for each in page["differences"]]
        cursor = page["next_cursor"]
    assert pages == ["B1", "L5"], "the urgent first, each once"
    assert api.get(f"{path}&cursor=bm90aGluZw").code == "invalid_field"
    table = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}?form=csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert {row["class"]: row["gap_yuan"] for row in rows} == {"B1": "0.00", "L5": "0.01"}
    assert run_day(api, day)["state"] == "closed"
    after = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["differences"]
    assert {each["state"] for each in after} == {"repaired"}
    assert command("--data", house.folder, "--rederive", day).exit_code == 0


def test_a_difference_is_ended_by_a_person(shop):
    """Money of nobody: the bill brings it into the books, and somebody says what it was."""
    house, api, simulator = shop
    top_up(api, api.user(), 1)
    day = next_morning(api, simulator)
    identity = difference_id(ACCOUNT, business(day), (Way.PAY, "x"), Class.L4)
    books_bill = RecordBill(
        day_id(ACCOUNT, business(day)), ACCOUNT, business(day), BillKind.TRADE, bytes(32)
    )
    noted = RecordDifference(
        identity, ACCOUNT, business(day), Way.PAY, "x", "L4", -700, 0, "own", 0
    )
    for each in (books_bill, noted):
        assert asked(house, each).code == 0
    path = f"/v1/differences/{show(PREFIX_DIFFERENCE, identity)}/resolution"
    refusals = [
        ({"event": "agree", "by": "bob", "remedy": "short"}, "remedy_not_asked"),
        ({"event": "ask", "by": "amy", "remedy": "long"}, "remedy_unfit"),
        ({"event": "ask", "by": "amy", "remedy": "short", "note": "lost"}, ""),
        ({"event": "agree", "by": "amy", "remedy": "short"}, "same_person"),
        ({"event": "agree", "by": "bob", "remedy": "short"}, ""),
        ({"event": "explain", "by": "bob"}, "difference_closed"),
    ]
    for body, code in refusals:
        told = api.post(path, body)
        assert (told.code if told.status != 200 else "") == code, body
    ended = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["differences"][0]
    assert (ended["state"], ended["asked_by"], ended["decided_by"]) == ("resolved", "amy", "bob")


def test_only_who_may_reconcile_does(shop):
    """A scope of its own: who reviews cases does not close days."""
    house, _, _ = shop
    other = house.caller(Scope.REVIEW_CASES)
    assert other.get("/v1/reconciliations").code == "scope_missing"
    may = house.caller(Scope.RECONCILE)
    assert may.get("/v1/reconciliations").status == 200
    assert may.get(f"/v1/reconciliations/2026-01-01/{ACCOUNT}").code == "day_unknown"
    body = {"account": ACCOUNT, "day": "2999-01-01", "by": "amy"}
    assert may.post("/v1/reconciliations", body).code == "not_due"
    body = {"account": "nobody", "day": "2026-01-01", "by": "amy"}
    assert may.post("/v1/reconciliations", body).code == "not_found"


def test_what_lay_in_the_account_and_what_was_drawn_are_told_by_the_fund_bill(shop):
    """An account older than this wallet, whose owner moves money to the bank, closes its days."""
    _, api, simulator = shop
    mchid = simulator.merchant.mchid
    here_s = simulator.control("/control/clock")["offset_s"]
    simulator.control("/control/clock", {"offset_s": here_s - 5 * 86_400})
    simulator.control(f"/control/merchants/{mchid}/fund", {"amount_fen": 100_000})
    simulator.control("/control/clock", {"offset_s": here_s})
    user = api.user()
    top_up(api, user, 1)
    pay(simulator)
    wait_for(lambda: api.balance(user)["amount_fen"] == 5_000)
    simulator.control(f"/control/merchants/{mchid}/fund", {"amount_fen": -30_000})
    day = next_morning(api, simulator)
    ended = run_day(api, day)
    assert (ended["state"], ended["blockers"]) == ("closed", [])
    shown = api.get(f"/v1/reconciliations/{day}/{ACCOUNT}").body["reconciliation"]
    assert shown["opening_fen"] == 100_000
    assert shown["closing_fen"] == 100_000 + 5_000 - 30 - 30_000
    kinds = {row["name"] for row in simulator.control(f"/control/merchants/{mchid}/lines")}
    assert {"充值", "提现"} <= kinds
    day = next_morning(api, simulator)
    assert run_day(api, day)["state"] == "closed", "an empty day after it"


def test_large_days_are_worked_on_beside_the_loop(shop):
    """Whatever a bill's size, people are answered: its reading and comparing has another thread."""
    house, api, simulator = shop
    asked_by, wallet = [], house.door.wallet
    beside = type(wallet.beside)

    def watched(self, work):
        asked_by.append(threading.get_ident())
        return ran(self, work)

    ran, beside._run = beside._run, watched
    try:
        top_up(api, api.user(), 1)
        pay(simulator)
        assert run_day(api, next_morning(api, simulator))["state"] == "closed"
    finally:
        beside._run = ran
    assert len(asked_by) > 5
    assert threading.main_thread().ident not in asked_by
    assert len(set(asked_by)) == 1, "one connection, one thread"
    loops = asyncio.run_coroutine_threadsafe(thread_of_loop(), house.loop).result(30)
    assert loops not in asked_by


async def thread_of_loop():
    """Return the thread that answers people."""
    return threading.get_ident()
