"""Scenarios as text tables: a command, the answer expected, and what is true after it.

A scenario begins with `##` and its title; lines with `>` say why; `rule` and `limit` lines set the
policy; every row is `| command | answer | facts`. Amounts are yuan with two places. `ok again` and
`<code> again` mean: the first answer, given once more. The words of commands are the table VERBS,
those of facts the table FACTS. A row that starts with `x4` is played only with several lanes.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import clearing_words
from law import all_laws
from lingqian.channels.port import PayoutState, RefundState, TradeState
from lingqian.compliance.factor import HAS, IS, KNOWS, SIGNED
from lingqian.compliance.limit import DEFAULT, Limit, Span
from lingqian.flows.case import CaseState
from lingqian.flows.claim import ClaimDone, WrongPassphrase
from lingqian.flows.command import DeliverRelay
from lingqian.flows.transfer import TransferState
from lingqian.gift.gift import GiftState
from lingqian.identity.user import UserState
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.bound import ATTEMPTS_MAX, REFUND_GAP_S
from lingqian.kernel.clock import SECOND_US, SHANGHAI
from lingqian.kernel.code import Code
from lingqian.kernel.id import mint
from lingqian.ledger.chart import balance_account
from lingqian.ledger.hold import HoldState
from lingqian.redpacket.packet import Claim, PacketKind, PacketState
from lingqian.risk.rule import Action, Rule, Verdict
from lingqian.topup.advance import AdvanceState
from lingqian.topup.attempt import AttemptState, Mark, PrepayResult
from lingqian.topup.coin import Basis
from lingqian.topup.evidence import Source
from lingqian.topup.notice import NoticeState
from lingqian.topup.order import CreditState, OrderKind, PayState, ReturnState
from lingqian.topup.payout import PayoutStage
from lingqian.topup.refund import Origin, RefundStage, Way
from world import World

_UNITS_US = {"us": 1, "ms": 1_000, "s": SECOND_US, "m": 60 * SECOND_US, "h": 3_600 * SECOND_US}
_CLASSES = {"none": 0, "i": 1, "ii": 2, "iii": 3}


class Line(NamedTuple):
    """One row of a table."""

    number: int
    command: str
    answer: str
    facts: str


class Scenario(NamedTuple):
    """A title, the policy it plays under, and its rows."""

    file: str
    title: str
    settings: tuple[str, ...]
    lines: tuple[Line, ...]


def read(path: Path) -> list[Scenario]:
    """Read every scenario of a file; a line that is none of the known forms is refused."""
    scenarios: list[Scenario] = []
    title, settings, lines = "", [], []
    for number, raw in enumerate([*path.read_text("utf-8").splitlines(), "## end"], start=1):
        text = raw.strip()
        if text.startswith("## "):
            if lines:
                scenarios.append(Scenario(path.stem, title, tuple(settings), tuple(lines)))
            title, settings, lines = text[3:], [], []
        elif text.startswith("|"):
            cells = [cell.strip() for cell in text[1:].split("|")]
            assert len(cells) in {1, 2, 3}, f"{path.name}:{number}: a row has three columns"
            lines.append(Line(number, *cells, *[""] * (3 - len(cells))))
        elif text.startswith(("rule ", "limit ")):
            settings.append(text)
        else:
            assert not text or text[0] in ">#", f"{path.name}:{number}: not a row: {text}"
    return scenarios


def yuan(text: str) -> int:
    """Read an amount in yuan with two places as fen."""
    assert re.fullmatch(r"-?\d+\.\d\d", text), f"not an amount: {text}"
    return int(text.replace(".", ""))


def instant(world: World, text: str) -> int:
    """Read a time of day in Shanghai, or a length of time from now."""
    if "T" not in text:
        return world.clock.us + span_us(text)
    moment = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return int(moment.replace(microsecond=0).timestamp()) * SECOND_US + moment.microsecond


def span_us(text: str) -> int:
    """Read a length of time such as 60s, -1us or 24h."""
    found = re.fullmatch(r"([+-]?\d+)(us|ms|s|m|h)", text)
    assert found, f"not a length of time: {text}"
    return int(found[1]) * _UNITS_US[found[2]]


def options(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Part plain words from name=value."""
    plain = [word for word in words if "=" not in word]
    return plain, dict(word.split("=", 1) for word in words if "=" in word)


