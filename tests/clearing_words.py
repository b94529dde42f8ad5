"""Words of clearing for scenarios: bills, comparisons, differences, days. Days are d1, d2, …"""

import re
from hashlib import sha256

from lingqian.channels.port import BillKind
from lingqian.clearing.day import DayState
from lingqian.clearing.difference import DifferenceState, Remedy, day_id, difference_id, flow_id
from lingqian.clearing.item import Way
from lingqian.flows.command import (
    CloseDay,
    RecordBill,
    RecordDifference,
    RecordFlow,
    RecordMatch,
    ResolveDifference,
)
from lingqian.ledger.chart import Book, channel_account, house_account, unallocated_account

ACCOUNT = "wx"
FIRST_DAY = 20_500


def fen(text):
    """Read an amount in yuan with two places as fen."""
    assert re.fullmatch(r"-?\d+\.\d\d", text), f"not an amount: {text}"
    return int(text.replace(".", ""))


def day_of(name):
    """Return the day of a name such as d1."""
    return FIRST_DAY + int(name.removeprefix("d"))


def text_digest(text):
    """Return the SHA-256 of a text, or nothing for none."""
    return sha256(text.encode()).digest() if text else b""


def _named(words):
    plain = [word for word in words if "=" not in word]
    return plain, dict(word.split("=", 1) for word in words if "=" in word)


def verb_bill(world, words):
    """bill DAY trade|fund TEXT: a bill with these bytes was fetched."""
    del world
    day, kind, text = words
    number = day_of(day)
    identity = day_id(ACCOUNT, number)
    return RecordBill(identity, ACCOUNT, number, BillKind[kind.upper()], text_digest(text))


def verb_compare(world, words):
    """compare DAY RESULT [ours=] [theirs=] [closing=]."""
    del world
    (day, result), more = _named(words)
    identity = day_id(ACCOUNT, day_of(day))
    sums = [fen(more.get(name, "0.00")) for name in ("closing", "ours", "theirs")]
    return RecordMatch(identity, 1, 0, *sums, text_digest("sheet"), text_digest(result))


def verb_differ(world, words):
    """differ NAME DAY CLASS YUAN EVENT [fee=YUAN] [long|short|fee]."""
    (name, day, found, gap, event, *remedies), more = _named(words)
    number = day_of(day)
    identity = world.ids[name] = difference_id(ACCOUNT, number, (Way.PAY, name), found)
    gaps = fen(gap), fen(more.get("fee", "0.00"))
    remedy = Remedy[remedies[0].upper()] if remedies else Remedy.NONE
    return RecordDifference(identity, ACCOUNT, number, Way.PAY, name, found, *gaps, event, remedy)


def verb_resolve(world, words):
    """resolve NAME explain|ask|agree REMEDY PERSON."""
    name, event, remedy, person = words
    identity = world.ids.get(name, bytes(16))
    return ResolveDifference(identity, event, Remedy[remedy.upper()], person, b"")


def verb_flow(world, words):
    """flow NAME DAY YUAN: the fund bill shows this movement with the bank."""
    del world
    name, day, amount = words
    return RecordFlow(flow_id(ACCOUNT, name), ACCOUNT, day_of(day), name, "", fen(amount), b"")


def verb_closeday(world, words):
    """closeday DAY RESULT [first] [explained=] [books=] [open=NAME,NAME]."""
    (day, result, *flags), more = _named(words)
    open_ids = b"".join(world.ids[name] for name in more.get("open", "").split(",") if name)
    sums = [fen(more.get(name, "0.00")) for name in ("explained", "books")]
    identity = day_id(ACCOUNT, day_of(day))
    return CloseDay(identity, "first" in flags, *sums, open_ids, text_digest(result), "amy")


def _state_of_day(world, name):
    (state,) = world.connection.execute(
        "SELECT state FROM days WHERE day_id = ?", (day_id(ACCOUNT, day_of(name)),)
    ).fetchone()
    return DayState(state).name.lower()


def _state_of_difference(world, name):
    (state,) = world.connection.execute(
        "SELECT state FROM differences WHERE difference_id = ?", (world.ids[name],)
    ).fetchone()
    return DifferenceState(state).name.lower()


def _balance(account):
    def look(world, name):
        assert name == ACCOUNT, f"an account of nobody: {name}"
        row = world.connection.execute(
            "SELECT debits_posted - credits_posted FROM accounts WHERE account = ?", (account,)
        ).fetchone()
        return row[0] if row else 0

    return look


VERBS = {
    "bill": verb_bill,
    "compare": verb_compare,
    "differ": verb_differ,
    "resolve": verb_resolve,
    "flow": verb_flow,
    "closeday": verb_closeday,
}
# Books of the house, in its own lane: what it has or pays is positive, what it owes negative.
FACTS = {
    "day": (str, _state_of_day),
    "difference": (str, _state_of_difference),
    "channel": (fen, _balance(channel_account(0, ACCOUNT))),
    "shortage": (fen, _balance(house_account(0, Book.SHORTAGE))),
    "fees": (fen, _balance(house_account(0, Book.FEE_EXPENSE))),
    "cash": (fen, _balance(house_account(0, Book.CASH))),
    "unallocated": (fen, _balance(unallocated_account(0))),
}
