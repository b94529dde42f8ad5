"""An outage from end to end: real servers, hosts that go down, and nobody's money unexplained.

Two accounts of one merchant, each behind a host of its own. Breakers, mode, offers, unwinding and
the report are the server's own doing; only the clock that breakers rest by is moved by hand.
"""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.phone import phone_of
from api.till import ACCOUNT, OPENID, Platform, Till
from lingqian.channels.route import State
from lingqian.cli.main import app
from lingqian.events.pace import TRIES
from lingqian.kernel.clock import SECOND_US
from lingqian.topup.mode import SILENCE_S_MAX, STEADY_S_MIN

SPARE = "spare"
BUNDLE = {"plan_id": "coins-30"}
PRICE_FEN = 3_000
DAY_S = 86_400
WAY = {"product": "jsapi", "payer": {"openid": OPENID}}
_names = itertools.count()


class Twin(Till):
    """A wallet with two accounts, and what the story needs of it."""

    skew_us = 0

    def accounts(self, row):
        """Give each account one of the platform's two hosts."""
        first, second = row["hosts"]
        # A machine under load is no channel that has gone silent.
        row = {**row, "timeout_s": 10}
        return [{**row, "hosts": [first]}, {**row, "account": SPARE, "hosts": [second]}]

    def start(self):
        """Start, with a clock for breakers that can be moved."""
        super().start()
        health = self.house.door.wallet.health
        clock = health._clock
        self.house.on_loop(lambda: setattr(health, "_clock", lambda: clock() + self.skew_us))

    def rest(self, seconds):
        """Let breakers rest, as if time had passed."""
        self.skew_us += seconds * SECOND_US

    def hosts(self, step, numbers=(0, 1)):
        """Take hosts of the platform down, or bring them up."""
        for number in numbers:
            self.platform.control("POST", f"/control/hosts/{number}/{step}")

    def mode(self, account=ACCOUNT):
        """Return how an account is served."""
        return self.api.get(f"/v1/channels/{account}").body["mode"]

    def is_silent(self, account):
        """Say whether the last question to an account had no answer."""
        pulse = self.house.door.watch.pulse(account)
        return self.house.on_loop(lambda: pulse.is_silent)

    def again(self, order):
        """Ask for an order's pay sheet again."""
        return self.api.post(f"/v1/top-ups/{order['id']}/attempts", WAY)

    def act(self, order, what, body=None):
        """Take an offer up."""
        return self.api.post(f"/v1/top-ups/{order['id']}/{what}", body, once=f"o{next(_names)}")

    def pay(self, user_id, **more):
        """Buy a bundle the ordinary way, and wait until it is credited."""
        order = self.top_up(user_id, **BUNDLE, **more)
        self.platform.pay(self.number(order))
        wait_for(lambda: self.state(order["id"]) == "credited")
        return order

    def coins(self, user_id):
        """Return somebody's coins."""
        return self.api.get(f"/v1/users/{user_id}/coins").body


def ways(order):
    """Return which offers an answer makes."""
    return [each["way"] for each in order.get("offers", ())]


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """Two accounts, and people who have topped up for long enough to be advanced."""
    platform = Platform()
    try:
        found = Twin(tmp_path_factory.mktemp("twin"), platform)
        try:
            yield found
        finally:
            found.stop()
    finally:
        platform.stop()


@pytest.fixture(autouse=True)
def _sound(till):
    """Begin each test with every breaker closed, as a restart does."""
    health = till.house.door.wallet.health
    till.house.on_loop(lambda: setattr(health, "state", State()))


def known(till, count):
    """Register people and give them the history that an advance asks for."""
    people = [till.api.user() for _ in range(count)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            list(pool.map(till.pay, people))
    return people


def tap_until_open(till):
    """Let strangers tap until no account is asked any more."""
    strangers = [till.api.user() for _ in range(8)]

    def tap(user_id):
        return till.top_up(user_id, **BUNDLE)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(tap, strangers))