# --- verbs: what a row's first column may say -----------------------------------------------------


def person(world: World, name: str) -> str:
    """Return a name that surely has an id, registered or not."""
    world.mint(0, name)
    return name


def verb_user(world, words):
    """user NAME [CLASS] [key=]."""
    plain, more = options(words)
    account_class = _CLASSES[plain[1]] if len(plain) > 1 else AccountClass.CLASS_III
    return world.register(plain[0], account_class, **more)


def verb_change(world, words):
    """change NAME [class=CLASS] [state=active|frozen] [key=]."""
    (name,), more = options(words)
    account_class = _CLASSES[more["class"]] if "class" in more else None
    state = UserState[more["state"].upper()] if "state" in more else None
    return world.change(person(world, name), account_class, state, more.get("key"))


def verb_gather(world, words):
    """gather CONVERSATION NAME … [key=]: these are its members now."""
    (conversation, *names), more = options(words)
    return world.gather(conversation, names, more.get("key"))


def verb_fund(world, words):
    """fund NAME YUAN [key=]."""
    (name, amount), more = options(words)
    return world.fund(person(world, name), yuan(amount), more.get("key"))


_FACTORS = {"knows": KNOWS, "has": HAS, "is": IS, "signed": SIGNED}


def factors(text):
    """Read kinds of proof joined by `+`."""
    return sum(_FACTORS[word] for word in text.split("+"))


def verb_transfer(world, words):
    """transfer NAME SOURCE TARGET YUAN [by=has+knows] [key=]."""
    (name, source, target, amount), more = options(words)
    person(world, source)
    person(world, target)
    by = factors(more["by"]) if "by" in more else 0
    return world.transfer(source, target, yuan(amount), name, more.get("key"), factors=by)


_SEND_WORDS = {
    "min": ("share_fen_min", yuan),
    "max": ("share_fen_max", yuan),
    "spread": ("spread", int),
    "round": ("beacon_round", int),
    "life": ("lifetime_us", span_us),
    "in": ("conversation", str),
    "word": ("passphrase", str),
    "cover": ("cover", str),
    "key": ("key", str),
    "by": ("factors", factors),
}


def verb_send(world, words):
    """send NAME SENDER KIND YUAN/COUNT [entropy|channel] [draw=] [to=a,b] and _SEND_WORDS."""
    (name, sender, kind, size, *flags), more = options(words)
    amount, count = size.split("/")
    named = {}
    for word, text in more.items():
        if word in _SEND_WORDS:
            field, read_word = _SEND_WORDS[word]
            named[field] = read_word(text)
    if "to" in more:
        named["recipients"] = [person(world, each) for each in more["to"].split(",")]
    if "draw" in more:
        named["draw_at_us"] = instant(world, more["draw"])
    assert set(more) <= {*_SEND_WORDS, "to", "draw"}, f"unknown words in {sorted(more)}"
    assert set(flags) <= {"entropy", "channel"}, f"unknown flags {flags}"
    return world.send(
        name,
        person(world, sender),
        PacketKind[kind.upper()],
        yuan(amount),
        int(count),
        awaits_entropy="entropy" in flags,
        is_by_channel="channel" in flags,
        **named,
    )


def verb_entropy(world, words):
    """entropy PACKET TEXT."""
    packet, text = words
    return world.entropy(person(world, packet), text)


def verb_beacon(world, words):
    """beacon PACKET TEXT."""
    packet, text = words
    return world.beacon(person(world, packet), text)


def verb_claim(world, words):
    """claim PACKET NAME [PASSPHRASE]."""
    packet, name, *word = words
    person(world, packet)
    return world.claim(packet, person(world, name), *word)


def verb_draw(world, words):
    """draw PACKET."""
    return world.draw(person(world, *words))


