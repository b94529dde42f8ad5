"""Laws for any history: whatever is asked, in whatever order, with one lane or several."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drawn import examples
from law import all_laws
from lingqian.channels.port import PAID_STATES, PayoutState, RefundState, TradeState
from lingqian.flows import packet, transfer
from lingqian.flows.case import CaseState, case_id
from lingqian.flows.command import (
    ClaimPacket,
    ExpireOrder,
    NotePayout,
    NotePrepay,
    NoteRefund,
    Observe,
    ReceiveNotice,
    SendPacket,
    SettleCase,
    Transfer,
)
from lingqian.flows.evidence import ObserveDone
from lingqian.flows.kind import home_lane
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import TABLE, Code
from lingqian.redpacket.packet import PacketKind
from lingqian.risk.rule import Action, Rule, Verdict, judge
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.topup import payout as topup_payout
from lingqian.topup import refund as topup_refund
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Effect, Reason, Source
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin, RefundStage, Way
from world import START_US, World, fresh_store

# Drawing histories takes longer than one history: the bound is for a machine that is busy.
pytestmark = pytest.mark.timeout(600)

PEOPLE = "abcdef"
RULES = (
    Rule("who", Action.TRANSFER, 300, Verdict.CHALLENGE),
    Rule("far", Action.TRANSFER, 500, Verdict.DELAY, 30),
    Rule("never", Action.TRANSFER, 900, Verdict.BLOCK),
    Rule("large", Action.SEND, 700, Verdict.REVIEW),
    Rule("robot", Action.CLAIM, 300, Verdict.REVIEW),
    Rule("look", Action.TOP_UP, 500, Verdict.REVIEW),
    Rule("slow", Action.TOP_UP, 400, Verdict.DELAY, 30),
    Rule("stop", Action.TOP_UP, 1_100, Verdict.BLOCK),
)
FIRST = (PacketKind.LUCKY, PacketKind.EQUAL, PacketKind.PASSPHRASE, PacketKind.DRAW)
QUICK = settings(
    max_examples=examples(12),
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

people = st.sampled_from(PEOPLE)
amounts = st.one_of(st.integers(1, 600), st.integers(1, 1_200))
packets = st.integers(0, 3).map("p{}".format)
transfers = st.integers(0, 19).map("t{}".format)
sizes = st.one_of(
    st.tuples(st.integers(3, 900), st.integers(1, 3)),
    st.tuples(st.integers(1, 2_000), st.integers(1, 6)),
)
kinds = st.sampled_from(PacketKind)
words = st.sampled_from(["", "spring", "autumn"])
events = st.sampled_from(["release", "refuse", "due"])
waits = st.sampled_from([1, SECOND_US, 59 * SECOND_US, 61 * SECOND_US, 25 * 3_600 * SECOND_US])

sends = st.tuples(st.just("send"), packets, people, kinds, sizes, st.booleans(), words)
claims = st.tuples(st.just("claim"), packets, people, words)
places = st.integers(0, 5)
STORIES = ("late", "twice", "stuck", "refused", "rest", "own", "unpaid", "doubted", "stray")
# Below what a rule of these worlds stops.
small = st.integers(1, 399)
order_kinds = st.sampled_from(["balance", "balance", "coins", "wallet", "packet"])
results = st.sampled_from([each.name for each in PrepayResult])
paid_states = st.sampled_from([TradeState.PAID, TradeState.PAID, TradeState.REFUNDED])
other_states = st.sampled_from(sorted({*TradeState} - {*PAID_STATES}))
sources = st.sampled_from(Source)
tries = st.tuples(st.just("try"), places)
top_ups = (
    st.tuples(st.just("order"), people, order_kinds, amounts),
    st.tuples(st.just("order"), people, order_kinds, amounts),
    tries,
    tries,
    st.tuples(st.just("prepaid"), places, results),
    st.tuples(st.just("notice"), places, places),
    st.tuples(st.just("paid"), places, paid_states, st.sampled_from([0, 0, 0, 1]), sources),
    st.tuples(st.just("paid"), places, paid_states, st.sampled_from([0, 0, 0, 1]), sources),
    st.tuples(st.just("unpaid"), places, other_states, sources),
    st.tuples(st.just("shut"), places),
    st.tuples(st.just("expire"), places, st.sampled_from(["", "", "amy"])),
    st.tuples(st.just("allocate"), places, st.sampled_from(["credit", "refund"]), people),
    # Money under a number of nobody's, on another account, a second time under one number.
    st.tuples(st.just("stray"), places, amounts, st.sampled_from(["stranger", "other", "second"])),
    st.tuples(st.just("place"), places, st.sampled_from(["credit", "refund", "refund"]), people),
)
refund_states = st.sampled_from(sorted(RefundState))
payout_states = st.sampled_from(sorted(PayoutState))
outgoing = (
    st.tuples(st.just("give"), people, people, st.integers(1, 300), st.sampled_from([0, 50])),
    st.tuples(st.just("earn"), places),
    st.tuples(st.just("wither"), places),
    st.tuples(st.just("back"), places, amounts),
    st.tuples(st.just("returned"), places, refund_states),
    st.tuples(st.just("returned"), places, refund_states),
    st.tuples(st.just("redirect"), places, st.sampled_from([Way.CARD, Way.MERCHANT])),
    st.tuples(st.just("payout"), people, amounts, st.sampled_from([0, 30])),
    st.tuples(st.just("begin"), places),
    st.tuples(st.just("recall"), places),
    st.tuples(st.just("paid_out"), places, payout_states),
    st.tuples(st.just("paid_out"), places, payout_states),
)
orders = st.one_of(
    *top_ups,
    *outgoing,
    st.tuples(st.just("fund"), people, amounts),
    st.tuples(st.just("transfer"), transfers, people, people, amounts),
    sends,
    sends,
    claims,
    claims,
    claims,
    claims,
    st.tuples(st.just("entropy"), packets, st.sampled_from("xy")),
    st.tuples(st.just("draw"), packets),
    st.tuples(st.just("close"), packets, st.sampled_from(["clock", "amy"])),
    st.tuples(st.just("settle"), st.integers(0, 3), events),
    st.tuples(st.just("state"), people, st.sampled_from([0, 1, 2, 3, 3, 3, 3]), st.integers(1, 2)),
)


# Stories that chance alone would hardly ever tell to their end, between everything else.
stories = st.tuples(st.just("story"), st.sampled_from(STORIES), people, small)
moves = st.integers(0, 4).flatmap(lambda place: orders if place else stories)


class Office:
    """Turns drawn orders into commands of a world; remembers what a case may be about."""

    def __init__(self, world):
        self.world = world
        self.stopped = []
        self.sent = []
        self.waiting = []
        self.opened = []
        self.tried = []
        self.noted = []
        self.given = []
        self.asked = []
        self.leaving = []
        self.strays = []
        self.number = 0

    def command(self, order):
        """Return the command of an order."""
        self.number += 1
        return getattr(self, "_" + order[0])(*order[1:])

    def commands(self, move):
        """Return the command of an order, or all commands of a story."""
        if move[0] != "story":
            return [self.command(move)]
        self.number += 1
        _, kind, name, amount_fen = move
        return list(getattr(self, f"_story_{kind}")(f"{kind} {self.number}", name, amount_fen))

    def _fund(self, name, amount_fen):
        return self.world.fund(name, amount_fen, key=f"fund {self.number}")

    def _transfer(self, name, source, target, amount_fen):
        lane = self.world.lane_of(source)
        made = self.world.transfer(source, target, amount_fen, f"{name} of {lane}")
        if judge(RULES, Action.TRANSFER, amount_fen):
            self.stopped.append(case_id(made.key, transfer.asked(made)))
        return made

    def _send(self, name, sender, kind, size, *more_words):
        is_waiting, word = more_words
        total_fen, count = size
        more = {}
        if kind == PacketKind.TARGETED and count <= len(PEOPLE):
            more["recipients"] = PEOPLE[:count]
        if kind == PacketKind.DRAW:
            more["draw_at_us"] = self.world.clock.us + 90 * SECOND_US
        if kind == PacketKind.PASSPHRASE:
            more["passphrase"] = word or "spring"
        lane = self.world.lane_of(sender)
        name = f"{name} of {lane} {self.number % 3}"
        more["is_by_channel"] = self.number > 4 and self.number % 4 == 1
        made = self.world.send(
            name, sender, kind, total_fen, count, awaits_entropy=is_waiting, **more
        )
        self.sent.append(name)
        if made.is_by_channel:
            self.waiting.append((name, sender, total_fen))
        if judge(RULES, Action.SEND, total_fen):
            self.stopped.append(case_id(made.key, packet.asked(made)))
        return made

    def _packet(self, name):
        """Return one of the packets sent last; a ghost while there is none."""
        if self.sent:
            return self.sent[-1 - int(name[1:]) % len(self.sent)]
        self.world.mint(0, name)
        return name

    def _claim(self, name, person, word):
        made = self.world.claim(self._packet(name), person, word)
        if self.number % 2:
            self.stopped.append(case_id(made.packet_id + made.user_id))
        return made

    def _entropy(self, name, text):
        return self.world.entropy(self._packet(name), text)

    def _draw(self, name):
        return self.world.draw(self._packet(name))

    def _close(self, name, by):
        return self.world.close_packet(self._packet(name), by)

    def _last(self, names, place):
        """Return one of the things made last; a ghost while there is none."""
        if names:
            return names[-1 - place % len(names)]
        self.world.mint(0, "ghost")
        return "ghost"

    def _give(self, user, streamer, coins, after_s):
        self.given.append(f"gift {self.number}")
        return self.world.gift(self.given[-1], user, streamer, coins, after_us=after_s * SECOND_US)

    def _earn(self, place):
        return self.world.settle_gift(self._last(self.given, place))

    def _wither(self, place):
        return self.world.expire_coins(self._order_made(place))

    def _back(self, place, amount_fen):
        self.asked.append(f"refund {self.number}")
        order, basis = self._order_made(place), Basis(self.number % 2)
        return self.world.ask_refund(self.asked[-1], order, amount_fen, basis=basis)

    def _order_made(self, place):
        order, _ = self._of(self.opened, place, ("no order", 5))
        self.world.mint(0, order)
        return order

    def _returned(self, place, state):
        """Bring a reading of a refund: of one asked for, or of one that a decision opened."""
        rows = self.world.connection.execute("SELECT refund_id FROM refunds ORDER BY 1").fetchall()
        name = self._last(self.asked, place)
        if rows and place % 2:
            name = f"found {place}"
            self.world.ids[name] = rows[place % len(rows)][0]
        return self.world.note_refund(name, state)

    def _payout(self, user, amount_fen, delay_s):
        self.leaving.append(f"payout {self.number}")
        return self.world.ask_payout(
            self.leaving[-1], user, amount_fen, delay_us=delay_s * SECOND_US
        )

    def _begin(self, place):
        return self.world.begin_payout(self._last(self.leaving, place))

    def _recall(self, place):
        return self.world.cancel_payout(self._last(self.leaving, place))

    def _paid_out(self, place, state):
        return self.world.note_payout(self._last(self.leaving, place), state)

    def _settle(self, place, event):
        known = self.stopped[-1 - place % len(self.stopped)] if self.stopped else bytes(16)
        return self.world.settle(known, event, "clock" if event == "due" else "amy")

    def _order(self, name, kind, amount_fen):
        """Open an order; one for a packet pays for the packet sent last over a channel."""
        if kind == "packet" and self.waiting:
            packet_name, name, amount_fen = self.waiting.pop()
            return self._opened(f"order of {packet_name}", name, amount_fen, packet=packet_name)
        coins = amount_fen if kind in {"coins", "wallet"} else 0
        more = {"coins": coins, "bonus_coins": coins // 3, "is_from_balance": kind == "wallet"}
        if coins > 2:
            more["bonus_life_us"] = self.number % 2 * 60 * SECOND_US
        return self._opened(f"order {self.number}", name, amount_fen, **more)

    def _opened(self, order, name, amount_fen, **more):
        is_coins = bool(more.get("coins"))
        kind = OrderKind.COINS if is_coins else OrderKind.BALANCE
        kind = OrderKind.PACKET if "packet" in more else kind
        made = self.world.order(order, name, kind, amount_fen, **more)
        self.opened.append((order, amount_fen))
        self.stopped.append(case_id(made.order_id))
        return made

    def _try(self, place):
        order, amount_fen = self._of(self.opened, place, ("no order", 5))
        self.world.mint(0, order)
        name = f"try {self.number}"
        self.tried.append((name, amount_fen))
        return self.world.attempt(name, order)

    def _of(self, known, place, ghost):
        return known[-1 - place % len(known)] if known else ghost

    def _attempt(self, place):
        name, amount_fen = self._of(self.tried, place, ("no try", 5))
        self.world.mint(0, name)
        return name, amount_fen

    def _prepaid(self, place, result):
        return self.world.prepaid(self._attempt(place)[0], PrepayResult[result])

    def _notice(self, place, number):
        name = f"notice {number}"
        made = self.world.notice(name, self._attempt(place)[0])
        self.noted.append((name, place))
        return made

    def _paid(self, place, state, more_fen, source):
        name, amount_fen = self._attempt(place)
        notice = ""
        if source == Source.NOTICE and self.noted:
            notice = self.noted[-1][0]
        transaction = "one for all" if place == 5 else ""
        return self.world.observe(
            name, state, amount_fen + more_fen, amount_fen // 2, 1, 2, 1, transaction,
            source=source, notice=notice,
        )  # fmt: skip

    def _unpaid(self, place, state, source):
        return self.world.observe(self._attempt(place)[0], state, source=source)

    def _shut(self, place):
        return self.world.shut(self._attempt(place)[0])

    def _expire(self, place, by):
        order, _ = self._of(self.opened, place, ("no order", 5))
        self.world.mint(0, order)
        return self.world.expire(order, by)

    def _allocate(self, place, action, name):
        attempt, _ = self._attempt(place)
        transaction = f"tx {attempt}"
        self.world.transaction(transaction, attempt)
        return self.world.allocate(transaction, action, name)

    def _story_late(self, order, name, amount_fen):
        """Order, try, and be told of a payment two days after the end, which is then denied."""
        world = self.world
        yield self._opened(order, name, amount_fen)
        yield world.attempt(f"{order}/a", order)
        at_us = world.clock.us + 2 * 86_400 * SECOND_US
        yield world.observe(f"{order}/a", TradeState.PAID, amount_fen, success_at_us=at_us)
        yield world.observe(f"{order}/a", TradeState.CLOSED)

    def _story_twice(self, order, name, amount_fen):
        """Order, try, fail, try again, and be paid by both."""
        world = self.world
        yield self._opened(order, name, amount_fen)
        yield world.attempt(f"{order}/a", order)
        yield world.prepaid(f"{order}/a", PrepayResult.FAILED)
        yield world.attempt(f"{order}/b", order)
        yield world.observe(f"{order}/b", TradeState.PAID, amount_fen)
        yield world.observe(f"{order}/a", TradeState.PAID, amount_fen)

    def _paid_order(self, order, name, amount_fen):
        world = self.world
        yield self._opened(order, name, amount_fen)
        yield world.attempt(f"{order}/a", order)
        yield world.observe(f"{order}/a", TradeState.PAID, amount_fen, amount_fen // 2, 1)

    def _story_stuck(self, order, name, amount_fen):
        """Order, pay, ask back, get stuck, and arrive on a card or with the merchant."""
        world, refund = self.world, f"{order}/r"
        yield from self._paid_order(order, name, amount_fen)
        yield world.ask_refund(refund, order, amount_fen)
        yield world.note_refund(refund, RefundState.ABNORMAL, amount_fen)
        way = Way.CARD if self.number % 2 else Way.MERCHANT
        yield world.redirect(refund, way, key=f"redirect {order}")
        yield world.note_refund(refund, RefundState.SUCCESS, amount_fen)

    def _story_refused(self, order, name, amount_fen):
        """Order above what a rule lets pass, pay, and be refused by a person."""
        yield from self._paid_order(order, name, amount_fen + 500)
        yield self.world.settle(case_id(self.world.ids[order]), "refuse")

    def _story_rest(self, packet_name, name, amount_fen):
        """Send a packet over a channel, pay for it, and take it back."""
        world = self.world
        yield world.send(packet_name, name, PacketKind.EQUAL, 2 * amount_fen, 2, is_by_channel=True)
        order = f"order of {packet_name}"
        yield self._opened(order, name, 2 * amount_fen, packet=packet_name)
        yield world.attempt(f"{order}/a", order)
        yield world.observe(f"{order}/a", TradeState.PAID, 2 * amount_fen)
        yield world.close_packet(packet_name, "amy")

    def _story_doubted(self, order, name, amount_fen):
        """Order, try, hear of another amount, ask, and send what came back or credit it."""
        world, attempt, said = self.world, f"{order}/a", amount_fen + 1
        yield self._opened(order, name, amount_fen)
        yield world.attempt(attempt, order)
        yield world.observe(attempt, TradeState.PAID, said, source=Source.NOTICE)
        if self.number % 3 == 0:
            yield world.observe(attempt, TradeState.PAID, amount_fen)
            return
        yield world.observe(attempt, TradeState.PAID, said)
        yield world.allocate(f"tx {attempt}", "refund")

    def _story_stray(self, order, name, amount_fen):
        """Let money come twice under one number and once on another account; send both back."""
        world, attempt = self.world, f"{order}/a"
        yield self._opened(order, name, amount_fen)
        yield world.attempt(attempt, order)
        yield world.observe(attempt, TradeState.PAID, amount_fen, account="other",
                            transaction=f"{order} other")  # fmt: skip
        yield world.observe(attempt, TradeState.PAID, amount_fen)
        yield world.observe(attempt, TradeState.PAID, amount_fen, transaction=f"{order} second")
        for place in ("other", "second"):
            yield world.allocate(f"{order} {place}", "refund")
        yield world.observe(attempt, TradeState.CLOSED)

    def _story_unpaid(self, order, name, amount_fen):
        """Order, try, be asked about, closed, and told that nothing came."""
        world = self.world
        yield self._opened(order, name, amount_fen)
        yield world.attempt(f"{order}/a", order)
        yield world.observe(f"{order}/a", TradeState.NOT_PAID)
        if self.number % 2:
            yield world.observe(f"{order}/a", TradeState.FAILED)
        yield world.shut(f"{order}/a")
        yield world.observe(f"{order}/a", TradeState.CLOSED)

    def _story_own(self, order, name, amount_fen):
        """Buy coins from the balance, and ask for a part and then for the rest back."""
        more = {"coins": amount_fen, "bonus_coins": amount_fen // 3, "is_from_balance": True}
        yield self._opened(order, name, amount_fen, **more)
        basis = Basis(self.number % 2)
        if amount_fen > 1:
            yield self.world.ask_refund(f"{order}/r", order, amount_fen // 2, basis=basis)
        yield self.world.ask_refund(f"{order}/q", order, amount_fen - amount_fen // 2, basis=basis)

    def _stray(self, place, amount_fen, why):
        """Let money come that nobody had asked for."""
        attempt, account = f"stranger {place}", "wx"
        if why != "stranger" and self.tried:
            attempt, account = self._attempt(place)[0], "other" if why == "other" else "wx"
        name = f"stray {self.number}"
        made = self.world.observe(attempt, TradeState.PAID, amount_fen, 0, 1, account=account,
                                  transaction=name)  # fmt: skip
        self.strays.append(name)
        return made

    def _place(self, place, action, name):
        """Let a person end money that nobody had asked for."""
        return self.world.allocate(self._last(self.strays, place), action, name)

    def _redirect(self, place, way):
        """Send a refund another way; one that is stuck, where there is one."""
        rows = self.world.connection.execute(
            "SELECT refund_id FROM refunds WHERE stage = 7 ORDER BY 1"
        ).fetchall()
        name = self._last(self.asked, place)
        if rows:
            name = f"stuck {place}"
            self.world.ids[name] = rows[place % len(rows)][0]
        return self.world.redirect(name, way, key=f"redirect {self.number}")

    def _state(self, name, account_class, state):
        return self.world.change(name, account_class, state, key=f"change {self.number}")


def settled_world(lanes):
    """Return a world of six people with ten yuan each and some packets to open, and its office."""
    world = World(lanes, store=fresh_store(), rules=RULES)
    world.batch(*[world.register(name) for name in PEOPLE])
    world.batch(*[world.fund(name, 1_000, key=f"first {name}") for name in PEOPLE])
    office = Office(world)
    for number, kind in enumerate(FIRST):
        size = (200, 2 if number else 3)
        world.batch(office.command(("send", f"p{number}", PEOPLE[number], kind, size, False, "")))
    world.clock.us += SECOND_US
    return world, office


def dump(connection, *, without=()):
    """Return every row of every table but some."""
    names = {*APPENDED, *(table.name for table in TABLES)} - set(without)
    return {name: sorted(connection.execute(f'SELECT * FROM "{name}"')) for name in names}


# What evidence told again adds to: itself, and when to ask next. No money, no order.
EVIDENCE = ("journal", "seals", "trails", "attempts", "notices", "cases")
READ_AGAIN = ("journal", "seals", "trails", "refunds", "payouts")
ENDS = {NoteRefund: topup_refund.MACHINE.final, NotePayout: topup_payout.MACHINE.final}


def grows_with(command, answer):
    """Name the tables that grow when asking again is another piece of evidence, and no retry."""
    if type(command) in ENDS:
        noted = answer.outcome
        is_end = noted is None or (noted.stage in ENDS[type(command)] and not noted.differs)
        return () if is_end else READ_AGAIN
    is_escalation = isinstance(command, SettleCase) and answer.outcome.state == CaseState.HELD
    is_evidence = isinstance(command, Observe | NotePrepay | ReceiveNotice | ExpireOrder)
    return EVIDENCE if is_evidence or is_escalation else ()


class History(RuleBasedStateMachine):
    """Any order of anything, retries and restarts among it; the laws hold after each step."""

    world = None

    @initialize(lanes=st.sampled_from([1, 4]))
    def begin(self, lanes):
        """Open a world."""
        self.world, self.office = settled_world(lanes)
        self.final = []

    @rule(order=orders)
    def ask(self, order):
        """Ask for something."""
        command = self.office.command(order)
        answer = self.world.do(command)
        is_burnt = answer.code == Code.OK or TABLE[Code(answer.code)].burns
        if answer.first is None and is_burnt:
            self.final.append((command, answer))

    @rule(moves=st.lists(moves, min_size=8, max_size=20))
    def ask_together(self, moves):
        """Ask for several things in one batch; a refused one spoils none of its neighbours."""
        self.world.batch(*[each for move in moves for each in self.office.commands(move)])

    @rule(place=st.integers(0, 1_000))
    def retry(self, place):
        """Ask for something again that has had its last word: the same answer, and no change."""
        if not self.final:
            return
        command, answer = self.final[place % len(self.final)]
        evidence = grows_with(command, answer)
        before = dump(self.world.connection, without=evidence)
        again = self.world.batch(command)[0]
        after = dump(self.world.connection, without=evidence)
        assert after == before, "a retry changed something"
        if isinstance(command, Transfer | SendPacket | ClaimPacket):
            assert again.code == answer.code, "a retry was answered differently"
            assert again.first is not None, "a retry was decided anew"

    @rule(us=waits)
    def wait(self, us):
        """Let time pass."""
        self.world.wait(us)

    @rule()
    def restart(self):
        """Go on with a writer that knows only what is stored."""
        self.world.writer = self.world.open_writer()

    @rule()
    def carry(self):
        """Carry money between lanes."""
        self.world.pump()

    @invariant()
    def laws_hold(self):
        """Check every law on what is stored."""
        if self.world is not None:
            all_laws(self.world.connection)

    def teardown(self):
        """Release the store."""
        if self.world is not None:
            self.world.close()


TestHistory = History.TestCase
TestHistory.settings = QUICK


@settings(QUICK, max_examples=examples(60))
@given(
    lanes=st.sampled_from([1, 4]),
    asked=st.lists(moves, min_size=25, max_size=60),
    cuts=st.sets(st.integers(1, 59)),
)
def test_batch_of_many_is_many_batches(lanes, asked, cuts):
    """How commands happen to gather must not matter: the same rows, byte for byte but the seals."""
    dumps = []
    for is_together in (True, False):
        world, office = settled_world(lanes)
        commands = [each for move in asked for each in office.commands(move)]
        begin_us = world.clock.us
        ends = [*sorted(cut for cut in cuts if cut < len(commands)), len(commands)]
        starts = [0, *ends[:-1]]
        groups = [commands[start:end] for start, end in zip(starts, ends, strict=True)]
        answers = []
        for number, group in enumerate(groups):
            world.clock.us = begin_us + number * 1_000
            if is_together:
                answers += world.batch(*group)
            else:
                answers += one_by_one(world, group)
        world.clock.us = begin_us + SECOND_US
        world.pump()
        dumps.append(dump(world.connection, without=["seals"]))
        dumps[-1]["answers"] = [answer[:5] for answer in answers]
        world.close()
    assert dumps[0] == dumps[1]


def one_by_one(world, group):
    """Apply commands in batches of one, at the times at which one batch would have decided them."""
    answers, taken, begin_us = [], {}, world.clock.us
    for command in group:
        lane = home_lane(command)
        world.clock.us = begin_us + taken.get(lane, 0)
        taken[lane] = taken.get(lane, 0) + 1
        answers += world.batch(command)
    return answers


# What a history of money that comes in must have done: nothing here is advanced, nor read of bills.
EFFECTS = {each.name for each in Effect} - {"CONFIRMED", "REPAID"}
ORIGINS = {each.name for each in Origin} - {"BILL"}
MET = (
    *[f"effect {each.lower()}" for each in sorted(EFFECTS)],
    *[f"reason {each.name.lower()}" for each in Reason],
    *[f"refund {each.lower()}" for each in sorted(ORIGINS)],
    *[f"arrived {each.name.lower()}" for each in Way],
    "refund above the worth",
    "refund below the worth",
)


def met(connection, outcomes):
    """Count what a history has done: what evidence did, and which refunds went which way."""
    found = Counter()
    for outcome in outcomes:
        if isinstance(outcome, ObserveDone):
            found[f"effect {Effect(outcome.effect).name.lower()}"] += 1
            found[f"reason {Reason(outcome.reason).name.lower()}"] += 1
    for origin, way, stage in connection.execute("SELECT origin, way, stage FROM refunds"):
        found[f"refund {Origin(origin).name.lower()}"] += 1
        found[f"arrived {Way(way).name.lower()}"] += stage == RefundStage.SUCCESS
    for (subsidy_fen,) in connection.execute("SELECT subsidy_fen FROM refunds"):
        found["refund above the worth"] += subsidy_fen > 0
        found["refund below the worth"] += subsidy_fen < 0
    return +found


def test_histories_meet_every_way_money_comes_in_and_goes_back():
    """A class that no history has met is one for which the laws above were never asked."""
    total = Counter()

    @settings(QUICK, max_examples=40, derandomize=True, database=None)
    @given(asked=st.lists(moves, min_size=100, max_size=200))
    def live(asked):
        world, office = settled_world(1)
        made = [world.do(each) for move in asked for each in office.commands(move)]
        outcomes = [answer.outcome for answer in made]
        all_laws(world.connection)
        total.update(met(world.connection, outcomes))
        world.close()

    live()
    assert sorted(set(MET) - set(total)) == [], total


def test_history_begins_where_the_world_begins():
    """A control: the worlds that are compared do have people and money in them."""
    world, _ = settled_world(4)
    assert world.clock.us > START_US
    assert [world.balance(name) for name in PEOPLE] == [800] * 4 + [1_000] * 2
    all_laws(world.connection)
    world.close()
