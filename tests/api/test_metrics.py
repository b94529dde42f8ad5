"""What `/metrics` says is what the table says, whatever state the database is in."""

import datetime as dt
import re
import threading
from types import SimpleNamespace

from api.caller import running
from lingqian.cluster.authority import Wish, issue, make_authority
from lingqian.cluster.role import OURS
from lingqian.events.tally import Tally
from lingqian.kernel.fault import Unsent
from lingqian.web import lookout
from lingqian.web.metric import METRICS, Form

TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


def text_of(api):
    """Return what a watcher reads."""
    told = api.get("/metrics")
    assert told.status == 200
    return told.body.decode()


def value(text, line):
    """Return the number behind a line's beginning."""
    (found,) = re.findall(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found)


def test_every_metric_is_a_row_and_every_row_a_metric(api):
    """Else an alert waits for a name that never comes."""
    found = {name: form for name, form in TYPE.findall(text_of(api)) if "_created" not in name}
    wanted = {
        row.name + ("_total" if row.form is Form.COUNTER else ""): row.form for row in METRICS
    }
    assert found == wanted
    names = [name for row in METRICS for name in row.exported]
    assert len(set(names)) == len(names)
    assert all(row.roles and row.words.endswith(".") for row in METRICS)


def test_what_the_lanes_and_the_database_say_can_be_read(tmp_path):
    """Commits, epochs, how far the journal has come, what waits."""
    with running(tmp_path, lanes=2) as house:
        api = house.caller()
        api.rich()
        api.rich()
        text = text_of(api)
    assert value(text, 'lingqian_commits_total{outcome="committed"}') >= 4
    rows = [value(text, f'lingqian_lane_sequence{{lane="{lane}"}}') for lane in (0, 1)]
    assert sum(rows) >= 4
    assert value(text, 'lingqian_lane_epoch{lane="1"}') == 1
    assert value(text, "lingqian_relay_waiting") == 0
    assert value(text, "lingqian_queue_age_seconds") == 0
    assert 0 <= value(text, "lingqian_heads_behind_seconds") < 30
    assert value(text, "lingqian_database_unread") == 0
    assert value(text, "lingqian_process_joined") == 1
    assert value(text, 'lingqian_posts_held{post="relay/all"}') == 1
    assert not re.search("^lingqian_credential", text, re.MULTILINE)


def test_a_database_that_does_not_answer_is_shown_and_hides_nothing_else(tmp_path, monkeypatch):
    """The alert on it would otherwise be silent just then; and looks do not pile up."""
    monkeypatch.setattr(lookout, "LOOK_S", 0.05)
    looks, goes_on = [], threading.Event()

    def hang(connection):
        del connection
        looks.append(1)
        goes_on.wait(20)
        raise Unsent("gone")

    with running(tmp_path) as house:
        api = house.caller()
        assert value(text_of(api), "lingqian_database_unread") in {0, 1}
        monkeypatch.setattr(lookout, "backlog", hang)
        try:
            for _ in range(3):
                text = text_of(api)
        finally:
            goes_on.set()
    assert value(text, "lingqian_database_unread") == 1
    assert value(text, "lingqian_queue_commands") == 0
    assert not re.search("^lingqian_relay_waiting ", text, re.MULTILINE)
    assert len(looks) == 1


def test_what_goes_over_a_bus_is_seen_to_go_or_to_stand(tmp_path):
    """A topic that nobody fills is as quiet as one with nothing to say."""
    events, commands = Tally("events_out"), Tally("commands_in")
    with running(tmp_path, lanes=2) as house:
        api = house.caller()
        api.rich()
        api.rich()
        house.door.wallet.office = SimpleNamespace(
            tallies=[events, commands], takes=lambda _: False, stop=lambda: None
        )
        events.carried, events.told, events.is_failing = 7, {0: 1}, True
        commands.parked = 2
        text = text_of(api)
        rows = value(text, 'lingqian_lane_sequence{lane="0"}')
    assert value(text, 'lingqian_bus_messages_total{part="events_out"}') == 7
    assert value(text, 'lingqian_bus_parked_total{part="commands_in"}') == 2
    failing = [
        value(text, f'lingqian_bus_failing{{part="{each.name}"}}') for each in (events, commands)
    ]
    assert failing == [1, 0]
    assert value(text, 'lingqian_journal_behind_rows{lane="0",reader="events"}') == rows - 1
    assert 'lane="1",reader="events"' not in text, "a lane that another process tells"


def test_a_credential_counts_down(tmp_path):
    """Whoever is on call hears of it while there is time; without one there is nothing to hear."""
    now = dt.datetime.now(dt.UTC)
    make_authority(tmp_path / "authority", now)
    issue(tmp_path / "authority", tmp_path / "own", Wish("one", OURS, ()), now)
    with running(tmp_path / "data", credentials=str(tmp_path / "own")) as house:
        text = text_of(house.caller())
    assert 23 * 3_600 < value(text, "lingqian_credential_seconds_left") <= 24 * 3_600
