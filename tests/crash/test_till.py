"""`kill -9` anywhere in pay, notice, credit, gift, refund, withdrawal: the end is the same (崩溃).

A real server and a real platform on loopback. People do everything there is, ask again with the
same key when they were not answered, and never hear of the kills; a third of the callbacks is lost.
"""

import json
import random
import threading
import time

import pytest

from acceptance.server import Server, surroundings
from api.till import OPENID, Platform, channel_row, free_port
from crash.size import BOUND_S, sized
from crash.test_kill import audited

PEOPLE = sized(4, 30)
KILLS = sized(5, 60)
BETWEEN_S = (0.3, 2.0)
SETTLED_S = 240
MERCHANT_FEN = 100_000_000
ENDED_FEN, ENDED_COINS, GIFT_FEN = 2_000, 250, 500
assert BETWEEN_S[0] < BETWEEN_S[1], "kills come at random distances"


class Customer(threading.Thread):
    """Tops up, asks a part back, withdraws, buys coins and gives a gift; knows nothing of kills."""

    def __init__(self, server, platform, user, streamer):
        super().__init__(daemon=True)
        self.server = server
        self.platform = platform
        self.user = user
        self.streamer = streamer
        self.wrong = ""
        self.numbers = []

    def run(self):
        """Live through it; what cannot be is kept for the test."""
        try:
            self.live()
        except AssertionError as error:
            self.wrong = str(error) or repr(error)

    def live(self):
        """Do one thing after the other, each until it is done."""
        order = self.pay({"amount_fen": 5_000}, "money")
        path = f"/v1/top-ups/{order['id']}/refunds"
        refund = self.ask(path, {"amount_fen": 2_000}, "refund")
        self.until(f"/v1/refunds/{refund['id']}", "stage", ("success",))
        body = {"user_id": self.user, "amount_fen": 1_000, "payee": {"openid": OPENID}}
        payout = self.ask("/v1/payouts", body, "payout")
        self.until(f"/v1/payouts/{payout['id']}", "stage", ("waiting", "success"))
        number = payout["id"].replace("_", "")
        self.platform.control("POST", f"/control/transfers/{number}/confirm", {})
        self.until(f"/v1/payouts/{payout['id']}", "stage", ("success",))
        self.pay({"plan_id": "coins-30"}, "coins")
        body = {"user_id": self.user, "streamer_id": self.streamer, "code": "rose", "count": 5}
        self.ask("/v1/gifts", body, "gift")

    def pay(self, body, key):
        """Open a top-up, pay its one attempt, wait until it is credited."""
        whole = {"user_id": self.user, "product": "jsapi", "payer": {"openid": OPENID}, **body}
        order = self.ask("/v1/top-ups", whole, key)
        while "invocation" not in order:
            time.sleep(0.1)
            order = self.ask("/v1/top-ups", whole, key)
        number = order["attempts"][-1]["id"]
        self.numbers.append(number)
        self.platform.pay(number, is_told=random.randrange(3) > 0)
        self.until(f"/v1/top-ups/{order['id']}", "is_credited", (True,))
        return order

    def ask(self, path, body, key):
        """Ask until there is an answer, always with the same key."""
        end = time.monotonic() + SETTLED_S
        while True:
            told = self.told("POST", path, body, f"{self.user}-{key}")
            if told.status in (200, 201):
                return told.body
            assert told.status in (0, 429, 503), told
            assert time.monotonic() < end, f"{path} was never answered"
            time.sleep(0.1)

    def told(self, method, path, body=None, key=None):
        """Ask once; a server that is away has said nothing."""
        try:
            return self.server.call(method, path, body, key=key)
        except OSError:
            time.sleep(0.1)
            return self.told(method, path, body, key)

    def until(self, path, name, values):
        """Look again and again until a field has one of these values."""
        end = time.monotonic() + SETTLED_S
        while True:
            told = self.told("GET", path)
            if told.status == 200 and told.body.get(name) in values:
                return
            assert time.monotonic() < end, f"{path} never came to {values}: {told.body}"
            time.sleep(0.2)


@pytest.mark.timeout(BOUND_S)
def test_kills_change_nothing_about_the_end(tmp_path):
    """Everybody ends with the same balance and coins, the platform with one payment for each."""
    platform = Platform(notice_scale=0.1)
    mchid = platform.simulator.merchant.mchid
    fund = {"amount_fen": MERCHANT_FEN}
    platform.control("POST", f"/control/merchants/{mchid}/fund", fund)
    port = free_port()
    folder = tmp_path / "data"
    folder.mkdir()
    row = channel_row(platform.simulator, folder, port)
    env = surroundings(
        LINGQIAN_CHANNELS=json.dumps([row]),
        LINGQIAN_SIMULATOR_CONTROL_URL=platform.simulator.control_url,
    )
    server = Server(folder, settings="lanes = 4\n", env=env)
    server.port = port
    try:
        server.start()
        streamer = server.good("POST", "/v1/users", {"external_id": "streamer"})["id"]
        users = [
            server.good("POST", "/v1/users", {"external_id": f"p{number}"})["id"]
            for number in range(PEOPLE)
        ]
        customers = [Customer(server, platform, user, streamer) for user in users]
        for each in customers:
            each.start()
        for _ in range(KILLS):
            time.sleep(random.uniform(*BETWEEN_S))
            server.kill()
            audited(server)
            server.start()
        settle(server, customers)
        assert [each.wrong for each in customers] == [""] * PEOPLE
        check(server, platform, customers, streamer)
        assert server.stop() == 0
        audited(server)
    finally:
        server.end()
        platform.stop()


def settle(server, customers):
    """Let everybody finish; the clock helps where a schedule would only wait."""
    end = time.monotonic() + SETTLED_S
    while any(each.is_alive() for each in customers):
        assert time.monotonic() < end, "not everybody has come to an end"
        server.call("POST", "/v1/sandbox/clock", {"advance_s": 20})
        for each in customers:
            each.join(0.5)


def check(server, platform, customers, streamer):
    """Compare what people have with what they did, and with what the platform has done."""
    for each in customers:
        (row,) = server.good("GET", f"/v1/users/{each.user}/balances")["balances"]
        assert (each.user, row["amount_fen"]) == (each.user, ENDED_FEN)
        coins = server.good("GET", f"/v1/users/{each.user}/coins")
        assert (coins["paid"], coins["frozen"]) == (ENDED_COINS, 0)
    income = server.good("GET", f"/v1/users/{streamer}/income")["pending_fen"]
    assert income == len(customers) * GIFT_FEN // 2
    orders = platform.control("GET", "/control/orders")
    paid = [each["out_trade_no"] for each in orders if each["state"] in ("SUCCESS", "REFUND")]
    assert sorted(paid) == sorted(number for each in customers for number in each.numbers)
    refunds = platform.control("GET", "/control/refunds")
    assert [each["state"] for each in refunds] == ["SUCCESS"] * len(customers)
    transfers = platform.control("GET", "/control/transfers")
    assert [each["state"] for each in transfers] == ["SUCCESS"] * len(customers)
