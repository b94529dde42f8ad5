"""The judge of a festival: what everybody was told against what the database holds, to the fen.

Each rule says in words what is wrong, and nothing when all is well. It knows what people remember
and the stored rows, and asks no code of the product what these mean; but which events a row tells,
and in which words, the product says.   Units: fen.
"""

from collections import Counter, defaultdict

import msgspec

import law
from festival.listener import digest
from lingqian.events.tail import Journal

BALANCE, ESCROW, TRANSIT = 1, 2, 3
REFUSED = {"packet_finished"}
NET = "SELECT account, credits_posted - debits_posted FROM accounts"
CLAIMS = "SELECT packet_id, user_id, share, amount_fen FROM claims WHERE share > 0"
BACK = "SELECT packet_id, returned_fen FROM progress"
DENSE = "SELECT lane, COUNT(*), MIN(seq), MAX(seq) FROM journal GROUP BY lane"
ENDS = "SELECT lane, next_seq FROM lanes"
HEADS = "SELECT source, target, value FROM relay_heads"
MARKS = "SELECT source, target, value FROM relay_marks"
ROWS = 512


def claims_of(connection):
    """Return every share that the ledger says was taken: (packet, person) → share, fen."""
    return {
        (packet.hex(), user.hex()): (share, fen)
        for packet, user, share, fen in connection.execute(CLAIMS).fetchall()
    }


def answers_are_kept(memory, connection):
    """Everybody who was told of a share has it, and nobody has one who was not told."""
    stored = claims_of(connection)
    told = {(each.packet_id, each.user_id): (each.share, each.fen) for each in memory.won}
    for key in told.keys() - stored.keys():
        yield f"lost: {key[1]} was told {told[key]} of {key[0]}"
    for key in stored.keys() - told.keys():
        yield f"untold: {key[1]} has {stored[key]} of {key[0]}"
    for key in told.keys() & stored.keys():
        if told[key] != stored[key]:
            yield f"changed: {key[1]} was told {told[key]} of {key[0]} and has {stored[key]}"


def answers_do_not_change(memory, connection):
    """Whoever asks twice is told the same twice, and a refusal has a good reason."""
    del connection
    told = defaultdict(set)
    for each in (*memory.opens, *memory.agains):
        told[each.packet_id, each.user_id].add((each.share, each.fen))
        if not each.share and each.code not in REFUSED:
            yield f"refused: {each.user_id} was told {each.code} by {each.packet_id}"
    yield from (f"two answers for {k[1]}: {v}" for k, v in told.items() if len(v) > 1)


def packets_add_up(memory, connection):
    """A share is taken once, none too many; taken, left and returned is what was paid."""
    taken = defaultdict(list)
    for (packet, _), share in claims_of(connection).items():
        taken[packet].append(share)
    back = {packet.hex(): fen for packet, fen in connection.execute(BACK).fetchall()}
    left = {key[:16].hex(): fen for key, fen in nets(connection) if key[16] == ESCROW}
    for packet_id, _, total_fen, count in memory.packets:
        shares = Counter(share for share, _ in taken[packet_id])
        if not shares.keys() <= set(range(1, count + 1)) or max(shares.values(), default=1) > 1:
            yield f"packet {packet_id} of {count} shares gave {sorted(shares.elements())}"
        fen = sum(fen for _, fen in taken[packet_id])
        rest = left.get(packet_id, 0)
        if fen + rest + back.get(packet_id, 0) != total_fen:
            yield f"packet {packet_id} of {total_fen} gave {fen}, keeps {rest}"


def nets(connection):
    """Return each account and its credits less its debits."""
    return connection.execute(NET).fetchall()


def people_have_what_they_were_told(memory, connection):
    """A balance is what somebody was given, less what he sent, and what he was told he won."""
    due = Counter({each.user_id: each.fen for each in memory.people})
    for _, sender_id, total_fen, _ in memory.packets:
        due[sender_id] -= total_fen
    for each in {(each.packet_id, each.user_id): each for each in memory.won}.values():
        due[each.user_id] += each.fen
    has = {key[:16].hex(): fen for key, fen in nets(connection) if key[16] == BALANCE}
    for user_id in due.keys() | has.keys():
        if due[user_id] != has.get(user_id, 0):
            yield f"{user_id} has {has.get(user_id, 0)} and should have {due[user_id]}"


