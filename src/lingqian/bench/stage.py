"""Stages of a passage: from which moment to which, and what the texts say of it (阶段).

Law: stages of one way follow each other; the whole leaves out only what a person does in between.
A stage whose end never came, or before its beginning, is no sample: something else (a query where
the callback was lost) has brought the passage on, and the whole counts all the same.
Units: ms; `figure` is the texts' own and never a result of ours.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from lingqian.bench.report import Measure, percentile

Passage = Mapping[str, float]
# Where the texts name no figure.
NOTHING_SAID: Final = "–"


class Stage(NamedTuple):
    """One row of the table: its name, the moments it lies between, and the texts' figure."""

    name: str
    begins: str
    ends: str
    figure: str = ""


class Way(NamedTuple):
    """A way that money goes, in stages.

    `spans` are the moments between which somebody waits, and `whole` is what the texts say of all.
    """

    name: str
    stages: tuple[Stage, ...]
    spans: tuple[tuple[str, str], ...]
    whole: str


# Source of the figures: mission, T1 to T4, T17, T18 and R3; top-up reference §2.
TOP_UP: Final = Way(
    "top-up",
    (
        Stage("invoke", "tap:plan", "sheet_asked", "0.8 s mean (T1)"),
        Stage("sheet", "sheet_asked", "tap:finger", "1.2 s mean (T2)"),
        Stage("callback", "tap:finger", "notice", "0.5 s, 99 % (T3)"),
        Stage("credit", "notice", "credited", "0.3 s mean (T4)"),
        Stage("shown", "credited", "shown", "< 2 s (T18)"),
    ),
    (("tap:plan", "shown"),),
    "4.7 s mean (T17)",
)
FROM_BALANCE: Final = Way(
    "red packet, from the balance",
    (
        Stage("create", "tap:wrap", "pay_sheet"),
        Stage("pay and freeze", "tap:pay", "funded"),
        Stage("push", "funded", "card"),
        Stage("open", "tap:coin", "claimed"),
        Stage("credit", "claimed", "won"),
    ),
    (("tap:wrap", "pay_sheet"), ("tap:pay", "card"), ("tap:coin", "won")),
    "≤ 3 s mean (R3)",
)
BY_CHANNEL: Final = Way(
    "red packet, paid by WeChat",
    (
        Stage("create", "tap:pay", "sheet_asked"),
        Stage("pay", "sheet_asked", "tap:finger"),
        Stage("freeze", "tap:finger", "credited"),
        Stage("push", "credited", "card"),
        Stage("open", "tap:coin", "claimed"),
        Stage("credit", "claimed", "won"),
    ),
    (("tap:pay", "card"), ("tap:coin", "won")),
    "≤ 3 s mean (R3)",
)
WAYS: Final = (TOP_UP, FROM_BALANCE, BY_CHANNEL)


def lasted_ms(stage: Stage, passage: Passage) -> float | None:
    """Return how long a stage of a passage was; None where it was not gone through."""
    began, ended = passage.get(stage.begins), passage.get(stage.ends)
    if began is None or ended is None or ended < began:
        return None
    return ended - began


def laps_ms(stage: Stage, passages: Sequence[Passage]) -> list[float]:
    """Return how long a stage was in every passage that went through it."""
    return [lap for each in passages if (lap := lasted_ms(stage, each)) is not None]


def whole_ms(way: Way, passages: Sequence[Passage]) -> list[float]:
    """Return how long somebody waited in all, in every passage that came to its end."""
    return [
        sum(each[ends] - each[begins] for begins, ends in way.spans)
        for each in passages
        if all(name in each for span in way.spans for name in span)
    ]


def rows(way: Way, passages: Sequence[Passage]) -> list[Measure]:
    """Return a way's rows of the table: each stage, then the whole."""
    found = [
        _row(way.name, stage.name, stage.figure, laps_ms(stage, passages), len(passages))
        for stage in way.stages
    ]
    return [*found, _row(way.name, "whole", way.whole, whole_ms(way, passages), len(passages))]


def _row(group: str, name: str, figure: str, laps: list[float], asked: int) -> Measure:
    note = f"{asked - len(laps)} of {asked} went another way" if len(laps) < asked else ""
    return measured(group, name, laps, note=note, figure=figure)


def measured(
    group: str, name: str, laps: list[float], *, note: str = "", figure: str = ""
) -> Measure:
    """Return the row of waits that one person met one after another. Units: ms."""
    return Measure(
        group=group,
        name=name,
        rate=1e3 * len(laps) / max(sum(laps), 1.0),
        count=len(laps),
        p50_ms=percentile(laps, 0.5) if laps else None,
        p99_ms=percentile(laps, 0.99) if laps else None,
        note=note,
        figure=figure or NOTHING_SAID,
    )
