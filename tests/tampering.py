"""Every way to tamper with a proof that we could think of, for both verifiers.

Each row: a name, the check that must name it, and the edit. The editor of the file cannot sign, so
`signature` fails as well; the named check must fail by itself.
"""

from copy import deepcopy
from hashlib import sha256


def swap(rows, one=0, other=1):
    """Exchange two rows of a list."""
    rows[one], rows[other] = rows[other], rows[one]


def flip(text):
    """Return hex with its first digit changed."""
    return ("1" if text[0] == "0" else "0") + text[1:]


def put(name, change):
    """Return an edit that changes one field of the document."""

    def edit(record):
        record[name] = change(record[name])

    return edit


def put_row(rows, at, name, change):
    """Return an edit that changes one field of one row."""

    def edit(record):
        record[rows][at][name] = change(record[rows][at][name])

    return edit


def put_in(noun, name, change):
    """Return an edit that changes one field of a nested object."""

    def edit(record):
        record[noun][name] = change(record[noun][name])

    return edit


def moved_fen(record):
    """Take a fen from one share and give it to another: the sum stays."""
    record["shares"][0] -= 1
    record["shares"][1] += 1


def swapped_amounts(record):
    """Let two claimers exchange amounts, as an operator with a favourite would."""
    one, other = record["claims"][:2]
    one["amount_fen"], other["amount_fen"] = other["amount_fen"], one["amount_fen"]


def favoured(record):
    """Let two claimers open each other's shares."""
    swapped_amounts(record)
    one, other = record["claims"][:2]
    one["index"], other["index"] = other["index"], one["index"]


def dropped(record):
    """Leave out the last claim and keep its money."""
    record["refund_fen"] += record["claims"].pop()["amount_fen"]


def doubled(record):
    """Let one person stand twice."""
    record["claims"][1]["pseudonym"] = record["claims"][0]["pseudonym"]


def other_best(record):
    """Give best luck to the next claim."""
    best = record["best"]
    best["sequence"] = best["sequence"] % len(record["claims"]) + 1


def crowded(record):
    """Add well-numbered claims until there are more than shares."""
    for number in range(len(record["claims"]) + 1, record["count"] + 2):
        pseudonym = number.to_bytes(16).hex()
        row = record["claims"][-1] | {"sequence": number, "index": number, "pseudonym": pseudonym}
        record["claims"].append(row)


def unsigned(record):
    """Leave the signature out."""
    del record["signature"]


#: On "lucky, level 2": seven of ten shares claimed, with the sender's entropy.
RACE = (
    ("an amount of a claim", "amounts", put_row("claims", 2, "amount_fen", lambda fen: fen + 1)),
    ("an amount of a share", "shares", put("shares", lambda rows: [rows[0] + 1, *rows[1:]])),
    ("a fen moved between shares", "shares", moved_fen),
    ("a share too few", "shares", put("shares", lambda rows: rows[:-1])),
    ("two amounts exchanged", "amounts", swapped_amounts),
    ("two shares exchanged", "order", favoured),
    ("the order of claims", "order", put("claims", lambda rows: [rows[1], rows[0], *rows[2:]])),
    ("a claimer", "chain", put_row("claims", 1, "pseudonym", flip)),
    ("the last claimer", "chain", put_row("claims", 6, "pseudonym", flip)),
    ("a claimer twice", "once", doubled),
    ("more claims than shares", "order", crowded),
    ("the close before the last claim", "times", put("closed_at_us", lambda _: 0)),
    ("the last claim dropped", "signature", dropped),
    ("the time of a claim", "chain", put_row("claims", 3, "at_us", lambda us: us + 1)),
    ("a claim before the packet", "times", put_row("claims", 0, "at_us", lambda _: 0)),
    ("a head of the chain", "chain", put_row("claims", 4, "head", flip)),
    ("a number skipped", "order", put_row("claims", 6, "sequence", lambda n: n + 1)),
    ("the total", "commitment", put("total_fen", lambda fen: fen + 1)),
    ("the total against the shares", "sum", put("total_fen", lambda fen: fen + 1)),
    ("the count", "commitment", put("count", lambda n: n - 1)),
    ("the spread", "commitment", put("spread", lambda spread: spread + 1)),
    ("the spread used", "spread", put("spread_used", lambda spread: spread + 1)),
    ("the least share", "commitment", put("share_fen_min", lambda fen: fen + 1)),
    ("the greatest share", "bounds", put("share_fen_max", lambda _: 201)),
    ("the kind", "commitment", put("kind", lambda _: "equal")),
    ("draw", "commitment", put("draw", lambda _: True)),
    ("the packet", "commitment", put("packet_id", flip)),
    ("the seed", "commitment", put("seed", flip)),
    ("the commitment", "commitment", put("commitment", flip)),
    ("the entropy", "shares", put("entropy", flip)),
    ("the entropy left out", "shares", put("entropy", lambda _: None)),
    ("the entropy before the commitment", "entropy", put("entropy_at_us", lambda _: 1)),
    ("the refund", "money", put("refund_fen", lambda fen: fen - 1)),
    ("best luck", "best", other_best),
    ("nobody's best luck", "best", put("best", lambda _: None)),
    ("a higher level", "level", put("level", lambda _: 3)),
    ("a limit unsaid", "level", put("limits", lambda rows: rows[1:])),
    ("a limit in nicer words", "level", put_row("limits", 0, "en", lambda _: "Nothing.")),
    ("the journal's head", "signature", put_in("journal", "head", flip)),
    ("the creation", "signature", put("created_at_us", lambda us: us + 1)),
    ("the close", "signature", put("closed_at_us", lambda us: us + 1)),
    ("the signature", "signature", put_in("signature", "value", flip)),
    ("no signature", "signature", unsigned),
    ("a beacon out of nowhere", "beacon", put("beacon", lambda _: dict(BEACON))),
    ("results out of nowhere", "amounts", put("results", lambda _: [dict(RESULT)])),
)

