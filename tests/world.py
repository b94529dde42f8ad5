"""A small world around the core: people and packets by name, a clock by hand, one lane or several.

It stands where the shell stands: it mints ids, seals seeds, looks up a claimer's status and carries
money between lanes. Everything in it follows from names, so a history can be repeated exactly.
"""

import itertools
import os
from collections.abc import Iterable
from hashlib import sha256

from lingqian.analytics.step import Step
from lingqian.channels.port import PayoutState, RefundState
from lingqian.compliance.factor import factor_caps
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import (
    AddBeacon,
    AddEntropy,
    AllocateParked,
    AskAdvance,
    AskPayout,
    AskRefund,
    BeginAttempt,
    BeginClose,
    BeginPayout,
    CancelPayout,
    ChangeUser,
    ClaimPacket,
    ClosePacket,
    DrawPacket,
    ExpireCoins,
    ExpireOrder,
    Fund,
    FundLine,
    NotePayout,
    NotePrepay,
    NoteRefund,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RedirectRefund,
    RegisterUser,
    SendGift,
    SendPacket,
    SetMembers,
    SetMode,
    SettleAdvance,
    SettleCase,
    SettleGift,
    Transfer,
)
from lingqian.flows.view import Policy
from lingqian.identity.user import UserState
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.clock import SECOND_US, from_rfc3339
from lingqian.kernel.id import mint
from lingqian.redpacket.commitment import commitment, shares, split_key
from lingqian.redpacket.packet import PacketKind, Secret, packet_order, terms
from lingqian.redpacket.split import Terms
from lingqian.storage.behaviour import Told, record_steps
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.memory import memory_store
from lingqian.storage.relay import waiting
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Source, notice_key, stranger_id, transaction_key
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin, Way

START_US = from_rfc3339("2026-03-01T12:00:00+08:00")
DAY_S = 86_400
STORE = os.environ.get("LINGQIAN_TEST_STORE", "memory")
BEACON_CHAIN = sha256(b"a chain of beacons").digest()
_numbers = itertools.count()


class HandClock:
    """A clock that stands until somebody moves it."""

    def __init__(self, us=START_US):
        self.us = us

    def now_us(self):
        """Return where the hand stands."""
        return self.us


def digest(*parts: str) -> bytes:
    """Return 32 bytes that follow from names alone."""
    return sha256("\0".join(parts).encode()).digest()


def fresh_store():
    """Open a store that no other test sees: in memory, or what LINGQIAN_TEST_STORE names."""
    if STORE == "mariadb":
        import mariadb  # noqa: PLC0415 - who tests in memory does without a driver

        return mariadb.lent_store()
    assert STORE == "memory", f"LINGQIAN_TEST_STORE is {STORE}: memory or mariadb"
    return memory_store(f"world-{next(_numbers)}")


def open_seed(packet_id, packet, progress):
    """Return a packet's shares and salt; a seed in this world is sealed by one leading byte."""
    promised = terms(packet_id, packet)
    key = split_key(
        promised, packet.seed_sealed[1:], progress.entropy or None, progress.beacon or None
    )
    return Secret(shares(promised, key), key, sha256(b"salt" + packet_id).digest())


