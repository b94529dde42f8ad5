"""The laws of the ledger, checked on what is stored, by an arithmetic of its own.

Every function takes a connection and asserts; `all_laws` is what scenarios and properties call
after each step.
"""

from collections import defaultdict

from lingqian.flows.kind import fold
from lingqian.flows.view import Policy, View
from lingqian.kernel.clock import business_day
from lingqian.storage.codec import Row, decode, seal
from lingqian.storage.schema import TABLES

BALANCE, ESCROW, COIN, ADVANCE, USER_DEBT = 1, 2, 50, 36, 37
# Books by what they are, told apart from the chart: owed to people, backing it, the house's own.
OWED, BACKING, HOUSE, COINS = set(range(1, 9)), {10, 11, 12}, set(range(30, 43)), {50, 51}
NEVER_NEGATIVE = OWED - {3} | {COIN}
DEBIT_NORMAL = {10, 11, 12, 30, 31, 32, 36, 37, 38, 39, 40, 41, 42, 51}
JOURNAL = "SELECT lane, seq, at_us, kind, code, body FROM journal ORDER BY lane, seq"


def conservation(connection):
    """Debits are credits; what is owed to users is what backs it; the house balances by itself."""
    totals, sides = defaultdict(int), defaultdict(lambda: [0, 0, 0, 0])
    for account, *counters in connection.execute(
        "SELECT account, debits_posted, credits_posted, debits_pending, credits_pending "
        "FROM accounts"
    ):
        totals[account[16], account[17]] += counters[1] - counters[0]
        side = sides[account[17]]
        sides[account[17]] = [old + new for old, new in zip(side, counters, strict=True)]
    for debits, credits_, held_debits, held_credits in sides.values():
        assert debits == credits_, "debits are not credits"
        assert held_debits == held_credits, "open holds have one side"
    known = {(book, 1) for book in OWED | BACKING | HOUSE} | {(book, 2) for book in COINS}
    assert set(totals) <= known, "an unknown book"
    owed, backing, house = (
        sum(fen for (book, currency), fen in totals.items() if book in books and currency == 1)
        for books in (OWED, BACKING, HOUSE)
    )
    assert owed == -backing, f"owed {owed}, backed by {-backing}"
    assert house == 0, f"the house is off by {house}"


def no_negative_balance(connection):
    """Nothing owed to anybody is below what is set aside from it, or below zero."""
    for account, balance, held, held_credits in connection.execute(
        "SELECT account, credits_posted - debits_posted, debits_pending, credits_pending "
        "FROM accounts"
    ):
        if account[16] in NEVER_NEGATIVE:
            assert balance >= held >= 0, f"account {account.hex()} has {balance}, {held} held"
        if account[16] in {ADVANCE, USER_DEBT}:
            assert -balance >= held_credits >= 0, f"account {account.hex()} has {-balance}"


def coins_are_explained(connection):
    """A person's coins are what the grants have left; their price is carried until it is earned."""
    left, frozen, value = defaultdict(int), defaultdict(int), defaultdict(int)
    for order_id, user_id, *numbers in connection.execute(
        "SELECT order_id, user_id, paid_left, bonus_left, paid_frozen, bonus_frozen, cash_fen, "
        "released_fen FROM grants"
    ):
        left[user_id] += numbers[0] + numbers[1]
        frozen[user_id] += numbers[2] + numbers[3]
        value[order_id[:2]] += numbers[4] - numbers[5]
    coins, pending, carried = defaultdict(int), defaultdict(int), defaultdict(int)
    for account, balance, held in connection.execute(
        "SELECT account, credits_posted - debits_posted, debits_pending FROM accounts"
    ):
        if account[16] == COIN:
            coins[account[:16]] += balance
            pending[account[:16]] += held
        elif account[16] == 6:
            carried[account[:2]] += balance
    for user_id in {*left, *coins}:
        assert coins[user_id] == left[user_id], "coins are not the lots"
        assert pending[user_id] == frozen[user_id], "frozen coins are not those set aside"
    for lane in {*value, *carried}:
        assert carried[lane] == value[lane], f"coins cost {value[lane]}, carried {carried[lane]}"


