"""One life of money from the first order to the closed day, and the books at its end (资金的一生).

The person repeats with the same key whatever was not answered and knows nothing of kills. All times
are set, so that every life is the same but for its ids; those are left out of the books.
"""

import json
import threading
import time
from datetime import datetime, timedelta

from acceptance.server import Server, surroundings
from api.till import ACCOUNT, OPENID, channel_row, free_port
from crash import striker
from crash.size import sized
from crash.test_kill import audited, wait_until_published
from simulated import CHINA, Client, Running

# One question may be cut off by many kills in a row, each with an audit and a start behind it.
PATIENCE_S = sized(120, 900)
KILLED = -9
NUDGE_S = 60
MERCHANT_FEN = 10_000_000
# Their names outside, which decide of four lanes that each is at home in another.
NAMES = {"person": "person", "friend": "guest 0", "streamer": "guest 2", "nobody": "guest 3"}
PROGRAM = ("python", striker.__file__)


class Wallet:
    """A server that is killed at the steps it is given, audited as it lies, and started again."""

    def __init__(self, folder, armed=(), lies="", lanes=4):
        self.simulator = Running(notice_scale=0.05)
        self.file = folder / "steps.json"
        state = {"armed": list(armed), "struck": [], "seen": [], "lies": lies}
        self.file.write_text(json.dumps(state), "utf-8")
        data = folder / "data"
        data.mkdir()
        port = free_port()
        row = channel_row(self.simulator.simulator, data, port)
        env = surroundings(
            LINGQIAN_CHANNELS=json.dumps([row]),
            LINGQIAN_SIMULATOR_CONTROL_URL=self.simulator.simulator.control_url,
        )
        program = (*PROGRAM, str(self.file))
        self.server = Server(data, settings=f"lanes = {lanes}\n", program=program, env=env)
        self.server.port = port
        self.kills = 0
        self.wrong = ""
        self.is_up = self.is_over = False
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        """Start it, and whoever starts it again."""
        self.watcher.start()
        try:
            self.server.start()
        except AssertionError:
            self.__exit__()
            raise
        self.is_up = True
        return self

    def __exit__(self, *_):
        """End it for good."""
        self.is_over = True
        self.server.end()
        self.watcher.join(60)
        self.simulator.close()

    @property
    def score(self):
        """Return the steps that went by, and those at which it was killed."""
        return json.loads(self.file.read_text("utf-8"))

    def watch(self):
        """Wait for its end, audit the file as it lies, start it; any other end is wrong."""
        while not self.is_over:
            time.sleep(0.01)
            if not self.is_up or self.server.process.poll() is None or self.is_over:
                continue
            code = self.server.process.poll()
            try:
                assert code == KILLED, f"it has ended by itself: {self.server.words()}"
                audited(self.server)
                self.kills += 1
                self.server.start()
            except AssertionError as error:
                if self.server.process.poll() in (None, KILLED):
                    continue  # slow to be ready, or killed before: a start has its steps too
                self.wrong = str(error) or repr(error)
                return

    def ask(self, method, path, body=None, key=None):
        """Ask until there is an answer, always with the same key."""
        end = time.monotonic() + PATIENCE_S
        while True:
            assert not self.wrong, self.wrong
            assert time.monotonic() < end, f"{path} was never answered"
            try:
                told = self.server.call(method, path, body, key=key)
            except OSError:
                told = None
            if told is not None and told.status not in (0, 429, 503):
                assert told.status in (200, 201), (path, told)
                return told.body
            time.sleep(0.05)

    def until(self, path, name, *values):
        """Look until a field has one of these values; the clock helps where a schedule waits."""
        end, nudged = time.monotonic() + PATIENCE_S, time.monotonic()
        while (found := self.ask("GET", path))[name] not in values:
            assert time.monotonic() < end, f"{path} never came to {values}: {found}"
            if time.monotonic() > nudged + 2:
                self.to(self.now() + timedelta(seconds=NUDGE_S))
                nudged = time.monotonic()
            time.sleep(0.05)
        return found

    def now(self):
        """Return the business time."""
        return datetime.fromisoformat(
            self.ask("POST", "/v1/sandbox/clock", {"advance_s": 0})["now"]
        )

    def to(self, moment):
        """Move the business clock of both sides to a moment, once, however often it is killed."""
        while (left_s := int((moment - self.now()).total_seconds())) > 0:
            try:
                self.server.call("POST", "/v1/sandbox/clock", {"advance_s": left_s})
            except OSError:
                time.sleep(0.05)


