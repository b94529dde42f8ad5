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

BALANCE, TRANSIT, HELD, PAYABLE, COIN_VALUE, INCOME, UNALLOCATED = 1, 3, 4, 5, 6, 7, 8
BANK, CHANNEL = 10, 11
CASH, FEE, SERVICE, PROVIDER, REBATE, REVENUE = 30, 31, 32, 33, 34, 35
ADVANCE, DEBT, LOSS, LINE, SHORTAGE, COUPON, SUBSIDY = 36, 37, 38, 39, 40, 41, 42
COIN, ISSUED = 50, 51
CNY, COINS = 1, 2
FOR_COINS: Final = 2
FULL_PRICE: Final = 1
PAID_WORDS: Final = (4, 5)
NOTICE: Final = 1
REFUND_SUCCESS, REFUND_CLOSED = 3, 4
PAYOUT_SUCCESS, PAYOUT_BACK = 6, (7, 9)
BY_BILL: Final = 5
PAID_ONLY: Final = ("packet", "transfer", "withdrawal")
MILLION: Final = 1_000_000
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
        "amount", "bonus", "bonus_life", "coins", "end", "expires", "is_advanced", "is_paid",
        "kind", "owed", "paid_by", "tries", "user",
    )  # fmt: skip

    def __init__(self, command: Any, at: int) -> None:  # noqa: ANN401 - an order, by its fields
        self.user = command.user_id
        self.kind = command.order_kind
        self.amount = command.amount_fen
        self.coins = command.coins
        self.bonus = command.bonus_coins
        self.bonus_life = command.bonus_life_us
        self.paid_by = b""
        self.expires = at + command.life_us
        self.end = ""
        self.is_paid = False
        self.is_advanced = False
        self.owed = 0
        self.tries: list[bytes] = []


class Try:
    """An attempt: whose, over which account, for how much, and whether it has been paid."""

    __slots__ = ("account", "amount", "fees", "gone", "is_paid", "order", "settled")

    def __init__(self, order: bytes, account: str, amount: int) -> None:
        self.order = order
        self.account = account
        self.amount = amount
        self.is_paid = False
        self.fees = (0, 0, 0)
        self.settled = 0
        self.gone = 0


