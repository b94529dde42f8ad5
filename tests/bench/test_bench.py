"""The benchmark runs, and tells the truth about what it could not do; no figure is asserted."""

import json
import os
import shutil
import time

import msgspec
import pytest
from typer.testing import CliRunner

from lingqian.bench import lane, mariadb
from lingqian.bench.chart import chart
from lingqian.bench.group import grouped, lane_of, pairs
from lingqian.bench.machine import cpu_s, since_s, threads_s
from lingqian.bench.raw import Raw, Recorder, race
from lingqian.bench.report import HELD, MISSED, SKIPPED, Bar, Report, judged, percentile, skipped
from lingqian.bench.scale import TINY
from lingqian.bench.suite import NAMES, run
from lingqian.bench.table import screen
from lingqian.bench.world import BATCH, Place, World
from lingqian.cli import bench as command
from lingqian.cli.main import app
from lingqian.compose import DATABASE
from lingqian.kernel.fault import Unsent
from lingqian.storage.sqlite import connect
from need import needs

TABLES = ("journal", "entries", "accounts", "keys", "transfers", "usages", "seals", "lanes")
SERVED = ("lock", "mariadb")
QUIET = tuple(name for name in NAMES if name not in {*SERVED, "cost", "http", "credit", "journey"})


def quiet(part):
    """Say nothing of the parts of a run."""


def rows(path):
    """Return every row of the tables that transfers write."""
    connection = connect(str(path), readonly=True)
    found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    connection.close()
    return found


def test_raw_bound_writes_what_the_lane_wrote(tmp_path):
    """A bound that wrote fewer rows than the lane would flatter nobody and mean nothing."""
    world = World(tmp_path / "world", TINY.people)
    raw = Raw(world.copy(tmp_path))
    writer = world.writer(Recorder)
    laps = race(writer, raw, world.transfers(250), 100)
    raw.close()
    writer.close()
    assert len(laps.lane_s) == len(laps.raw_s) == 3
    assert rows(tmp_path / "copy.db") == rows(world.folder / DATABASE)


@pytest.mark.parametrize("name", QUIET)
def test_part_runs_in_process(tmp_path, name):
    """Every part ends with its measures, and leaves nothing behind."""
    report = run(tmp_path, TINY, [name], quiet)
    assert report.measures
    assert all(each.rate > 0 for each in report.measures)
    assert all(bar.verdict in {HELD, MISSED} for bar in report.bars)
    assert list(tmp_path.iterdir()) == []


def test_part_over_http_counts_the_server_alone(tmp_path):
    """Claims and echoes go to the real server; its processor time is what is compared."""
    report = run(tmp_path, TINY._replace(requests=400), ["http"], quiet)
    names = [each.name for each in report.measures]
    assert "transfers" in names
    assert any(name.startswith("stampede") for name in names)
    assert report.bars[0].name.startswith("over HTTP")


@pytest.mark.parametrize("name", SERVED)
def test_part_on_mariadb_runs_where_there_is_a_server(tmp_path, name):
    """Rivals and lanes are started, measured, uniform and hot, and stopped."""
    needs("mariadb")
    report = run(tmp_path, TINY, [name], quiet)
    assert SKIPPED not in {bar.verdict for bar in report.bars}
    assert all(each.rate > 0 for each in report.measures)
    assert any("MariaDB" in each.group + each.name for each in report.measures)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SERVED)
def test_part_on_mariadb_says_that_it_was_skipped(tmp_path, monkeypatch, name):
    """A bar that was not measured must never look like one that was held."""
    monkeypatch.setattr(mariadb, "FOLDERS", "")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    report = run(tmp_path, TINY, [name], quiet)
    assert report.bars
    assert {bar.verdict for bar in report.bars} == {SKIPPED}
    assert all("no MariaDB" in bar.note for bar in report.bars)


def test_costs_of_every_role_have_a_table_of_their_own(tmp_path):
    """A capacity model asks what one command takes in each role, and nothing of the callers."""
    needs("mariadb")
    report = run(tmp_path, TINY, ["cost"], quiet)
    assert {each.group for each in report.measures} == {"database", "edge", "lane", "relay"}
    assert all(each.cpu_us and each.count for each in report.measures)
    assert [str(each.title) for each in screen(report).renderables[1:]] == [
        "Bars: ratios taken in this run",
        "Processor time of one command, by role",
    ]


def test_cost_is_what_the_threads_took():
    """Ten milliseconds of work by a thread are seen, to less than a tick of the system."""
    before_s, own_s = threads_s(os.getpid()), time.thread_time()
    while time.thread_time() < own_s + 0.01:
        pass
    assert threads_s(os.getpid()) - before_s >= 0.009


def test_less_than_a_tick_of_processor_time_counts_as_one():
    """What the system cannot tell from nothing must not become a cost of nothing."""
    assert since_s(os.getpid(), cpu_s(os.getpid())) > 0