#: On "lucky, level 2": no longer a document of this form, so nothing else is looked at.
FORM = (
    ("a field more", lambda record: record.update(remark="fair")),
    ("a field more in a claim", lambda record: record["claims"][0].update(name="Li")),
    ("a field less", lambda record: record.pop("seed")),
    ("another format", put("format", lambda _: "lingqian.other")),
    ("another version", put("version", lambda _: 2)),
    ("a seed in capitals", put("seed", lambda text: text.upper())),
    ("a seed too short", put("seed", lambda text: text[2:])),
    ("a count of true", put("count", lambda _: True)),
    ("a total as text", put("total_fen", str)),
    ("a total as a fraction", put("total_fen", lambda fen: fen + 0.5)),
    ("a negative refund", put("refund_fen", lambda _: -1)),
    ("a total of 2^63", put("total_fen", lambda _: 2**63)),
    ("a total out of reach", put("total_fen", lambda _: 9)),
    ("no shares at all", put("count", lambda _: 0)),
    ("a spread of 0", put("spread", lambda _: 0)),
    ("a spread of 65", put("spread", lambda _: 65)),
    ("a round without a chain", put("beacon_round", lambda _: 1)),
    ("a line break in a limit", put_row("limits", 0, "en", lambda text: text + "\n")),
    ("an empty limit", put_row("limits", 0, "zh", lambda _: "")),
    ("another algorithm", put_in("signature", "algorithm", lambda _: "none")),
    ("a list for a kind", put("kind", lambda _: [])),
)

#: On "draw by its chain, level 2": six tickets for ten shares.
DRAW = (
    ("a ticket's holder", "chain", put_row("claims", 0, "pseudonym", flip)),
    ("a ticket dropped", "amounts", put("claims", lambda rows: rows[:-1])),
    (
        "two winners exchanged",
        "amounts",
        put("results", lambda rows: [rows[1], rows[0], *rows[2:]]),
    ),
    ("a winner replaced", "amounts", put_row("results", 0, "sequence", lambda n: n % 6 + 1)),
    ("an amount won", "amounts", put_row("results", 3, "amount_fen", lambda fen: fen + 1)),
    ("an amount won, and the total", "money", put_row("results", 3, "amount_fen", lambda _: 0)),
    ("a ticket with an amount", "amounts", put_row("claims", 3, "amount_fen", lambda _: 1)),
    ("a ticket with a share", "order", put_row("claims", 3, "index", lambda _: 1)),
    ("the entropy", "amounts", put("entropy", flip)),
    ("the results left out", "money", put("results", lambda _: [])),
)

#: On "draw by a beacon" and "lucky, level 3".
PROMISED = (
    ("the beacon's signature", "beacon", put_in("beacon", "signature", flip)),
    ("the beacon's randomness", "beacon", put_in("beacon", "randomness", flip)),
    ("the beacon left out", "level", put("beacon", lambda _: None)),
    ("an earlier round", "beacon", put("beacon_round", lambda number: number - 1)),
    ("another round", "commitment", put("beacon_round", lambda number: number + 1)),
    ("another chain", "commitment", put("beacon_chain", flip)),
    ("a packet made after the round", "beacon", put("created_at_us", lambda us: us + 10_000_000)),
)

#: On "draw by a beacon" alone.
LATE = (
    ("a ticket after the round", "beacon", put_row("claims", -1, "at_us", lambda us: us + 10**7)),
)

BEACON = {"signature": "00", "randomness": sha256(bytes(1)).hexdigest()}
RESULT = {"sequence": 1, "index": 1, "amount_fen": 0}


def tampered(records):
    """Yield a name, the check that must fail, and the tampered document."""
    for on, rows in (
        ("lucky, level 2", RACE),
        ("lucky, level 2", [(name, "form", edit) for name, edit in FORM]),
        ("draw by its chain, level 2", DRAW),
        ("lucky, level 3", PROMISED),
        ("draw by a beacon", PROMISED),
        ("draw by a beacon", LATE),
    ):
        for name, check, edit in rows:
            record = deepcopy(records[on])
            edit(record)
            assert record != records[on], f"{name} changes nothing"
            yield f"{on}: {name}", check, record
