"""The laws of money, asked of the typed tables as they stand (账务定律).

Each law is a row: what it says, which tables it reads, and a query that returns what breaks it.
The replay holds the tables to the journal; these hold the tables to each other, so that a mistake
in the fold itself shows.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lingqian.gift.gift import GiftState
from lingqian.ledger.chart import (
    CHART,
    DEBIT_NORMAL,
    FLOORED,
    FLOORED_DEBIT,
    Book,
    Currency,
    Tier,
)
from lingqian.ledger.hold import HoldState
from lingqian.redpacket.packet import PacketState
from lingqian.storage.expectation import show_key
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.port import Connection
from lingqian.topup.advance import AdvanceState
from lingqian.topup.attempt import AttemptState
from lingqian.topup.order import CreditState
from lingqian.topup.payout import UNDER_WAY, PayoutStage
from lingqian.topup.refund import RefundStage, Way


class Law(NamedTuple):
    """One law: the kind of finding, the tables it reads, and the query for what breaks it.

    A row of the query is a key and then words for a person, in two columns.
    """

    kind: FindingKind
    tables: tuple[str, ...]
    query: str


# What the queries know of the chart and the states. Sets of books are byte strings, for instr().
_WORDS: Final[dict[str, bytes | int]] = {
    "debit_normal": bytes(DEBIT_NORMAL),
    "floored": bytes(FLOORED),
    "owed": bytes([book for book, row in CHART.items() if row.tier == Tier.USER]),
    "floored_debit": bytes(FLOORED_DEBIT),
    "backing": bytes(
        [book for book, row in CHART.items() if row.tier in (Tier.RESERVE, Tier.CLEARING)]
    ),
    "house": bytes([book for book, row in CHART.items() if row.tier == Tier.HOUSE]),
    "held_book": bytes((Book.HELD, Currency.CNY)),
    "coin": bytes((Book.COIN, Currency.COIN)),
    "coin_book": bytes((Book.COIN,)),
    "payable": bytes((Book.PAYABLE,)),
    "income": bytes((Book.INCOME,)),
    "unallocated": bytes((Book.UNALLOCATED,)),
    "coin_value": bytes((Book.COIN_VALUE,)),
    "coin_issued": bytes((Book.COIN_ISSUED,)),
    "escrow": bytes((Book.ESCROW, Currency.CNY)),
    "transit": bytes((Book.TRANSIT,)),
    "hold_held": int(HoldState.HELD),
    "held": int(PacketState.HELD),
    "refused": int(PacketState.REFUSED),
    "funding": int(PacketState.FUNDING),
    "finished": int(PacketState.FINISHED),
    "expired": int(PacketState.EXPIRED),
    "invalidated": int(PacketState.INVALIDATED),
    "order_held": int(CreditState.HELD),
    "order_advanced": int(CreditState.ADVANCED),
    "to_balance": int(Way.BALANCE),
    "refund_over": bytes((RefundStage.SUCCESS, RefundStage.CLOSED)),
    "payout_set_aside": bytes((PayoutStage.APPROVED, *UNDER_WAY)),
    "gift_pending": int(GiftState.PENDING),
    "succeeded": int(AttemptState.SUCCEEDED),
    "advance": bytes((Book.ADVANCE, Currency.CNY)),
    "line": bytes((Book.LINE, Currency.CNY)),
    "house_owner": bytes(14),
    "user_debt": bytes((Book.USER_DEBT, Currency.CNY)),
    "advance_open": int(AdvanceState.OPEN),
}

_NAME: Final = re.compile(r":([a-z_]+)")

LAWS: Final[tuple[Law, ...]] = (
    Law(
        FindingKind.DEBITS_CREDITS,
        ("accounts",),
        """
        SELECT substr(account, 18, 1),
            'debits ' || sum(debits_posted) || ', credits ' || sum(credits_posted)
            || '; pending ' || sum(debits_pending) || ' and ' || sum(credits_pending)
        FROM accounts GROUP BY 1
        HAVING sum(debits_posted) <> sum(credits_posted)
            OR sum(debits_pending) <> sum(credits_pending)
        """,
    ),
    # Customers' money never pays the house's costs: the house's own books balance by themselves.
    Law(
        FindingKind.THREE_TIERS,
        ("accounts",),
        """
        SELECT currency, 'the house is off by ' || house || ' fen'
        FROM (
            SELECT substr(account, 18, 1) AS currency,
                sum(iif(instr(:house, substr(account, 17, 1)),
                    credits_posted - debits_posted, 0)) AS house
            FROM accounts GROUP BY 1
        ) AS found WHERE house <> 0
        """,
    ),
    Law(
        FindingKind.THREE_TIERS,
        ("accounts",),
        """
        SELECT currency, 'owed to users ' || owed || ' fen, backed by ' || backing
        FROM (
            SELECT substr(account, 18, 1) AS currency,
                sum(iif(instr(:owed, substr(account, 17, 1)),
                    credits_posted - debits_posted, 0)) AS owed,
                sum(iif(instr(:backing, substr(account, 17, 1)),
                    debits_posted - credits_posted, 0)) AS backing
            FROM accounts GROUP BY 1
        ) AS found WHERE owed <> backing
        """,
    ),
    Law(
        FindingKind.BALANCE_FLOOR,
        ("accounts",),
        """
        SELECT account,
            (credits_posted - debits_posted) || ' fen, ' || debits_pending || ' set aside'
        FROM accounts
        WHERE instr(:floored, substr(account, 17, 1))
            AND credits_posted - debits_posted < debits_pending
        """,
    ),
    Law(
        FindingKind.BALANCE_FLOOR,
        ("accounts",),
        """
        SELECT account,
            (debits_posted - credits_posted) || ' fen, ' || credits_pending || ' set aside'
        FROM accounts
        WHERE instr(:floored_debit, substr(account, 17, 1))
            AND debits_posted - credits_posted < credits_pending
        """,
    ),
    Law(
        FindingKind.BALANCE_AFTER,
        ("accounts", "entries"),
        """
        SELECT account, 'the entries make ' || entered || ' fen, the account has ' || balance
        FROM (
            SELECT account,
                COALESCE((SELECT sum(amount_fen) FROM entries e
                    WHERE e.account = accounts.account), 0) AS entered,
                (credits_posted - debits_posted)
                    * iif(instr(:debit_normal, substr(account, 17, 1)), -1, 1) AS balance
            FROM accounts
        ) AS found WHERE entered <> balance
        """,
    ),
    Law(
        FindingKind.PACKET_MONEY,
        ("packets", "progress", "claims"),
        """
        SELECT packet_id, 'funded ' || COALESCE(total_fen, 'nothing') || ', claimed '
            || claimed_fen || ', returned ' || returned_fen || '; its claims are ' || paid || ' fen'
        FROM (
            SELECT g.packet_id, g.state, g.claimed_fen, g.returned_fen, p.total_fen,
                COALESCE((SELECT sum(amount_fen) FROM claims c
                    WHERE c.packet_id = g.packet_id), 0) AS paid
            FROM progress g LEFT JOIN packets p ON p.packet_id = g.packet_id
        ) AS found
        WHERE total_fen IS NULL OR paid <> claimed_fen OR claimed_fen + returned_fen > total_fen
            OR (state IN (:finished, :expired, :invalidated)
                AND claimed_fen + returned_fen <> total_fen)
        """,
    ),
    Law(
        FindingKind.PACKET_ESCROW,
        ("packets", "progress", "accounts"),
        """
        SELECT packet_id, remaining || ' fen remain, its escrow has ' || escrowed
        FROM (
            SELECT p.packet_id,
                iif(g.state IN (:held, :refused, :funding), 0,
                    p.total_fen - g.claimed_fen - g.returned_fen) AS remaining,
                COALESCE(a.credits_posted - a.debits_posted, 0) AS escrowed
            FROM packets p JOIN progress g ON g.packet_id = p.packet_id
            LEFT JOIN accounts a ON a.account = CAST(p.packet_id || :escrow AS BLOB)
        ) AS found WHERE remaining <> escrowed
        """,
    ),
    Law(
        FindingKind.CLAIM_COUNT,
        ("packets", "progress", "claims"),
        """
        SELECT p.packet_id, COALESCE(g.claimed_count, 'no') || ' of ' || p.count || ' shares, '
            || COALESCE(g.ticket_count, 'no') || ' tickets; its claims are '
            || COALESCE(c.shares, 0) || ' of ' || COALESCE(c.tickets, 0)
        FROM packets p
        LEFT JOIN progress g ON g.packet_id = p.packet_id
        LEFT JOIN (
            SELECT packet_id, count(*) AS tickets, max(ticket) AS last_ticket,
                sum(share > 0) AS shares, max(share) AS last_share,
                count(DISTINCT nullif(share, 0)) AS places
            FROM claims GROUP BY packet_id
        ) c ON c.packet_id = p.packet_id
        WHERE g.packet_id IS NULL OR g.claimed_count > p.count
            OR COALESCE(c.shares, 0) <> g.claimed_count
            OR COALESCE(c.places, 0) <> g.claimed_count
            OR COALESCE(c.last_share, 0) <> g.claimed_count
            OR COALESCE(c.tickets, 0) <> max(g.ticket_count, g.claimed_count)
            OR COALESCE(c.last_ticket, 0) <> COALESCE(c.tickets, 0)
        """,
    ),
    Law(
        FindingKind.CLAIM_COUNT,
        ("packets", "claims"),
        """
        SELECT packet_id, count(*) || ' claims of a packet that does not exist' FROM claims
        WHERE packet_id NOT IN (SELECT packet_id FROM packets) GROUP BY packet_id
        """,
    ),
    Law(
        FindingKind.HOLD_PENDING,
        ("holds", "accounts"),
        """
        SELECT a.account, 'pending ' || a.debits_pending || ' and ' || a.credits_pending
            || ', held ' || COALESCE(d.fen, 0) || ' and ' || COALESCE(c.fen, 0)
        FROM accounts a
        LEFT JOIN (SELECT debit, sum(amount_fen) AS fen FROM holds
            WHERE state = :hold_held GROUP BY debit) d ON d.debit = a.account
        LEFT JOIN (SELECT credit, sum(amount_fen) AS fen FROM holds
            WHERE state = :hold_held GROUP BY credit) c ON c.credit = a.account
        WHERE a.debits_pending <> COALESCE(d.fen, 0) OR a.credits_pending <> COALESCE(c.fen, 0)
        """,
    ),
    Law(
        FindingKind.COIN_LOTS,
        ("accounts", "grants"),
        """
        SELECT user_id, 'coins ' || coins || ', frozen ' || frozen || '; the grants have '
            || granted || ' and ' || granted_frozen
        FROM (
            SELECT user_id, sum(coins) AS coins, sum(frozen) AS frozen,
                sum(granted) AS granted, sum(granted_frozen) AS granted_frozen
            FROM (
                SELECT substr(account, 1, 16) AS user_id, credits_posted - debits_posted AS coins,
                    debits_pending AS frozen, 0 AS granted, 0 AS granted_frozen
                FROM accounts WHERE substr(account, 17, 2) = :coin
                UNION ALL
                SELECT user_id, 0, 0, paid_left + bonus_left, paid_frozen + bonus_frozen
                FROM grants
            ) AS found GROUP BY user_id
        ) AS found WHERE coins <> granted OR frozen <> granted_frozen
        """,
    ),
    Law(
        FindingKind.COIN_LOTS,
        ("accounts",),
        """
        SELECT substr(account, 1, 2), 'issued ' || sum(iif(substr(account, 17, 1) = :coin_issued,
                debits_posted - credits_posted, 0))
            || ', people have ' || sum(iif(substr(account, 17, 1) = :coin_book,
                credits_posted - debits_posted, 0))
        FROM accounts WHERE substr(account, 17, 1) IN (:coin_issued, :coin_book)
        GROUP BY substr(account, 1, 2)
        HAVING sum(credits_posted) <> sum(debits_posted)
        """,
    ),
    Law(
        FindingKind.COIN_VALUE,
        ("accounts", "grants"),
        """
        SELECT lane, 'carried ' || carried || ' fen, the grants have ' || granted
        FROM (
            SELECT lane, sum(carried) AS carried, sum(granted) AS granted
            FROM (
                SELECT substr(account, 1, 2) AS lane, credits_posted - debits_posted AS carried,
                    0 AS granted
                FROM accounts WHERE substr(account, 17, 1) = :coin_value
                UNION ALL
                SELECT substr(order_id, 1, 2), 0, cash_fen - released_fen FROM grants
            ) AS found GROUP BY lane
        ) AS found WHERE carried <> granted
        """,
    ),
    Law(
        FindingKind.ORDER_MONEY,
        ("orders", "attempts", "refunds"),
        """
        SELECT order_id, 'received ' || received_fen || ', its attempts prove ' || proven
            || '; on their way back ' || refunding_fen || ' and ' || leaving
            || ', back ' || refunded_fen || ' and ' || back
        FROM (
            SELECT o.order_id, o.received_fen, o.refunding_fen, o.refunded_fen,
                COALESCE(sum(a.paid_fen), 0) AS proven,
                COALESCE(sum(a.refunding_fen), 0) AS leaving,
                COALESCE(sum(a.refunded_fen), 0) + COALESCE((
                    SELECT sum(r.amount_fen) FROM refunds r
                    WHERE r.order_id = o.order_id AND r.way = :to_balance
                ), 0) AS back
            FROM orders o LEFT JOIN attempts a ON a.order_id = o.order_id
            GROUP BY o.order_id
        ) AS found WHERE received_fen <> proven OR refunding_fen <> leaving OR refunded_fen <> back
        """,
    ),
    Law(
        FindingKind.ORDER_MONEY,
        ("orders", "attempts", "accounts"),
        """
        SELECT order_id, 'held ' || held || ' fen, the order says ' || due
        FROM (
            SELECT o.order_id, COALESCE(h.credits_posted - h.debits_posted, 0) AS held,
                iif(o.credit_state = :order_held, COALESCE(a.paid_fen, 0), 0) AS due
            FROM orders o
            LEFT JOIN attempts a ON a.attempt_id = o.paid_attempt
            LEFT JOIN accounts h ON h.account = CAST(o.order_id || :held_book AS BLOB)
        ) AS found WHERE held <> due
        """,
    ),
    Law(
        FindingKind.ORDER_MONEY,
        ("transactions", "attempts"),
        """
        SELECT t.transaction_key, 'it pays an attempt that nothing has paid'
        FROM transactions t LEFT JOIN attempts a ON a.attempt_id = t.attempt_id
        WHERE t.reason = 0 AND (a.attempt_id IS NULL OR a.state <> :succeeded
            OR a.transaction_id <> t.transaction_id OR a.paid_fen <> t.amount_fen)
        """,
    ),
    Law(
        FindingKind.ORDER_MONEY,
        ("transactions", "accounts"),
        """
        SELECT lane, 'unallocated ' || carried || ' fen, parked ' || parked
        FROM (
            SELECT lane, sum(carried) AS carried, sum(parked) AS parked
            FROM (
                SELECT substr(account, 1, 2) AS lane, credits_posted - debits_posted AS carried,
                    0 AS parked
                FROM accounts WHERE substr(account, 17, 1) = :unallocated
                UNION ALL
                SELECT substr(transaction_key, 1, 2), 0, parked_fen FROM transactions
            ) AS found GROUP BY lane
        ) AS found WHERE carried <> parked
        """,
    ),
    # What is receivable is what is advanced, at every moment; the line has what is not at stake.
    Law(
        FindingKind.ADVANCE_LINE,
        ("lines", "advances", "accounts"),
        """
        SELECT lane, 'out ' || open_fen || ' fen, its advances are ' || advanced
            || ', receivable ' || receivable || '; in the line ' || lying || ' of '
            || (limit_fen - open_fen - lost_fen)
        FROM (
            SELECT l.*,
                COALESCE((SELECT sum(amount_fen) FROM advances v
                    WHERE v.state = :advance_open AND substr(v.order_id, 1, 2) = l.lane), 0)
                    AS advanced,
                COALESCE((SELECT debits_posted - credits_posted FROM accounts
                    WHERE account = CAST(l.lane || :house_owner || :advance AS BLOB)), 0)
                    AS receivable,
                COALESCE((SELECT debits_posted - credits_posted FROM accounts
                    WHERE account = CAST(l.lane || :house_owner || :line AS BLOB)), 0) AS lying
            FROM lines l
        ) AS found
        WHERE open_fen <> advanced OR open_fen <> receivable
            OR lying <> limit_fen - open_fen - lost_fen OR open_fen + lost_fen > limit_fen
        """,
    ),
    Law(
        FindingKind.ADVANCE_LINE,
        ("advances", "orders", "grants"),
        """
        SELECT v.order_id, 'an advance in state ' || v.state || ' of an order in state '
            || COALESCE(o.credit_state, 'none') || ', advanced coins: '
            || COALESCE(g.is_advance, 'none')
        FROM advances v
        LEFT JOIN orders o ON o.order_id = v.order_id
        LEFT JOIN grants g ON g.order_id = v.order_id
        WHERE o.order_id IS NULL OR g.order_id IS NULL
            OR (v.state = :advance_open) <> (o.credit_state = :order_advanced)
            OR (v.state = :advance_open AND g.is_advance = 0)
        """,
    ),
    Law(
        FindingKind.ADVANCE_DEBT,
        ("borrowers", "advances", "accounts"),
        """
        SELECT user_id, 'open ' || is_open || ', its advances say ' || COALESCE(opened, 0)
            || '; owes ' || owed_fen || ' fen, is told to owe ' || debt
        FROM (
            SELECT b.user_id, b.open_order <> x'' AS is_open, b.owed_fen,
                (SELECT count(*) FROM advances v WHERE v.user_id = b.user_id
                    AND v.state = :advance_open) AS opened,
                COALESCE((SELECT debits_posted - credits_posted FROM accounts
                    WHERE account = CAST(b.user_id || :user_debt AS BLOB)), 0) AS debt
            FROM borrowers b
        ) AS found WHERE is_open <> opened OR owed_fen > debt
        """,
    ),
    # A person has at most one advance open; no index says so, for a batch may end one and open the
    # next in any order of its rows.
    Law(
        FindingKind.ADVANCE_DEBT,
        ("advances",),
        """
        SELECT user_id, count(*) || ' advances are open at once' FROM advances
        WHERE state = :advance_open GROUP BY user_id HAVING count(*) > 1
        """,
    ),
    # A device, or an address, has at most one advance open, and knows the newest that names it.
    Law(
        FindingKind.ADVANCE_DEBT,
        ("askers", "advances"),
        """
        SELECT asker_key, 'last asked for ' || lower(hex(k.order_id)) || '; its advances are '
            || count(v.order_id) || ', open ' || COALESCE(sum(v.state = :advance_open), 0)
        FROM askers k LEFT JOIN (
            SELECT device AS place, order_id, state, created_at_us FROM advances
            WHERE device <> x''
            UNION ALL
            SELECT address, order_id, state, created_at_us FROM advances WHERE address <> x''
        ) v ON v.place = k.asker_key
        GROUP BY asker_key
        HAVING sum(v.state = :advance_open) > 1
            OR COALESCE(sum(v.order_id = k.order_id), 0) = 0
            OR max(iif(v.order_id = k.order_id, v.created_at_us, 0)) < max(v.created_at_us)
        """,
    ),
    Law(
        FindingKind.PAYABLE_MONEY,
        ("accounts", "refunds", "payouts"),
        """
        SELECT owner, 'set aside ' || carried || ' fen, asked for ' || asked
        FROM (
            SELECT owner, sum(carried) AS carried, sum(asked) AS asked
            FROM (
                SELECT substr(account, 1, 16) AS owner, credits_posted - debits_posted AS carried,
                    0 AS asked
                FROM accounts WHERE substr(account, 17, 1) = :payable
                UNION ALL
                SELECT refund_id, 0, amount_fen FROM refunds
                WHERE NOT instr(:refund_over, CAST(char(stage) AS BLOB))
                UNION ALL
                SELECT payout_id, 0, amount_fen FROM payouts
                WHERE instr(:payout_set_aside, CAST(char(stage) AS BLOB))
            ) AS found GROUP BY owner
        ) AS found WHERE carried <> asked
        """,
    ),
    Law(
        FindingKind.INCOME_PENDING,
        ("accounts", "gifts"),
        """
        SELECT owner, 'waiting ' || carried || ' fen, given ' || given
        FROM (
            SELECT owner, sum(carried) AS carried, sum(given) AS given
            FROM (
                SELECT substr(account, 1, 16) AS owner, credits_posted - debits_posted AS carried,
                    0 AS given
                FROM accounts WHERE substr(account, 17, 1) = :income
                UNION ALL
                SELECT CAST(substr(gift_id, 1, 2) || substr(streamer_id, 3) AS BLOB), 0,
                    streamer_fen
                FROM gifts WHERE state = :gift_pending
            ) AS found GROUP BY owner
        ) AS found WHERE carried <> given
        """,
    ),
    Law(
        FindingKind.RELAY_MARK,
        ("relay_heads", "relay_marks", "relays"),
        """
        SELECT h.source || h.target, 'head ' || h.value || ', mark ' || COALESCE(m.value, 0)
            || ', items ' || COALESCE(r.items, 0)
        FROM relay_heads h
        LEFT JOIN relay_marks m ON m.target = h.target AND m.source = h.source
        LEFT JOIN (
            SELECT source, target, count(*) AS items, max(number) AS last
            FROM relays GROUP BY source, target
        ) r ON r.source = h.source AND r.target = h.target
        WHERE COALESCE(m.value, 0) > h.value OR COALESCE(r.items, 0) <> h.value
            OR COALESCE(r.last, 0) <> h.value
        """,
    ),
    Law(
        FindingKind.RELAY_MARK,
        ("relay_heads", "relay_marks"),
        """
        SELECT m.source || m.target, 'mark ' || m.value || ' of a stream that never began'
        FROM relay_marks m
        LEFT JOIN relay_heads h ON h.source = m.source AND h.target = m.target
        WHERE h.source IS NULL
        """,
    ),
    Law(
        FindingKind.RELAY_ITEM,
        ("relay_heads", "relay_marks", "relays", "accounts"),
        """
        SELECT x'', 'in transit ' || lying || ' fen, sent and not delivered ' || waiting
        FROM (
            SELECT (
                SELECT COALESCE(sum(credits_posted - debits_posted), 0) FROM accounts
                WHERE substr(account, 17, 1) = :transit
            ) AS lying, (
                SELECT COALESCE(sum(r.amount_fen), 0) FROM relays r
                LEFT JOIN relay_marks m ON m.target = r.target AND m.source = r.source
                WHERE r.number > COALESCE(m.value, 0)
            ) AS waiting
        ) AS found WHERE lying <> waiting
        """,
    ),
)

LAW_TABLES: Final = frozenset(table for law in LAWS for table in law.tables)


def broken_laws(connection: Connection) -> Iterator[Finding]:
    """Yield a finding for everything that breaks a law."""
    for law in LAWS:
        told = {name: _WORDS[name] for name in _NAME.findall(law.query)}
        for key, words in connection.execute(law.query, told):
            shown = show_key((key,))
            lane = key[0] << 8 | key[1] if isinstance(key, bytes) and len(key) > 1 else 0
            yield Finding(law.kind, law.tables[0], lane, 0, shown, str(words))
