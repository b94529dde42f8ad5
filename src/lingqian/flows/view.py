"""The view: rows a lane has loaded, changed only by folds and written back once per batch (视图).

Law: a row that was not loaded is a bug, not an absence; an absent row is loaded as None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from lingqian.analytics.step import BehaviourEvent
from lingqian.clearing.day import Day
from lingqian.clearing.difference import Difference, Flow
from lingqian.compliance.factor import NO_CAPS, FactorCaps
from lingqian.compliance.limit import Caps, Usage
from lingqian.flows.case import Case
from lingqian.flows.decision import Record
from lingqian.gift.gift import Gift
from lingqian.identity.user import User
from lingqian.kernel.bound import LATE_GRACE_S_DEFAULT
from lingqian.kernel.clock import SECOND_US
from lingqian.ledger.account import Account
from lingqian.ledger.hold import Hold
from lingqian.ledger.posting import Entry
from lingqian.redpacket.packet import Claim, Packet, Progress, Secret
from lingqian.risk.rule import Rule
from lingqian.topup.advance import Advance, Asker, Borrower, Line
from lingqian.topup.attempt import Attempt
from lingqian.topup.evidence import Payment
from lingqian.topup.grant import Grant
from lingqian.topup.inflow import Inflow
from lingqian.topup.mode import ModeRow
from lingqian.topup.notice import Notice
from lingqian.topup.order import Order
from lingqian.topup.payout import Payout
from lingqian.topup.refund import Refund

Value = TypeVar("Value")


class Table(Generic[Value]):
    """Loaded rows of one table by key, and those a fold has changed since the last write."""

    __slots__ = ("dirty", "rows")

    def __init__(self) -> None:
        self.rows: dict[bytes, Value | None] = {}
        self.dirty: dict[bytes, Value] = {}

    def get(self, key: bytes) -> Value | None:
        """Return a loaded row, or None when the table has none."""
        return self.rows[key]

    def have(self, key: bytes) -> Value:
        """Return a row that the decision has already seen to exist."""
        row = self.rows[key]
        assert row is not None, "a fold changes rows that exist"
        return row

    def edit(self, key: bytes) -> Value:
        """Return an existing row for a fold to change."""
        row = self.have(key)
        self.dirty[key] = row
        return row

    def put(self, key: bytes, row: Value) -> None:
        """Add or replace a row."""
        self.rows[key] = row
        self.dirty[key] = row


@dataclass(slots=True)
class Transferred:
    """A transfer's row: who, to whom, how much, and whether it is done, waiting or refused."""

    amount_fen: int
    at_us: int
    note_mac: bytes
    source_id: bytes
    state: int
    target_id: bytes


@dataclass(slots=True)
class Conversation:
    """Who belongs to a conversation: ids one after another."""

    members: bytes


@dataclass(slots=True)
class Counter:
    """A number that only grows: relay positions, wrong passphrases."""

    value: int = 0


class Relay(NamedTuple):
    """Money let go by this lane for an account of another: item `number` of its stream.

    Lanes are two bytes here, as in the keys of heads and marks.
    """

    source: bytes
    target: bytes
    number: int
    account: bytes
    amount_fen: int
    seq: int


class Policy(NamedTuple):
    """What an operator configures of the gate: limits by class and by factors, and rules.

    `late_grace_us`: money that a channel took up to this long after an order's expiry is credited
    at the order's terms; later money goes back.
    """

    caps: dict[int, Caps]
    rules: tuple[Rule, ...] = ()
    late_grace_us: int = LATE_GRACE_S_DEFAULT * SECOND_US
    factor_caps: FactorCaps = NO_CAPS


# Opens a packet's sealed seed and returns its shares and salt; the key is the shell's.
Reveal = Callable[[bytes, Packet, Progress], Secret]


