"""Tally: one lane's balances by an arithmetic of its own, held to what the journal states (轧账).

Law: the balance a row states after a posting is the sum of the postings up to it. After a
contradiction the tally goes on from what the row states, so one edit is one finding and not one for
every later row of the account.
"""

from collections.abc import Callable
from typing import Any, Final

from lingqian.ledger import chart
from lingqian.ledger.account import Account
from lingqian.ledger.chart import ACCOUNT_BYTES, CHART, Currency
from lingqian.ledger.posting import Phase, Posted
from lingqian.storage.finding import FindingKind

# Kind, journal row, words, key.
Find = Callable[[FindingKind, int, str, str], None]

# Plain integers: these are looked up millions of times.
_DEBIT_NORMAL: Final = frozenset(int(book) for book in chart.DEBIT_NORMAL)
_FLOORED: Final = frozenset(int(book) for book in chart.FLOORED)
_FLOORED_DEBIT: Final = frozenset(int(book) for book in chart.FLOORED_DEBIT)
_BOOKS: Final = frozenset(int(book) for book in CHART)
_CURRENCIES: Final = frozenset(int(currency) for currency in Currency)


class Tally:
    """Counters of a lane's accounts, moved posting by posting, and the entries they make."""

    def __init__(self, lane: int, accounts: dict[bytes, Any], find: Find) -> None:
        self._lane_bytes = lane.to_bytes(2, "big")
        self._accounts = accounts
        self._find = find
        self.entries: list[tuple[bytes, int, int, int, int]] = []

    def post(self, seq: int, leg: int, each: Posted) -> None:
        """Move the counters for one posting and compare with the balances the row states."""
        phase, debit, credit, amount_fen, debit_after_fen, credit_after_fen = each
        accounts = self._accounts
        source, target = accounts[debit], accounts[credit]
        if source is None or target is None or amount_fen <= 0 or debit == credit:
            fault = self._open(debit, credit, amount_fen)
            if fault:
                self._find(FindingKind.POSTING_FORM, seq, fault, "")
                return
            source, target = accounts[debit], accounts[credit]
        source.seq = target.seq = seq
        if phase and not self._pend(seq, phase, (source, target), amount_fen):
            self._compare(seq, debit, source, debit_after_fen)
            self._compare(seq, credit, target, credit_after_fen)
            return
        source.debits_posted += amount_fen
        target.credits_posted += amount_fen
        self._compare(seq, debit, source, debit_after_fen)
        self._compare(seq, credit, target, credit_after_fen)
        debit_fen = amount_fen if debit[16] in _DEBIT_NORMAL else -amount_fen
        credit_fen = -amount_fen if credit[16] in _DEBIT_NORMAL else amount_fen
        self.entries.append((debit, seq, leg, debit_fen, debit_after_fen))
        self.entries.append((credit, seq, leg, credit_fen, credit_after_fen))

    def _open(self, debit: bytes, credit: bytes, amount_fen: int) -> str:
        """Open accounts at their first posting; say what is wrong with it, if anything."""
        if amount_fen <= 0:
            return f"{amount_fen} fen is not a movement"
        if debit == credit:
            return "debit and credit are one account"
        for account in (debit, credit):
            if (
                len(account) != ACCOUNT_BYTES
                or account[:2] != self._lane_bytes
                or account[16] not in _BOOKS
                or account[17] not in _CURRENCIES
            ):
                return f"{account.hex()} is no account of this lane"
        for account in (debit, credit):
            if self._accounts[account] is None:
                self._accounts[account] = Account()
        return ""

    def _pend(self, seq: int, phase: int, sides: tuple[Account, Account], amount_fen: int) -> bool:
        """Move what is set aside; say whether the posting also moves money."""
        source, target = sides
        if phase not in (Phase.HOLD, Phase.CAPTURE, Phase.RELEASE):
            self._find(FindingKind.POSTING_FORM, seq, f"phase {phase} is unknown", "")
            return False
        step_fen = amount_fen if phase == Phase.HOLD else -amount_fen
        source.debits_pending += step_fen
        target.credits_pending += step_fen
        if source.debits_pending < 0 or target.credits_pending < 0:
            words = "more is captured or released than was set aside"
            self._find(FindingKind.HOLD_PENDING, seq, words, "")
        return phase == Phase.CAPTURE

    def _compare(self, seq: int, account: bytes, counters: Account, after_fen: int) -> None:
        known_fen = counters.credits_posted - counters.debits_posted
        stated_fen = -after_fen if account[16] in _DEBIT_NORMAL else after_fen
        if known_fen != stated_fen:
            words = f"the row states {stated_fen} fen, the postings up to it make {known_fen}"
            self._find(FindingKind.BALANCE_AFTER, seq, words, account.hex())
            if known_fen > stated_fen:
                counters.debits_posted += known_fen - stated_fen
            else:
                counters.credits_posted += stated_fen - known_fen
        if stated_fen < counters.debits_pending and account[16] in _FLOORED:
            words = f"{stated_fen} fen, {counters.debits_pending} of them set aside"
            self._find(FindingKind.BALANCE_FLOOR, seq, words, account.hex())
        elif account[16] in _FLOORED_DEBIT and -stated_fen < counters.credits_pending:
            words = f"{-stated_fen} fen, {counters.credits_pending} of them set aside"
            self._find(FindingKind.BALANCE_FLOOR, seq, words, account.hex())