class World:
    """A store, its writer, and the names of what lives in it."""

    def __init__(self, lanes=1, *, store=None, rules=(), limits=DEFAULT, clock=None):
        self.clock = clock or HandClock()
        self.store = store or fresh_store()
        self.policy = Policy(caps(limits), tuple(rules), factor_caps=factor_caps("sandbox"))
        self.lane_count = lanes
        self.ids: dict[str, bytes] = {}
        self.people: list[str] = []
        self.homes: dict[str, str] = {}
        self._chances = itertools.count()
        self.writer = self.open_writer()

    def open_writer(self):
        """Take every lane with a new writer; an older one is fenced by it."""
        shell = Shell(self.clock, self.chance, open_seed)
        return Writer(self.store, range(self.lane_count), self.policy, shell)

    def chance(self, size):
        """Return bytes that differ at each call and are the same in each run."""
        return digest("chance", str(next(self._chances)))[:size]

    @property
    def connection(self):
        """The connection for looking at what is stored."""
        return self.store.connection

    def close(self):
        """Release the store."""
        self.writer.close()

    # --- names ------------------------------------------------------------------------------

    def lane_of(self, name):
        """Return the home lane of a person or of a thing that belongs to one."""
        return int.from_bytes(self.ids[name][:2], "big")

    def key(self, lane, name):
        """Return the idempotency key that a client's own key becomes in a lane."""
        return lane.to_bytes(2, "big") + digest("key", name)[:14]

    def mint(self, lane, name):
        """Make the id of a named thing, once; later calls return it."""
        if name not in self.ids:
            chance = int.from_bytes(digest("id", name)[:8], "big")
            self.ids[name] = mint(lane, self.clock.us // 1000, chance)
        return self.ids[name]

    # --- commands ---------------------------------------------------------------------------

    def register(self, name, account_class=AccountClass.CLASS_III, key=None):
        """Make the command that registers a person; people go round the lanes."""
        user_id = self.mint(len(self.people) % self.lane_count, name)
        lane = self.lane_of(name)
        if name not in self.people:
            self.people.append(name)
        mac = digest("external", name)[:16]
        return RegisterUser(
            self.key(lane, key or f"register {name}"), user_id, mac, b"", account_class
        )

    def change(self, name, account_class=None, state=None, key=None):
        """Make the command that changes a person's class or state."""
        version, known_class, known_state = self.status(name)
        key = self.key(self.lane_of(name), key or f"change {name} {version}")
        account_class = known_class if account_class is None else int(account_class)
        state = known_state if state is None else int(state)
        return ChangeUser(key, self.ids[name], account_class, state, b"")

    def status(self, name):
        """Return a person's version, class and state as stored; a stranger is active, class III."""
        row = self.row("users", self.ids[name], "version", "account_class", "state")
        return row or (1, int(AccountClass.CLASS_III), int(UserState.ACTIVE))

    def is_member(self, conversation, name):
        """Say whether a person is in a conversation as stored."""
        row = self.connection.execute(
            "SELECT members FROM conversations WHERE conversation = ?", (conversation.encode(),)
        ).fetchone()
        ids = row[0] if row else b""
        return self.ids[name] in [ids[at : at + 16] for at in range(0, len(ids), 16)]

    def gather(self, conversation, names: Iterable[str], key=None):
        """Make the command that sets who is in a conversation."""
        ids = b"".join(sorted(self.ids[name] for name in names))
        key = self.key(0, key or f"members {conversation} {ids.hex()}")
        return SetMembers(key, 0, conversation, ids)

    def fund(self, name, amount_fen, key=None):
        """Make the command that puts money into a balance."""
        key = key or f"fund {next(self._chances)}"
        lane = self.lane_of(name)
        return Fund(self.key(lane, key), self.mint(lane, key), self.ids[name], amount_fen)

    def transfer(self, source, target, amount_fen, name=None, key=None, *, factors=0):
        """Make the command that moves money between two people."""
        name = name or f"transfer {next(self._chances)}"
        lane = self.lane_of(source)
        _, target_class, target_state = self.status(target)
        return Transfer(
            self.key(lane, key or name),
            self.mint(lane, name),
            self.ids[source],
            self.ids[target],
            amount_fen,
            b"",
            target_class,
            target_state,
            factors,
        )

    def send(  # noqa: PLR0917 - the fields of a packet, by name at every call
        self,
        name,
        sender,
        kind=PacketKind.LUCKY,
        total_fen=1_000,
        count=10,
        is_lucky=None,
        share_fen_min=1,
        share_fen_max=20_000,
        spread=2,
        lifetime_us=DAY_S * SECOND_US,
        draw_at_us=0,
        awaits_entropy=0,
        beacon_round=0,
        conversation="",
        recipients=(),
        passphrase="",
        cover="",
        key=None,
        is_by_channel=0,
        factors=0,
    ):
        """Make the command that funds a packet, or one whose order a channel is to pay."""
        lane = self.lane_of(sender)
        packet_id = self.mint(lane, name)
        self.homes[name] = conversation
        is_lucky = kind in {PacketKind.LUCKY, PacketKind.DRAW} if is_lucky is None else is_lucky
        seed = digest("seed", name)
        promised = Terms(
            1, packet_id, is_lucky, count, total_fen, share_fen_min, share_fen_max, spread,
            draw=kind == PacketKind.DRAW, beacon_chain=BEACON_CHAIN if beacon_round else b"",
            beacon_round=beacon_round,
        )  # fmt: skip
        return SendPacket(
            self.key(lane, key or name),
            packet_id,
            self.ids[sender],
            int(kind),
            is_lucky,
            total_fen,
            count,
            share_fen_min,
            share_fen_max,
            spread,
            lifetime_us,
            draw_at_us,
            bool(awaits_entropy),
            conversation,
            b"".join(sorted(self.ids[each] for each in recipients)),
            self.word(passphrase),
            b"",
            cover,
            # A size no split has is refused before anybody looks at the commitment.
            commitment(promised, seed) if 0 < count < 1 << 32 else bytes(32),
            b"\1" + seed,
            promised.beacon_chain,
            promised.beacon_round,
            bool(is_by_channel),
            factors,
        )

    def word(self, passphrase):
        """Return the digest of a passphrase."""
        return digest("word", passphrase)[:16] if passphrase else b""

    def entropy(self, packet, text):
        """Make the command that mixes the sender's bytes in."""
        return AddEntropy(self.ids[packet], digest("entropy", text))

    def beacon(self, packet, text):
        """Make the command that mixes the beacon's round in."""
        return AddBeacon(self.ids[packet], digest("beacon", text), digest("signature", text))

    def claim(self, packet, name, passphrase=""):
        """Make the command that opens a packet, with the claimer's status as the shell knows it."""
        conversation = self.homes.get(packet, "")
        version, account_class, state = self.status(name)
        return ClaimPacket(
            self.ids[packet],
            self.ids[name],
            self.word(passphrase),
            version,
            account_class,
            state,
            not conversation or self.is_member(conversation, name),
        )

    def draw(self, packet):
        """Make the command that holds a timed draw."""
        return DrawPacket(self.ids[packet])

    def close_packet(self, packet, by="clock"):
        """Make the command that returns what nobody took; anybody but the clock invalidates."""
        return ClosePacket(self.ids[packet], by != "clock", by)

    def order(  # noqa: PLR0917 - the fields of an order, by name at every call
        self,
        name,
        user,
        kind=OrderKind.BALANCE,
        amount_fen=5_000,
        coins=0,
        bonus_coins=0,
        bonus_life_us=0,
        packet=None,
        life_us=15 * 60 * SECOND_US,
        requested_by="shop",
        is_from_balance=0,
        key=None,
        factors=0,
    ):
        """Make the command that opens an order."""
        lane = self.lane_of(user)
        if packet is not None:
            self.ids[name] = packet_order(self.ids[packet])
        return OpenOrder(
            self.key(lane, key or name),
            self.mint(lane, name),
            self.ids[user],
            int(kind),
            self.ids[packet] if packet is not None else b"",
            "plan",
            amount_fen,
            coins,
            bonus_coins,
            bonus_life_us,
            "",
            life_us,
            requested_by,
            bool(is_from_balance),
            factors,
        )

    def attempt(self, name, order, account="wx"):
        """Make the command that begins an attempt."""
        attempt_id = self.mint(self.lane_of(order), name)
        return BeginAttempt(attempt_id, self.ids[order], account, 1, b"")

    def prepaid(self, name, result, code=""):
        """Make the command that notes how a prepay call ended."""
        until_us = self.clock.us + 7_200 * SECOND_US if result == 1 else 0
        return NotePrepay(self.ids[name], int(result), until_us, code)

    def stranger(self, name, account="wx"):
        """Return an attempt's id; of a number that is none of ours, what stands for it."""
        return self.ids.get(name) or self.ids.setdefault(name, stranger_id(0, account, name))

    def notice(self, name, attempt, account="wx"):
        """Make the command that keeps a notice about an attempt."""
        attempt_id = self.stranger(attempt, account)
        key = notice_key(int.from_bytes(attempt_id[:2], "big"), account, name)
        self.ids[name] = key
        now = self.clock.us
        return ReceiveNotice(key, account, digest("raw", name), attempt_id, "PAID", now, now)

    def transaction(self, name, attempt, account="wx"):
        """Return the key of a channel's transaction in the lane of an attempt, and name it."""
        lane = int.from_bytes(self.stranger(attempt, account)[:2], "big")
        self.ids[name] = transaction_key(lane, account, name)
        return self.ids[name]

    def observe(  # noqa: PLR0917 - the fields of a reading, by name at every call
        self,
        attempt,
        state,
        amount_fen=0,
        settle_fen=0,
        fee_fen=0,
        service_fee_fen=0,
        rebate_fen=0,
        transaction="",
        success_at_us=0,
        source=2,
        notice="",
        account="wx",
    ):
        """Make the command that brings one piece of evidence."""
        attempt_id = self.stranger(attempt, account)
        name = transaction or (f"tx {attempt}" if amount_fen else "")
        if name:
            self.transaction(name, attempt, account)
        return Observe(
            attempt_id,
            account,
            int(source),
            int(state),
            amount_fen,
            amount_fen,
            settle_fen,
            name,
            (success_at_us or self.clock.us) if amount_fen else 0,
            fee_fen,
            service_fee_fen,
            rebate_fen,
            bytes(32),
            self.ids[notice] if notice else b"",
            "",
        )

    def shut(self, attempt):
        """Make the command that begins to close an attempt."""
        return BeginClose(self.ids[attempt])

    def expire(self, order, by=""):
        """Make the command that ends an unpaid order, by the clock or by a person."""
        return ExpireOrder(self.ids[order], by)

    def fund_line(self, person, amount_fen, key=None):
        """Make the command that funds the line of a person's lane."""
        lane = self.lane_of(person)
        name = key or f"line {lane} {amount_fen}"
        return FundLine(self.key(lane, name), lane, amount_fen, "house")

    def tell(self, user, trace, steps):
        """Make the command that takes steps down; a step's own id is its trace and its name."""
        told = [
            Told(f"{trace} {step}", sha256(trace.encode()).digest()[:16], Step[step.upper()], at_us,
                 "live", order_id)
            for step, at_us, order_id in steps
        ]  # fmt: skip
        return record_steps(self.ids[user], told).command

    def set_mode(self, person, event, account="wx"):
        """Make the command that takes one step of an account's mode in a person's lane."""
        return SetMode(self.lane_of(person), account, event, "amy", "a test")

    def advance(self, order, count=3, days=30, credited_fen=25_000, account="wx", *,
                is_minor=False, device="", address=""):  # fmt: skip
        """Make the command that asks for an advance; what was topped up before is given."""
        first_at_us = self.clock.us - days * 86_400 * SECOND_US
        askers = [
            self.ids[order][:2] + sha256(f"{kind} {name}".encode()).digest()[:14] if name else b""
            for kind, name in (("device", device), ("address", address))
        ]
        return AskAdvance(
            self.ids[order], account, count, first_at_us, credited_fen, "shop", is_minor, *askers
        )

    def settle_advance(self, order, event, by="amy"):
        """Make the command that ends an unpaid advance."""
        return SettleAdvance(self.ids[order], event, by)

    def allocate(self, transaction, action, user=None):
        """Make the command by which a person ends parked money."""
        user_id = self.ids[user] if user else b""
        return AllocateParked(self.ids[transaction], action, user_id, "amy")

    def ask_refund(self, name, order, amount_fen, origin=Origin.PERSON, key=None, *,
                   basis=Basis.BLENDED):  # fmt: skip
        """Make the command that asks money of an order back."""
        lane = self.lane_of(order)
        key = self.key(lane, key or name)
        refund_id = self.mint(lane, name)
        return AskRefund(
            key, refund_id, self.ids[order], amount_fen, b"", int(origin), "shop", int(basis)
        )

    def refund_of(self, order, origin):
        """Return the newest refund of an order for a reason."""
        row = self.connection.execute(
            "SELECT refund_id FROM refunds WHERE order_id = ? AND origin = ? "
            "ORDER BY created_at_us DESC, parent DESC",
            (self.ids[order], int(origin)),
        ).fetchone()
        assert row is not None, f"no such refund of {order}"
        return row[0]

    def note_refund(self, name, state, amount_fen=None, fee_ppm=6_000, source=Source.QUERY):
        """Make the command that brings a reading of a refund; success says the amount asked for."""
        if amount_fen is None:
            amount_fen = (self.row("refunds", self.ids[name], "amount_fen") or (0,))[0]
        at_us = self.clock.us if state == RefundState.SUCCESS else 0
        return NoteRefund(
            self.ids[name], int(state), f"no {name}", amount_fen, at_us, fee_ppm, bytes(32),
            int(source), "",
        )  # fmt: skip

    def redirect(self, name, way, key=None):
        """Make the command that sends a stuck refund another way."""
        lane = self.lane_of(name)
        mac = digest("card", name)[:16] if way == Way.CARD else b""
        key = self.key(lane, key or f"redirect {next(self._chances)}")
        return RedirectRefund(key, self.ids[name], int(way), mac, "amy")

    def gift(  # noqa: PLR0917 - the fields of a gift, by name at every call
        self, name, user, streamer, coins, count=1, ppm=500_000, after_us=0, scene="live", key=None,
        factors=0,
    ):  # fmt: skip
        """Make the command that gives coins to a streamer."""
        lane = self.lane_of(user)
        _, streamer_class, streamer_state = self.status(streamer)
        return SendGift(
            self.key(lane, key or name),
            self.mint(lane, name),
            self.ids[user],
            self.ids[streamer],
            "rose",
            coins,
            count,
            ppm,
            after_us,
            scene,
            streamer_class,
            streamer_state,
            factors,
        )

    def settle_gift(self, gift):
        """Make the command that settles a gift's income."""
        return SettleGift(self.ids[gift])

    def expire_coins(self, order):
        """Make the command that ends the bonus of an order."""
        return ExpireCoins(self.ids[order])

    def ask_payout(  # noqa: PLR0917 - the fields of a payout, by name at every call
        self, name, user, amount_fen, account="wx", delay_us=0, key=None
    ):
        """Make the command that sets money aside to be paid out."""
        lane = self.lane_of(user)
        key, payout_id = self.key(lane, key or name), self.mint(lane, name)
        mac = digest("payee", user)[:16]
        return AskPayout(key, payout_id, self.ids[user], account, amount_fen, mac, delay_us, "shop")

    def begin_payout(self, name):
        """Make the command that says a payout is about to be sent."""
        return BeginPayout(self.ids[name])

    def cancel_payout(self, name):
        """Make the command that takes a payout back."""
        return CancelPayout(self.ids[name], "shop")

    def note_payout(self, name, state, amount_fen=None):
        """Make the command that brings a reading of a payout."""
        if amount_fen is None:
            amount_fen = (self.row("payouts", self.ids[name], "amount_fen") or (0,))[0]
        why = "ACCOUNT_FROZEN" if state == PayoutState.FAILED else ""
        return NotePayout(
            self.ids[name], int(state), f"no {name}", amount_fen, why, 0, bytes(32), 2, ""
        )

    def settle(self, case_id, event, by="amy"):
        """Make the command that ends a case."""
        return SettleCase(case_id, event, by)

    def case_of(self, name, user=None):
        """Return the newest case about a thing, of one person where several have one."""
        row = self.connection.execute(
            "SELECT case_id FROM cases WHERE object_id = ? AND (? IS NULL OR user_id = ?) "
            "ORDER BY opened_at_us DESC",
            (self.ids[name], self.ids.get(user), self.ids.get(user)),
        ).fetchone()
        assert row is not None, f"no case about {name}"
        return row[0]

    # --- doing ------------------------------------------------------------------------------

    def batch(self, *commands):
        """Apply commands in one batch and return their answers; the relay does not run."""
        return self.writer.apply([Submission(each) for each in commands])

    def do(self, command):
        """Apply one command, then carry money between the lanes until nothing waits.

        A lane may be some microseconds ahead of a clock that stands; the hand follows it.
        """
        answer = self.batch(command)[0]
        self.pump()
        self.clock.us = max(
            self.clock.us, *[lane.row.at_us for lane in self.writer.lanes.values()], 0
        )
        return answer

    def pump(self):
        """Deliver everything that one lane has let go for another; return how many deliveries."""
        count = 0
        while commands := list(waiting(self.connection)):
            self.batch(*commands)
            count += len(commands)
            assert count < 10_000, "the relay never drains"
        return count

    def wait(self, us):
        """Move the clock."""
        self.clock.us += us

    # --- looking ----------------------------------------------------------------------------

    def counters(self, account):
        """Return an account's four counters as stored; zeros when it was never used."""
        row = self.connection.execute(
            "SELECT debits_posted, credits_posted, debits_pending, credits_pending "
            "FROM accounts WHERE account = ?",
            (account,),
        ).fetchone()
        return row or (0, 0, 0, 0)

    def balance(self, name):
        """Return a person's balance in fen."""
        paid, got, _, _ = self.counters(self.ids[name] + b"\1\1")
        return got - paid

    def available(self, name):
        """Return what a person may still pay in fen."""
        paid, got, held, _ = self.counters(self.ids[name] + b"\1\1")
        return got - paid - held

    def row(self, table, key, *columns):
        """Return columns of one stored row by the first column of its key, or None."""
        names = {"packets": "packet_id", "progress": "packet_id", "transfers": "transfer_id",
                 "holds": "hold_id", "usages": "user_id", "users": "user_id",
                 "orders": "order_id", "attempts": "attempt_id", "notices": "notice_key",
                 "refunds": "refund_id", "grants": "order_id", "inflows": "user_id",
                 "transactions": "transaction_key", "gifts": "gift_id", "payouts": "payout_id",
                 "advances": "order_id", "borrowers": "user_id", "lines": "lane",
                 "modes": "mode_key", "askers": "asker_key"}  # fmt: skip
        text = f'SELECT {", ".join(columns)} FROM "{table}" WHERE {names[table]} = ?'
        return self.connection.execute(text, (key,)).fetchone()
