"""The world: everything the service knows, and the only place where it changes hands.

Law: a handler runs from its checks to its effects without awaiting anything, so that no two
requests can be between them at once: pay and close, or two refunds of one order, are serial by
construction.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, assert_never

import msgspec

from lingqian_simulator.agenda import Agenda
from lingqian_simulator.chance import Chance
from lingqian_simulator.clock import Clock, moment
from lingqian_simulator.fault import Faults
from lingqian_simulator.merchant import (
    SUITES,
    Merchant,
    PlatformKey,
    new_certificate,
)
from lingqian_simulator.money import Direction, Line
from lingqian_simulator.noun import Notice, Order, Refund, Transfer
from lingqian_simulator.store import Store

_MEMORY_MAX: Final = 500  # requests remembered for the operator's page


class Seen(msgspec.Struct):
    """A request that was answered, for a person to read."""

    at_us: int
    host: int
    method: str
    target: str
    status: int
    code: str
    request_id: str
    fault: str


class Download(NamedTuple):
    """A bill that may be fetched: by whom, until when."""

    mchid: str
    until_us: int
    body: bytes


class Settings(msgspec.Struct):
    """What is kept beside the nouns."""

    offset_us: int = 0


class World:
    """All state of one simulator."""

    def __init__(self, clock: Clock, chance: Chance, store: Store) -> None:
        self.clock = clock
        self.chance = chance
        self.store = store
        self.agenda = Agenda(clock)
        self.faults = Faults(chance)
        self.seen: list[Seen] = []
        self.downloads: dict[str, Download] = {}
        self.merchants = {m.mchid: m for m in store.all(Merchant)}
        self.certificates = list(store.all(PlatformKey))
        self.orders = {o.key: o for o in store.all(Order)}
        self.refunds = {r.key: r for r in store.all(Refund)}
        self.refunds_of: dict[tuple[str, str], list[Refund]] = {}
        for refund in sorted(self.refunds.values(), key=lambda refund: refund.created_us):
            self.refunds_of.setdefault((refund.mchid, refund.out_trade_no), []).append(refund)
        self.transfers = {t.key: t for t in store.all(Transfer)}
        self.notices = {n.id: n for n in store.all(Notice)}
        self.lines = list(store.all(Line))
        self._balances = {line.mchid: line.balance_fen for line in self.lines}
        self.by_prepay_id = {o.prepay_id: o for o in self.orders.values()}
        self.by_code = {o.code: o for o in self.orders.values() if o.code}
        self.by_transaction = {
            p.transaction_id: o for o in self.orders.values() for p in o.payments
        }
        self.by_package = {t.package: t for t in self.transfers.values()}
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        for settings in store.all(Settings):
            clock.set_offset(settings.offset_us)

    def save(self, noun: Merchant | PlatformKey | Order | Refund | Transfer | Notice) -> None:
        """Put a noun in its place, and into the store."""
        match noun:
            case Merchant():
                self.merchants[noun.mchid] = noun
                key = noun.mchid
            case PlatformKey():
                key = f"{noun.number:06d}"
            case Notice():
                self.notices[noun.id] = noun
                key = noun.id
            case Order():
                self._index(noun)
                key = "/".join(noun.key)
            case Refund():
                if noun.key not in self.refunds:
                    self.refunds_of.setdefault((noun.mchid, noun.out_trade_no), []).append(noun)
                self.refunds[noun.key] = noun
                key = "/".join(noun.key)
            case Transfer():
                self.transfers[noun.key] = noun
                self.by_package[noun.package] = noun
                key = "/".join(noun.key)
            case _:
                assert_never(noun)
        self.store.put(key, noun)

    def _index(self, order: Order) -> None:
        self.orders[order.key] = order
        self.by_prepay_id[order.prepay_id] = order
        if order.code:
            self.by_code[order.code] = order
        for payment in order.payments:
            self.by_transaction[payment.transaction_id] = order

    def move_clock(self, offset_us: int) -> None:
        """Set the business clock and keep it."""
        self.clock.set_offset(offset_us)
        self.store.put("settings", Settings(offset_us))

    def remember(self, seen: Seen) -> None:
        """Keep a request for the operator's page, for a while."""
        self.seen.append(seen)
        del self.seen[:-_MEMORY_MAX]

    # --- platform certificates ---

    def rotate(self, suite: str) -> PlatformKey:
        """Make a platform certificate that signs from now on, beside the ones there are."""
        key = new_certificate(SUITES[suite], self.chance, self.clock.real_s() * 1_000_000)
        key.number = len(self.certificates) + 1
        for other in self.certificates_of(suite):
            other.signs = False
            self.save(other)
        self.certificates.append(key)
        self.save(key)
        return key

    def certificates_of(self, suite: str) -> list[PlatformKey]:
        """Return the platform certificates of a family, the oldest first."""
        return [key for key in self.certificates if key.suite == suite]

    # --- the merchant's money ---

    def balance_fen(self, mchid: str) -> int:
        """Return what a merchant has on its basic account."""
        return self._balances.get(mchid, 0)

    def book(self, line: "Entry", amount_fen: int) -> None:
        """Add a line to a merchant's money; positive comes in, negative goes out, zero is none."""
        if not amount_fen:
            return
        balance = self.balance_fen(line.mchid) + amount_fen
        assert balance >= 0, "whoever books has looked whether there is enough"
        direction: Direction = "收入" if amount_fen > 0 else "支出"
        at_us = self.clock.now_us()
        flow_no = f"{moment(at_us):%Y%m%d}{len(self.lines) + 1:012d}"
        booked = Line(
            line.mchid, flow_no, at_us, line.business_no, line.name, line.kind, direction,
            abs(amount_fen), balance, line.applicant, line.note, line.voucher,
        )  # fmt: skip
        self.lines.append(booked)
        self._balances[line.mchid] = balance
        self.store.put(f"{len(self.lines):012d}", booked)


class Entry(msgspec.Struct, frozen=True):
    """What a line of money is about."""

    mchid: str
    business_no: str
    name: str
    kind: str
    applicant: str = "system"
    note: str = ""
    voucher: str = ""