def books_are_zero(memory, connection):
    """Credits are debits in each lane, by currency, and so over all of them."""
    del memory
    sums = Counter()
    for key, fen in nets(connection):
        sums[int.from_bytes(key[:2], "big"), key[17]] += fen
    yield from (f"lane {key[0]} is off by {fen}" for key, fen in sums.items() if fen)


def nothing_is_on_its_way(memory, connection):
    """What one lane let go another has taken, item by item, and no fen is between them."""
    del memory
    heads, marks = (
        {(source, target): value for source, target, value in connection.execute(query).fetchall()}
        for query in (HEADS, MARKS)
    )
    for pair in heads.keys() | marks.keys():
        if heads.get(pair, 0) != marks.get(pair, 0):
            yield f"relay {pair}: {marks.get(pair, 0)} of {heads.get(pair, 0)} have arrived"
    transit = sum(fen for key, fen in nets(connection) if key[16] == TRANSIT)
    if transit:
        yield f"{transit} fen are in transit"


def journal_is_dense(memory, connection):
    """Each lane's rows count from one without a gap, up to where the lane says it is."""
    del memory
    ends = dict(connection.execute(ENDS).fetchall())
    for lane, number, first, last in connection.execute(DENSE).fetchall():
        if (first, last, last + 1) != (1, number, ends.pop(lane)):
            yield f"lane {lane} has {number} rows from {first} to {last}"
    yield from (f"lane {lane} has no rows" for lane, end in ends.items() if end != 1)


def followers_hear_the_journal(memory, connection):
    """Each event that the journal tells is heard, once, in its lane's order, in the same words."""
    told = dict(told_by(connection))
    heard = Counter(each[:3] for each in memory.heard)
    yield from (f"never heard: {name(each)}" for each in told.keys() - heard.keys())
    yield from (f"heard of nothing: {name(each)}" for each in heard.keys() - told.keys())
    yield from (f"heard {times} times: {name(each)}" for each, times in heard.items() if times > 1)
    last = {}
    for each in memory.heard:
        if each[:3] < last.get(each.lane, ()):
            yield f"heard too late: {each.id} behind {name(last[each.lane])}"
        last[each.lane] = each[:3]
        if each.digest != told.get(each[:3], each.digest):
            yield f"heard otherwise: {each.id}"


def told_by(connection):
    """Yield each event that the journal tells: lane, row and number, and what it says."""
    journal, position = Journal(connection, ""), {}
    while (found := journal.after(position, ROWS)).end != position:
        position = found.end
        for each in found.events:
            yield (each.lane, each.seq, each.number), digest(msgspec.json.decode(each.body))


def name(event):
    """Return an event's id."""
    return ":".join(map(str, event))


def followers_know_every_balance(memory, connection):
    """Whoever has nothing but the events knows what each person has: what he heard of him last."""
    heard = {user_id: fen for each in memory.heard for user_id, fen in each.balances}
    has = {key[:16].hex(): fen for key, fen in nets(connection) if key[16] == BALANCE}
    for user_id in heard.keys() | has.keys():
        if heard.get(user_id, 0) != has.get(user_id, 0):
            yield f"{user_id} has {has.get(user_id, 0)}, and {heard.get(user_id)} was heard"


def laws_hold(memory, connection):
    """Every law that the tests have of what is stored: folds, seals, chains, limits, entries."""
    del memory
    for each in law.ALL:
        try:
            each(connection)
        except AssertionError as error:
            yield f"{each.__name__}: {error}"


RULES = (
    answers_are_kept,
    answers_do_not_change,
    packets_add_up,
    people_have_what_they_were_told,
    books_are_zero,
    nothing_is_on_its_way,
    journal_is_dense,
    followers_hear_the_journal,
    followers_know_every_balance,
    laws_hold,
)


def judge(memory, connection, rules=RULES):
    """Return everything that is wrong, in words."""
    return [words for rule in rules for words in rule(memory, connection)]