class View:
    """Everything one lane has in memory. One per lane; a lane never sees another's rows."""

    def __init__(  # noqa: PLR0915 - one line a table
        self, lane: int, policy: Policy, reveal: Reveal
    ) -> None:
        self.lane = lane
        self.policy = policy
        self.reveal = reveal
        self.users: Table[User] = Table()
        self.usages: Table[Usage] = Table()
        self.accounts: Table[Account] = Table()
        self.holds: Table[Hold] = Table()
        self.transfers: Table[Transferred] = Table()
        self.conversations: Table[Conversation] = Table()
        self.packets: Table[Packet] = Table()
        self.progress: Table[Progress] = Table()
        self.claims: Table[Claim] = Table()
        self.tries: Table[Counter] = Table()
        self.cases: Table[Case] = Table()
        self.orders: Table[Order] = Table()
        self.attempts: Table[Attempt] = Table()
        self.transactions: Table[Payment] = Table()
        self.notices: Table[Notice] = Table()
        self.refunds: Table[Refund] = Table()
        self.grants: Table[Grant] = Table()
        self.inflows: Table[Inflow] = Table()
        self.gifts: Table[Gift] = Table()
        self.payouts: Table[Payout] = Table()
        self.days: Table[Day] = Table()
        self.differences: Table[Difference] = Table()
        self.flows: Table[Flow] = Table()
        self.advances: Table[Advance] = Table()
        self.askers: Table[Asker] = Table()
        self.borrowers: Table[Borrower] = Table()
        self.lines: Table[Line] = Table()
        self.modes: Table[ModeRow] = Table()
        self.behaviour_events: Table[BehaviourEvent] = Table()
        self.relay_heads: Table[Counter] = Table()
        self.relay_marks: Table[Counter] = Table()
        self.seen: dict[bytes, Record | None] = {}
        self.secrets: dict[bytes, Secret] = {}
        self.tickets: dict[bytes, list[tuple[bytes, Claim]]] = {}
        # The orders of a person that have coins left; their grants are loaded with them.
        self.purses: dict[bytes, list[bytes]] = {}
        self.new_keys: list[tuple[bytes, int]] = []
        self.new_entries: list[Entry] = []
        self.new_relays: list[Relay] = []
        # (subject, seq): which journal rows tell the story of an order, a refund, a gift.
        self.new_trails: list[tuple[bytes, int]] = []

    def secret(self, packet_id: bytes) -> Secret:
        """Return a live packet's shares and salt, derived once and kept in memory only."""
        known = self.secrets.get(packet_id)
        if known is None:
            packet, progress = self.packets.have(packet_id), self.progress.have(packet_id)
            known = self.secrets[packet_id] = self.reveal(packet_id, packet, progress)
        return known

    def account(self, account: bytes) -> Account:
        """Return an account's counters for a fold; the first posting opens the account."""
        table = self.accounts
        row = table.rows[account]
        if row is None:
            row = table.rows[account] = Account()
        table.dirty[account] = row
        return row

    def leads_on(self) -> bool:
        """Say whether this batch has changed what leads on to rows nobody could name before.

        That is orders and what hangs on them, payments of nobody's, gifts and payouts: a command
        after them in the same batch has to be loaded for once more.
        """
        return bool(
            self.orders.dirty or self.transactions.dirty or self.gifts.dirty or self.payouts.dirty
        )

    def add_grant(self, order_id: bytes, grant: Grant) -> None:
        """Add the coins of an order, also to the person's purse where it is open."""
        self.grants.put(order_id, grant)
        if grant.user_id in self.purses:
            self.purses[grant.user_id].append(order_id)

    def trail(self, seq: int, *subjects: bytes) -> None:
        """Note that a journal row belongs to the story of these things; empty ids are none."""
        self.new_trails += [(each, seq) for each in dict.fromkeys(subjects) if each]


class Wanted:
    """The rows a batch names before it is decided."""

    __slots__ = (
        "accounts",
        "advances",
        "askers",
        "attempts",
        "behaviour_events",
        "borrowers",
        "cases",
        "claims",
        "conversations",
        "days",
        "differences",
        "flows",
        "gifts",
        "grants",
        "holds",
        "inflows",
        "is_gated",
        "keys",
        "lines",
        "modes",
        "notices",
        "orders",
        "packets",
        "payouts",
        "progress",
        "purses",
        "refunds",
        "relay_heads",
        "relay_marks",
        "tickets",
        "transactions",
        "transfers",
        "tries",
        "usages",
        "users",
    )

    def __init__(self, *, is_gated: bool) -> None:
        # Without rules no case can exist that matters, so none is looked for.
        self.is_gated = is_gated
        self.accounts: set[bytes] = set()
        self.advances: set[bytes] = set()
        self.askers: set[bytes] = set()
        self.behaviour_events: set[bytes] = set()
        self.borrowers: set[bytes] = set()
        self.attempts: set[bytes] = set()
        self.cases: set[bytes] = set()
        self.claims: set[bytes] = set()
        self.conversations: set[bytes] = set()
        self.gifts: set[bytes] = set()
        self.days: set[bytes] = set()
        self.differences: set[bytes] = set()
        self.flows: set[bytes] = set()
        self.grants: set[bytes] = set()
        self.holds: set[bytes] = set()
        self.inflows: set[bytes] = set()
        self.keys: set[bytes] = set()
        self.lines: set[bytes] = set()
        self.modes: set[bytes] = set()
        self.notices: set[bytes] = set()
        self.orders: set[bytes] = set()
        self.packets: set[bytes] = set()
        self.payouts: set[bytes] = set()
        self.progress: set[bytes] = set()
        self.purses: set[bytes] = set()
        self.refunds: set[bytes] = set()
        self.relay_heads: set[bytes] = set()
        self.relay_marks: set[bytes] = set()
        self.tickets: set[bytes] = set()
        self.transactions: set[bytes] = set()
        self.transfers: set[bytes] = set()
        self.tries: set[bytes] = set()
        self.usages: set[bytes] = set()
        self.users: set[bytes] = set()