class Life:
    """What one person, a friend and a streamer do, in order."""

    def __init__(self, wallet):
        self.wallet = wallet
        self.platform = wallet.simulator
        self.ids = {}

    def live(self):
        """Do everything there is, and return the books at the end."""
        self.begin()
        self.pay("money", "/v1/top-ups", amount_fen=5_000)
        self.pay("coins", "/v1/top-ups", plan_id="coins-30")
        self.give()
        self.refund()
        self.pay_out()
        self.send_packet()
        self.strange_payment()
        self.wallet.to(self.morning + timedelta(hours=2))
        self.until_returned()
        self.wallet.to(self.morning + timedelta(days=1, hours=3))
        self.wallet.until(f"/v1/gifts/{self.ids['gift']}", "state", "settled")
        self.close_day()
        return self.books()

    def begin(self):
        """Register people and set the clock to a morning before bills come and after midnight."""
        mchid = self.platform.merchant.mchid
        self.platform.control(f"/control/merchants/{mchid}/fund", {"amount_fen": MERCHANT_FEN})
        for name, outside in NAMES.items():
            self.ids[name] = self.wallet.ask("POST", "/v1/users", {"external_id": outside})["id"]
        # A lane's first head is published within a second; before it, an audit would miss it.
        wait_until_published(self.wallet.server)
        local = self.wallet.now().astimezone(CHINA)
        self.morning = local.replace(hour=9, minute=0, second=0, microsecond=0)
        self.morning += timedelta(days=1)
        self.wallet.to(self.morning)

    def pay(self, name, path, **body):
        """Open an order and its sheet, pay, wait until it is credited."""
        whole = {"user_id": self.ids["person"], "product": "jsapi", "payer": {"openid": OPENID}}
        order = self.sheet(name, path, whole | body)
        self.ids[name] = order["id"]
        self.platform.control(f"/control/orders/{order['attempts'][-1]['id']}/pay", {})
        self.wallet.until(f"/v1/top-ups/{order['id']}", "is_credited", True)  # noqa: FBT003 - a value
        return order

    def sheet(self, name, path, body):
        """Ask for an order until it has a sheet to pay on."""
        while True:
            told = self.wallet.ask("POST", path, body, name)
            self.ids[f"{name} packet"] = told["id"]
            order = told.get("top_up", told)
            if "invocation" in order:
                return order
            time.sleep(0.1)

    def give(self):
        """Give a gift whose income is settled after a day."""
        body = {"user_id": self.ids["person"], "streamer_id": self.ids["streamer"]}
        wish = body | {"code": "rose", "count": 5, "scene": "chat"}
        self.ids["gift"] = self.wallet.ask("POST", "/v1/gifts", wish, "gift")["id"]

    def refund(self):
        """Ask a part of the first payment back."""
        path = f"/v1/top-ups/{self.ids['money']}/refunds"
        made = self.wallet.ask("POST", path, {"amount_fen": 2_000}, "refund")
        self.wallet.until(f"/v1/refunds/{made['id']}", "stage", "success")

    def pay_out(self):
        """Withdraw, and confirm it in the channel's own app."""
        wish = {"user_id": self.ids["person"], "amount_fen": 1_000, "payee": {"openid": OPENID}}
        made = self.ids["payout"] = self.wallet.ask("POST", "/v1/payouts", wish, "payout")["id"]
        path = f"/v1/payouts/{made}"
        self.wallet.until(path, "stage", "waiting", "success")
        self.platform.control(f"/control/transfers/{made.replace('_', '')}/confirm", {})
        self.wallet.until(path, "stage", "success")

    def send_packet(self):
        """Send a packet that the channel pays; a friend opens one of its two shares."""
        wish = {
            "sender_id": self.ids["person"], "kind": "equal", "each_fen": 300, "count": 2,
            "pay_with": "channel", "product": "jsapi", "payer": {"openid": OPENID},
            "expires_in_s": 3_600,
        }  # fmt: skip
        order = self.sheet("packet", "/v1/packets", wish)
        self.ids["packet"] = order["id"]
        self.platform.control(f"/control/orders/{order['attempts'][-1]['id']}/pay", {})
        path = f"/v1/packets/{self.ids['packet packet']}"
        self.wallet.until(path, "state", "open")
        self.wallet.ask("POST", f"{path}/claims", {"user_id": self.ids["friend"]})

    def strange_payment(self):
        """Let another program of the same merchant be paid, which only the bill can tell us."""
        stranger = Client(self.platform)
        assert stranger.prepay("STRANGER1", total=700).status == 200
        stranger.pay("STRANGER1")

    def until_returned(self):
        """Wait until the rest of the packet is back where it came from."""
        self.wallet.until(f"/v1/top-ups/{self.ids['packet']}", "refund_state", "partial", "full")
        path = f"/v1/top-ups/{self.ids['packet']}/refunds"
        refund = self.wallet.ask("GET", path)["refunds"][0]["id"]
        self.wallet.until(f"/v1/refunds/{refund}", "stage", "success")

    def close_day(self):
        """Close the day before the first order, and then the day itself."""
        self.day = self.morning.strftime("%Y-%m-%d")
        eve = (self.morning - timedelta(days=1)).strftime("%Y-%m-%d")
        for day in (eve, self.day):
            self.close(day)

    def close(self, day):
        """Run one day until it is closed."""
        body = {"account": ACCOUNT, "day": day, "by": "amy"}
        end = time.monotonic() + PATIENCE_S
        while (ran := self.wallet.ask("POST", "/v1/reconciliations", body))["state"] != "closed":
            assert time.monotonic() < end, ran
            time.sleep(0.2)

    # --- the books ---------------------------------------------------------------------------

    def books(self):
        """Return everything that must not depend on kills."""
        get = self.wallet.ask
        names = ("money", "coins", "packet")
        path = f"/v1/reconciliations/{self.day}/{ACCOUNT}"
        return {
            "people": {name: self.purse(name) for name in ("person", "friend", "streamer")},
            "orders": {name: self.order(name) for name in names},
            "gift": get("GET", f"/v1/gifts/{self.ids['gift']}")["state"],
            "payout": get("GET", f"/v1/payouts/{self.ids['payout']}")["stage"],
            "packet": self.packet(),
            "parked": [
                each["parked_fen"] for each in get("GET", "/v1/parked-payments")["payments"]
            ],
            "day": picked(get("GET", path)["reconciliation"], DAY),
            "differences": [picked(each, GAP) for each in get("GET", path)["differences"]],
            "platform": self.beyond(),
        }

    def purse(self, name):
        """Return what a person has."""
        path = f"/v1/users/{self.ids[name]}"
        rows = self.wallet.ask("GET", f"{path}/balances")["balances"]
        money = {row["book"]: row["amount_fen"] + row["incoming_fen"] for row in rows}
        coins = picked(self.wallet.ask("GET", f"{path}/coins"), ("paid", "bonus", "frozen"))
        return money, coins, self.wallet.ask("GET", f"{path}/income")["pending_fen"]

    def packet(self):
        """Return what became of the packet."""
        found = self.wallet.ask("GET", f"/v1/packets/{self.ids['packet packet']}")
        back = picked(found["returned"], ("amount_fen", "to"))
        return picked(found, PACKET), back

    def order(self, name):
        """Return an order with its refunds."""
        path = f"/v1/top-ups/{self.ids[name]}"
        refunds = self.wallet.ask("GET", f"{path}/refunds")["refunds"]
        return picked(self.wallet.ask("GET", path), ORDER), [picked(each, BACK) for each in refunds]

    def beyond(self):
        """Return what the platform has done, and what the merchant has there."""
        lists = {
            name: sorted([each["state"] for each in self.platform.control(f"/control/{name}")])
            for name in ("orders", "refunds", "transfers")
        }
        (merchant,) = self.platform.control("/control/merchants")
        return lists, merchant["balance_fen"]


ORDER = ("kind", "amount_fen", "pay_state", "credit_state", "refund_state", "refunded_fen")
BACK = ("amount_fen", "origin", "stage", "charge_returned_fen")
PACKET = ("state", "claimed_fen", "claims_count", "remaining_count")
DAY = ("state", "items", "ours_fen", "theirs_fen", "opening_fen", "closing_fen", "owned")
GAP = ("class_code", "kind", "gap_fen", "charge_gap_fen", "state", "is_booked")


def picked(row, names):
    """Return some fields of a row."""
    return {name: row.get(name, "none") for name in names}