def orders_are_explained(connection):
    """An order has what its attempts have proven, and keeps nothing that is credited or gone."""
    attempts = defaultdict(list)
    for row in connection.execute(
        "SELECT order_id, attempt_id, state, paid_fen, refunding_fen, refunded_fen FROM attempts"
    ):
        attempts[row[0]].append(row[1:])
    payable = dict(
        connection.execute(
            "SELECT account, credits_posted - debits_posted FROM accounts "
            "WHERE substr(account, 17, 1) IN (x'04', x'05')"
        )
    )
    to_balance = connection.execute(
        "SELECT order_id, amount_fen FROM refunds WHERE way = 3"
    ).fetchall()
    for order_id, credit, paid_attempt, received, leaving, back in connection.execute(
        "SELECT order_id, credit_state, paid_attempt, received_fen, refunding_fen, refunded_fen "
        "FROM orders"
    ).fetchall():
        mine = attempts.pop(order_id, [])
        assert received == sum(row[2] for row in mine), "an order received what nobody paid"
        assert leaving == sum(row[3] for row in mine), "an order returns what no attempt does"
        own = sum(fen for owner, fen in to_balance if owner == order_id)
        assert back == sum(row[4] for row in mine) + own, "an order returned what no attempt did"
        assert all(row[1] == 6 or row[2] == 0 for row in mine), "money of an unpaid attempt"
        paid = {row[0]: row[2] for row in mine}.get(paid_attempt, 0)
        held = payable.get(order_id + b"\4\1", 0)
        assert held == (paid if credit == 1 else 0), f"held {held} in credit state {credit}"
    assert not attempts, "an attempt of no order"
    parked = defaultdict(int)
    for key, fen in connection.execute("SELECT transaction_key, parked_fen FROM transactions"):
        parked[key[:2]] += fen
    carried = connection.execute(
        "SELECT substr(account, 1, 2), credits_posted - debits_posted FROM accounts "
        "WHERE substr(account, 17, 1) = x'08'"
    )
    unplaced = {lane: fen for lane, fen in carried if fen}
    assert unplaced == {k: v for k, v in parked.items() if v}, "parked is not unallocated"
    for refund_id, amount, stage in connection.execute(
        "SELECT refund_id, amount_fen, stage FROM refunds"
    ).fetchall():
        waits = payable.get(refund_id + b"\5\1", 0)
        assert waits == (0 if stage in {5, 6} else amount), f"payable {waits} in stage {stage}"


def gifts_and_payouts_are_explained(connection):
    """What waits for streamers and on its way out is what gifts and payouts say, and no more."""
    carried = defaultdict(int)
    for account, balance in connection.execute(
        "SELECT account, credits_posted - debits_posted FROM accounts"
    ):
        if account[16] in {5, 7} and balance:
            carried[account[:17]] += balance
    expected = pending_income(connection)
    for table, key, open_stages in (
        ("refunds", "refund_id", {0, 1, 2, 3, 4, 7, 8}),
        ("payouts", "payout_id", {2, 3, 4, 5}),
    ):
        query = f"SELECT {key}, amount_fen, stage FROM {table}"
        for owner, amount, stage in connection.execute(query):
            if stage in open_stages:
                expected[owner + b"\5"] += amount
    assert dict(carried) == dict(expected), "money waits that nobody asked for, or is not there"


def pending_income(connection):
    """Return what gifts say waits for each streamer, by the account it waits in."""
    expected = defaultdict(int)
    for gift_id, streamer_id, state, *fen in connection.execute(
        "SELECT gift_id, streamer_id, state, streamer_fen, platform_fen, value_fen FROM gifts"
    ):
        assert fen[0] + fen[1] == fen[2], "the parts of a gift are not its price"
        if state == 1 and fen[0]:
            expected[gift_id[:2] + streamer_id[2:] + b"\7"] += fen[0]
    return expected


