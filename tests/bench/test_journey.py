"""The journeys of the phone: really gone through, and never told where they were not."""

import asyncio
import shutil
import time

import pytest

from lingqian.bench import chromium
from lingqian.bench.chronicle import Chronicle
from lingqian.bench.notebook import Notebook
from lingqian.bench.report import HELD, MISSED, SKIPPED, Measure, Report
from lingqian.bench.scale import TINY
from lingqian.bench.stage import (
    NOTHING_SAID,
    TOP_UP,
    WAYS,
    Stage,
    laps_ms,
    lasted_ms,
    measured,
    rows,
    whole_ms,
)
from lingqian.bench.suite import run
from lingqian.bench.table import screen
from lingqian.bench.world import World
from lingqian.compose import DATABASE
from lingqian.kernel.id import PREFIX_PACKET, show
from lingqian.storage.sqlite import connect
from need import needs

STAGE = Stage("a stage", "begins", "ends", "0.8 s")
BOUGHT = {
    "tap:plan": 0.0,
    "sheet_asked": 40.0,
    "tap:finger": 300.0,
    "notice": 320.0,
    "credited": 330.0,
    "shown": 900.0,
}


def quiet(part):
    """Say nothing of the parts of a run."""


def test_stages_of_a_way_follow_each_other():
    """A gap between two stages is where waiting could be hidden."""
    for way in WAYS:
        ends = {ends for _, ends in way.spans}
        for one, other in zip(way.stages, way.stages[1:], strict=False):
            assert one.ends == other.begins or one.ends in ends, (way.name, one.name)
        assert way.stages[0].begins == way.spans[0][0]
        assert way.stages[-1].ends == way.spans[-1][1]


def test_the_whole_of_a_way_is_the_sum_of_its_stages():
    """A reader adds them up."""
    laps = [lasted_ms(stage, BOUGHT) for stage in TOP_UP.stages]
    assert laps == [40.0, 260.0, 20.0, 10.0, 570.0]
    assert whole_ms(TOP_UP, [BOUGHT]) == [sum(laps)]


def test_a_lost_callback_is_no_sample_of_a_callback_but_of_the_whole():
    """Leaving it out of the whole would flatter; counting it as a quick callback, too."""
    lost = {name: at for name, at in BOUGHT.items() if name != "notice"}
    late = {**BOUGHT, "notice": 5_000.0}
    callback, credit = TOP_UP.stages[2:4]
    assert laps_ms(callback, [BOUGHT, lost]) == [20.0]
    assert laps_ms(credit, [BOUGHT, lost, late]) == [10.0]
    assert len(whole_ms(TOP_UP, [BOUGHT, lost, late])) == 3
    row = rows(TOP_UP, [BOUGHT, lost, late])[3]
    assert (row.name, row.count, row.note) == ("credit", 1, "2 of 3 went another way")


def test_what_was_never_seen_has_no_figure():
    """A nought would be the best of all figures."""
    row = measured("a way", "a stage", [])
    assert (row.count, row.p50_ms, row.p99_ms) == (0, None, None)
    assert row.figure == NOTHING_SAID
    assert whole_ms(TOP_UP, [{}]) == []


def test_the_table_sets_waits_apart_with_what_the_texts_say():
    """A figure without what was asked for is read as one pleases."""
    plain = Measure(group="batch", name="transfers", rate=1.0, count=1)
    machine = dict.fromkeys(("cpu", "cores", "kernel", "python", "sqlite", "file_system"), "x")
    report = Report(machine={**machine, "load_before": "0"}, scale="tiny", began="2026-11-26")
    report.measures = [plain, measured("top-up", "invoke", [40.0], figure="0.8 s mean (T1)")]
    tables = screen(report).renderables
    assert [str(each.title).partition(":")[0] for each in tables[1:]] == [
        "Bars", "Measures", "Journeys",
    ]  # fmt: skip
    assert list(tables[-1].columns[2].cells) == ["0.8 s mean (T1)"]


def test_a_notebook_waits_for_what_has_not_come():
    """A page tells a moment when it likes."""
    asyncio.run(waited_for())


async def waited_for():
    """Wait in vain, then be told twice, then turn the leaf."""
    book = Notebook()
    with pytest.raises(TimeoutError):
        await book.until("won:rp_1", 0.01)
    waiting = asyncio.create_task(book.until_named("won:"))
    await asyncio.sleep(0)
    book.note(None, "won:rp_1", 7.0)
    book.note(None, "won:rp_1", 9.0)
    assert await waiting == "rp_1"
    assert (await book.until("won:rp_1"), book.last("won:rp_1")) == (7.0, 9.0)
    book.turn()
    assert book.first("won:rp_1") is None


def test_the_chronicle_says_when_a_packet_was_funded(tmp_path):
    """It is read off the file by another process: what it says is durable."""
    world = World(tmp_path / "world", 4)
    reader = connect(str(world.folder / DATABASE), readonly=True)
    chronicle = Chronicle(reader)
    writer = world.writer()
    before_ms = time.time_ns() // 1_000 / 1_000
    (packet_id,) = world.packets(writer, 1, 2)
    writer.close()
    name = f"funded:{show(PREFIX_PACKET, packet_id)}"
    assert before_ms <= chronicle.at_ms(name) <= before_ms + 60_000
    assert chronicle.at_ms("funded:rp_never") is None
    reader.close()


@pytest.mark.parametrize("lacking", ["browser", "driver"])
def test_journeys_say_that_they_were_skipped(tmp_path, monkeypatch, lacking):
    """Whoever has no browser has not measured a quick phone."""
    if lacking == "browser":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    else:
        monkeypatch.setattr(chromium.importlib.util, "find_spec", lambda _: None)
    report = run(tmp_path, TINY, ["journey"], quiet)
    assert {bar.verdict for bar in report.bars} == {SKIPPED}
    words = "no Chromium here" if lacking == "browser" else "no driver for a browser here"
    assert all(words in bar.note for bar in report.bars)
    assert report.measures == []


@pytest.mark.needs("chromium")
@pytest.mark.timeout(400)
def test_journeys_are_gone_through_in_a_real_browser(tmp_path):
    """Every stage is seen, with preloading and without, and nothing is left behind."""
    needs("chromium")
    report = run(tmp_path, TINY, ["journey"], quiet)
    assert {bar.verdict for bar in report.bars} <= {HELD, MISSED}
    seen = {(each.group, each.name): each for each in report.measures}
    for way in WAYS:
        for stage in way.stages:
            if stage.name not in {"callback", "credit"}:  # one in a hundred is lost on purpose
                assert seen[way.name, stage.name].count, (way.name, stage.name)
    for words in ("preloaded", "not preloaded"):
        assert seen["tap to sheet, loopback", f"tap to sheet, {words}"].count == TINY.passages
    assert seen["cold open", "first balance, remembered, 4G"].p50_ms > 0
    assert "SIMULATED" in report.measures[-1].group
    assert list(tmp_path.iterdir()) == []
