"""A small ledger on disk that has lived through everything, for audits, drills and backups.

Every kind of command, outcome and state is in it, in one lane or several; heads are published as a
running wallet does. Amounts and choices are drawn from a fresh seed each time.
"""

import random
import secrets
import shutil
from hashlib import sha256
from typing import NamedTuple

from lingqian.analytics.step import Step
from lingqian.channels.port import (
    PayoutReading,
    PayoutState,
    RefundReading,
    RefundState,
    TradeState,
)
from lingqian.clearing.difference import Remedy, day_id, difference_id, flow_id
from lingqian.clearing.item import Way
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.advance import CLAW_BACK, REQUEST
from lingqian.flows.command import (
    AllocateParked,
    AskAdvance,
    BeginAttempt,
    CloseDay,
    ClosePacket,
    DrawPacket,
    ExpireCoins,
    ExpireOrder,
    FundLine,
    NotePrepay,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RecordBill,
    RecordDifference,
    RecordFlow,
    RecordMatch,
    ResolveDifference,
    SendGift,
    SetMode,
    SettleAdvance,
    SettleCase,
    SettleGift,
)
from lingqian.flows.view import Policy
from lingqian.gift.catalogue import CATALOGUE
from lingqian.gift.income import income_row
from lingqian.identity.passkey import Passkey, Point
from lingqian.identity.session import Token, link_digest
from lingqian.identity.user import Status
from lingqian.kernel.bound import REFUND_GAP_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import lane_of, mint
from lingqian.redpacket.packet import PacketKind, packet_order
from lingqian.risk.rule import Action, Rule, Verdict
from lingqian.storage import (
    cover,
    operator_passkey,
    passkey,
    password,
    purse,
    query,
    real_name,
)
from lingqian.storage.act import Deed, add_act
from lingqian.storage.authenticator import enrol
from lingqian.storage.beacon import Beacon
from lingqian.storage.behaviour import Told, record_steps
from lingqian.storage.cashier import Card, Cashier, GiftWish, Payee
from lingqian.storage.cover import Added
from lingqian.storage.desk import FIELD_NOTICE, Desk, Wish, client_key, reveal_with
from lingqian.storage.head import HeadLog, lane_rows
from lingqian.storage.kept_bill import BILL_FIELDS, FIELD_SHEET, sealed, sealed_note
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.port import Personal, Taken
from lingqian.storage.position import Parker
from lingqian.storage.relay import waiting
from lingqian.storage.session import (
    Arrival,
    NewLink,
    Sessions,
    add_link,
    confirm,
    refresh,
    revoke,
    sign_in,
)
from lingqian.storage.sqlite import SqliteStore, connect
from lingqian.storage.vault import open_vault
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.evidence import Source, notice_key, stranger_id, transaction_key
from lingqian.topup.fee import FeePlan
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin

START_US = 1_772_337_600_000_000  # 2026-03-01T12:00:00+08:00
DAY_US = 86_400 * SECOND_US
RULES = (
    Rule("large transfer", Action.TRANSFER, 90_000, Verdict.REVIEW),
    Rule("large packet", Action.SEND, 90_000, Verdict.DELAY, 60),
    Rule("large payout", Action.PAYOUT, 60_000, Verdict.REVIEW),
    Rule("odd transfer", Action.TRANSFER, 400_000, Verdict.CHALLENGE),
)
PEOPLE = 12


class Opened(NamedTuple):
    """An order that stands open."""

    order_id: bytes
    amount_fen: int
    expires_at_us: int