def verb_close(world, words):
    """close PACKET: by the clock."""
    return world.close_packet(person(world, *words))


def verb_invalidate(world, words):
    """invalidate PACKET: by a person."""
    return world.close_packet(person(world, *words), by="amy")


def _settle(event):
    def verb(world, words):
        (name, *user), more = options(words)
        case_id = bytes(16) if name == "nothing" else world.case_of(name, *user)
        return world.settle(case_id, event, more.get("by", "clock" if event == "due" else "amy"))

    verb.__doc__ = f"{event} THING [NAME] [by=WHO]: ends the case about it."
    return verb


_ORDER_WORDS = {
    "coins": ("coins", int),
    "bonus": ("bonus_coins", int),
    "ends": ("bonus_life_us", span_us),
    "life": ("life_us", span_us),
    "packet": ("packet", str),
    "with": ("factors", factors),
    "by": ("requested_by", str),
    "key": ("key", str),
}


def verb_order(world, words):
    """order NAME USER KIND YUAN [wallet] and the words of _ORDER_WORDS."""
    (name, user, kind, amount, *flags), more = options(words)
    named = {_ORDER_WORDS[word][0]: _ORDER_WORDS[word][1](text) for word, text in more.items()}
    if "packet" in named:
        person(world, named["packet"])
    return world.order(
        name,
        person(world, user),
        OrderKind[kind.upper()],
        yuan(amount),
        is_from_balance=flags == ["wallet"],
        **named,
    )


def verb_try(world, words):
    """try ATTEMPT ORDER [account=]."""
    (name, order), more = options(words)
    return world.attempt(name, person(world, order), **more)


def verb_prepaid(world, words):
    """prepaid ATTEMPT payable|unknown|failed."""
    name, result = words
    return world.prepaid(person(world, name), PrepayResult[result.upper()])


def verb_notice(world, words):
    """notice NAME ATTEMPT [account=]."""
    (name, attempt), more = options(words)
    return world.notice(name, attempt, **more)


_SEE_WORDS = {
    "settle": ("settle_fen", yuan),
    "fee": ("fee_fen", yuan),
    "service": ("service_fee_fen", yuan),
    "rebate": ("rebate_fen", yuan),
    "tx": ("transaction", str),
    "from": ("source", lambda text: Source[text.upper()]),
    "notice": ("notice", str),
    "account": ("account", str),
}


def verb_see(world, words):
    """see ATTEMPT STATE [YUAN] [at=TIME] and the words of _SEE_WORDS: evidence arrives."""
    (attempt, state, *amount), more = options(words)
    named = {_SEE_WORDS[word][0]: _SEE_WORDS[word][1](more[word]) for word in {*more} - {"at"}}
    if "at" in more:
        named["success_at_us"] = instant(world, more["at"])
    named["amount_fen"] = yuan(amount[0]) if amount else 0
    return world.observe(attempt, TradeState[state.upper()], **named)


def verb_shut(world, words):
    """shut ATTEMPT: begin to close it."""
    return world.shut(person(world, *words))


def verb_expire(world, words):
    """expire ORDER: by the clock."""
    return world.expire(person(world, *words))


def verb_cancel(world, words):
    """cancel ORDER: by a person."""
    return world.expire(person(world, *words), by="shop")


def verb_line(world, words):
    """line NAME YUAN [key=]: fund the line of a person's lane, or take money out of it."""
    (name, amount), more = options(words)
    return world.fund_line(person(world, name), yuan(amount), more.get("key"))


def verb_mode(world, words):
    """mode NAME EVENT [account=]: one step of an account's mode, in a person's lane."""
    (name, event), more = options(words)
    return world.set_mode(person(world, name), event, **more)


_ADVANCE_WORDS = {
    "count": ("count", int),
    "days": ("days", int),
    "credited": ("credited_fen", yuan),
    "account": ("account", str),
    "minor": ("is_minor", bool),
    "device": ("device", str),
    "address": ("address", str),
}