class Story:
    """What the steps of the story hand on to each other."""

    early = lost = waiting = fresh = bare = None


def one_account_down_is_nobodys_trouble(till, story):
    """Other host, other account: the person has a pay sheet and never hears of it."""
    paying, silent, story.bare = known(till, 3)
    till.api.advance(31 * DAY_S)
    funded = till.api.post("/v1/advance-lines/funding", {"amount_fen": 300_000}, once="line")
    assert funded.status == 201
    story.early = till.top_up(story.bare, **BUNDLE)
    assert till.act(story.early, "advance").code == "line_closed"
    assert ways(till.api.post(f"/v1/top-ups/{story.early['id']}/return").body) == []
    till.hosts("down", [0])
    served = till.top_up(paying, **BUNDLE)
    assert served["attempts"][-1]["account"] == SPARE
    assert served["invocation"]
    story.waiting = till.top_up(silent, **BUNDLE)
    assert story.waiting["invocation"]
    assert till.mode() == "normal"


def everything_down_degrades_by_itself(till, story):
    """Breakers open on both accounts, and the mode follows within a second."""
    # Somebody pays meanwhile, and nobody can say so.
    till.platform.arm("notice_lost", count=0)
    till.platform.pay(till.number(story.waiting), is_told=False)
    till.hosts("down", [1])
    story.lost = tap_until_open(till)
    assert {each["hindrance"]["code"] for each in story.lost} == {"no_channel"}
    wait_for(lambda: till.mode() == till.mode(SPARE) == "degraded", 20)
    shown = till.api.get(f"/v1/channels/{SPARE}").body
    assert {"operation": "prepay", "phase": "open"} in shown["hosts"][0]["lines"]
    assert not any(each["is_routable"] for each in shown["products"])


def the_own_wallet_is_offered_first(till, story):
    """R1: an ordinary payment, once, whoever taps twice; the unpaid order ends with it."""
    assert till.again(story.lost[0]).code == "no_channel"
    rich = till.api.rich(PRICE_FEN)
    order = till.top_up(rich, **BUNDLE)
    assert ways(order) == ["wallet"]
    paid = till.act(order, "wallet-payment")
    assert (paid.status, paid.body["state"]) == (201, "credited")
    assert till.act(order, "wallet-payment").body["id"] == paid.body["id"]
    assert (till.fen(rich), till.state(order["id"])) == (0, "closed")
    assert till.order(order["id"])["wallet_order_id"] == paid.body["id"]
    assert till.act(story.lost[1], "wallet-payment").code == "exceeds_available"
    balance = till.top_up(rich)
    assert till.act(balance, "wallet-payment").code == "order_infeasible"


def who_is_known_is_advanced(till, story):
    """R2: without a number, and with one paid that cannot be proven; caps are the lane's."""
    assert ways(till.again(story.early).body) == ["advance"]
    story.fresh = till.top_up(story.bare, **BUNDLE)
    assert ways(story.fresh) == ["advance"]
    told, other, asked = two_at_once(till, story.fresh, story.waiting)
    assert (told.status, told.body["state"]) == (201, "advanced")
    assert (other.code, asked) == ("advance_open_here", 1), "the second never came to a lane"
    assert till.act(story.fresh, "advance").status == 200
    assert till.act(story.early, "advance").code == "advance_open"
    back = till.api.post(f"/v1/top-ups/{story.waiting['id']}/return").body
    assert ways(back) == ["advance"]
    assert till.act(story.waiting, "wallet-payment").code == "attempt_open"
    for here in ({"device": "a phone"}, {"device": "another", "client_ip": "1.2.4.8"}):
        assert till.act(story.waiting, "advance", here).code == "advance_open_here"
    own = phone_of(till.api, story.waiting["user_id"])
    path = f"/v1/top-ups/{story.waiting['id']}/advance"
    headers = {"Payment-Factor": f"password {proven(own, path)}"}
    assert own.post(path, headers=headers).body["state"] == "advanced"
    assert till.act(story.lost[2], "advance").code == "history_too_short"
    (line,) = till.api.get("/v1/advance-lines").body["lines"]
    assert (line["open_fen"], line["minute_fen"]) == (2 * PRICE_FEN, 2 * PRICE_FEN)
    first = till.api.get("/v1/advances?limit=1").body
    second = till.api.get(f"/v1/advances?limit=1&cursor={first['next_cursor']}").body
    shown = [each["order_id"] for each in (*first["advances"], *second["advances"])]
    assert shown == [story.waiting["id"], story.fresh["id"]]