class LedgerCase:
    """A data directory with a life in it; `step` applies commands, `live` runs the whole life."""

    def __init__(self, folder, lanes=1, seed=None, store=None):
        self.folder = folder
        self.random = random.Random(secrets.randbits(64) if seed is None else seed)
        self.us = START_US
        self.vault = open_vault(folder / "keys")
        self.desk = Desk(self.vault, lanes)
        self.cashier = Cashier(self.vault, {"wx": FeePlan()})
        self.beacon_desk = Desk(self.vault, lanes, Beacon((), bytes(32), 1, 30))
        self.store = store or SqliteStore(folder / "ledger.db")
        self.log = HeadLog(folder / "heads.log")
        shell = Shell(self, secrets.token_bytes, reveal_with(self.vault))
        self.writer = Writer(self.store, range(lanes), Policy(caps(DEFAULT), RULES), shell)
        self.people = []
        self._keys = 0

    def now_us(self):
        """Return where the hand of the clock stands."""
        return self.us

    def key(self):
        """Return a caller's key that was not used before."""
        self._keys += 1
        return f"key {self._keys}"

    def step(self, *submissions):
        """Apply one batch, deliver what lies between lanes, publish the heads."""
        self.us += 1_000
        answers = self.writer.apply([*submissions])
        while deliveries := [Submission(each) for each in waiting(self.store.connection)]:
            self.writer.apply(deliveries)
        self.log.publish(lane_rows(self.store.connection), self.us)
        return answers

    def some(self, count):
        """Draw people."""
        return self.random.sample(self.people, count)

    def live(self):
        """Run through everything once."""
        self.gather()
        self._pay()
        for _ in range(3):
            self._open_packets()
        self._hold()
        self._draw()
        self._close()
        self._top_up()
        self._spend()
        self._give_back()
        self._pay_out()
        self._bridge()
        self._reconcile()
        self._behave()
        self._operate()
        self._read()
        return self

    def gather(self):
        """Register people, fund them, and let them meet."""
        names = [self._name(number) for number in range(PEOPLE)]
        registered = self.step(*[self.desk.register(name, name.title(), 3) for name in names])
        self.people = [answer.command.user_id for answer in registered]
        self.step(*[self.desk.fund(each, 1_000_000, self.key()) for each in self.people])
        for name in ("lunch", "family", "a very long name"):
            self.step(self.desk.members(name, self.some(6), self.key()))
        self.step(self.desk.members("lunch", self.people[:9], self.key()))

    def _name(self, number):
        """Draw a name that lives in a lane: every lane has people."""
        while True:
            name = f"person {number} {secrets.token_hex(4)}"
            if self.desk.lane_for(name) == number % len(self.writer.lanes):
                return name

    def _pay(self):
        for _ in range(6):
            self.step(*[self.transfer(self.random.randint(1, 900)) for _ in range(4)])
        source, target = self.some(2)
        # Refused for funds: burns its key, moves nothing.
        self.step(self.pay(source, target, 70_000), self.pay(target, source, 4_900_000))

    def transfer(self, amount_fen):
        """Make a transfer between two people drawn at random."""
        return self.pay(*self.some(2), amount_fen)

    def pay(self, source, target, amount_fen, note="for lunch"):
        """Make a transfer."""
        return self.desk.transfer(
            source,
            target,
            amount_fen=amount_fen,
            target=Status(1, 3, 1),
            note=note,
            caller_key=self.key(),
        )

    def send(self, kind=PacketKind.LUCKY, total_fen=1_000, count=4, desk=None, **wish):
        """Send a packet from somebody; return its id."""
        (sender,) = self.some(1)
        asked = Wish(sender, kind, total_fen, count, 20_000, greeting="happy new year", **wish)
        (answer,) = self.step((desk or self.desk).send(asked, self.key()))
        return answer.command.packet_id

    def claim(self, packet_id, people, passphrase=""):
        """Open a packet for people, one batch."""
        status = Status(1, 3, 1)
        return self.step(*[self.desk.claim(packet_id, each, status, passphrase) for each in people])

    def _open_packets(self):
        self.claim(self.send(), self.some(6))
        self.claim(self.send(PacketKind.EQUAL, is_lucky=False), self.some(2))
        named = self.some(3)
        packet_id = self.send(PacketKind.TARGETED, count=3, recipients=tuple(named))
        self.claim(packet_id, named[:2])
        packet_id = self.send(PacketKind.PASSPHRASE, passphrase="open sesame")
        self.claim(packet_id, self.some(2), "close sesame")
        self.claim(packet_id, self.some(3), "open sesame")
        packet_id = self.send(awaits_entropy=True)
        self.step(self.desk.entropy(packet_id, secrets.token_bytes(32)))
        self.claim(packet_id, self.some(5))
        packet_id = self.send(desk=self.beacon_desk)
        self.mix(packet_id)
        self.claim(packet_id, self.some(2))
        self.step(self.desk.invalidate(self.send(), "the operator"))

    def mix(self, packet_id):
        """Mix a round of a beacon in."""
        signature = secrets.token_bytes(96)
        self.step(self.desk.beacon(packet_id, sha256(signature).digest(), signature))

    def _hold(self):
        """Set money aside and let it go, forward and back; leave some where it is."""
        for event in ("release", "refuse", ""):
            source, target = self.some(2)
            self._settle(self.step(self.pay(source, target, 95_000)), event)
            (sender,) = self.some(1)
            asked = Wish(sender, PacketKind.LUCKY, 95_000, 5, 20_000)
            self._settle(self.step(self.desk.send(asked, self.key())), event)
        source, target = self.some(2)
        self.step(self.pay(source, target, 400_000))

    def _settle(self, answers, event):
        if event:
            opened = answers[0].outcome.opened
            self.step(Submission(SettleCase(opened.case_id, event, "a reviewer")))

    def _draw(self):
        draw_at_us = self.us + 60 * SECOND_US
        many = self.send(PacketKind.DRAW, draw_at_us=draw_at_us)
        few = self.send(PacketKind.DRAW, draw_at_us=draw_at_us)
        waiting_one = self.send(PacketKind.DRAW, draw_at_us=draw_at_us + DAY_US // 2)
        self.claim(many, self.some(7))
        self.claim(few, self.some(2))
        self.claim(waiting_one, self.some(3))
        beaconed = self.send(PacketKind.DRAW, draw_at_us=draw_at_us, desk=self.beacon_desk)
        self.claim(beaconed, self.some(5))
        self.us = draw_at_us
        self.mix(beaconed)
        self.step(*[Submission(DrawPacket(each)) for each in (many, few, beaconed)])

    def _close(self):
        packet_id = self.send(lifetime_s=5)
        self.claim(packet_id, self.some(2))
        self.us += 10 * SECOND_US
        self.step(Submission(ClosePacket(packet_id, is_invalidation=False, by="clock")))
        self.claim(self.send(), self.some(2))

    def _top_up(self):
        """Pay orders in every way there is, and leave some of each where it is."""
        self.pay_order(self.order(OrderKind.BALANCE))
        self.pay_order(self.order(OrderKind.COINS, coins=1_000, bonus_coins=70))
        self.order(OrderKind.COINS, coins=50, is_from_balance=True)
        self.attempt(self.order(OrderKind.BALANCE))
        for event in ("release", "refuse", ""):
            opened = self.pay_order(self.order(OrderKind.BALANCE, 5_000_001)).outcome.opened
            if event:
                self.step(Submission(SettleCase(opened.case_id, event, "a reviewer")))
        self._pay_badly()
        packet_id = self.send(count=3, is_by_channel=True)
        self.pay_order(self.order(OrderKind.PACKET, packet_id=packet_id))
        self.claim(packet_id, self.some(1))
        self.step(self.desk.invalidate(packet_id, "the operator"))
        self.send(is_by_channel=True)
        order = self.order(OrderKind.BALANCE)
        self.us = order.expires_at_us
        self.step(Submission(ExpireOrder(order.order_id, "")))

    def _pay_badly(self):
        """Pay late, twice, another amount, and under a number of nobody's."""
        order = self.order(OrderKind.BALANCE)
        first, second = self.attempt(order), None
        self.step(Submission(NotePrepay(first, PrepayResult.FAILED, 0, "NO_AUTH")))
        second = self.attempt(order)
        self.see(second, order.amount_fen)
        self.see(first, order.amount_fen)
        for amount_fen in (order.amount_fen + 1, order.amount_fen - 1):
            again = self.order(OrderKind.BALANCE, order.amount_fen)
            (answer,) = self.see(self.attempt(again), amount_fen)
        key = transaction_key(lane_of(again.order_id), "wx", answer.command.transaction_id)
        self.step(Submission(AllocateParked(key, "refund", b"", "the operator")))
        self.see(stranger_id(0, "wx", "nobody's"), 300)
        self._give_unasked_back()

    def _give_unasked_back(self):
        """Send money back that nobody had asked for: arrived, and on its way."""
        for number, state in (("one", RefundState.SUCCESS), ("another", RefundState.PROCESSING)):
            (seen,) = self.see(stranger_id(0, "wx", number), 900)
            key = transaction_key(0, "wx", seen.command.transaction_id)
            (sent,) = self.step(Submission(AllocateParked(key, "refund", b"", "the operator")))
            self.note(sent.outcome.refund.refund_id, state, 900)

    def _behave(self):
        """Take down what people did on the way to a top-up, one step of it twice."""
        for user_id in self.people:
            told = [
                Told(f"{step}", secrets.token_bytes(16), step, self.us, "live")
                for step in (Step.PLAN_VIEW, Step.QUOTE, Step.CANCEL)
            ]
            self.step(record_steps(user_id, told), record_steps(user_id, told[:1]))

    def _bridge(self):
        """Bridge orders by the line: one proven, one taken back with a debt, one left open."""
        self.us += DAY_US
        proven, owing, left = self.some(3)
        for lane in sorted({lane_of(each) for each in (proven, owing, left)}):
            fund = FundLine(client_key(lane, self.key()), lane, 1_000_000, "house")
            self.step(Submission(fund))
            self.step(Submission(SetMode(lane, "wx", "degrade", "amy", "no evidence comes")))
        self.pay_order(self.advanced(proven))
        order = self.advanced(owing)
        self.give_all(owing, proven)
        self.us += DAY_US
        self.step(Submission(SettleAdvance(order.order_id, CLAW_BACK, "clock")))
        order = self.advanced(left)
        self.step(Submission(SettleAdvance(order.order_id, REQUEST, "degrade")))

    def give_all(self, user_id, streamer_id):
        """Give all but one of a person's coins, advanced ones too: the income is locked so long."""
        (coins,) = self.store.connection.execute(
            "SELECT sum(paid_left - paid_frozen + iif(bonus_expires_at_us BETWEEN 1 AND ?, 0, "
            "bonus_left - bonus_frozen)) FROM grants WHERE user_id = ?",
            (self.us + SECOND_US, user_id),
        ).fetchone()
        command = SendGift(
            client_key(lane_of(user_id), self.key()), self.mint(lane_of(user_id)), user_id,
            streamer_id, "rose", 1, coins - 1, 500_000, 7 * DAY_US, "live", 3, 1,
        )  # fmt: skip
        (answer,) = self.step(Submission(command))
        assert answer.code == 0, answer

    def advanced(self, user_id):
        """Open an order for coins and give them from the line; return it."""
        order = self.order(OrderKind.COINS, 4_000, user_id, coins=400)
        since_us = self.us - 40 * DAY_US
        askers = [user_id[:2] + kind + user_id[3:] for kind in (b"d", b"a")]
        asked = AskAdvance(order.order_id, "wx", 3, since_us, 25_000, "the shop", False, *askers)  # noqa: FBT003 - a field of the command
        (answer,) = self.step(Submission(asked))
        assert answer.code == 0, answer
        return order

    def _reconcile(self):
        """Close a day, leave the next one open, with differences of every end."""
        first, second = day_id("wx", 20_500), day_id("wx", 20_501)
        self._bills(first, 20_500)
        flow = RecordFlow(flow_id("wx", "f1"), "wx", 20_500, "f1", "提现", -100, b"")
        self.step(Submission(flow))
        carried = self._differ(20_500, "T1", -500, "carry")
        self._differ(20_500, "F1", 0, "repair", fee_gap_fen=1, remedy=Remedy.FEE)
        self._differ(20_500, "L4", 700, "own", remedy=Remedy.LONG)
        short = self._differ(20_500, "S1", -900, "own")
        for event, by, note in (("ask", "amy", "it is lost"), ("agree", "bob", "")):
            mac, rows = sealed_note(self.vault, short, note)
            asked = ResolveDifference(short, event, Remedy.SHORT, by, mac)
            self.step(Submission(asked, rows))
        closed = CloseDay(
            first,
            is_first=True,
            explained_fen=0,
            books_fen=0,
            open_ids=carried,
            result_digest=b"r" * 32,
            by="clock",
        )
        self.step(Submission(closed))
        self._bills(second, 20_501)

    def _bills(self, identity, day):
        """Keep both bills of a day and the sheet they were compared with."""
        for kind, field in BILL_FIELDS.items():
            raw = sealed(self.vault, identity, field, f"{kind} {day}".encode())
            self.step(Submission(RecordBill(identity, "wx", day, kind, raw.mac), (raw,)))
        sheet = sealed(self.vault, identity, FIELD_SHEET, b"sheet")
        matched = RecordMatch(identity, 0, 0, 0, 0, 0, sheet.mac, b"r" * 32)
        self.step(Submission(matched, (sheet,)))

    def _differ(self, day, found, gap_fen, event, *, fee_gap_fen=0, remedy=0):
        """Record a difference and return its id."""
        identity = difference_id("wx", day, (Way.PAY, found), found)
        command = RecordDifference(
            identity, "wx", day, Way.PAY, found, found, gap_fen, fee_gap_fen, event, remedy
        )
        self.step(Submission(command))
        return identity

    def order(self, kind, amount_fen=0, user_id=b"", packet_id=b"", **more):
        """Open an order of somebody, or the one that pays for a packet; return its command."""
        if packet_id:
            packet = query.packet_row(self.store.connection, packet_id)
            user_id, amount_fen = packet.sender_id, packet.total_fen
        else:
            user_id = user_id or self.some(1)[0]
        lane = lane_of(user_id)
        order_id = packet_order(packet_id) if packet_id else self.mint(lane)
        wish = {"coins": 0, "bonus_coins": 0, "is_from_balance": False} | more
        command = OpenOrder(
            client_key(lane, self.key()),
            order_id,
            user_id,
            kind,
            packet_id,
            "a plan",
            amount_fen or self.random.randint(100, 9_000),
            wish["coins"],
            wish["bonus_coins"],
            DAY_US,
            "live",
            600 * SECOND_US,
            "the shop",
            wish["is_from_balance"],
        )
        (answer,) = self.step(Submission(command))
        assert answer.code == 0, answer
        return Opened(order_id, command.amount_fen, answer.outcome.expires_at_us)

    def mint(self, lane):
        """Make an id."""
        return mint(lane, self.us // 1_000, secrets.randbits(64))

    def attempt(self, order):
        """Begin an attempt; return its id."""
        attempt_id = self.mint(lane_of(order.order_id))
        mac = secrets.token_bytes(32)
        self.step(Submission(BeginAttempt(attempt_id, order.order_id, "wx", 1, mac)))
        return attempt_id

    def pay_order(self, order):
        """Pay an order by one attempt and its notice; return the answer."""
        attempt_id = self.attempt(order)
        self.step(Submission(NotePrepay(attempt_id, PrepayResult.PAYABLE, self.us + DAY_US, "")))
        return self.see(attempt_id, order.amount_fen)[0]

    def see(self, attempt_id, amount_fen):
        """Let a notice of a payment come in, be kept and be applied."""
        lane, raw = lane_of(attempt_id), secrets.token_bytes(40)
        key = notice_key(lane, "wx", raw.hex())
        digest = sha256(raw).digest()
        cipher = self.vault.seal("personal", key + bytes((FIELD_NOTICE,)), raw)
        kept = ReceiveNotice(key, "wx", digest, attempt_id, "PAID", self.us, self.us)
        self.step(Submission(kept, (Personal(key, FIELD_NOTICE, cipher, digest),)))
        fees = (amount_fen // 150, amount_fen // 500, amount_fen // 1_000)
        seen = Observe(
            attempt_id, "wx", Source.NOTICE, TradeState.PAID, amount_fen, amount_fen,
            amount_fen - 3, raw.hex(), self.us, *fees, digest, key, "",
        )  # fmt: skip
        return self.step(Submission(seen))

    def _spend(self):
        """Give coins of every kind, here and to another lane; settle, let wither, leave some."""
        # Another day: what somebody topped up before may have been above the reviewed sum.
        self.us += DAY_US
        user_id, streamer, other = self.some(3)
        order = self.order(OrderKind.COINS, 8_437, user_id, coins=1_000, bonus_coins=70)
        self.pay_order(order)
        gifts = [self.give(user_id, each, count) for each in (streamer, other) for count in (1, 20)]
        self.us += 8 * DAY_US
        self.step(*[Submission(SettleGift(each)) for each in gifts[:3]])
        later = self.order(OrderKind.COINS, 500, user_id, coins=90, bonus_coins=10)
        self.pay_order(later)
        self.us += DAY_US
        self.step(Submission(ExpireCoins(later.order_id)))
        # Refused for coins: burns its key, moves nothing.
        self.give(user_id, streamer, 9_999)

    def give(self, user_id, streamer_id, count):
        """Give a gift; return its id."""
        wish = GiftWish(user_id, streamer_id, CATALOGUE["rose"], count, "live")
        gift = self.cashier.send_gift(wish, income_row("live"), Status(1, 3, 1), self.key())
        (answer,) = self.step(gift)
        assert answer.code in {0, Code.EXCEEDS_COINS}, answer
        return answer.command.gift_id

    def _give_back(self):
        """Refund in every way there is: arrived, given up, stuck, on its way, followed."""
        for kind, more in (
            (OrderKind.BALANCE, {}),
            (OrderKind.COINS, {"coins": 90, "bonus_coins": 10}),
        ):
            order = self.order(kind, 5_000, **more)
            self.pay_order(order)
            for state in (
                RefundState.SUCCESS,
                RefundState.CLOSED,
                RefundState.ABNORMAL,
                RefundState.UNKNOWN,
            ):
                refund_id = self.ask_back(order, 1_000)
                self.note(refund_id, state, 1_000)
            self.note(refund_id, RefundState.PROCESSING, 0)
        self._redirect()
        own = self.order(OrderKind.COINS, 2_000, coins=90, bonus_coins=9, is_from_balance=True)
        for _ in range(2):
            self.ask_back(own, 400)
        for refund_id, row in purse.refunds_due(self.store.connection, self.us, 10):
            if row.origin not in {Origin.PERSON, Origin.BILL}:
                self.note(refund_id, RefundState.CLOSED, 0)

    def _redirect(self):
        """Send stuck refunds another way: one to a card, one to the merchant, one back to us."""
        for card in (Card("ICBC_DEBIT", "6222020000001234567", "Li Ming"), None):
            order = self.order(OrderKind.BALANCE, 5_000)
            self.pay_order(order)
            refund_id = self.ask_back(order, 1_000)
            self.note(refund_id, RefundState.ABNORMAL, 1_000)
            sent = self.cashier.redirect_refund(refund_id, card, (self.key(), "the operator"))
            self.step(sent)
            self.note(refund_id, RefundState.SUCCESS, 1_000)

    def ask_back(self, order, amount_fen):
        """Ask money of an order back, some time after the last; return the refund's id."""
        self.us += REFUND_GAP_S * SECOND_US
        caller = (self.key(), "the shop")
        asked = self.cashier.ask_refund(order.order_id, amount_fen, "too much", caller)
        (answer,) = self.step(asked)
        assert answer.code == 0, answer
        return answer.command.refund_id

    def note(self, refund_id, state, amount_fen):
        """Bring a reading of a refund."""
        number = str(self.random.randint(10**9, 10**10))
        reading = RefundReading("", state, "", number, "", amount_fen, 0, "CNY", self.us)
        self.step(self.cashier.note_refund(refund_id, "wx", Source.QUERY, reading))

    def _pay_out(self):
        """Pay out, fail, cancel, hold, and leave some where it is."""
        for state in (PayoutState.SUCCESS, PayoutState.FAILED, PayoutState.AWAITING_PERSON):
            payout_id = self.ask_out(2_000).command.payout_id
            self.step(self.cashier.begin_payout(payout_id))
            reading = PayoutReading(payout_id, state, "no 1", 2_000, "", "WHY", self.us)
            self.step(self.cashier.note_payout(payout_id, Source.NOTICE, reading))
        payout_id = self.ask_out(100, DAY_US).command.payout_id
        self.step(self.cashier.cancel_payout(payout_id, "the shop"))
        self.ask_out(100, 30 * DAY_US)
        for event in ("release", "refuse", ""):
            self._settle([self.ask_out(60_000)], event)

    def ask_out(self, amount_fen, delay_us=0):
        """Ask for a payout of somebody who can; return the answer."""
        for user_id in self.some(PEOPLE):
            (answer,) = self.step(
                self.cashier.ask_payout(
                    user_id,
                    amount_fen,
                    Payee("openid of a person", "", "a few words"),
                    account="wx",
                    delay_s=delay_us // SECOND_US,
                    caller=(self.key(), "the shop"),
                )
            )
            if not answer.code:
                return answer
        raise AssertionError("nobody can pay that out")

    def _operate(self):
        def write(connection):
            at_us = self.us
            for table, row in (
                ("settings", ("clock_offset_us", "0")),
                ("api_keys", ("k1", "shop", bytes(32), "all", at_us, 0)),
                ("endpoints", ("e1", "https://example.test", "*", bytes(61), at_us, 0)),
                ("endpoint_cursors", ("e1", 0, 1)),
                ("deliveries", ("e1", "v1", 0, 1, 1, 5, 500)),
            ):
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)

        self.store.chore(write)
        for status in (0, 200, 0):
            deed = Deed(
                self.us, "wang.li", "POST /v1/cases/{case_id}/release", "/v1/cases/x", status
            )
            self.store.chore(lambda connection, deed=deed: add_act(connection, self.vault, deed))
        self.store.chore(lambda connection: enrol(connection, self.vault, "k1", self.us))
        self.store.chore(self._finger)
        self.store.chore(self._sign_in)
        self.store.chore(self._guard)

    def _read(self):
        """Each lane has read a stream of commands; one message of it was none."""
        for lane in self.writer.lanes:
            taken = Taken(lane, "commands", bytes(15) + b"t", 3)
            message = Parker(self.vault).park(taken, 1, b"noise", "its form is not known", self.us)
            self.writer.apply([], [taken._replace(parked=(message,))])

    def _finger(self, connection):
        """An operator's passkey has acted once."""
        made = Passkey(secrets.token_bytes(20), Point(bytes(32), bytes(32)), 3)
        sealed = self.vault.seal("identity", made.credential_id, b"a thumb")
        assert operator_passkey.add_passkey(connection, "k1", made, sealed, self.us)
        use = operator_passkey.Use(4, self.us + 9, self.us + 1)
        assert operator_passkey.use_passkey(connection, "k1", made, use)

    def _guard(self, connection):
        """Two people have payment passwords; one is locked, one is being reset."""
        for number, user_id in enumerate(self.people[:2]):
            hashed = b"\x01" + secrets.token_bytes(48)
            assert password.put(connection, user_id, hashed, self.us, instead=b"")
            for _ in range(5 - 4 * number):
                password.count_try(connection, user_id, self.us)
            made = Passkey(secrets.token_bytes(20), Point(bytes(32), bytes(32)), number)
            sealed = self.vault.seal("identity", made.credential_id, b"a finger")
            assert passkey.add_passkey(connection, user_id, made, sealed, self.us)
            mac = self.vault.mac("payee", user_id, b"somebody")
            password.add_payee(connection, user_id, mac, self.us)
            for image in (b"a picture", b"another")[: 2 - number]:
                assert cover.count_try(connection, user_id, 20_000)
                assert cover.add(connection, self.vault, user_id, image, self.us) == Added.NEW
        gone, _ = cover.macs(self.vault, user_id, b"a picture")
        assert cover.withdraw(connection, gone, self.us)
        password.reset(connection, user_id, self.us, 60)
        for number, user_id in enumerate(self.people[:3]):
            assert real_name.count_try(connection, user_id, 20_000)
            if number:
                told = real_name.Told("李小明", f"11010119900307450{number}")
                assert real_name.put_verified(
                    connection, self.vault, user_id, told, checks=number, at_us=self.us
                )

    def _sign_in(self, connection):
        """Somebody signs two devices in, refreshes one and ends the other; a link waits."""
        seal = Sessions(connection, self.vault).seal
        user_id = self.people[0]
        for number in range(3):
            digest, key = link_digest(f"link {number}"), sha256(bytes((number,))).digest()
            link = NewLink(self._identity(), digest, user_id, "/packets", "the shop", self.us)
            add_link(connection, link)
            if number == 2:
                return
            ids = (self._identity(), self._identity())
            found = sign_in(connection, Arrival(digest, key, *ids, "a phone", self.us), seal)
            session = found.session
            if number:
                revoke(connection, session.session_id, user_id, self.us + 1)
            else:
                confirm(connection, session, self.us)
                refresh(connection, Token(session.session_id, 1, b""), key, self.us + 1)

    def _identity(self):
        return mint(0, self.us // 1_000, secrets.randbits(64))

    def close(self):
        """Stop as a wallet does: publish, fold the log into the file, release it."""
        self.log.publish(lane_rows(self.store.connection), self.us)
        self.store.close()
        return self


def lived(folder, lanes=1):
    """Return a data directory that has lived and was closed."""
    folder.mkdir(parents=True, exist_ok=True)
    LedgerCase(folder, lanes).live().close()
    return folder


def copied(source, target):
    """Copy a closed data directory."""
    shutil.copytree(source, target)
    return target


def opened(folder):
    """Open a data directory's database for an audit."""
    return connect(str(folder / "ledger.db"), readonly=True)