def verb_advance(world, words):
    """advance ORDER and the words of _ADVANCE_WORDS, what the person has topped up before."""
    (order,), more = options(words)
    named = {_ADVANCE_WORDS[word][0]: _ADVANCE_WORDS[word][1](text) for word, text in more.items()}
    return world.advance(person(world, order), **named)


def verb_clawback(world, words):
    """clawback ORDER: take an advance's coins back."""
    return world.settle_advance(person(world, *words), "claw_back", "clock")


def verb_request(world, words):
    """request ORDER: ask the person once for the payment of an advanced order."""
    return world.settle_advance(person(world, *words), "request", "degrade")


def verb_writeoff(world, words):
    """writeoff ORDER: give up what is owed of it."""
    return world.settle_advance(person(world, *words), "write_off")


def verb_allocate(world, words):
    """allocate TRANSACTION credit NAME | allocate TRANSACTION refund."""
    transaction, action, *user = words
    return world.allocate(person(world, transaction), action, *user)


def verb_return(world, words):
    """return REFUND ORDER YUAN [origin=] [basis=] [key=]: a refund is asked for."""
    (name, order, amount), more = options(words)
    if "origin" in more:
        more["origin"] = Origin[more["origin"].upper()]
    if "basis" in more:
        more["basis"] = Basis[more["basis"].upper()]
    return world.ask_refund(name, person(world, order), yuan(amount), **more)


def verb_returned(world, words):
    """returned REFUND STATE [YUAN] [ppm=] [from=]: a reading of a refund arrives."""
    (name, state, *amount), more = options(words)
    return world.note_refund(
        person(world, name),
        RefundState[state.upper()],
        yuan(amount[0]) if amount else None,
        int(more.get("ppm", 6_000)),
        Source[more.get("from", "query").upper()],
    )


def verb_redirect(world, words):
    """redirect REFUND card|merchant [key=]: a stuck refund is sent another way."""
    (name, way), more = options(words)
    return world.redirect(person(world, name), Way[way.upper()], **more)


_GIFT_WORDS = {
    "x": ("count", int),
    "ppm": ("ppm", int),
    "after": ("after_us", span_us),
    "scene": ("scene", str),
    "by": ("factors", factors),
    "key": ("key", str),
}


def verb_give(world, words):
    """give GIFT NAME STREAMER COINS and the words of _GIFT_WORDS."""
    (name, user, streamer, coins), more = options(words)
    named = {_GIFT_WORDS[word][0]: _GIFT_WORDS[word][1](text) for word, text in more.items()}
    people = person(world, user), person(world, streamer)
    return world.gift(name, *people, int(coins), **named)


def verb_steps(world, words):
    """steps NAME TRACE STEP…: what a page tells; a step may be `step@-1h` and `step/ORDER`."""
    name, trace, *steps = words
    return world.tell(person(world, name), trace, [_step(world, each) for each in steps])


def _step(world, text):
    text, _, order = text.partition("/")
    step, _, ago = text.partition("@")
    at_us = world.clock.us + (span_us(ago) if ago else 0)
    return step, at_us, world.ids[order] if order else b""


def verb_earn(world, words):
    """earn GIFT: its income is settled."""
    return world.settle_gift(person(world, *words))


def verb_wither(world, words):
    """wither ORDER: its bonus ends."""
    return world.expire_coins(person(world, *words))


def verb_payout(world, words):
    """payout PAYOUT NAME YUAN [account=] [delay=] [key=]."""
    (name, user, amount), more = options(words)
    delay_us = span_us(more.pop("delay", "0s"))
    account = more.pop("account", "wx")
    if account == "bank":
        account = ""
    return world.ask_payout(
        name, person(world, user), yuan(amount), account=account, delay_us=delay_us, **more
    )


def verb_begin(world, words):
    """begin PAYOUT: it is about to be sent."""
    return world.begin_payout(person(world, *words))


def verb_recall(world, words):
    """recall PAYOUT: a person takes it back."""
    return world.cancel_payout(person(world, *words))


