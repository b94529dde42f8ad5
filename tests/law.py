"""The laws of the ledger, checked on what is stored, by an arithmetic of its own.

Every function takes a connection and asserts; `all_laws` is what scenarios and properties call
after each step.
"""

from collections import defaultdict

from lingqian.flows.kind import fold
from lingqian.flows.view import Policy, View
from lingqian.storage.codec import Row, decode, seal
from lingqian.storage.schema import TABLES

BALANCE, ESCROW, TRANSIT, BANK = 1, 2, 3, 10
JOURNAL = "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"


def conservation(connection):
    """Debits are credits, and what is owed to users is what the bank holds."""
    totals = defaultdict(int)
    debit_fen = credit_fen = held_debits = held_credits = 0
    for account, *counters in connection.execute(
        "SELECT account, debits_posted, credits_posted, debits_pending, credits_pending "
        "FROM accounts"
    ):
        totals[account[16]] += counters[1] - counters[0]
        debit_fen += counters[0]
        credit_fen += counters[1]
        held_debits += counters[2]
        held_credits += counters[3]
    assert debit_fen == credit_fen, "debits are not credits"
    assert held_debits == held_credits, "open holds have one side"
    assert set(totals) <= {BALANCE, ESCROW, TRANSIT, BANK}, "an unknown book"
    owed = totals[BALANCE] + totals[ESCROW] + totals[TRANSIT]
    assert owed == -totals[BANK], f"owed {owed}, at the bank {-totals[BANK]}"


def no_negative_balance(connection):
    """Nobody's balance and no packet's escrow is below what is set aside from it, or below zero."""
    for account, available, balance in connection.execute(
        "SELECT account, credits_posted - debits_posted - debits_pending, "
        "credits_posted - debits_posted FROM accounts"
    ):
        if account[16] in {BALANCE, ESCROW}:
            assert available >= 0, f"account {account.hex()} is overdrawn by {-available}"
            assert balance >= 0, f"account {account.hex()} is below zero"


def packets_are_explained(connection):
    """Funded = claimed + remaining + returned, and the rest lies in the packet's own escrow."""
    rows = connection.execute(
        "SELECT p.packet_id, p.kind, p.total_fen, p.count, p.share_fen_min, p.share_fen_max, "
        "g.claimed_count, g.claimed_fen, g.returned_fen, g.state, g.ticket_count, g.due_at_us "
        "FROM packets p JOIN progress g ON g.packet_id = p.packet_id"
    ).fetchall()
    for (
        packet_id,
        kind,
        total,
        count,
        low,
        high,
        taken,
        taken_fen,
        back,
        state,
        tickets,
        due,
    ) in rows:
        claims = connection.execute(
            "SELECT amount_fen, share, ticket FROM claims WHERE packet_id = ? ORDER BY ticket",
            (packet_id,),
        ).fetchall()
        won = sorted(share for _, share, _ in claims if share)
        assert won == list(range(1, taken + 1)), "a share is taken once, and in order"
        assert taken <= count, "more claims than shares"
        assert sum(amount for amount, _, _ in claims) == taken_fen, "the claims are not the total"
        assert [ticket for _, _, ticket in claims] == list(range(1, len(claims) + 1)), "tickets gap"
        assert all(low <= amount <= high for amount, share, _ in claims if share), "out of bounds"
        assert tickets == (len(claims) if kind == 5 else 0), "tickets are counted for draws alone"
        is_over = state in {4, 5, 6, 7}
        rest = total - taken_fen - back
        assert rest >= 0, "more out than in"
        escrow = connection.execute(
            "SELECT credits_posted - debits_posted FROM accounts WHERE account = ?",
            (packet_id + b"\2\1",),
        ).fetchone()
        held = escrow[0] if escrow else 0
        if state in {2, 6}:
            assert (held, taken, back) == (0, 0, 0), "a held or refused packet has no money"
        else:
            assert held == rest, f"escrow holds {held}, the packet says {rest}"
            assert not is_over or rest == 0, "a closed packet keeps nothing"
        assert (due == 0) == (is_over or state == 2), "work is due exactly while a packet lives"


def limits_are_counted(connection):
    """What people have paid out by transfers and packets is what their counters say."""
    paid = defaultdict(int)
    for source, amount in connection.execute("SELECT source_id, amount_fen FROM transfers"):
        paid[source] += amount
    for sender, amount in connection.execute("SELECT sender_id, total_fen FROM packets"):
        paid[sender] += amount
    stored = dict(connection.execute("SELECT user_id, life_fen FROM usages"))
    assert stored == dict(paid), "a payment was not counted, or counted twice"


