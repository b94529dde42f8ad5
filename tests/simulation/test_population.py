"""The declared population: chances as declared, both halves under the same chance, and a life."""

import json
from random import Random
from statistics import mean, median

import pytest
from typer.testing import CliRunner

from lingqian.analytics.funnel import PPM
from lingqian.cli.main import app
from lingqian.simulation.population import (
    DAYS_A_MONTH,
    KINDS,
    PARTS,
    TARGET_ABANDONMENT_PPM,
    does,
    patience_ms,
    people,
    visits,
    wait_ms,
)

EVERYTHING = ("connection", "quote", "sheet")


def test_kinds_come_by_their_share_and_halves_are_equal():
    """No kind is all in one half."""
    crowd = people(6_000, Random(1))
    for kind in KINDS:
        found = [each for each in crowd if each.kind is kind]
        assert abs(len(found) * PPM // len(crowd) - kind.share_ppm) < 25_000
        assert abs(sum(each.is_preloading for each in found) * 2 - len(found)) <= 1
    assert sum(kind.share_ppm for kind in KINDS) == PPM
    assert {kind.segment for kind in KINDS} == set(TARGET_ABANDONMENT_PPM)


def test_people_come_as_often_as_declared():
    """A Poisson number has its mean and its variance."""
    for kind in KINDS:
        (person,) = [each for each in people(99, Random(2)) if each.kind is kind][:1]
        chance = Random(3)
        drawn = [visits(person, chance) for _ in range(30_000)]
        expected = kind.visits_a_month / DAYS_A_MONTH
        assert mean(drawn) == pytest.approx(expected, rel=0.05)
        assert mean((each - expected) ** 2 for each in drawn) == pytest.approx(expected, rel=0.1)


def test_waiting_has_the_declared_medians():
    """Of every part, and of what people have of patience."""
    for part in PARTS:
        others = {each.name for each in PARTS} - {part.name}
        drawn = [wait_ms(others, Random(seed)) for seed in range(4_000)]
        assert median(drawn) == pytest.approx(part.median_ms, rel=0.05)
    for kind in KINDS:
        drawn = [patience_ms(kind, Random(seed)) for seed in range(8_000)]
        assert median(drawn) == pytest.approx(kind.patience_ms, rel=0.06)


def test_preparing_never_makes_anybody_wait_longer():
    """The same chance for both halves: what is prepared is only taken away."""
    for seed in range(500):
        whole = wait_ms((), Random(seed))
        assert wait_ms(EVERYTHING, Random(seed)) < wait_ms(("quote",), Random(seed)) < whole
    assert not does(0, Random(1))
    assert does(PPM, Random(1))


def abandonment(kind, prepared, visits_drawn=20_000):
    """Return what follows from the declared assumptions, without a wallet."""
    chance, given_up = Random(7), 0
    for _ in range(visits_drawn):
        is_slow = wait_ms(prepared, chance) > patience_ms(kind, chance)
        given_up += is_slow or not does(kind.confirms_ppm, chance)
    return given_up / visits_drawn


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.segment.name.lower())
def test_without_preloading_people_give_up_as_the_texts_say(kind):
    """The assumptions are set so; with everything prepared fewer do."""
    expected = TARGET_ABANDONMENT_PPM[kind.segment] / PPM
    assert abandonment(kind, ()) == pytest.approx(expected, abs=0.015)
    assert abandonment(kind, EVERYTHING) < expected - 0.02


def test_a_population_lives_through_the_api(tmp_path):
    """Every visit is told, every payment credited; the funnel agrees with who counted."""
    data = tmp_path / "data"
    run = CliRunner().invoke
    words = ["population", "--people", "30", "--days", "2", "--data", str(data), "--json"]
    done = run(app, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["is_simulated"]
    funnel = json.loads(run(app, ["funnel", "--data", str(data), "--json"]).stdout)
    rows = [row for row in funnel["rows"] if row["day"] is None]
    assert sum(row["visits"] for row in told["rows"]) > 5
    for counted, read in (("visits", "plan_view"), ("asked", "invoke")):
        ours = sum(row[counted] for row in told["rows"])
        assert ours == sum(row["reached"][read] for row in rows)
    ours = sum(row["abandoned"] for row in told["rows"])
    assert ours == sum(row["abandoned"] for row in rows)
    assert run(app, ["audit", "--data", str(data)]).exit_code == 0
    assert run(app, words).exit_code == 2  # a folder in use is not lived in