class Lot:
    """The coins of one order: `n` paid and bonus that count, what is left and frozen of them."""

    __slots__ = (
        "advanced",
        "born",
        "cash",
        "ends",
        "frozen",
        "left",
        "n",
        "order",
        "spent",
        "user",
    )

    def __init__(self, order: bytes, deal: Deal, cash: int, coins: list[int], at: int) -> None:
        self.order = order
        self.user = deal.user
        self.cash = cash
        self.n = sum(coins)
        self.left = list(coins)
        self.frozen = [0, 0]
        self.spent = 0
        self.born = at
        self.ends = at + deal.bonus_life if deal.bonus_life and coins[1] else 0
        self.advanced = deal.is_advanced

    def free(self, kind: int) -> int:
        """Return the coins of a kind (0 paid, 1 bonus) that can be spent."""
        return self.left[kind] - self.frozen[kind]

    def earn(self, paid: int, bonus: int) -> int:
        """Spend coins; return what of their price that earns: all of it by the last coin."""
        before = self.cash * self.spent // self.n if self.spent else 0
        self.spent += paid + bonus
        self.left[0] -= paid
        self.left[1] -= bonus
        return self.cash * self.spent // self.n - before

    def worth(self) -> int:
        """Return what has been paid for the coins that are not spent."""
        return self.cash - (self.cash * self.spent // self.n if self.spent else 0)

    def rebase(self, cash: int, paid: int, bonus: int) -> None:
        """Freeze coins (or thaw, below zero) and count what stays anew."""
        self.frozen[0] += paid
        self.frozen[1] += bonus
        self.cash, self.spent = cash, 0
        self.n = self.free(0) + self.free(1)


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
        self.lots: dict[bytes, Lot] = {}
        self.back: dict[bytes, list[Any]] = {}
        self.out: dict[bytes, list[Any]] = {}
        self.gifts: dict[bytes, tuple[bytes, int]] = {}
        self.marks: dict[tuple[int, int], int] = {}
        self.debts: dict[bytes, int] = defaultdict(int)
        self.lines: dict[int, list[int]] = {}
        # Who had the newest advance of a device, or of an address.
        self.places: dict[bytes, bytes] = {}
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
            "SendGift": self._gift,
            "SettleGift": self._income,
            "ExpireCoins": self._expire,
            "AskRefund": self._ask_refund,
            "NoteRefund": self._note_refund,
            "AskPayout": self._ask_payout,
            "NotePayout": self._note_payout,
            "DeliverRelay": self._deliver,
            "RecordDifference": self._difference,
            "RecordFlow": self._flow,
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
            self._credit(lane, command.order_id, (command.user_id, BALANCE, CNY), at)

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
        self.counts["payment found by the bill"] += command.source == BY_BILL
        known = self.tries.get(command.attempt_id)
        if known is not None and self._is_doubtful(known, command):
            self.counts["doubted"] += 1
            return
        self.seen[key] = command.attempt_id
        if known is None or not self._fits(known, command):
            self._park(lane, key, command, known)
            return
        known.is_paid = True
        known.fees = (command.fee_fen, command.service_fee_fen, command.rebate_fen)
        known.settled = _settled(command)
        self._receive(lane, command, (known.order, HELD, CNY))
        self._place(lane, known, command, at)

    def _is_doubtful(self, known: Try, command: Any) -> bool:  # noqa: ANN401 - as above
        """Say whether a notice alone speaks of another amount: then nothing is booked yet."""
        is_own = known.account == command.account and not known.is_paid
        return is_own and command.source == NOTICE and known.amount != command.amount_fen

    def _fits(self, known: Try, command: Any) -> bool:  # noqa: ANN401 - as above
        return (
            known.account == command.account
            and known.amount == command.amount_fen
            and not known.is_paid
        )

    def _receive(self, lane: int, command: Any, target: Key) -> None:  # noqa: ANN401 - as above
        """Book a payment whole; what the channel keeps of it is the house's to pay."""
        whole, settled = command.amount_fen, _settled(command)
        self._reckon(command, settled)
        channel = (_named(lane, command.account), CHANNEL, CNY)
        self._move(channel, target, settled)
        self._move(_house(lane, BANK), target, whole - settled)
        self._move(_house(lane, COUPON), _house(lane, CASH), whole - settled)
        self._move(_house(lane, FEE), channel, command.fee_fen)
        self._move(_house(lane, BANK), _house(lane, CASH), command.fee_fen)
        self._move(_house(lane, SERVICE), _house(lane, PROVIDER), command.service_fee_fen)
        self._move(_house(lane, PROVIDER), _house(lane, REBATE), command.rebate_fen)

    def _reckon(self, command: Any, settled: int) -> None:  # noqa: ANN401 - as above
        """Reckon the fees of a payment from the plan: the base, the service, and its half back."""
        amount = command.amount_fen
        right = (_fee(6_000, settled), _fee(2_000, amount), _fee(1_000, amount))
        told = (command.fee_fen, command.service_fee_fen, command.rebate_fen)
        if told != right:
            raise Violation(f"P8: fees {told} of {amount} fen, of which {settled} settled: {right}")
        self.counts["fees reckoned again"] += 1

    def _park(self, lane: int, key: tuple[int, str, str], command: Any, known: Try | None) -> None:  # noqa: ANN401 - as above
        self._receive(lane, command, _house(lane, UNALLOCATED))
        self.parked[key] = command.amount_fen
        self.counts["parked"] += 1
        if known is not None and known.account == command.account and not known.is_paid:
            # Its own money, of another amount: the order is over, and a person decides.
            known.is_paid = True
            known.fees = (command.fee_fen, command.service_fee_fen, command.rebate_fen)
            known.settled, known.amount = _settled(command), command.amount_fen
            deal = self.deals[known.order]
            deal.is_paid = True
            deal.paid_by = deal.paid_by or command.attempt_id
            deal.end = deal.end or "parked"

    def _place(self, lane: int, known: Try, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        deal = self.deals[known.order]
        held = (known.order, HELD, CNY)
        if deal.is_paid:
            self.counts["overpaid"] += 1
            self._return(command.attempt_id, "overpaid", held, deal.amount)
            return
        deal.is_paid = True
        deal.paid_by = command.attempt_id
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
            self._credit(lane, known.order, held, at)

    def _day(self, user: bytes, amount: int, at: int) -> int:
        """Count a proven top-up into its day, and return what the day has with it."""
        day = (at + SHANGHAI_US) // DAY_US
        known, fen = self.days.get(user, (0, 0))
        self.days[user] = (day, amount + (fen if known == day else 0))
        return self.days[user][1]

    def _credit(self, lane: int, order: bytes, source: Key, at: int) -> None:
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
        coins = [
            (deal.coins * rest + deal.amount - 1) // deal.amount,
            deal.bonus * rest // deal.amount,
        ]
        self._move(_house(lane, ISSUED, COINS), (deal.user, COIN, COINS), sum(coins))
        if rest:
            self.lots[order] = Lot(order, deal, rest, coins, at)

    def _return(self, attempt: bytes, origin: str, source: Key, amount: int) -> None:
        number = {"late": 3, "overpaid": 4, "surplus": 5, "rejected": 6}[origin]
        refund = attempt[:8] + _digest(b"lingqian refund\x01" + attempt + bytes((number,)), 8)
        self._move(source, (refund, PAYABLE, CNY), amount)
        self.back[refund] = [attempt, amount, False, 0, 0, 0]
        self.counts["sent back: " + origin] += 1

    def _settle(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        attempt = self.cases.get(command.case_id)
        if attempt is None or command.event == "due":
            return
        known = self.tries[attempt]
        deal, held = self.deals[known.order], (known.order, HELD, CNY)
        if command.event == "release":
            self._credit(lane, known.order, held, at)
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

    # --- coins, gifts -------------------------------------------------------------------------

    def _gift(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        wanted = command.coins * command.count
        is_locked = command.settle_after_us >= 7 * DAY_US
        value = 0
        parts: dict[bytes, list[int]] = {}
        for _, _, _, order, kind, count in sorted(self._pieces(command, at, is_locked=is_locked)):
            some = min(count, wanted)
            wanted -= some
            if some:
                parts.setdefault(order, [0, 0])[kind] += some
        if wanted:
            raise Violation(f"a gift was given without coins for it: {command}")
        for order, (paid, bonus) in parts.items():
            value += self.lots[order].earn(paid, bonus)
        self._part(lane, command, value)
        coins = command.coins * command.count
        self._move((command.user_id, COIN, COINS), _house(lane, ISSUED, COINS), coins)
        self.counts["gift of advanced coins"] += any(self.lots[each].advanced for each in parts)

    def _pieces(
        self,
        command: Any,  # noqa: ANN401 - as above
        at: int,
        *,
        is_locked: bool,
    ) -> list[tuple[int, int, int, bytes, int, int]]:
        """Return what may be spent: bonus that ends, other bonus, paid; each the oldest first."""
        is_paid_only = command.scene in PAID_ONLY
        found = []
        for lot in self.lots.values():
            if lot.user != command.user_id or (lot.advanced and (is_paid_only or not is_locked)):
                continue
            if lot.free(0):
                found.append((2, 0, lot.born, lot.order, 0, lot.free(0)))
            if lot.free(1) and not is_paid_only and not 0 < lot.ends <= at:
                found.append((0 if lot.ends else 1, lot.ends, lot.born, lot.order, 1, lot.free(1)))
        return found

    def _part(self, lane: int, command: Any, value: int) -> None:  # noqa: ANN401 - as above
        """Part a gift's price between streamer and platform; the odd fen to the larger rest."""
        ppm = command.streamer_ppm
        streamer, rest = divmod(value * ppm, MILLION)
        if rest and rest >= MILLION - rest:
            streamer += 1
        owner = lane.to_bytes(2, "big") + command.streamer_id[2:]
        self.gifts[command.gift_id] = (command.streamer_id, streamer)
        self._move(_house(lane, COIN_VALUE), (owner, INCOME, CNY), streamer)
        self._earn(lane, value - streamer)

    def _earn(self, lane: int, fen: int) -> None:
        self._move(_house(lane, COIN_VALUE), _house(lane, REVENUE), fen)
        self._move(_house(lane, CASH), _house(lane, BANK), fen)

    def _income(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        streamer, fen = self.gifts[command.gift_id]
        owner = lane.to_bytes(2, "big") + streamer[2:]
        is_here = streamer[:2] == owner[:2]
        target = (streamer, BALANCE, CNY) if is_here else _house(lane, TRANSIT)
        self._move((owner, INCOME, CNY), target, fen)

    def _deliver(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        mark = self.marks.get((lane, command.source), 0)
        for number, (account, fen) in enumerate(command.items, start=command.first):
            if number > mark:
                self.marks[lane, command.source] = number
                self._move(_house(lane, TRANSIT), (account[:16], account[16], account[17]), fen)

    def _expire(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        lot = self.lots[command.order_id]
        if not 0 < lot.ends <= at:
            raise Violation(f"coins of {command.order_id.hex()} ended before their time")
        bonus = lot.free(1)
        self._move((lot.user, COIN, COINS), _house(lane, ISSUED, COINS), bonus)
        self._earn(lane, lot.earn(0, bonus))

    # --- refunds and payouts --------------------------------------------------------------------

    def _ask_refund(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        deal, amount = self.deals[command.order_id], command.amount_fen
        paid = bonus = raised = 0
        source = (deal.user, BALANCE, CNY)
        if deal.kind == FOR_COINS:
            lot, source = self.lots[command.order_id], _house(lane, COIN_VALUE)
            free, worth = lot.free(0) + lot.free(1), lot.worth()
            if command.basis == FULL_PRICE:
                paid, bonus = -(-amount * deal.coins // deal.amount), lot.free(1)
                raised = amount - worth + worth * (lot.free(0) - paid) // free
            else:
                coins = (amount * free + worth - 1) // worth
                bonus = min(lot.free(1), coins)
                paid = coins - bonus
            lot.rebase(worth - amount + raised, paid, bonus)
            self._raise(lane, raised)
            self.counts["refund above the worth"] += raised > 0
            self.counts["refund below the worth"] += raised < 0
        if not deal.paid_by:
            self._own_back(lane, self.lots[command.order_id], amount, (paid, bonus))
            return
        self._move(source, (command.refund_id, PAYABLE, CNY), amount)
        self.back[command.refund_id] = [deal.paid_by, amount, True, paid, bonus, raised]

    def _raise(self, lane: int, fen: int) -> None:
        """Let the house bear what coins bring back above their worth, or keep what they do not."""
        self._move(_house(lane, BANK), _house(lane, COIN_VALUE), fen)
        self._move(_house(lane, SUBSIDY), _house(lane, CASH), fen)

    def _own_back(self, lane: int, lot: Lot, amount: int, coins: tuple[int, int]) -> None:
        """Pay coins that the balance has paid for back to it at once; the coins are gone."""
        paid, bonus = coins
        lot.frozen = [lot.frozen[0] - paid, lot.frozen[1] - bonus]
        lot.left = [lot.left[0] - paid, lot.left[1] - bonus]
        self._move(_house(lane, COIN_VALUE), (lot.user, BALANCE, CNY), amount)
        self._move((lot.user, COIN, COINS), _house(lane, ISSUED, COINS), paid + bonus)
        self.counts["refund to the balance"] += 1

    def _note_refund(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        refund = self.back.get(command.refund_id)
        if refund is None or command.state not in (REFUND_SUCCESS, REFUND_CLOSED):
            return
        if command.state == REFUND_SUCCESS and command.amount_fen != refund[1]:
            return
        del self.back[command.refund_id]
        if command.state == REFUND_SUCCESS:
            self._arrive(lane, command, refund)
        else:
            self._give_back(lane, command.refund_id, refund)

    def _arrive(self, lane: int, command: Any, refund: list[Any]) -> None:  # noqa: ANN401 - as above
        attempt, amount, _, paid, bonus, _ = refund
        known = self.tries[attempt]
        payable, channel = (command.refund_id, PAYABLE, CNY), (
            _named(lane, known.account), CHANNEL, CNY,
        )  # fmt: skip
        before = known.settled * known.gone // known.amount
        known.gone += amount
        after = known.settled * known.gone // known.amount
        fee = _fee(command.fee_ppm, known.settled - before)
        fee -= _fee(command.fee_ppm, known.settled - after)
        self._move(payable, channel, after - before)
        self._move(payable, _house(lane, BANK), amount - after + before)
        self._move(_house(lane, CASH), _house(lane, COUPON), amount - after + before)
        self._move(channel, _house(lane, FEE), fee)
        self._move(_house(lane, CASH), _house(lane, BANK), fee)
        self.counts["refund arrived"] += 1
        if paid + bonus:
            lot = self.lots[known.order]
            lot.frozen = [lot.frozen[0] - paid, lot.frozen[1] - bonus]
            lot.left = [lot.left[0] - paid, lot.left[1] - bonus]
            self._move((lot.user, COIN, COINS), _house(lane, ISSUED, COINS), paid + bonus)

    def _give_back(self, lane: int, refund_id: bytes, refund: list[Any]) -> None:
        attempt, amount, is_asked, paid, bonus, raised = refund
        payable = (refund_id, PAYABLE, CNY)
        if not is_asked:
            following = refund_id[:8] + _digest(b"lingqian next refund\x01" + refund_id, 8)
            self.back[following] = refund
            self._move(payable, (following, PAYABLE, CNY), amount)
            self.counts["refund sent again"] += 1
            return
        self.counts["refund given up"] += 1
        order = self.tries[attempt].order
        if not paid + bonus:
            self._move(payable, (self.deals[order].user, BALANCE, CNY), amount)
            return
        lot = self.lots[order]
        lot.rebase(lot.worth() + amount - raised, -paid, -bonus)
        self._move(payable, _house(lane, COIN_VALUE), amount)
        self._raise(lane, -raised)

    def _ask_payout(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del lane, at
        self.out[command.payout_id] = [command.user_id, command.amount_fen, command.account]
        source = (command.user_id, BALANCE, CNY)
        self._move(source, (command.payout_id, PAYABLE, CNY), command.amount_fen)

    def _note_payout(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        payout = self.out.get(command.payout_id)
        if payout is None:
            return
        user, amount, account = payout
        target = None
        if command.state == PAYOUT_SUCCESS and command.amount_fen == amount:
            target = (_named(lane, account), CHANNEL, CNY)
            self.counts["payout arrived"] += 1
        elif command.state in PAYOUT_BACK:
            target = (user, BALANCE, CNY)
            self.counts["payout came back"] += 1
        if target is not None:
            del self.out[command.payout_id]
            self._move((command.payout_id, PAYABLE, CNY), target, amount)

    # --- bills ----------------------------------------------------------------------------------

    def _difference(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        """Book what a bill shows and we had not: a surplus waits, a lack is the house's."""
        del at
        self.counts[f"difference {command.class_code}"] += 1
        if not command.remedy:
            return
        channel, gap = (_named(lane, command.account), CHANNEL, CNY), command.gap_fen
        if command.remedy == 1:
            self._move(channel, _house(lane, UNALLOCATED), gap)
        elif command.remedy == 2:
            self._cost(lane, SHORTAGE, channel, -gap)
        self._cost(lane, FEE, channel, command.fee_gap_fen)

    def _cost(self, lane: int, book: int, channel: Key, amount: int) -> None:
        """Let the house bear what the channel has kept."""
        self._move(_house(lane, book), channel, amount)
        self._move(_house(lane, BANK), _house(lane, CASH), amount)

    def _flow(self, lane: int, command: Any, at: int) -> None:  # noqa: ANN401 - as above
        del at
        if not command.subject_id:
            channel = (_named(lane, command.account), CHANNEL, CNY)
            self._move(channel, _house(lane, BANK), command.amount_fen)

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
        deal, line = self.deals[command.order_id], self.lines[lane]
        line[1] += deal.amount
        if line[1] + line[2] > line[0]:
            raise Violation(f"lane {lane} has advanced more than its line: {line}")
        if deal.end or deal.is_paid or deal.is_advanced:
            raise Violation(f"order {command.order_id.hex()} is advanced, and was {deal.end}")
        self._remember(command)
        deal.is_advanced = True
        self.credits[command.order_id] += 1
        self._move(_house(lane, ADVANCE), _house(lane, COIN_VALUE), deal.amount)
        self._move(_house(lane, BANK), _house(lane, LINE), deal.amount)
        given = deal.coins + deal.bonus
        self._move(_house(lane, ISSUED, COINS), (deal.user, COIN, COINS), given)
        self.lots[command.order_id] = Lot(
            command.order_id, deal, deal.amount, [deal.coins, deal.bonus], at
        )
        self.counts["advanced"] += 1

    def _remember(self, command: Any) -> None:  # noqa: ANN401 - as above
        """Note where an advance was asked from: nothing else from there may be out."""
        for place in (command.device, command.address):
            other = self.places.get(place) if place else None
            if other is not None and self.deals[other].is_advanced:
                raise Violation(f"two advances are out at {place.hex()}")
            self.places[place] = command.order_id

    def _confirm(self, lane: int, order: bytes, deal: Deal) -> None:
        deal.is_advanced, deal.end = False, "credited"
        self.lots[order].advanced = False
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
        """Take every coin of an order that is left; return what they had cost, and how many."""
        lot = self.lots.pop(order)
        return lot.worth(), sum(lot.left)

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


def _settled(command: Any) -> int:  # noqa: ANN401 - evidence, by its fields
    whole: int = command.amount_fen
    settled: int = command.settle_fen
    return settled if 0 < settled < whole else whole


def _fee(ppm: int, settled: int) -> int:
    """Return a fee, rounded half up."""
    return (2 * settled * ppm + MILLION) // (2 * MILLION)


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