def journal_is_dense_and_sealed(connection):
    """Each lane's rows count from 1, its time rises, and its chain of seals holds to the head."""
    lanes = connection.execute("SELECT lane, next_seq, batch_id, head FROM lanes").fetchall()
    rows = defaultdict(list)
    for row in connection.execute(JOURNAL):
        rows[row[0]].append(Row(*row))
    for lane, next_seq, batch_id, stored_head in lanes:
        mine = rows.pop(lane, [])
        assert [row.seq for row in mine] == list(range(1, next_seq)), f"lane {lane} has a gap"
        times = [row.at_us for row in mine]
        assert times == sorted(set(times)), f"time in lane {lane} does not rise"
        head, place, last_id = bytes(32), 0, bytes(16)
        for first, last, last_id, sealed in connection.execute(
            "SELECT first_seq, last_seq, batch_id, head FROM seals WHERE lane = ? "
            "ORDER BY last_seq",
            (lane,),
        ):
            assert first == place + 1, f"a seal of lane {lane} skips rows"
            head = seal(head, last_id, mine[first - 1 : last])
            assert head == sealed, f"lane {lane} is broken between {first} and {last}"
            place = last
        assert (place + 1, head, last_id) == (next_seq, stored_head, batch_id), "the head is off"
    assert not rows, "rows of a lane that does not exist"


class _Absent(dict):
    """A table in which every row is loaded, most of them as absent."""

    def __missing__(self, key):
        return None


class _Tickets(dict):
    """The tickets of each packet as its claims say, in their order."""

    def __init__(self, view):
        super().__init__()
        self._view = view

    def __missing__(self, packet_id):
        claims = [
            (key[16:], claim)
            for key, claim in self._view.claims.rows.items()
            if key[:16] == packet_id
        ]
        return sorted(claims, key=lambda pair: pair[1].ticket)


def refold(connection):
    """Fold the whole journal into fresh views, one per lane; return them and what is appended."""
    views, appended = {}, {"keys": [], "entries": [], "relays": []}
    for line in connection.execute(JOURNAL).fetchall():
        row = Row(*line)
        view = views.get(row.lane)
        if view is None:
            view = views[row.lane] = View(row.lane, Policy({}), None)
            view.tickets = _Tickets(view)
            view.seen = {}
            for table in TABLES:
                getattr(view, table.attribute).rows = _Absent()
        decoded = decode(row)
        posted = fold(view, decoded.record)
        assert posted == decoded.posted, f"row {row.lane}:{row.seq} claims other balances"
    for view in views.values():
        appended["keys"] += view.new_keys
        appended["entries"] += view.new_entries
        appended["relays"] += view.new_relays
    return views, appended


def journal_folds_to_the_tables(connection):
    """Every typed table is what the journal says, row by row and column by column."""
    views, appended = refold(connection)
    for table in TABLES:
        names = ", ".join((*table.key, *table.columns))
        stored = sorted(connection.execute(f"SELECT {names} FROM {table.name}"))
        values = table.values()
        folded = []
        for view in views.values():
            for key, row in getattr(view, table.attribute).rows.items():
                if row is not None:
                    parts = (key[: table.cut], key[table.cut :]) if table.cut else (key,)
                    folded.append((*parts, *values(row)))
        assert sorted(folded) == stored, f"table {table.name} is not what the journal says"
    for name, rows in appended.items():
        stored = sorted(connection.execute(f"SELECT * FROM {name}"))
        assert sorted(tuple(row) for row in rows) == stored, f"table {name} is off"


def entries_end_in_the_balances(connection):
    """An account's last entry carries its balance, and its entries add up to it."""
    for account, balance in connection.execute(
        "SELECT account, credits_posted - debits_posted FROM accounts"
    ).fetchall():
        entries = connection.execute(
            "SELECT amount_fen, balance_after_fen FROM entries WHERE account = ? ORDER BY seq, leg",
            (account,),
        ).fetchall()
        signed = -balance if account[16] == BANK else balance
        side = 0
        for amount, after in entries:
            side += amount
            assert after == side, f"account {account.hex()} says {after} where {side} is true"
        assert side == signed, f"account {account.hex()} has {signed}, its entries {side}"


ALL = (
    conservation,
    no_negative_balance,
    packets_are_explained,
    limits_are_counted,
    journal_is_dense_and_sealed,
    journal_folds_to_the_tables,
    entries_end_in_the_balances,
)


def all_laws(connection):
    """Check every law on what is stored."""
    for law in ALL:
        law(connection)