def verb_paid(world, words):
    """paid PAYOUT STATE [YUAN]: a reading of a payout arrives."""
    name, state, *amount = words
    return world.note_payout(
        person(world, name), PayoutState[state.upper()], yuan(amount[0]) if amount else None
    )


def verb_deliver(world, words):
    """deliver NAME YUAN from=LANE first=NUMBER: a delivery of the relay, by hand."""
    (name, amount), more = options(words)
    item = (balance_account(world.ids[name]), yuan(amount))
    return DeliverRelay(world.lane_of(name), int(more["from"]), int(more["first"]), (item,))


VERBS = {
    "user": verb_user,
    "steps": verb_steps,
    "change": verb_change,
    "gather": verb_gather,
    "fund": verb_fund,
    "transfer": verb_transfer,
    "send": verb_send,
    "entropy": verb_entropy,
    "beacon": verb_beacon,
    "claim": verb_claim,
    "draw": verb_draw,
    "close": verb_close,
    "invalidate": verb_invalidate,
    "release": _settle("release"),
    "refuse": _settle("refuse"),
    "due": _settle("due"),
    "deliver": verb_deliver,
    "order": verb_order,
    "try": verb_try,
    "prepaid": verb_prepaid,
    "notice": verb_notice,
    "see": verb_see,
    "shut": verb_shut,
    "expire": verb_expire,
    "cancel": verb_cancel,
    "allocate": verb_allocate,
    **clearing_words.VERBS,
    "return": verb_return,
    "returned": verb_returned,
    "redirect": verb_redirect,
    "give": verb_give,
    "earn": verb_earn,
    "wither": verb_wither,
    "payout": verb_payout,
    "begin": verb_begin,
    "recall": verb_recall,
    "paid": verb_paid,
    "line": verb_line,
    "mode": verb_mode,
    "advance": verb_advance,
    "clawback": verb_clawback,
    "request": verb_request,
    "writeoff": verb_writeoff,
}


# --- moves: rows that are no command of their own -------------------------------------------------


def move_wait(world, words):
    """wait TIME: the clock goes on."""
    world.wait(span_us(*words))


def move_at(world, words):
    """at DATE TIME in Shanghai, or at THING, one of the words of _moment [±TIME]."""
    first, second, *shift = words
    if first[0].isdigit():
        world.clock.us = instant(world, f"{first}T{second}")
        return
    world.clock.us = _moment(world, first, second) + (span_us(*shift) if shift else 0)


def _moment(world, name, what):
    if what == "due":
        return world.connection.execute(
            "SELECT due_at_us FROM cases WHERE case_id = ?", (world.case_of(name),)
        ).fetchone()[0]
    table, column = {
        "expires": ("progress", "expires_at_us"),
        "awaits": ("progress", "await_until_us"),
        "draws": ("packets", "draw_at_us"),
        "ends": ("orders", "expires_at_us"),
        "withers": ("grants", "bonus_expires_at_us"),
        "earns": ("gifts", "settles_at_us"),
        "goes": ("payouts", "release_at_us"),
    }[what]
    return world.row(table, world.ids[name], column)[0]


def move_people(world, words):
    """people NAME …: registers them all, class III."""
    for name in words:
        assert world.do(world.register(name)).code == Code.OK, name