def two_at_once(till, first, second):
    """Ask for an advance from a phone while another from it is on its way to its lane.

    Return both answers, and how many came to a lane.
    """
    door, here = till.house.door, {"device": "a phone", "client_ip": "1.2.4.8"}
    ask, asked, is_over = door.ask, threading.Event(), threading.Event()
    count = itertools.count()

    async def slow(submission):
        next(count)
        asked.set()
        await asyncio.to_thread(is_over.wait, 30)
        return await ask(submission)

    till.house.on_loop(lambda: setattr(door, "ask", slow))
    with ThreadPoolExecutor(1) as pool:
        one = pool.submit(till.act, first, "advance", here)
        asked.wait(30)
        is_over_timer = threading.Timer(2, is_over.set)
        is_over_timer.start()
        other = till.act(second, "advance", here)
        is_over.set()
        told = one.result()
    is_over_timer.cancel()
    till.house.on_loop(lambda: setattr(door, "ask", ask))
    return told, other, next(count)


def proven(phone, path):
    """Prove an advance that a new device asks for; return the token."""
    assert phone.post(path).code == "password_not_set"
    word = {"password": "274913"}
    phone.call("PUT", "/v1/users/me/payment-password", word)
    told = phone.post(path)
    assert (told.status, told.code, told.body["amount_fen"]) == (403, "factor_needed", PRICE_FEN)
    answer = {"challenge": told.body["challenge"], **word}
    return phone.post("/v1/users/me/payment-tokens", answer).body["payment_token"]


def it_recovers_by_itself_and_catches_up(till, story):
    """Nobody taps: every attempt is asked about, and who has not paid is asked to, once."""
    till.hosts("up")
    till.rest(31)
    wait_for(lambda: not till.is_silent(SPARE), 20)
    till.rest(61)
    wait_for(lambda: till.mode() == till.mode(SPARE) == "normal", 30)
    wait_for(lambda: till.state(story.waiting["id"]) == "confirmed", 20)

    def is_asked():
        rows = till.api.get("/v1/advances").body["advances"]
        return any("asked_at" in each for each in rows if each["order_id"] == story.fresh["id"])

    wait_for(is_asked)
    sheet = till.again(story.fresh).body
    till.platform.pay(till.number(sheet))
    wait_for(lambda: till.state(story.fresh["id"]) == "confirmed", 20)
    (line,) = till.api.get("/v1/advance-lines").body["lines"]
    assert (line["open_fen"], line["lost_fen"]) == (0, 0)


def the_report_adds_up_and_the_trail_tells_it(till, story):
    """Who was bridged how, what it came to, and who switched what."""
    reports = [_report(till, account) for account in (ACCOUNT, SPARE)]
    assert sum(each["advances"]["count"] for each in reports) == 2
    assert sum(each["advances"]["confirmed_fen"] for each in reports) == 2 * PRICE_FEN
    assert sum(each["advances"]["asked_to_pay"] for each in reports) == 1
    for each in reports:
        assert each["at_risk_fen"] == 0
        assert each["wallet_payments"] == {"count": 1, "amount_fen": PRICE_FEN}
        steps = [step["event"] for step in each["outage"]["steps"]]
        assert steps == ["degrade", "recover", "finish"]
        assert "closed_at" in each["outage"]
        assert each["orders"] > 0
    env = {"LINGQIAN_URL": f"http://127.0.0.1:{till.port}", "LINGQIAN_KEY": till.api.key}
    told = CliRunner().invoke(app, ["channel", "report", SPARE], env=env)
    assert told.exit_code == 0, told.output
    assert "by the own wallet" in told.stdout
    assert "degrade → degraded" in told.stdout
    kinds = [each["kind"] for each in _trail(till, story.fresh["id"])]
    assert kinds.count("settle_advance") == 1
    assert "ask_advance" in kinds
    modes = _trail(till, SPARE)
    assert [each["facts"]["event"] for each in modes][-3:] == ["degrade", "recover", "finish"]


