"""A story has words for every kind of row that can be in one, and one sentence for each end."""

import inspect
import re
from pathlib import Path

import pytest

from lingqian.flows.kind import KINDS
from lingqian.kernel.id import (
    PREFIX_GIFT,
    PREFIX_ORDER,
    PREFIX_PACKET,
    PREFIX_PAYOUT,
    show,
)
from lingqian.storage.saying import GIFT_WORDS, PAYOUT_WORDS, WHY_PARKED
from lingqian.storage.story import WORDS, Blank, story
from play import play, read

SCENARIOS = Path(__file__).parents[2] / "scenario"
IDS = {"orders": PREFIX_ORDER, "payouts": PREFIX_PAYOUT, "gifts": PREFIX_GIFT}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def leaves_a_trail(kind):
    """Say whether a kind's fold may write a trail: its module, or what it calls, names one."""
    module = inspect.getmodule(kind.fold)
    return "trail(" in inspect.getsource(module)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.command.__name__)
def test_every_kind_that_leaves_a_trail_has_words(kind):
    """Support reads these; a row without a name is one more question."""
    assert kind.command.__name__ in WORDS or not leaves_a_trail(kind)


def test_words_can_be_said_without_facts():
    """A row may say less than its sentence has places for."""
    for words in WORDS.values():
        assert "{" not in words.zh.format_map(Blank()) + words.en.format_map(Blank())


def worlds(name):
    """Play every scenario of a file; yield its title and its world."""
    for scenario in read(SCENARIOS / f"{name}.txt"):
        world = play(scenario, 2, laws=str)
        yield scenario.title, world
        world.close()


def numbers(world):
    """Return every number that somebody could ask about."""
    execute = world.connection.execute
    found = [show(prefix, row[0]) for table, prefix in IDS.items()
             for row in execute(f"SELECT {prefix_key(table)} FROM {table}").fetchall()]  # fmt: skip
    found += [row[0] for row in execute("SELECT transaction_id FROM transactions").fetchall()]
    paid = "SELECT object_id FROM orders WHERE object_id <> x''"
    return found + [show(PREFIX_PACKET, row[0]) for row in execute(paid).fetchall()]


def prefix_key(table):
    """Return the key column of a table."""
    return {"orders": "order_id", "payouts": "payout_id", "gifts": "gift_id"}[table]


@pytest.mark.parametrize("name", ["topup", "gift", "payout", "refund", "advance", "factor"])
def test_every_number_of_every_scenario_has_its_story(name):
    """One sentence in each language that says why, and no word of a program among the Chinese."""
    for title, world in worlds(name):
        for number in numbers(world):
            told = story(world.connection, number)
            assert told is not None, (title, number)
            assert told.sentence is not None, (title, number)
            assert CHINESE.search(told.sentence.zh), title
            assert "{" not in told.sentence.zh + told.sentence.en, title
            times = [(entry.at_us, entry.lane, entry.seq) for entry in told.entries]
            assert times == sorted(times), title
            for entry in told.entries:
                assert CHINESE.search(entry.zh), (title, entry)
                assert not re.search(r"\b(paid|credited|payable|noted|success)\b", entry.zh), entry


SENTENCES = [
    ("topup", "Money for a number that is none of ours is booked", "placed", "transaction"),
    ("topup", "A wrong amount is kept apart until a person ends it", "placed", "order"),
    ("topup", "Notice and query agree on another amount", "wrong_amount", "order"),
    ("topup", "A second payment of one order always goes back", "overpaid_pending", "order"),
    ("topup", "Money later than its grace goes back", "rejected_pending", "order"),
    ("payout", "Asked, begun, confirmed, paid", "success", "payout"),
    ("gift", "A gift takes expiring bonus", "settled", "gift"),
    ("refund", "A balance order goes back whole", "reversed", "order"),
    ("advance", "An advance is given in an outage", "confirmed", "order"),
]


@pytest.mark.parametrize(("name", "title", "sentence", "kind"), SENTENCES)
def test_the_sentence_is_that_of_the_case(name, title, sentence, kind):
    """The commonest questions of support, each with its answer."""
    (found,) = [each for each in read(SCENARIOS / f"{name}.txt") if each.title.startswith(title)]
    world = play(found, 1, laws=str)
    try:
        told = [story(world.connection, each) for each in numbers(world) if of(kind, each)]
        assert sentence in [each.sentence.name for each in told]
    finally:
        world.close()


def of(kind, number):
    """Say whether a number is of a kind."""
    prefix = {"order": PREFIX_ORDER, "payout": PREFIX_PAYOUT, "gift": PREFIX_GIFT}.get(kind)
    own = number.partition("_")[0] in IDS.values() or number.startswith(PREFIX_PACKET)
    return number.startswith(f"{prefix}_") if prefix else not own


def test_what_nobody_knows_has_no_story():
    """A number that was mistyped, or is of another house."""
    _, world = next(iter(worlds("topup")))
    for number in ("", "nothing", "tu_0", show(PREFIX_PAYOUT, bytes(16)), show("gf", bytes(16))):
        assert story(world.connection, number) is None
    world.close()


def test_a_packet_paid_by_a_channel_is_asked_for_by_its_own_number():
    """Its sender knows the packet, not the order behind it."""
    (found,) = [
        each
        for each in read(SCENARIOS / "topup.txt")
        if each.title.startswith("A packet paid over")
    ]
    world = play(found, 1, laws=str)
    packets = [each for each in numbers(world) if each.startswith(f"{PREFIX_PACKET}_")]
    told = story(world.connection, packets[0])
    assert told.order_id
    assert told.sentence.name == "credited_refunding"
    world.close()


def test_sentences_have_places_for_what_they_are_given_and_no_others():
    """A place that nothing fills stops the page for whoever waits for an answer."""
    for words, facts in (
        (PAYOUT_WORDS, {"amount": "1.00"}),
        (GIFT_WORDS, {"value": "1.00", "streamer": "0.50", "due": "then"}),
        (WHY_PARKED, {}),
    ):
        for zh, en in words.values():
            assert zh.format(**facts)
            assert en.format(**facts)