def coins_earn_by_floors(connection):
    """What of a price is earned follows from how many of its coins are gone, in whatever way."""
    for order_id, cash, earned, given, left, frozen in connection.execute(
        "SELECT order_id, cash_fen, released_fen, paid_coins + bonus_coins, "
        "paid_left + bonus_left, paid_frozen + bonus_frozen FROM grants"
    ):
        whole = given - frozen
        assert earned == (cash * (given - left) // whole if whole else 0), order_id.hex()


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
        if state in {2, 6, 8}:
            assert (held, taken, back) == (0, 0, 0), "a packet that never lived has no money"
        else:
            assert held == rest, f"escrow holds {held}, the packet says {rest}"
            assert not is_over or rest == 0, "a closed packet keeps nothing"
        # A packet that waits for its order is the order's to end, once there is one.
        is_idle = is_over or state == 2
        assert state == 8 or (due == 0) == is_idle, "work is due exactly while a packet lives"


def limits_are_counted(connection):
    """What people have paid out by transfers and packets is what their counters say; gifts too."""
    paid = defaultdict(int)
    for source, amount in connection.execute("SELECT source_id, amount_fen FROM transfers"):
        paid[source] += amount
    for sender, amount in connection.execute("SELECT sender_id, total_fen FROM packets"):
        paid[sender] += amount
    for user_id, amount in connection.execute("SELECT user_id, amount_fen FROM payouts"):
        paid[user_id] += amount
    # Paid without any attempt: out of the balance.
    for user_id, amount in connection.execute(
        "SELECT user_id, amount_fen FROM orders WHERE pay_state = 2 AND paid_attempt = x''"
    ):
        paid[user_id] += amount
    stored = dict(connection.execute("SELECT user_id, life_fen FROM usages WHERE life_fen > 0"))
    assert stored == dict(paid), "a payment was not counted, or counted twice"
    given = defaultdict(int)
    for user_id, at_us, value_fen in connection.execute(
        "SELECT user_id, at_us, value_fen FROM gifts"
    ):
        given[user_id, business_day(at_us)] += value_fen
    for user_id, day, gift_fen in connection.execute(
        "SELECT user_id, day, day_gift_fen FROM usages"
    ):
        assert given[user_id, day] == gift_fen, "a gift was not counted, or counted twice"


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
    views, appended = {}, {"keys": [], "entries": [], "relays": [], "trails": []}
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
        appended["trails"] += view.new_trails
    return views, appended


def journal_folds_to_the_tables(connection):
    """Every typed table is what the journal says, row by row and column by column."""
    views, appended = refold(connection)
    for table in TABLES:
        names = ", ".join(f'"{name}"' for name in (*table.key, *table.columns))
        stored = sorted(connection.execute(f'SELECT {names} FROM "{table.name}"'))
        values = table.values()
        folded = []
        for view in views.values():
            for key, row in getattr(view, table.attribute).rows.items():
                if row is not None:
                    parts = (key[: table.cut], key[table.cut :]) if table.cut else (key,)
                    folded.append((*parts, *values(row)))
        assert sorted(folded) == stored, f"table {table.name} is not what the journal says"
    for name, rows in appended.items():
        stored = sorted(connection.execute(f'SELECT * FROM "{name}"'))
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
        signed = -balance if account[16] in DEBIT_NORMAL else balance
        side = 0
        for amount, after in entries:
            side += amount
            assert after == side, f"account {account.hex()} says {after} where {side} is true"
        assert side == signed, f"account {account.hex()} has {signed}, its entries {side}"


ALL = (
    conservation,
    no_negative_balance,
    coins_are_explained,
    orders_are_explained,
    gifts_and_payouts_are_explained,
    coins_earn_by_floors,
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
