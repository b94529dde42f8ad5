"""`lingqian split`: one split a line, and nothing else on standard output."""

import pytest
from typer.testing import CliRunner

from lingqian.cli.explanation import Sample, promise
from lingqian.cli.main import app
from lingqian.redpacket.split import Terms

SEED = "5a" * 32


def run(*words):
    """Run the command."""
    return CliRunner().invoke(app, ["split", *words])


def amounts(answer):
    """Return the amounts of every line."""
    return [[int(word) for word in line.split(",")] for line in answer.stdout.splitlines()]


def test_split_prints_only_amounts():
    """A script reads it: one line, commas, integers, and an empty standard error."""
    answer = run("1000", "10")
    (line,) = amounts(answer)
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert (len(line), sum(line), min(line) >= 1) == (10, 1000, True)


def test_split_repeats_a_seed_and_only_a_seed():
    """The same seed gives the same lines; without one every run is new."""
    one, other = (run("1000", "10", "--repeat", "3", "--seed", SEED).stdout for _ in range(2))
    assert one == other
    assert len(set(one.splitlines())) == 3
    assert run("1000", "10").stdout != run("1000", "10").stdout


def test_split_gives_the_first_lines_of_a_longer_run():
    """Line k depends on the seed and k alone, across the blocks in which lines are written."""
    short = run("40", "5", "--repeat", "10", "--seed", SEED).stdout
    long = run("40", "5", "--repeat", "5000", "--seed", SEED).stdout
    assert long.startswith(short)
    assert long.count("\n") == 5000


def test_split_keeps_to_its_bounds():
    """--min, --max and --spread are the law's own."""
    for line in amounts(
        run("1000", "10", "--min", "50", "--max", "150", "--spread", "1", "--repeat", "50")
    ):
        assert sum(line) == 1000
        assert min(line) >= 50
        assert max(line) <= 150


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("9", "10"), "cannot be 10 shares"),
        (("1000", "10", "--max", "99"), "cannot be 10 shares"),
        (("1000", "10", "--min", "101"), "cannot be 10 shares"),
        (("1000", "0"), "COUNT is 1 to 5000"),
        (("100000", "5001"), "COUNT is 1 to 5000"),
        (("10", "1", "--min", "6", "--max", "5"), "above --max"),
        ((str(2**63), "1"), "TOTAL is 0 to"),
        (("1000", "10", "--seed", "12"), "--seed is 32 bytes"),
        (("1000", "10", "--seed", "x" * 64), "--seed is 32 bytes"),
        (("1000", "10", "--spread", "0"), "spread"),
        (("1000", "10", "--repeat", "0"), "repeat"),
        (("10.5", "10"), "Error"),
    ],
)
def test_split_refuses_with_a_reason(words, said):
    """S1: infeasible input exits with 2, says why, and prints no amount."""
    answer = run(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_split_explains_beside_the_amounts():
    """--explain leaves standard output as it is, and speaks on standard error."""
    plain = run("1000", "10", "--repeat", "500", "--seed", SEED)
    answer = run("1000", "10", "--repeat", "500", "--seed", SEED, "--explain")
    assert (answer.exit_code, answer.stdout) == (0, plain.stdout)
    assert "the law" in answer.stderr
    assert "spread asked 2, used 2; 500 splits" in answer.stderr


def test_split_explains_slots_by_their_name():
    """Where no spread meets the cap the table says so, and promises only the mean."""
    answer = run("28", "14", "--max", "3", "--explain")
    assert "used slots" in answer.stderr


def terms(total, count, spread, high=None):
    """Return the terms of a lucky packet."""
    return Terms(
        version=1,
        packet_id=bytes(16),
        lucky=True,
        count=count,
        total_fen=total,
        share_fen_min=1,
        share_fen_max=high or total,
        spread=spread,
    )


@pytest.mark.parametrize(
    ("count", "spread", "variance", "largest", "little"),
    [
        (10, 1, 0.818, 2.93, 0.087),
        (10, 2, 0.429, 2.31, 0.015),
        (10, 3, 0.290, 2.05, 0.003),
        (10, 4, 0.220, 1.89, 0.0006),
        (100, 1, 0.980, 5.19, None),
        (100, 2, 0.493, 3.64, None),
        (100, 3, 0.329, 3.03, None),
        (100, 4, 0.247, 2.70, None),
    ],
)
def test_explanation_promises_what_the_reference_computed(count, spread, variance, largest, little):
    """The red-packet reference, 5.6: variance, greatest share and little shares at large totals."""
    figures = promise(terms(10**8 * count, count, spread))
    mean = 10**8
    assert figures["variance"] / mean**2 == pytest.approx(variance, abs=6e-4)
    assert figures["largest"] / mean == pytest.approx(largest, abs=8e-3)
    if little is not None:
        assert figures["little"] == pytest.approx(little, abs=6e-4)


def test_explanation_counts_small_totals_exactly():
    """T = 9 over 3, spread 1: 28 splits; a share is 1 in 7 of them, and none is under a tenth."""
    figures = promise(terms(9, 3, 1))
    assert figures["variance"] == pytest.approx(2 * (1 - 1 / 3) * (6 + 3) / (1 + 3))
    assert figures["little"] == 0


def test_explanation_promises_only_the_mean_under_a_cap():
    """What has no closed form is not made up."""
    assert set(promise(terms(1000, 10, 2, 150))) == {"mean", "lowest place", "highest place"}


def test_sample_counts_what_passes():
    """The right-hand column is the sample's own arithmetic."""
    sample = Sample(terms(40, 2, 2))
    assert list(sample.watch([(10, 30), (39, 1)])) == [(10, 30), (39, 1)]
    figures = sample.rows()
    assert (figures["mean"], figures["largest"], figures["little"]) == (20, 34.5, 0.25)
    assert (figures["lowest place"], figures["highest place"]) == (15.5, 24.5)
    assert figures["variance"] == pytest.approx((100 + 100 + 19**2 + 19**2) / 4)