def _trail(till, number):
    """Return the entries of a trail."""
    return till.api.get(f"/v1/trails/{number}").body["entries"]


def _report(till, account):
    """Return the newest outage of an account by figures."""
    path = f"/v1/channels/{account}/outages"
    newest = till.api.get(path).body["outages"][0]
    return till.api.get(f"{path}/{newest['number']}").body


def test_an_outage_is_bridged_and_caught_up(till):
    """One story in order, from the first host down to a clean audit beside the running server."""
    story = Story()
    for step in (
        one_account_down_is_nobodys_trouble,
        everything_down_degrades_by_itself,
        the_own_wallet_is_offered_first,
        who_is_known_is_advanced,
        it_recovers_by_itself_and_catches_up,
        the_report_adds_up_and_the_trail_tells_it,
    ):
        step(till, story)
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output


def test_questions_without_answers_degrade_while_sheets_can_be_had(till):
    """People go on paying and nobody can prove it: that is an outage too, a minute later."""
    order = till.top_up(till.api.user(), **BUNDLE)
    account = order["attempts"][-1]["account"]
    till.platform.arm("error_before", count=0, operation="query")
    try:
        till.api.post(f"/v1/top-ups/{order['id']}/return")
        wait_for(lambda: till.is_silent(account))
        assert till.mode(account) == "normal"
        till.rest(SILENCE_S_MAX + 1)
        wait_for(lambda: till.mode(account) == "degraded")
        assert "no evidence" in till.api.get(f"/v1/channels/{account}").body["why"]
        assert till.top_up(till.api.user(), **BUNDLE)["invocation"]
    finally:
        till.platform.disarm()
    till.api.post(f"/v1/top-ups/{order['id']}/return")
    wait_for(lambda: not till.is_silent(account))
    till.rest(STEADY_S_MIN + 1)
    wait_for(lambda: till.mode(account) == "normal", 20)


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_a_cut_call_is_closed_before_another_account_is_asked(till, fault):
    """R1: at most one number can be paid; the channel itself says that the first cannot be."""
    till.platform.arm(fault, count=TRIES, operation="prepay_jsapi")
    order = till.top_up(till.api.user(), **BUNDLE)
    assert [each["state"] for each in order["attempts"]] == ["closed", "payable"]
    assert {each["account"] for each in order["attempts"]} == {ACCOUNT, SPARE}
    assert order["invocation"]


def test_a_person_takes_only_the_own_offers_and_proves_what_costs_much(till):
    """Another way to pay is no way around the payment password, nor into another's purse."""
    user = till.api.rich(13_000)
    own, other = phone_of(till.api, user), phone_of(till.api, till.api.user())
    till.hosts("down")
    try:
        dear = till.top_up(user, plan_id="coins-100")
        cheap = till.top_up(user, **BUNDLE)
    finally:
        till.hosts("up")
    for what in ("wallet-payment", "advance"):
        assert other.post(f"/v1/top-ups/{dear['id']}/{what}", once=f"o{next(_names)}").status == 404
    told = own.post(f"/v1/top-ups/{dear['id']}/wallet-payment", once="dear")
    assert told.code == "password_not_set"
    paid = own.post(f"/v1/top-ups/{cheap['id']}/wallet-payment", once="cheap")
    assert (paid.status, paid.body["user_id"]) == (201, user)
    assert till.fen(user) == 13_000 - PRICE_FEN
