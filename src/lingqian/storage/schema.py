"""The typed tables as rows: name, key, columns, and the class a row becomes (表结构).

Every statement of the lane is made from these rows, once, when the module is read. A table without
a checking pass in `audit` is a defect; a test walks this list.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NamedTuple

from lingqian.analytics.step import BehaviourEvent
from lingqian.clearing.day import Day
from lingqian.clearing.difference import Difference, Flow
from lingqian.compliance.limit import Usage
from lingqian.flows.case import Case
from lingqian.flows.view import Conversation, Counter, Transferred
from lingqian.gift.gift import Gift
from lingqian.identity.user import User
from lingqian.ledger.account import Account
from lingqian.ledger.hold import Hold
from lingqian.redpacket.packet import Claim, Packet, Progress
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


class TableRow(NamedTuple):
    """One typed table: its name in the database, its attribute on the view, its key and columns.

    A key of two columns is one byte string in memory, cut at `cut`.
    """

    name: str
    attribute: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    make: Callable[..., Any]
    cut: int = 0

    def values(self) -> Callable[[Any], tuple[Any, ...]]:
        """Return a function from a row object to its column values."""
        if len(self.columns) == 1:
            single = attrgetter(self.columns[0])
            return lambda row: (single(row),)
        return attrgetter(*self.columns)


def _slots(make: type) -> tuple[str, ...]:
    return tuple(make.__slots__)  # type: ignore[attr-defined]  # row classes are slotted


TABLES: Final[tuple[TableRow, ...]] = (
    TableRow(
        "users", "users", ("user_id",),
        ("external_mac", "nickname_mac", "account_class", "state", "version", "created_at_us"),
        User,
    ),
    TableRow(
        "usages", "usages", ("user_id",),
        ("day", "day_count", "day_fen", "year", "year_fen", "life_fen", "day_gift_fen"),
        Usage,
    ),
    TableRow(
        "accounts", "accounts", ("account",),
        ("debits_posted", "credits_posted", "debits_pending", "credits_pending", "seq"), Account,
    ),
    TableRow("holds", "holds", ("hold_id",), _slots(Hold), Hold),
    TableRow("transfers", "transfers", ("transfer_id",), _slots(Transferred), Transferred),
    TableRow("conversations", "conversations", ("conversation",), ("members",), Conversation),
    TableRow("packets", "packets", ("packet_id",), Packet._fields, Packet),
    TableRow("progress", "progress", ("packet_id",), _slots(Progress), Progress),
    TableRow("claims", "claims", ("packet_id", "user_id"), _slots(Claim), Claim, 16),
    TableRow("tries", "tries", ("packet_id", "user_id"), ("value",), Counter, 16),
    TableRow("cases", "cases", ("case_id",), _slots(Case), Case),
    TableRow("orders", "orders", ("order_id",), _slots(Order), Order),
    TableRow("attempts", "attempts", ("attempt_id",), _slots(Attempt), Attempt),
    TableRow("transactions", "transactions", ("transaction_key",), _slots(Payment), Payment),
    TableRow("notices", "notices", ("notice_key",), _slots(Notice), Notice),
    TableRow("refunds", "refunds", ("refund_id",), _slots(Refund), Refund),
    TableRow("grants", "grants", ("order_id",), _slots(Grant), Grant),
    TableRow("inflows", "inflows", ("user_id",), _slots(Inflow), Inflow),
    TableRow("gifts", "gifts", ("gift_id",), _slots(Gift), Gift),
    TableRow("payouts", "payouts", ("payout_id",), _slots(Payout), Payout),
    TableRow("days", "days", ("day_id",), _slots(Day), Day),
    TableRow("differences", "differences", ("difference_id",), _slots(Difference), Difference),
    TableRow("flows", "flows", ("flow_id",), _slots(Flow), Flow),
    TableRow("advances", "advances", ("order_id",), _slots(Advance), Advance),
    TableRow("askers", "askers", ("asker_key",), _slots(Asker), Asker),
    TableRow("borrowers", "borrowers", ("user_id",), _slots(Borrower), Borrower),
    TableRow("lines", "lines", ("lane",), _slots(Line), Line),
    TableRow("modes", "modes", ("mode_key",), _slots(ModeRow), ModeRow),
    TableRow(
        "behaviour_events", "behaviour_events", ("event_id",), _slots(BehaviourEvent),
        BehaviourEvent,
    ),
    TableRow("relay_heads", "relay_heads", ("source", "target"), ("value",), Counter, 2),
    TableRow("relay_marks", "relay_marks", ("target", "source"), ("value",), Counter, 2),
)  # fmt: skip

# Tables that only grow; they are folded too, but never read back as rows of a view.
APPENDED: Final[dict[str, tuple[str, ...]]] = {
    "journal": ("lane", "seq", "at_us", "kind", "code", "body"),
    "seals": ("lane", "last_seq", "first_seq", "batch_id", "epoch", "at_us", "head"),
    "keys": ("key", "seq"),
    "entries": ("account", "seq", "leg", "amount_fen", "balance_after_fen"),
    "relays": ("source", "target", "number", "account", "amount_fen", "seq"),
    "trails": ("subject_id", "seq"),
    "personal": ("owner_id", "field", "cipher", "mac"),
}
