"""`kill -9` between any two steps of the loop of money, by name: the books at the end are the same.

Pay, notice, credit, coins, gift, refund, withdrawal, packet, settled income, the day's bills, its
close. After each kill the file is audited as it lies; at the end all books, those of the platform
included, are those of a life that nobody disturbed.
"""

from collections import Counter

import pytest

from crash.life import Life, Wallet
from crash.size import BOUND_S, FULL
from crash.step import BESIDE, steps_of

LANES = (1, 4) if FULL else (4,)
# One life for each step at full size; else for every so many.
ALONE = steps_of(4)[:: 1 if FULL else 16]
MARCHES = [(1, 0), (4, 0), (4, 1)] if FULL else [(4, 0)]
# A march is killed at this share of all steps at least: after a kill some never come again.
REACHED = 0.7


def lived(folder, **more):
    """Live through everything; return the books and what the process was seen doing."""
    folder.mkdir()
    with Wallet(folder, **more) as wallet:
        books = Life(wallet).live()
        assert not wallet.wrong, wallet.wrong
        return books, wallet.score


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The books and the steps of a life that nobody disturbed, for each number of lanes."""
    folder = tmp_path_factory.mktemp("calm")
    return {lanes: lived(folder / str(lanes), lanes=lanes) for lanes in LANES}


def test_the_steps_are_all_there_are(calm):
    """A step that is added to the code and not to the table would never be killed at."""
    for lanes, (_, score) in calm.items():
        went_by = Counter(told for told in score["seen"] if told not in BESIDE)
        assert went_by == Counter(step.told for step in steps_of(lanes))


@pytest.mark.timeout(BOUND_S)
@pytest.mark.parametrize("step", ALONE, ids=lambda step: step.words)
def test_a_kill_at_one_step_changes_nothing_about_the_end(tmp_path, calm, step):
    """Behind this step and before the next."""
    books, score = lived(tmp_path / "life", armed=[step.place])
    assert score["struck"] == [step.place]
    assert books == calm[4][0]


@pytest.mark.timeout(BOUND_S)
@pytest.mark.parametrize(("lanes", "march"), MARCHES)
def test_kills_at_every_step_change_nothing_about_the_end(tmp_path, calm, lanes, march):
    """One life, killed at each step it comes to; what is tried again is killed at its turn."""
    places = [step.place for step in steps_of(lanes)]
    if not FULL:
        places = places[march::4]
    books, score = lived(tmp_path / "life", armed=places, lanes=lanes)
    assert len(score["struck"]) >= REACHED * len(places), score["armed"]
    assert books == calm[lanes][0]


@pytest.mark.timeout(BOUND_S)
@pytest.mark.parametrize(
    ("lies", "killed"),
    [
        ("wrote SendGift", "answered /v1/gifts #1"),
        ("wrote ClaimPacket", "answered /v1/packets/claims #1"),
    ],
)
def test_a_step_that_was_answered_and_never_written_is_found_out(tmp_path, calm, lies, killed):
    """The control: somebody was told of a gift, or a share, that the file never held."""
    with pytest.raises(AssertionError):  # noqa: PT012 - lives, then compares
        books, _ = lived(tmp_path / "life", armed=[killed], lies=lies)
        assert books == calm[4][0]