@pytest.mark.parametrize(
    ("is_ceiling", "samples", "verdict"),
    [
        (False, [0.4, 0.5, 0.9], HELD),
        (False, [0.4, 0.49, 0.9], MISSED),
        (True, [9.0, 10.0, 90.0], HELD),
        (True, [9.0, 11.0, 90.0], MISSED),
    ],
)
def test_bar_is_judged_by_its_median(is_ceiling, samples, verdict):
    """One lucky or unlucky round decides nothing; a ceiling is judged the other way round."""
    must = 10.0 if is_ceiling else 0.5
    bar = judged(Bar(name="a bar", must=must, aim=must, is_ceiling=is_ceiling), samples)
    assert bar.verdict == verdict
    assert (bar.low, bar.high) == (samples[0], samples[-1])


def test_percentile_is_a_value_that_was_seen():
    """Nothing is interpolated: a slowest answer is one that somebody got."""
    values = [float(each) for each in range(1, 101)]
    assert percentile(values, 0.5) == 51.0
    assert percentile(values, 0.999) == 100.0
    assert percentile([3.0], 0.99) == 3.0


def report_of(*bars):
    """Return a report with these bars."""
    machine = dict.fromkeys(("cpu", "cores", "kernel", "python", "sqlite", "file_system"), "a<b")
    machine["load_before"] = "0.10"
    return Report(machine=machine, scale="tiny", began="2026-11-22", bars=list(bars))


def test_chart_and_table_show_what_was_skipped():
    """Whoever looks at the picture alone sees what is missing; a name is never mark-up."""
    held = judged(Bar(name="first", must=1.0, aim=2.0), [1.5])
    report = report_of(held, skipped(Bar(name="second", must=1.0, aim=2.0), "not here"))
    drawn = chart(report)
    assert drawn.count('class="held"') == 1
    assert "SKIPPED" in drawn
    assert "a&lt;b" in drawn
    assert screen(report).renderables


def test_command_ends_with_one_when_a_bar_is_missed(tmp_path, monkeypatch):
    """A script must be able to tell, and finds the figures in the file it asked for."""
    missed = judged(Bar(name="a bar", must=2.0, aim=3.0), [1.0])
    monkeypatch.setattr(command, "run", lambda *_: report_of(missed))
    app = command.typer.Typer()
    app.command()(command.bench)
    json_path, svg_path = tmp_path / "b.json", tmp_path / "b.svg"
    asked = ["--quick", "--json", str(json_path), "--svg", str(svg_path)]
    assert CliRunner().invoke(app, asked).exit_code == 1
    assert json.loads(json_path.read_text("utf-8"))["bars"][0]["verdict"] == MISSED
    assert msgspec.json.decode(json_path.read_bytes(), type=Report).scale == "tiny"
    assert svg_path.read_text("utf-8").startswith("<svg")


def test_command_refuses_an_unknown_part():
    """A misspelt part must not look like a short run that held everything."""
    app = command.typer.Typer()
    app.command()(command.bench)
    result = CliRunner().invoke(app, ["--only", "raws"])
    assert result.exit_code == 2


def test_transfers_of_a_world_are_all_valid(tmp_path):
    """Refused commands would be quick ones."""
    world = World(tmp_path / "world", TINY.people)
    writer = world.writer()
    hot = world.transfers(50, world.people[0])
    answers = writer.apply([*world.transfers(50), *hot])
    writer.close()
    assert {answer.code for answer in answers} == {0}
    assert len(answers) <= BATCH
    assert {each.command.target_id for each in hot} == {world.people[0]}


def test_a_folder_given_relatively_is_the_same_folder(tmp_path, monkeypatch):
    """Rivals and servers start in folders of their own; a relative name is another one there."""
    seen = []

    def note(folder, *_):
        seen.append(folder)
        raise Unsent("seen")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run", note)
    told = CliRunner().invoke(app, ["bench", "--quick", "--data", "here"])
    assert isinstance(told.exception, Unsent)
    assert seen == [tmp_path / "here"]


def test_money_stays_in_a_lane_or_crosses(tmp_path):
    """A pair over two lanes is two commands: measured by mistake, it would hide what one costs."""
    world = World(tmp_path / "world", 40, Place(tmp_path / "world", 4))
    group = grouped(world, ((1,), (2, 3)), 2, 200)
    assert {lane_of(each) for each in group.people} == {1, 2, 3}
    assert all(lane_of(payer) == lane_of(other) for payer, other in pairs(world, group))
    crossing = pairs(world.among(group.people), group._replace(crosses=True))
    assert any(lane_of(payer) != lane_of(other) for payer, other in crossing)
    assert all(payer != other for payer, other in [*crossing, *pairs(world, group)])
    hot = pairs(world.among(group.people), group._replace(target_id=group.people[0]))
    assert {other for _, other in hot} == {group.people[0]}


def test_ways_spread_the_same_callers():
    """A way with more callers than another would be compared with a larger crowd."""
    for way in lane.WAYS:
        lanes = [each for writers in way.processes for some in writers for each in some]
        assert len(lanes) == len(set(lanes))
        assert max(lanes) < lane.LANES
        assert TINY.callers % len(way.processes) == 0
