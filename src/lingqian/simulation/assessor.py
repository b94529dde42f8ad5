"""The assessor: follows the journal with books of its own and predicts every account (复核员).

It shares no code with the flows. It is told what was asked (commands and their codes), never what
was decided (outcomes, postings), and reckons from there; then the stored accounts must be its own.
Units: fen; coins; µs.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import apsw

from lingqian.simulation.auditor import Violation

BALANCE, HELD, PAYABLE, COIN_VALUE, UNALLOCATED = 1, 4, 5, 6, 8
BANK, CHANNEL = 10, 11
CASH, FEE, SERVICE, PROVIDER, REBATE = 30, 31, 32, 33, 34
ADVANCE, DEBT, LOSS, LINE, COUPON = 36, 37, 38, 39, 41
COIN, ISSUED = 50, 51
CNY, COINS = 1, 2
PAID_WORDS: Final = (4, 5)
ABSENT, CLOSED, REVOKED, FAILED = 1, 6, 7, 8
REVIEW_FEN: Final = 5_000_000
GRACE_US: Final = 24 * 3_600 * 1_000_000
DAY_US: Final = 86_400 * 1_000_000
SHANGHAI_US: Final = 8 * 3_600 * 1_000_000
MINUTE_US: Final = 60 * 1_000_000
_ACCOUNTS: Final = "SELECT account, credits_posted - debits_posted FROM accounts"
_ACCOUNT: Final = "SELECT credits_posted - debits_posted FROM accounts WHERE account = ?"

Key = tuple[bytes, int, int]


class Deal:
    """An order as the assessor has it: `end` is empty, credited, held, returned or parked."""

    __slots__ = (
        "amount", "bonus", "coins", "end", "expires", "is_advanced", "is_paid", "kind", "owed",
        "tries", "user",
    )  # fmt: skip

    def __init__(self, command: Any, at: int) -> None:  # noqa: ANN401 - an order, by its fields
        self.user = command.user_id
        self.kind = command.order_kind
        self.amount = command.amount_fen
        self.coins = command.coins
        self.bonus = command.bonus_coins
        self.expires = at + command.life_us
        self.end = ""
        self.is_paid = False
        self.is_advanced = False
        self.owed = 0
        self.tries: list[bytes] = []


class Try:
    """An attempt: whose, over which account, for how much, and whether it has been paid."""

    __slots__ = ("account", "amount", "fees", "is_paid", "order")

    def __init__(self, order: bytes, account: str, amount: int) -> None:
        self.order = order
        self.account = account
        self.amount = amount
        self.is_paid = False
        self.fees = (0, 0, 0)


class Assessor:
    """Takes journal rows one by one; `agree` compares what they should have left."""

    def __init__(self) -> None:
        self.books: dict[Key, int] = defaultdict(int)
        self.deals: dict[bytes, Deal] = {}
        self.tries: dict[bytes, Try] = {}
        self.seen: dict[tuple[int, str, str], bytes] = {}
        self.parked: dict[tuple[int, str, str], int] = {}
        self.days: dict[bytes, tuple[int, int]] = {}
        self.cases: dict[bytes, bytes] = {}
        self.debts: dict[bytes, int] = defaultdict(int)
        self.lines: dict[int, list[int]] = {}
        self.counts: Counter[str] = Counter()
        self.credits: Counter[bytes] = Counter()
        self._touched: set[Key] = set()
        self._handlers: dict[str, Callable[[int, Any, int], None]] = {
            "Fund": self._fund,
            "OpenOrder": self._open,
            "BeginAttempt": self._begin,
            "Observe": self._observe,
            "SettleCase": self._settle,
            "AllocateParked": self._allocate,
            "FundLine": self._fund_line,
            "AskAdvance": self._advance,
            "SettleAdvance": self._settle_advance,
        }

    def follow(self, lane: int, record: Any) -> None:  # noqa: ANN401 - a journal record
        """Take one row."""
        if record.code:
            return
        name = type(record.command).__name__
        self.counts[name] += 1
        handler = self._handlers.get(name)
        if handler is not None and record.outcome is not None:
            handler(lane, record.command, record.at_us)

    def agree(self, connection: apsw.Connection) -> None:
        """Compare every account touched since the last time.

        Raises: Violation.
        """
        for key in self._touched:
            row: Any = connection.execute(_ACCOUNT, (_account(key),)).fetchone()
            stored = 0 if row is None else row[0]
            if stored != self.books[key]:
                raise Violation(f"{_account(key).hex()} has {stored}, expected {self.books[key]}")
        self._touched.clear()

    def agree_wholly(self, connection: apsw.Connection) -> None:
        """Compare all accounts, also those nobody expected.

        Raises: Violation.
        """
        stored = {account: value for account, value in connection.execute(_ACCOUNTS) if value}
        right = {_account(key): value for key, value in self.books.items() if value}
        if stored != right:
            wrong = [
                f"{key.hex()}: {stored.get(key)}, expected {right.get(key)}"
                for key in {**stored, **right}
                if stored.get(key) != right.get(key)
            ]
            raise Violation(f"{len(wrong)} accounts differ: {wrong[:3]}")

    def parked_attempts(self) -> set[bytes]:
        """Return the attempts whose money could not be placed by itself."""
        return {self.seen[key] for key in self.parked}

    # --- money ----------------------------------------------------------------------------------

    def _move(self, debit: Key, credit: Key, amount: int) -> None:
        if amount:
            self.books[debit] -= amount
            self.books[credit] += amount
            self._touched.add(debit)
            self._touched.add(credit)

    def _fund(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        self._move(_house(lane, BANK), (command.user_id, BALANCE, CNY), command.amount_fen)

    # --- orders ---------------------------------------------------------------------------------

    def _open(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        deal = self.deals[command.order_id] = Deal(command, at)
        if command.is_from_balance:
            deal.is_paid = True
            self._credit(lane, command.order_id, (command.user_id, BALANCE, CNY))

    def _begin(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del lane, at
        deal = self.deals[command.order_id]
        self.tries[command.attempt_id] = Try(command.order_id, command.account, deal.amount)
        deal.tries.append(command.attempt_id)

    def _observe(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        if command.state not in PAID_WORDS:
            return
        key = (lane, command.account, command.transaction_id)
        if key in self.seen:
            self.counts["truth told again"] += 1
            return
        self.seen[key] = command.attempt_id
        known = self.tries.get(command.attempt_id)
        if known is None or not self._fits(known, command):
            self._park(lane, key, command, known)
            return
        known.is_paid = True
        known.fees = (command.fee_fen, command.service_fee_fen, command.rebate_fen)
        self._receive(lane, command, (known.order, HELD, CNY))
        self._place(lane, known, command, at)

    def _fits(self, known: Try, command: Any) -> bool:  # noqa: ANN401 - as above
        return (
            known.account == command.account
            and known.amount == command.amount_fen
            and not known.is_paid
        )

    def _receive(self, lane: int, command: Any, target: Key) -> None:  # noqa: ANN401 - as above
        """Book a payment whole; what the channel keeps of it is the house's to pay."""
        whole, settled = command.amount_fen, command.settle_fen
        settled = settled if 0 < settled < whole else whole
        channel = (_named(lane, command.account), CHANNEL, CNY)
        self._move(channel, target, settled)
        self._move(_house(lane, BANK), target, whole - settled)
        self._move(_house(lane, COUPON), _house(lane, CASH), whole - settled)
        self._move(_house(lane, FEE), channel, command.fee_fen)
        self._move(_house(lane, BANK), _house(lane, CASH), command.fee_fen)
        self._move(_house(lane, SERVICE), _house(lane, PROVIDER), command.service_fee_fen)
        self._move(_house(lane, PROVIDER), _house(lane, REBATE), command.rebate_fen)

    def _park(self, lane: int, key: tuple[int, str, str], command: Any, known: Try | None) -> None:  # noqa: ANN401 - as above
        self._receive(lane, command, _house(lane, UNALLOCATED))
        self.parked[key] = command.amount_fen
        self.counts["parked"] += 1
        if known is not None and known.account == command.account and not known.is_paid:
            # Its own money, of another amount: the order is over, and a person decides.
            known.is_paid = True
            known.fees = (command.fee_fen, command.service_fee_fen, command.rebate_fen)
            deal = self.deals[known.order]
            deal.is_paid = True
            deal.end = deal.end or "parked"

    def _place(self, lane: int, known: Try, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        deal = self.deals[known.order]
        held = (known.order, HELD, CNY)
        if deal.is_paid:
            self.counts["overpaid"] += 1
            self._return(command.attempt_id, "overpaid", held, deal.amount)
            return
        deal.is_paid = True
        if deal.is_advanced:
            self._confirm(lane, known.order, deal)
            self._day(deal.user, deal.amount, at)
            self.counts["advance confirmed"] += 1
        elif deal.owed:
            self._late_for_advance(lane, known.order, command.attempt_id, deal)
        elif command.success_at_us > deal.expires + GRACE_US:
            deal.end = "returned"
            self._return(command.attempt_id, "late", held, deal.amount)
        elif self._day(deal.user, deal.amount, at) > REVIEW_FEN:
            deal.end = "held"
            self.counts["held for review"] += 1
            self.cases[_case(known.order)] = command.attempt_id
        else:
            self._credit(lane, known.order, held)

    def _day(self, user: bytes, amount: int, at: int) -> int:
        """Count a proven top-up into its day, and return what the day has with it."""
        day = (at + SHANGHAI_US) // DAY_US
        known, fen = self.days.get(user, (0, 0))
        self.days[user] = (day, amount + (fen if known == day else 0))
        return self.days[user][1]

    def _credit(self, lane: int, order: bytes, source: Key) -> None:
        deal = self.deals[order]
        if deal.end in ("credited", "returned"):
            raise Violation(f"order {order.hex()} is credited after it was {deal.end}")
        deal.end = "credited"
        self.credits[order] += 1
        owed = min(self.debts[deal.user], deal.amount)
        self._repay(lane, deal.user, source, owed)
        rest = deal.amount - owed
        if deal.kind == 1:
            self._move(source, (deal.user, BALANCE, CNY), rest)
            return
        self._move(source, _house(lane, COIN_VALUE), rest)
        # A part of the price buys its part of the coins: paid ones rounded up, bonus ones down.
        coins = (deal.coins * rest + deal.amount - 1) // deal.amount
        coins += deal.bonus * rest // deal.amount
        self._move(_house(lane, ISSUED, COINS), (deal.user, COIN, COINS), coins)

    def _return(self, attempt: bytes, origin: str, source: Key, amount: int) -> None:
        number = {"late": 3, "overpaid": 4, "surplus": 5, "rejected": 6}[origin]
        refund = attempt[:8] + _digest(b"lingqian refund\x01" + attempt + bytes((number,)), 8)
        self._move(source, (refund, PAYABLE, CNY), amount)
        self.counts["sent back: " + origin] += 1

    def _settle(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        attempt = self.cases.get(command.case_id)
        if attempt is None or command.event == "due":
            return
        known = self.tries[attempt]
        deal, held = self.deals[known.order], (known.order, HELD, CNY)
        if command.event == "release":
            self._credit(lane, known.order, held)
        else:
            deal.end = "returned"
            self._return(attempt, "rejected", held, deal.amount)

    def _allocate(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        for key, fen in self.parked.items():
            if fen and _transaction(*key) == command.transaction_key:
                source = _house(lane, UNALLOCATED)
                self.parked[key] = 0
                if command.action == "refund":
                    self._return(self.seen[key], "surplus", source, fen)
                else:
                    self._move(source, (command.user_id, BALANCE, CNY), fen)
                return

    # --- advances -------------------------------------------------------------------------------

    def _fund_line(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        line = self.lines.setdefault(lane, [0, 0, 0])
        self._fill(line, command.amount_fen)
        self._move(_house(lane, LINE), _house(lane, CASH), command.amount_fen)

    def _fill(self, line: list[int], amount: int) -> None:
        """Money covers what was lost first; a line is [limit, open, lost]."""
        back = max(0, min(line[2], amount))
        line[2] -= back
        line[0] += amount - back

    def _advance(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        deal, line = self.deals[command.order_id], self.lines[lane]
        line[1] += deal.amount
        if line[1] + line[2] > line[0]:
            raise Violation(f"lane {lane} has advanced more than its line: {line}")
        if deal.end or deal.is_paid or deal.is_advanced:
            raise Violation(f"order {command.order_id.hex()} is advanced, and was {deal.end}")
        deal.is_advanced = True
        self.credits[command.order_id] += 1
        self._move(_house(lane, ADVANCE), _house(lane, COIN_VALUE), deal.amount)
        self._move(_house(lane, BANK), _house(lane, LINE), deal.amount)
        given = deal.coins + deal.bonus
        self._move(_house(lane, ISSUED, COINS), (deal.user, COIN, COINS), given)
        self.counts["advanced"] += 1

    def _confirm(self, lane: int, order: bytes, deal: Deal) -> None:
        deal.is_advanced, deal.end = False, "credited"
        self.lines[lane][1] -= deal.amount
        self._move((order, HELD, CNY), _house(lane, ADVANCE), deal.amount)
        self._move(_house(lane, LINE), _house(lane, BANK), deal.amount)

    def _settle_advance(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        deal = self.deals[command.order_id]
        debt = (deal.user, DEBT, CNY)
        if command.event == "write_off":
            self._move(_house(lane, LOSS), debt, self.debts[deal.user])
            self.debts[deal.user] = 0
            return
        unspent, coins = self._unspent(command.order_id)
        owed = deal.amount - unspent
        deal.is_advanced, deal.owed, deal.end = False, max(owed, 1), "taken back"
        self.counts["advance taken back"] += 1
        self.lines[lane][1] -= deal.amount
        self.lines[lane][2] += owed
        self.debts[deal.user] += owed
        self._move(_house(lane, COIN_VALUE), _house(lane, ADVANCE), unspent)
        self._move(_house(lane, LINE), _house(lane, BANK), unspent)
        self._move(debt, _house(lane, ADVANCE), owed)
        self._move((deal.user, COIN, COINS), _house(lane, ISSUED, COINS), coins)

    def _unspent(self, order: bytes) -> tuple[int, int]:
        """Return the fen and the coins of an order that have not been spent."""
        deal = self.deals[order]
        return deal.amount, deal.coins + deal.bonus

    def _late_for_advance(self, lane: int, order: bytes, attempt: bytes, deal: Deal) -> None:
        """Money for coins that were taken back: it repays what was spent, the rest goes back."""
        held = (order, HELD, CNY)
        owed = min(self.debts[deal.user], deal.amount)
        self._repay(lane, deal.user, held, owed)
        deal.end = "returned"
        if deal.amount > owed:
            self._return(attempt, "late", held, deal.amount - owed)

    def _repay(self, lane: int, user: bytes, source: Key, owed: int) -> None:
        if owed:
            self.debts[user] -= owed
            self._fill(self.lines[lane], owed)
            self._move(source, (user, DEBT, CNY), owed)
            self._move(_house(lane, LINE), _house(lane, BANK), owed)
            self.counts["debt repaid first"] += 1


def _house(lane: int, book: int, currency: int = CNY) -> Key:
    return lane.to_bytes(2, "big") + bytes(14), book, currency


def _named(lane: int, account: str) -> bytes:
    return lane.to_bytes(2, "big") + sha256(account.encode()).digest()[:14]


def _account(key: Key) -> bytes:
    return key[0] + bytes(key[1:])


def _digest(message: bytes, size: int) -> bytes:
    return sha256(message).digest()[:size]


def _case(order: bytes) -> bytes:
    """Return the case of a held order, which is named by the order itself."""
    message = bytes((len(order),)) + order + b"()"
    return order[:2] + _digest(b"lingqian case\x01" + message, 14)


def _transaction(lane: int, account: str, number: str) -> bytes:
    name = account.encode()
    message = b"lingqian transaction\x01" + len(name).to_bytes(2, "big") + name + number.encode()
    return lane.to_bytes(2, "big") + _digest(message, 14)
