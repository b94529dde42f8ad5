"""The auditor's own idea of the right answer: plain dictionaries and plain arithmetic (独立模型).

It shares words with the product (codes, limit rows, rules, the law of the split) and nothing of
its decisions: no flow, no fold, no view. Where the two differ, one of them is wrong.
Units: fen; µs.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final, NamedTuple

from lingqian.compliance.limit import Limit, Span
from lingqian.kernel.code import Code
from lingqian.redpacket.commitment import chain, chain_start, draw_key, draw_order, pseudonym
from lingqian.redpacket.packet import Secret
from lingqian.risk.rule import Rule
from lingqian.storage.desk import FIELD_EXTERNAL, FIELD_GREETING, FIELD_NICKNAME, FIELD_NOTE

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
SEND, TRANSFER, CLAIM = 1, 2, 3
ACTIVE: Final = 1
TARGETED, DRAW = 3, 5
AWAITING, HELD, OPEN, FINISHED, EXPIRED, REFUSED, INVALIDATED = 1, 2, 3, 4, 5, 6, 7
CHALLENGED, DELAYED, IN_REVIEW, PASSED, RELEASED, DENIED, LAPSED = 1, 2, 3, 4, 5, 6, 7
CHALLENGE, DELAY, REVIEW, BLOCK = 1, 2, 3, 4
PAID, WAITING, TURNED_DOWN = 1, 2, 3
ENTROPY_WAIT: Final = 60 * SECOND
BEACON_WAIT: Final = 120 * SECOND
TRIES_MAX: Final = 5
TICKETS_MAX: Final = 5_000
SHARES_MAX: Final = 5_000
COUNTER_MAX: Final = 2**62
CHALLENGE_WAIT: Final = 600 * SECOND
REVIEW_WAIT: Final = 72 * 3_600 * SECOND
BALANCE, ESCROW, TRANSIT, BANK = b"\x01\x01", b"\x02\x01", b"\x03\x01", b"\x0a\x01"

# The fields a caller chose, in the order in which a difference is told.
ASKED: Final[dict[str, tuple[str, ...]]] = {
    "RegisterUser": ("external_mac",),
    "ChangeUser": ("user_id", "account_class", "state", "nickname_mac"),
    "SetMembers": ("conversation_id", "members"),
    "Fund": ("user_id", "amount_fen"),
    "Transfer": ("source_id", "target_id", "amount_fen", "note_mac"),
    "SendPacket": (
        "sender_id", "kind", "is_lucky", "total_fen", "count", "share_fen_min", "share_fen_max",
        "spread", "lifetime_us", "draw_at_us", "awaits_entropy", "conversation_id", "recipients",
        "passphrase_mac", "greeting_mac", "cover",
    ),
}  # fmt: skip
# What comes with a command and is kept apart: whose it is, which field, and its digest.
PERSONAL: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "RegisterUser": (
        ("user_id", FIELD_NICKNAME, "nickname_mac"),
        ("user_id", FIELD_EXTERNAL, "external_mac"),
    ),
    "ChangeUser": (("user_id", FIELD_NICKNAME, "nickname_mac"),),
    "Transfer": (("transfer_id", FIELD_NOTE, "note_mac"),),
    "SendPacket": (("packet_id", FIELD_GREETING, "greeting_mac"),),
}
BURNT: Final = frozenset(
    {
        Code.OK, Code.SAME_USER, Code.PACKET_INFEASIBLE, Code.DRAW_TIME_INVALID,
        Code.EXCEEDS_SHARE_MAX, Code.EXCEEDS_PACKET_MAX, Code.EXCEEDS_COUNT_MAX,
        Code.EXCEEDS_DAY_COUNT, Code.EXCEEDS_DAY, Code.EXCEEDS_YEAR, Code.EXCEEDS_LIFE,
        Code.BLOCKED, Code.EXCEEDS_AVAILABLE, Code.EXCEEDS_BALANCE_MAX,
    }
)  # fmt: skip
_CASE_END: Final = {
    (CHALLENGED, "release"): PASSED,
    (CHALLENGED, "refuse"): DENIED,
    (CHALLENGED, "due"): LAPSED,
    (DELAYED, "release"): RELEASED,
    (DELAYED, "refuse"): DENIED,
    (DELAYED, "due"): RELEASED,
    (IN_REVIEW, "release"): RELEASED,
    (IN_REVIEW, "refuse"): DENIED,
    (IN_REVIEW, "due"): LAPSED,
}
_PACKET_OVER: Final = {
    FINISHED: Code.PACKET_FINISHED,
    EXPIRED: Code.PACKET_EXPIRED,
    AWAITING: Code.PACKET_NOT_OPEN,
    HELD: Code.PACKET_NOT_OPEN,
    REFUSED: Code.PACKET_INVALIDATED,
    INVALIDATED: Code.PACKET_INVALIDATED,
}

# What the gate is told: action, object, person, amount.
About = tuple[int, bytes, bytes, int]
# Shares, key and salt of a packet, from its command and the entropy and beacon that came.
Opener = Callable[[Any, bytes, bytes], Secret]


class Expected(NamedTuple):
    """What a command must be answered; `first` is what was answered before, when it was."""

    code: int
    outcome: tuple[Any, ...] | None = None
    field: str = ""
    first: Any = None


class Seen(NamedTuple):
    """A key that is used up: by what, and what was answered."""

    command: Any
    expected: Expected
    at: int
    seq: int


class Person:
    """A person: class, state, version, and every payment counted by day and year."""

    def __init__(self, command: Any, at: int) -> None:  # noqa: ANN401 - a registration
        self.external = command.external_mac
        self.nickname = command.nickname_mac
        self.account_class = command.account_class
        self.state = ACTIVE
        self.version = 1
        self.created = at
        self.days: dict[int, list[int]] = {}
        self.years: dict[int, int] = {}
        self.ever = 0


class Share:
    """What one person has of a packet: a share, or a ticket until the draw."""

    def __init__(self, ticket: int, number: int, amount: int, at: int, seq: int) -> None:
        self.ticket = ticket
        self.number = number
        self.amount = amount
        self.at = at
        self.seq = seq
        self.name = b""
        self.link = b""


class Bag:
    """A packet and all that has happened to it."""

    def __init__(self, command: Any, at: int) -> None:  # noqa: ANN401 - a command, by its fields
        self.command = command
        self.sent = at
        self.state = HELD
        self.opens = 0
        self.expires = 0
        self.closed = 0
        self.entropy = b""
        self.entropy_at = 0
        self.beacon = b""
        self.wants = command.beacon_round
        self.secret: Secret | None = None
        self.people: dict[bytes, Share] = {}
        self.link = chain_start(command.commitment)
        self.count = 0
        self.claimed = 0
        self.returned = 0


class Case:
    """A stopped command's case."""

    def __init__(self, opened: tuple[Any, ...], state: int, at: int) -> None:
        self.opened = opened
        self.state = state
        self.at = at
        self.by = ""