def move_crowd(world, words):
    """crowd PACKET NUMBER: that many strangers claim it in one batch, and all get in."""
    packet, number = words
    commands = []
    for place in range(int(number)):
        name = f"stranger {place}"
        world.ids[name] = mint(place % world.lane_count, world.clock.us // 1000, place)
        commands.append(world.claim(packet, name))
    assert {answer.code for answer in world.batch(*commands)} == {Code.OK}


def move_exhaust(world, words):
    """exhaust ORDER: as many attempts as there may be, each refused by the channel."""
    (order,) = words
    for number in range(ATTEMPTS_MAX):
        name = f"{order} try {number}"
        assert world.do(world.attempt(name, order)).code == Code.OK
        assert world.do(world.prepaid(name, PrepayResult.FAILED)).code == Code.OK


def move_topped(world, words):
    """topped ORDER USER YUAN [coins=] [bonus=] [ends=] [settle=]: ordered and paid, with a fee."""
    plain, more = options(words)
    settle = yuan(more.pop("settle")) if "settle" in more else 0
    kind = "coins" if "coins" in more else "balance"
    name, user, amount = plain
    asked = [name, user, kind, amount, *[f"{word}={text}" for word, text in more.items()]]
    fee_fen = ((settle or yuan(amount)) * 6_000 + 500_000) // 1_000_000
    for command in (
        lambda: verb_order(world, asked),
        lambda: world.attempt(f"{name}/a", name),
        lambda: world.observe(
            f"{name}/a", TradeState.PAID, yuan(amount), settle_fen=settle, fee_fen=fee_fen
        ),
    ):
        assert world.do(command()).code == Code.OK, words


def move_find(world, words):
    """find NAME ORDER ORIGIN: the newest refund of an order for a reason has this name now."""
    name, order, origin = words
    world.ids[name] = world.refund_of(order, Origin[origin.upper()])


def move_trace(world, words):
    """trace NAME TRANSACTION: the newest refund of a payment of nobody's order has this name."""
    name, transaction = words
    world.ids[name] = world.connection.execute(
        "SELECT refund_id FROM refunds WHERE transaction_key = ? "
        "ORDER BY created_at_us DESC, parent <> x'' DESC",
        (world.ids[transaction],),
    ).fetchone()[0]


def move_shred(world, words):
    """shred ORDER NUMBER: that many refunds of one fen, far enough apart, all of them accepted."""
    order, number = words
    for place in range(int(number)):
        world.wait(REFUND_GAP_S * SECOND_US)
        answer = world.do(world.ask_refund(f"{order}/r{place}", order, 1))
        assert answer.code == Code.OK, place


def move_give_up(world, words):
    """give_up ORDER ORIGIN NUMBER: the channel closes the refund and those that follow it."""
    order, origin, number = words
    for place in range(int(number)):
        name = f"{order}/closed{place}"
        world.ids[name] = world.refund_of(order, Origin[origin.upper()])
        assert world.do(world.note_refund(name, RefundState.CLOSED)).code == Code.OK, place


def move_restart(world, words):
    """restart: another writer takes the lanes and knows only what is stored."""
    assert not words
    world.writer = world.open_writer()


MOVES = {
    "wait": move_wait,
    "at": move_at,
    "people": move_people,
    "crowd": move_crowd,
    "exhaust": move_exhaust,
    "topped": move_topped,
    "find": move_find,
    "trace": move_trace,
    "shred": move_shred,
    "give_up": move_give_up,
    "restart": move_restart,
}


# --- facts: what a row's third column may say -----------------------------------------------------


def _packet_fact(column):
    return lambda world, name: world.row("progress", world.ids[name], column)[0]


def _state_of_packet(world, name):
    return PacketState(world.row("progress", world.ids[name], "state")[0]).name.lower()


def _state_of_transfer(world, name):
    return TransferState(world.row("transfers", world.ids[name], "state")[0]).name.lower()


def _state_of_hold(world, name):
    return HoldState(world.row("holds", world.ids[name], "state")[0]).name.lower()


def _state_of_case(world, name):
    packet, _, user = name.partition("/")
    row = world.connection.execute(
        "SELECT state FROM cases WHERE case_id = ?", (world.case_of(packet, user or None),)
    ).fetchone()
    return CaseState(row[0]).name.lower()


def _used(column):
    return lambda world, name: (world.row("usages", world.ids[name], column) or (0,))[0]


def _state(table, column, states):
    return lambda world, name: states(world.row(table, world.ids[name], column)[0]).name.lower()


def _fen(table, column):
    return lambda world, name: (world.row(table, world.ids[name], column) or (0,))[0]


def _line(column):
    return lambda world, name: (world.row("lines", world.ids[name][:2], column) or (0,))[0]


def _coins(world, name):
    paid, got, _, _ = world.counters(world.ids[name] + b"\x32\2")
    return got - paid


def _frozen(world, name):
    return world.counters(world.ids[name] + b"\x32\2")[2]


def _worth(world, name):
    return sum(
        cash - released
        for cash, released in world.connection.execute(
            "SELECT cash_fen, released_fen FROM grants WHERE user_id = ?", (world.ids[name],)
        )
    )


def _income(world, name):
    """Sum what waits for a streamer in every lane."""
    owners = [lane.to_bytes(2, "big") + world.ids[name][2:] for lane in range(world.lane_count)]
    counters = [world.counters(owner + b"\7\1") for owner in owners]
    return sum(got - paid for paid, got, _, _ in counters)


def _cost(world, name):
    """Return what refunds at full price have cost the house in a person's lane."""
    paid, got, _, _ = world.counters(world.ids[name][:2] + bytes(14) + b"\x2a\1")
    return paid - got


def _taking(world, name):
    return sum(world.row("refunds", world.ids[name], "coins_paid", "coins_bonus"))


def _tries(world, name):
    table = "refunds" if world.row("refunds", world.ids[name], "tries") else "payouts"
    return world.row(table, world.ids[name], "tries")[0]


def _steps(world, name):
    statement = "SELECT count(*) FROM behaviour_events WHERE user_id = ?"
    return world.connection.execute(statement, (world.ids[name],)).fetchone()[0]


def _oldest(world, name):
    """Say how many hours before it was received a person's oldest step is dated."""
    statement = "SELECT received_us, at_us FROM behaviour_events WHERE user_id = ? ORDER BY at_us"
    received_us, at_us = world.connection.execute(statement, (world.ids[name],)).fetchone()
    return round((received_us - at_us) / (3_600 * SECOND_US))


# name → (how it is read from the text, what is true)
FACTS = {
    "steps": (int, _steps),
    "oldest": (int, _oldest),
    "balance": (yuan, World.balance),
    "available": (yuan, World.available),
    "packet": (str, _state_of_packet),
    "claimed": (yuan, _packet_fact("claimed_fen")),
    "returned": (yuan, _packet_fact("returned_fen")),
    "taken": (int, _packet_fact("claimed_count")),
    "tickets": (int, _packet_fact("ticket_count")),
    "transfer": (str, _state_of_transfer),
    "hold": (str, _state_of_hold),
    "case": (str, _state_of_case),
    "today": (yuan, _used("day_fen")),
    "given": (yuan, _used("day_gift_fen")),
    "year": (yuan, _used("year_fen")),
    "life": (yuan, _used("life_fen")),
    "payments": (int, _used("day_count")),
    "pay": (str, _state("orders", "pay_state", PayState)),
    "credit": (str, _state("orders", "credit_state", CreditState)),
    "return": (str, _state("orders", "refund_state", ReturnState)),
    "leaving": (yuan, _fen("orders", "refunding_fen")),
    "received": (yuan, _fen("orders", "received_fen")),
    "attempt": (str, _state("attempts", "state", AttemptState)),
    "mark": (str, _state("attempts", "mark", Mark)),
    "late": (int, _fen("attempts", "is_late")),
    "fee": (yuan, _fen("attempts", "fee_fen")),
    "asked": (int, _fen("attempts", "tries")),
    "notice": (str, _state("notices", "state", NoticeState)),
    "copies": (int, _fen("notices", "copies")),
    "parked": (yuan, _fen("transactions", "parked_fen")),
    "inflow": (yuan, _fen("inflows", "day_fen")),
    "coins": (int, _coins),
    **clearing_words.FACTS,
    "frozen": (int, _frozen),
    "worth": (yuan, _worth),
    "income": (yuan, _income),
    "gift": (str, _state("gifts", "state", GiftState)),
    "part": (yuan, _fen("gifts", "streamer_fen")),
    "kept": (yuan, _fen("gifts", "platform_fen")),
    "refund": (str, _state("refunds", "stage", RefundStage)),
    "back": (yuan, _fen("refunds", "fee_back_fen")),
    "taking": (int, _taking),
    "subsidy": (yuan, _fen("refunds", "subsidy_fen")),
    "cost": (yuan, _cost),
    "gone": (yuan, _fen("orders", "refunded_fen")),
    "payout": (str, _state("payouts", "stage", PayoutStage)),
    "tries": (int, _tries),
    "advance": (str, _state("advances", "state", AdvanceState)),
    "owes": (yuan, _fen("borrowers", "owed_fen")),
    "unspent": (yuan, _fen("advances", "unspent_fen")),
    "limit": (yuan, _line("limit_fen")),
    "out": (yuan, _line("open_fen")),
    "lost": (yuan, _line("lost_fen")),
}


def check_facts(world: World, text: str) -> None:
    """Check a row's third column: `a 1.00, b 2.00, p packet open`; a bare amount is a balance."""
    for fact in filter(None, (part.strip() for part in text.split(","))):
        name, *what, expected = fact.split()
        kind = what[0] if what else "balance"
        read_word, look = FACTS[kind]
        actual = look(world, name)
        assert actual == read_word(expected), f"{fact}: it is {actual}"


# --- playing --------------------------------------------------------------------------------------


def describe(answer) -> str:
    """Write an answer as the second column does."""
    words = [Code(answer.code).name.lower()]
    if answer.field:
        words.append(answer.field)
    outcome = answer.first if isinstance(answer.first, Claim) else answer.outcome
    if isinstance(outcome, ClaimDone | Claim):
        fen = outcome.amount_fen
        is_share = bool(outcome.share)
        words.append(f"{fen // 100}.{fen % 100:02d}" if is_share else f"ticket {outcome.ticket}")
        words += [f"share {outcome.share}"] if is_share else []
    if isinstance(outcome, WrongPassphrase):
        words.append(f"try {outcome.tries}")
    if answer.first is not None:
        words.append("again")
    return " ".join(words)


def agrees(expected: str, actual: str) -> bool:
    """Say whether an answer is the expected one; `*` stands for any one word (a lucky amount)."""
    want, have = expected.split(), actual.split()
    if want == have[:1] and "again" not in have and want != ["key_reused"]:
        return True  # a code alone says nothing about amounts
    return len(want) == len(have) and all(w in {"*", h} for w, h in zip(want, have, strict=True))


def make_world(scenario: Scenario, lanes: int, **more) -> World:
    """Build the world of a scenario: its lanes, rules and limits."""
    rules, limits = [], []
    for text in scenario.settings:
        kind, *words = text.split()
        plain, named = options(words)
        if kind == "rule":
            name, action, amount, verdict = plain
            delay_s = span_us(named.get("delay", "0s")) // SECOND_US
            rules.append(
                Rule(name, Action[action.upper()], yuan(amount), Verdict[verdict.upper()], delay_s)
            )
        else:
            account_class, span, cap = plain
            cap = yuan(cap) if "." in cap else int(cap)
            limits.append(
                Limit(AccountClass(_CLASSES[account_class]), Span[span.upper()], cap, "test")
            )
    return World(lanes, rules=rules, limits=(*DEFAULT, *limits), **more)


def play(scenario: Scenario, lanes: int, *, laws=all_laws) -> World:
    """Play a scenario to its end, checking every answer, every fact and every law on the way."""
    world = make_world(scenario, lanes)
    for line in scenario.lines:
        verb, *words = line.command.split() or [""]
        if verb == "x4":
            if lanes == 1:
                continue
            verb, *words = words
        where = f"{scenario.file}:{line.number} ({lanes} lanes): {line.command}"
        if verb in MOVES:
            assert not line.answer, f"{where}: no answer is expected of this"
            MOVES[verb](world, words)
            world.pump()
        elif verb:
            answer = world.do(VERBS[verb](world, words))
            said = describe(answer)
            assert agrees(line.answer, said), f"{where}: expected {line.answer!r}, got {said!r}"
        try:
            check_facts(world, line.facts)
            laws(world.connection)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
    return world