class Model:
    """Everything that should be true, changed by `apply` alone."""

    def __init__(self, limits: Iterable[Limit], opener: Opener) -> None:
        self.rules: tuple[Rule, ...] = ()
        self._limits = list(limits)
        self._caps: dict[tuple[int, int], int | None] = {}
        self._opener = opener
        self.posted: dict[bytes, int] = {}
        self.credits: dict[bytes, int] = {}
        self.held: dict[bytes, int] = {}
        self.coming: dict[bytes, int] = {}
        self.people: dict[bytes, Person] = {}
        self.bags: dict[bytes, Bag] = {}
        self.cases: dict[bytes, Case] = {}
        self.transfers: dict[bytes, list[Any]] = {}
        self.holds: dict[bytes, list[Any]] = {}
        self.tries: dict[bytes, int] = {}
        self.groups: dict[str, bytes] = {}
        self.keys: dict[bytes, Seen] = {}
        self.personal: dict[bytes, bytes] = {}
        self.streams: dict[tuple[int, int], list[tuple[bytes, int]]] = {}
        self.marks: dict[tuple[int, int], int] = {}
        # In the order in which they came about, for those who look for something recent.
        self.case_ids: list[bytes] = []
        self.packet_ids: list[bytes] = []
        self.events: Counter[str] = Counter()
        self.touched: set[bytes] = set()
        self.moves = 0
        self.seqs: dict[int, int] = {}
        self._handlers: dict[str, Callable[[Any, int], Expected]] = {
            "RegisterUser": self._register,
            "ChangeUser": self._change,
            "SetMembers": self._members,
            "Fund": self._fund,
            "Transfer": self._transfer,
            "SendPacket": self._send,
            "AddEntropy": self._entropy,
            "AddBeacon": self._beacon,
            "ClaimPacket": self._claim,
            "DrawPacket": self._draw,
            "ClosePacket": self._close,
            "SettleCase": self._settle,
            "DeliverRelay": self._relay,
        }

    def apply(self, command: Any, at: int, lane: int) -> tuple[Expected, int]:  # noqa: ANN401 - any command
        """Say what a command must be answered, let it happen, and number its journal row.

        The number is 0 when nothing may be written for it.
        """
        name = type(command).__name__
        asked = ASKED.get(name)
        if asked is not None:
            seen = self.keys.get(command.key)
            if seen is not None:
                again = _again(name, asked, command, seen)
                self.events["key replayed"] += again.first is not None
                return again, 0
        seq = self.seqs.get(lane, 1)
        self._seq = seq
        expected = self._handlers[name](command, at)
        burns = asked is not None and expected.code in BURNT
        if expected.first is not None or (expected.outcome is None and not burns):
            return expected, 0
        self.seqs[lane] = seq + 1
        if burns:
            self.keys[command.key] = Seen(command, expected, at, seq)
        if not expected.code:
            for owner, field, mac in PERSONAL.get(name, ()):
                self.personal[getattr(command, owner) + bytes((field,))] = getattr(command, mac)
        return expected, seq

    # --- money ---

    def _move(self, source: bytes, target: bytes, amount: int) -> None:
        posted = self.posted
        self.moves += 1
        posted[source] = posted.get(source, 0) - amount
        posted[target] = posted.get(target, 0) + amount
        self.credits[target] = self.credits.get(target, 0) + amount
        self.touched.add(source)
        self.touched.add(target)

    def _hold(self, opened: tuple[Any, ...], source: bytes, target: bytes, at: int) -> None:
        """Set the money of a stopped command aside, under the id of what it would have made."""
        amount, verdict = opened[4], opened[5]
        self.events["money delayed" if verdict == DELAY else "money held for review"] += 1
        self._open_case(opened, at)
        self._set_aside(source, target, amount)
        self.holds[opened[2]] = [source, target, amount, 1, at]

    def _set_aside(self, source: bytes, target: bytes, amount: int) -> None:
        self.held[source] = self.held.get(source, 0) + amount
        self.coming[target] = self.coming.get(target, 0) + amount
        self.touched.add(source)
        self.touched.add(target)

    def _available(self, user: bytes) -> int:
        account = user + BALANCE
        return self.posted.get(account, 0) - self.held.get(account, 0)

    def _landing(self, lane: int, user: bytes, amount: int) -> bytes:
        """Return where money for a person lands in this lane, and note what the relay carries."""
        home = int.from_bytes(user[:2], "big")
        if home == lane:
            return user + BALANCE
        self.streams.setdefault((lane, home), []).append((user + BALANCE, amount))
        return transit(lane)

    # --- people ---

    def _register(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        self.people[command.user_id] = Person(command, at)
        return Expected(Code.OK, (1,))

    def _change(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        del at
        person = self.people.get(command.user_id)
        if person is None:
            return Expected(Code.USER_UNKNOWN)
        person.account_class, person.state = command.account_class, command.state
        person.nickname = command.nickname_mac
        person.version += 1
        return Expected(Code.OK, (person.version,))

    def _members(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        del at
        self.groups[command.conversation_id] = command.members
        return Expected(Code.OK, (len(command.members) // 16,))

    def _fund(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        del at
        if command.user_id not in self.people:
            return Expected(Code.USER_UNKNOWN)
        bank, account = command.user_id[:2] + bytes(14) + BANK, command.user_id + BALANCE
        before = max(-self.posted.get(bank, 0), self.credits.get(account, 0))
        if before + command.amount_fen > COUNTER_MAX:
            return Expected(Code.EXCEEDS_BALANCE_MAX)
        self._move(bank, account, command.amount_fen)
        return Expected(Code.OK, (command.funding_id,))

    # --- the gate ---

    def _cap(self, account_class: int, span: Span) -> int | None:
        key = (account_class, span)
        if key not in self._caps:
            rows = [
                row.cap
                for row in self._limits
                if row.account_class == account_class and row.span == span
            ]
            self._caps[key] = min(rows, default=None)
        return self._caps[key]

    def _payer(self, user: bytes, amount: int, at: int) -> int:
        person = self.people.get(user)
        if person is None:
            return Code.USER_UNKNOWN
        return _standing(person.account_class, person.state) or self._limit(person, amount, at)

    def _limit(self, person: Person, amount: int, at: int) -> int:
        day, year = calendar(at)
        paid, count = person.days.get(day, (0, 0))
        used = (
            (Span.PAYMENT, 0, amount, Code.EXCEEDS_PACKET_MAX),
            (Span.DAY_COUNT, count, 1, Code.EXCEEDS_DAY_COUNT),
            (Span.DAY, paid, amount, Code.EXCEEDS_DAY),
            (Span.YEAR, person.years.get(year, 0), amount, Code.EXCEEDS_YEAR),
            (Span.LIFE, person.ever, amount, Code.EXCEEDS_LIFE),
        )
        for span, before, more, code in used:
            cap = self._cap(person.account_class, span)
            if cap is not None and before + more > cap:
                return code
        return Code.OK

    def _count(self, user: bytes, amount: int, at: int) -> None:
        person = self.people[user]
        day, year = calendar(at)
        line = person.days.setdefault(day, [0, 0])
        line[0] += amount
        line[1] += 1
        person.years[year] = person.years.get(year, 0) + amount
        person.ever += amount

    def _weigh(self, identity: bytes, about: About, at: int) -> Expected | None:
        """Weigh (action, object, person, amount), stopped before as `identity`; None lets it pass.

        An answer of OK sets the money aside; its outcome is the case that opens.
        """
        action, _, _, amount = about
        found = [
            rule for rule in self.rules if rule.action == action and amount >= rule.amount_fen_min
        ]
        rule = max(found, key=lambda each: each.verdict, default=None)
        if rule is None or rule.verdict == 0:
            return None
        if rule.verdict == BLOCK:
            return Expected(Code.BLOCKED)
        case = self.cases.get(identity)
        if case is None:
            return Expected(_told(action, rule.verdict), _opened(identity, about, rule, at))
        return self._known_case(case, about, rule, at)

    def _known_case(self, case: Case, about: About, rule: Rule, at: int) -> Expected | None:
        verdict = case.opened[5]
        if case.state in (PASSED, RELEASED):
            return None
        if case.state == DENIED or (case.state == LAPSED and verdict != CHALLENGE):
            return Expected(Code.BLOCKED)
        if case.state == LAPSED:
            # Nobody answered and nothing was set aside: it is a new question under today's rules.
            return Expected(_told(about[0], rule.verdict), _opened(case.opened[0], about, rule, at))
        return Expected(_told(about[0], verdict))

    def _open_case(self, opened: tuple[Any, ...], at: int) -> None:
        self.case_ids.append(opened[0])
        self.cases[opened[0]] = Case(opened, opened[5], at)

    # --- transfers and packets sent ---

    def _transfer(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        source, target, amount = command.source_id, command.target_id, command.amount_fen
        if source == target:
            return Expected(Code.SAME_USER)
        code = self._payer(source, amount, at)
        code = code or _standing(command.target_class, command.target_state)
        if code:
            return Expected(code)
        asked = (source, target, amount, command.note_mac)
        about = (TRANSFER, command.transfer_id, source, amount)
        stop = self._weigh(case_of(command.key, asked), about, at)
        if stop is not None and stop.code:
            return self._stopped(stop, (0,), at)
        if self._available(source) < amount:
            return Expected(Code.EXCEEDS_AVAILABLE)
        self._count(source, amount, at)
        lane = int.from_bytes(source[:2], "big")
        if stop is not None and stop.outcome is not None:
            landing = target + BALANCE if target[:2] == source[:2] else transit(lane)
            self._hold(stop.outcome, source + BALANCE, landing, at)
            self.transfers[command.transfer_id] = [source, target, amount, WAITING, at]
            return Expected(Code.OK, (WAITING, stop.outcome))
        self._move(source + BALANCE, self._landing(lane, target, amount), amount)
        self.transfers[command.transfer_id] = [source, target, amount, PAID, at]
        return Expected(Code.OK, (PAID, None))

    def _stopped(self, stop: Expected, before: tuple[int, ...], at: int) -> Expected:
        if stop.outcome is None:
            return Expected(stop.code)
        self._open_case(stop.outcome, at)
        return Expected(stop.code, (*before, stop.outcome))

    def _send(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        code = _shape(command, at) or self._sender(command, at)
        if code:
            return Expected(code)
        sender, packet, total = command.sender_id, command.packet_id, command.total_fen
        asked = tuple([getattr(command, name) for name in ASKED["SendPacket"]])
        stop = self._weigh(case_of(command.key, asked), (SEND, packet, sender, total), at)
        if stop is not None and stop.code:
            return self._stopped(stop, (0, 0, 0), at)
        if self._available(sender) < total:
            return Expected(Code.EXCEEDS_AVAILABLE)
        self._count(sender, total, at)
        bag = self.bags[packet] = Bag(command, at)
        self.packet_ids.append(packet)
        if stop is not None and stop.outcome is not None:
            self._hold(stop.outcome, sender + BALANCE, packet + ESCROW, at)
            return Expected(Code.OK, (HELD, 0, 0, stop.outcome))
        self._move(sender + BALANCE, packet + ESCROW, total)
        _come_alive(bag, at)
        return Expected(Code.OK, (bag.state, bag.opens, bag.expires, None))

    def _sender(self, command: Any, at: int) -> int:  # noqa: ANN401 - any command
        code = self._payer(command.sender_id, command.total_fen, at)
        if code:
            return code
        account_class = self.people[command.sender_id].account_class
        cap = self._cap(account_class, Span.COUNT)
        if cap is not None and command.count > cap:
            return Code.EXCEEDS_COUNT_MAX
        cap = self._cap(account_class, Span.SHARE)
        if cap is not None and command.total_fen > cap * command.count:
            return Code.EXCEEDS_SHARE_MAX
        return Code.OK

    # --- packets alive ---

    def _entropy(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        bag = self.bags.get(command.packet_id)
        if bag is None:
            return Expected(Code.PACKET_UNKNOWN)
        if bag.entropy == command.entropy:
            return Expected(Code.OK)
        if not bag.command.awaits_entropy:
            return Expected(Code.ENTROPY_NOT_AWAITED)
        if bag.entropy or bag.state != AWAITING or at >= bag.opens:
            return Expected(Code.ENTROPY_TOO_LATE)
        bag.entropy, bag.entropy_at, bag.secret = command.entropy, at, None
        is_open = bag.command.kind == DRAW or not bag.wants
        bag.state = OPEN if is_open else AWAITING
        self.events["entropy mixed in"] += 1
        return Expected(Code.OK, (is_open,))

    def _beacon(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        bag = self.bags.get(command.packet_id)
        if bag is None:
            return Expected(Code.PACKET_UNKNOWN)
        if bag.beacon == command.randomness:
            return Expected(Code.OK)
        code = _untimely(bag, at)
        if code:
            return Expected(code)
        is_draw = bag.command.kind == DRAW
        bag.beacon, bag.wants, bag.secret = command.randomness, 0, None
        is_open = not is_draw and (not bag.command.awaits_entropy or bag.entropy != b"")
        bag.state = OPEN if is_open else bag.state
        self.events["beacon mixed in"] += 1
        return Expected(Code.OK, (is_open,))

    def secret(self, bag: Bag) -> Secret:
        """Return the shares of a packet as they follow from what has been mixed in."""
        if bag.secret is None:
            bag.secret = self._opener(bag.command, bag.entropy, bag.beacon)
        return bag.secret

    def _claim(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        bag = self.bags.get(command.packet_id)
        if bag is None:
            return Expected(Code.PACKET_UNKNOWN)
        known = bag.people.get(command.user_id)
        if known is not None:
            self.events["claim repeated"] += 1
            return Expected(Code.OK, first=known)
        code = _closed(bag, at) or _stranger(bag, command)
        if code:
            return Expected(code)
        wrong = self._phrase(bag, command) if bag.command.passphrase_mac else None
        if wrong is not None:
            return wrong
        return self._claim_by_rules(bag, command, at)

    def _claim_by_rules(self, bag: Bag, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        code = _standing(command.account_class, command.state)
        if code:
            return Expected(code)
        average = bag.command.total_fen // bag.command.count
        about = (CLAIM, command.packet_id, command.user_id, average)
        stop = self._weigh(case_of(command.packet_id + command.user_id, ()), about, at)
        if stop is not None:
            return self._stopped(stop, (), at)
        return self._take(bag, command, at)

    def _phrase(self, bag: Bag, command: Any) -> Expected | None:  # noqa: ANN401 - any command
        if not command.passphrase_mac:
            return Expected(Code.WRONG_PASSPHRASE)
        key = command.packet_id + command.user_id
        tries = self.tries.get(key, 0)
        if tries >= TRIES_MAX:
            return Expected(Code.PASSPHRASE_LOCKED)
        if command.passphrase_mac == bag.command.passphrase_mac:
            return None
        self.tries[key] = tries + 1
        return Expected(Code.WRONG_PASSPHRASE, (tries + 1,))

    def _take(self, bag: Bag, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        secret = self.secret(bag)
        packet, user = command.packet_id, command.user_id
        person = self.people.get(user)
        is_stale = person is not None and person.version != command.status_version
        self.events["claim with a stale status"] += is_stale
        if bag.state == AWAITING:
            bag.state = OPEN
            bag.wants = bag.wants if bag.command.kind == DRAW else 0
        ticket = len(bag.people) + 1
        number, amount = (0, 0) if bag.command.kind == DRAW else (ticket, secret.shares[ticket - 1])
        share = bag.people[user] = Share(ticket, number, amount, at, self._seq)
        share.name = pseudonym(packet, user, secret.salt)
        share.link = bag.link = chain(
            bag.link, sequence=ticket, pseudonym=share.name, index=number, amount_fen=amount,
            at_us=at,
        )  # fmt: skip
        if number:
            lane = int.from_bytes(packet[:2], "big")
            self._move(packet + ESCROW, self._landing(lane, user, amount), amount)
            bag.count += 1
            bag.claimed += amount
            if bag.count == bag.command.count:
                bag.state, bag.closed = FINISHED, at
                self.events["packet finished by claims"] += 1
        return Expected(Code.OK, (number, amount, ticket, share.name, share.link))

    # --- packets closed ---

    def _draw(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        bag = self.bags.get(command.packet_id)
        if bag is None or bag.command.kind != DRAW:
            return Expected(Code.PACKET_UNKNOWN)
        if bag.state not in (OPEN, AWAITING):
            return Expected(Code.ALREADY_SETTLED)
        waits = bag.command.draw_at_us + (BEACON_WAIT if bag.wants else 0)
        if at < waits or at < bag.opens:
            return Expected(Code.NOT_DUE)
        packet, secret = command.packet_id, self.secret(bag)
        users = list(bag.people)
        winners = min(len(users), bag.command.count)
        order = draw_order(draw_key(secret.key, bag.link), len(users), winners)
        amounts = secret.shares[:winners]
        lane = int.from_bytes(packet[:2], "big")
        for number, place in enumerate(order):
            share = bag.people[users[place]]
            share.number, share.amount = number + 1, amounts[number]
            landing = self._landing(lane, users[place], amounts[number])
            self._move(packet + ESCROW, landing, amounts[number])
        bag.count, bag.claimed = winners, sum(amounts)
        self.events["draw with more tickets than shares"] += len(users) > winners
        self.events["draw with fewer tickets than shares"] += len(users) < bag.command.count
        self._return_rest(bag, at, FINISHED)
        return Expected(Code.OK, (tuple(order), tuple(amounts), bag.returned, None))

    def _return_rest(self, bag: Bag, at: int, state: int) -> None:
        bag.returned = bag.command.total_fen - bag.claimed
        bag.state, bag.closed, bag.wants = state, at, 0
        if bag.returned:
            source = bag.command.packet_id + ESCROW
            self._move(source, bag.command.sender_id + BALANCE, bag.returned)

    def _close(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        bag = self.bags.get(command.packet_id)
        if bag is None:
            return Expected(Code.PACKET_UNKNOWN)
        if bag.state not in (OPEN, AWAITING):
            return Expected(Code.ALREADY_SETTLED)
        if not command.is_invalidation and (at < bag.expires or bag.command.kind == DRAW):
            return Expected(Code.NOT_DUE)
        over = "invalidated" if command.is_invalidation else "expired"
        self.events[f"packet {over} and returned"] += 1
        self._return_rest(bag, at, INVALIDATED if command.is_invalidation else EXPIRED)
        return Expected(Code.OK, (bag.returned, None))

    # --- cases and the relay ---

    def _settle(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        case = self.cases.get(command.case_id)
        if case is None:
            return Expected(Code.CASE_UNKNOWN)
        if case.state not in (CHALLENGED, DELAYED, IN_REVIEW):
            return Expected(Code.CASE_CLOSED)
        if command.event == "due" and at < case.opened[7]:
            return Expected(Code.NOT_DUE)
        was, case.state = case.state, _CASE_END[case.state, command.event]
        case.by = command.by
        self.events[_ending(case.state, command.event)] += 1
        if case.opened[1] == CLAIM or was == CHALLENGED:
            return Expected(Code.OK, (case.state, 0, 0, None, None))
        return self._end_hold(case, command, at)

    def _end_hold(self, case: Case, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        identity, is_released = case.opened[2], case.state == RELEASED
        hold = self.holds[identity]
        source, target, amount = hold[:3]
        self._set_aside(source, target, -amount)
        hold[3] = 2 if is_released else 4 if command.event == "due" else 3
        hold[4] = at
        if is_released:
            self._move(source, target, amount)
        if case.opened[1] == TRANSFER:
            return self._end_transfer(case, identity, is_released=is_released)
        bag = self.bags[identity]
        if is_released:
            _come_alive(bag, at)
            return Expected(Code.OK, (case.state, bag.opens, bag.expires, None, None))
        bag.state, bag.closed = REFUSED, at
        return Expected(Code.OK, (case.state, 0, 0, None, None))

    def _end_transfer(self, case: Case, identity: bytes, *, is_released: bool) -> Expected:
        transfer = self.transfers[identity]
        transfer[3] = PAID if is_released else TURNED_DOWN
        if is_released:
            self._landing(int.from_bytes(identity[:2], "big"), transfer[1], transfer[2])
        return Expected(Code.OK, (case.state, 0, 0, None, None))

    def _relay(self, command: Any, at: int) -> Expected:  # noqa: ANN401 - any command
        del at
        pair = (command.source, command.lane)
        mark = self.marks.get(pair, 0)
        if command.first > mark + 1:
            self.events["relay gap"] += 1
            return Expected(Code.RELAY_GAP)
        last = command.first + len(command.items) - 1
        self.events["relay delivered twice"] += command.first <= mark and len(command.items) > 0
        if last <= mark:
            return Expected(Code.ALREADY_SETTLED)
        self.events["relay delivered"] += 1
        # What is credited is what the source let go, not what the command says.
        for account, amount in self.streams[pair][mark:last]:
            self._move(transit(command.lane), account, amount)
        self.marks[pair] = last
        return Expected(Code.OK, (last,))


def transit(lane: int) -> bytes:
    """Return a lane's account for money on its way to other lanes."""
    return lane.to_bytes(2, "big") + bytes(14) + TRANSIT


def calendar(at: int) -> tuple[int, int]:
    """Return the Shanghai day (days since 1970) and its year."""
    day = (at + 8 * 3_600 * SECOND) // DAY
    return day, (dt.date(1970, 1, 1) + dt.timedelta(days=day)).year


def case_of(key: bytes, asked: tuple[Any, ...]) -> bytes:
    """Return the id of the case that this request under this key may have."""
    words = repr(tuple([int(one) if isinstance(one, int) else one for one in asked])).encode()
    return key[:2] + sha256(b"lingqian case\x01%c%b%b" % (len(key), key, words)).digest()[:14]


def _ending(state: int, event: str) -> str:
    if state == RELEASED:
        return "case released by the clock" if event == "due" else "case released by a person"
    return {PASSED: "case passed", DENIED: "case refused", LAPSED: "case lapsed by the clock"}[
        state
    ]


def _again(name: str, asked: tuple[str, ...], command: Any, seen: Seen) -> Expected:  # noqa: ANN401 - any command
    if type(seen.command).__name__ != name:
        return Expected(Code.KEY_REUSED, field="operation")
    for field in asked:
        if getattr(command, field) != getattr(seen.command, field):
            return Expected(Code.KEY_REUSED, field=field)
    return Expected(seen.expected.code, first=seen)


def _standing(account_class: int, state: int) -> int:
    if account_class == 0:
        return Code.REAL_NAME_REQUIRED
    return Code.OK if state == ACTIVE else Code.ACCOUNT_FROZEN


def _told(action: int, verdict: int) -> int:
    if verdict == CHALLENGE:
        return Code.CHALLENGE_REQUIRED
    return Code.CLAIM_HELD if action == CLAIM else Code.OK


def _opened(identity: bytes, about: About, rule: Rule, at: int) -> tuple[Any, ...]:
    wait = {CHALLENGE: CHALLENGE_WAIT, DELAY: rule.delay_s * SECOND, REVIEW: REVIEW_WAIT}
    return (identity, *about, rule.verdict, rule.name, at + wait[rule.verdict], "")


def _shape(command: Any, at: int) -> int:  # noqa: ANN401 - any command
    count, total, low = command.count, command.total_fen, command.share_fen_min
    high = command.share_fen_max
    if count > SHARES_MAX:
        return Code.EXCEEDS_COUNT_MAX
    if total > count * high:
        return Code.EXCEEDS_SHARE_MAX
    named = len(command.recipients) // 16
    if count < 1 or not 1 <= low <= high or total < count * low:
        return Code.PACKET_INFEASIBLE
    if command.kind == TARGETED and named != count:
        return Code.PACKET_INFEASIBLE
    draws = command.draw_at_us
    if command.kind == DRAW and not at < draws < at + command.lifetime_us:
        return Code.DRAW_TIME_INVALID
    return Code.OK


def _come_alive(bag: Bag, at: int) -> None:
    command = bag.command
    waits = command.awaits_entropy or (command.beacon_round and command.kind != DRAW)
    bag.state = AWAITING if waits else OPEN
    bag.opens = at + ENTROPY_WAIT if waits else 0
    bag.expires = at + bag.command.lifetime_us


def _closed(bag: Bag, at: int) -> int:
    state = bag.state
    if state in (OPEN, AWAITING):
        if at >= bag.expires:
            state = EXPIRED
        elif at >= bag.opens:
            state = OPEN
    if state != OPEN:
        return _PACKET_OVER[state]
    if bag.command.kind != DRAW:
        return Code.OK
    if at >= bag.command.draw_at_us:
        return Code.PACKET_FINISHED
    return Code.DRAW_FULL if len(bag.people) >= TICKETS_MAX else Code.OK


def _untimely(bag: Bag, at: int) -> int:
    """Say why a beacon's round cannot be mixed in now."""
    if not bag.wants:
        return Code.ENTROPY_NOT_AWAITED
    if bag.state not in (AWAITING, OPEN):
        return Code.ENTROPY_TOO_LATE
    if bag.command.kind == DRAW:
        return Code.NOT_DUE if at < bag.command.draw_at_us else Code.OK
    in_time = bag.state == AWAITING and at < bag.opens
    return Code.OK if in_time else Code.ENTROPY_TOO_LATE


def _stranger(bag: Bag, command: Any) -> int:  # noqa: ANN401 - any command
    is_own = command.user_id == bag.command.sender_id
    if bag.command.kind == TARGETED:
        ids = bag.command.recipients
        named = {ids[at : at + 16] for at in range(0, len(ids), 16)}
        if command.user_id not in named:
            return Code.OWN_PACKET if is_own else Code.NOT_A_RECIPIENT
    return Code.OK if command.is_member or is_own else Code.NOT_A_RECIPIENT
