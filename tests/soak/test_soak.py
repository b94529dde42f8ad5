"""A soak at festival speed: three phones and forty people, on a server that nobody restarts.

Nothing may creep: memory, answers that take ever longer, an event that is lost once in an hour.
"""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from acceptance.server import run
from lingqian.events.push import Filter
from lingqian.events.tail import read_position
from lingqian.identity.possession import Flaw
from soak import ending, truth
from soak.judge import Sample, after, flat, paces, rss
from soak.phones import three_phones
from soak.report import report
from soak.size import SIZE
from soak.stage import staged

CROWD = str(Path(__file__).with_name("crowd.py"))
TOP_UP_EVERY = 4
RELOAD_EVERY = 6
STRETCHES = 12
SAMPLES = 240
SAMPLES_MIN = 4
# As long as the wallet's own page waits for an answer: slower is no answer.
P99_MS_MAX = 20_000
HEARD_S = 90
# What a payment is called that midnight parted from its bill, once the two have met.
AGREED = ("agreed", "repaired")

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(2 * SIZE.live_s + 600)]


class Crowd:
    """The forty people, in a process of their own."""

    def __init__(self, process):
        self.process = process

    def tell(self, word):
        """Say one word to it."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def hear(self):
        """Return what it says next."""
        line = self.process.stdout.readline()
        assert line, "the crowd has ended"
        return json.loads(line)


@contextmanager
def crowd_of(stage, heard):
    """Have the crowd for the length of a block."""
    server = stage.server
    job = {"url": server.url, "port": server.port, "key": server.key, "seed": 40}
    job |= {"control": stage.control.url, "heard": str(heard), "people": stage.people}
    job |= {"phones": stage.phones, "streamers": stage.streamers}
    process = subprocess.Popen(
        [sys.executable, CROWD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        crowd = Crowd(process)
        crowd.tell(json.dumps(job))
        yield crowd
    finally:
        process.kill()
        process.communicate()


class Watch:
    """Samples memory as time goes by: of the server, of what its engine holds of it, of pages."""

    def __init__(self, stage, phones):
        self.server, self.phones = stage.server, phones
        # Written as it is seen: a soak that breaks after half an hour has something to say, too.
        self.notes = self.server.folder.parent / "memory.txt"
        self.began_s = time.monotonic()
        self.samples = {name: [] for name in ("server", "engine", "sender", "receiver")}

    @property
    def at_s(self):
        """How long it has been."""
        return time.monotonic() - self.began_s

    def look(self):
        """Take one sample of everything, unless the last is too young."""
        last = self.samples["server"][-1:]
        if last and self.at_s - last[0].at_s < SIZE.live_s / SAMPLES:
            return
        engine = engine_bytes(self.server)
        found = {"server": rss(self.server.process.pid), "engine": engine}
        found |= {"sender": self.phones[0].heap(), "receiver": self.phones[1].heap()}
        for name, held in found.items():
            self.samples[name].append(Sample(self.at_s, held))
        with self.notes.open("a") as file:
            file.write(f"{self.at_s:.0f} {found}\n")

    def judged(self, name):
        """Return the samples of one thing that are judged; all, where a slow machine gave few."""
        found = after(self.samples[name], SIZE.warm_s)
        return found if len(found) >= SAMPLES_MIN else self.samples[name]


def engine_bytes(server):
    """Return what the database engine holds, which is a bounded cache, as the server meters it."""
    lines = server.good("GET", "/metrics")["text"].splitlines()
    (row,) = [line for line in lines if line.startswith("lingqian_engine_bytes ")]
    return int(float(row.split()[1]))


def play(phones, watch):
    """Let the three tap until time is up: one sends, one opens, one comes too late."""
    sender, receiver, latecomer = phones
    rounds = 0
    watch.look()
    while watch.at_s < SIZE.live_s:
        rounds += 1
        packet_id = sender.trying(sender.send)
        if packet_id:
            receiver.trying(receiver.open, packet_id)
        if rounds % TOP_UP_EVERY == 1:
            buyer = phones[rounds // TOP_UP_EVERY % 2]
            buyer.trying(buyer.top_up)
        if rounds % RELOAD_EVERY == 0:
            latecomer.trying(latecomer.reload)
        sender.page.wait_for_timeout(random.uniform(1_000, 3_000))
        if packet_id:
            latecomer.trying(latecomer.open, packet_id)
        receiver.go("wallet")
        watch.look()
    return rounds


def all_heard(stage, phones, listened):
    """Wait until nothing is on its way to anybody any more; what then lacks is lost."""
    end_s = time.monotonic() + HEARD_S
    while time.monotonic() < end_s:
        phones[0].page.wait_for_timeout(1_000)
        events = truth.journal(stage.server.folder)
        lasts = [last_due(events, phone) for phone in phones]
        reached = [last in whole(phone)[-1].ids for phone, last in zip(phones, lasts, strict=True)]
        if all(reached) and set(listened.read_text().split()[-20:]) & {events[-1].id}:
            return
    # Said by the comparison that follows, which names what is lost.


def whole(phone):
    """Return the person's own stream in each life of the page, in order."""
    found = [each for (_, path), each in phone.streams().items() if "&packet_id=" not in path]
    assert found, "a page never opened its stream"
    return found


def last_due(events, phone):
    """Return the last event that a phone is entitled to."""
    path = next(path for _, path in phone.pieces if "&packet_id=" not in path)
    return truth.due(events, {}, truth.wanted(path))[-1]


def lost(events, phones, listened):
    """Say what anybody was not told, was told twice, or out of order."""
    start, *ids = listened.read_text().split()
    expected = truth.due(events, read_position(start), Filter())
    found = [f"listener: {each}" for each in truth.wrong(ids, expected, is_whole=True)]
    for number, phone in enumerate(phones):
        last = whole(phone)[-1]
        for (_, path), stream in phone.streams().items():
            is_own = "&packet_id=" not in path
            words = truth.out_of_order(stream.ids, events)
            if is_own or number == 0:  # the sender sees every claim; others once they may
                expected = truth.due(events, stream.start, truth.wanted(path))
                words += truth.wrong(stream.ids, expected, is_whole=stream == last)
            found += [f"phone {number}: {each}" for each in words]
    return found


@pytest.fixture(scope="module")
def soaked(tmp_path_factory, request):
    """Live, fall quiet, end everything that hangs, stop; return all that was seen."""
    folder = tmp_path_factory.mktemp("soak")
    listened = folder / "heard.txt"
    with staged(folder) as stage, crowd_of(stage, listened) as crowd:
        base = f"http://127.0.0.1:{crowd.hear()['port']}"
        with three_phones(stage, base) as phones:
            for phone in phones:
                phone.arrive()
            crowd.tell("live")
            watch, first = Watch(stage, phones), ending.today(stage)
            rounds = play(phones, watch)
            crowd.tell("quiet")
            crowd.hear()
            for phone in phones:
                phone.go("wallet")
            seen = ending.end(stage, first)
            all_heard(stage, phones, listened)
            crowd.tell("end")
            told = crowd.hear()
            seen |= {"shown": [phone.shown() for phone in phones]}
            seen |= {"has": [ending.has(stage, phone.user_id) for phone in phones]}
            seen |= {"complaints": [each for phone in phones for each in phone.complaints]}
            seen |= {"doubted": sum((phone.doubted for phone in phones), Counter())}
            seen |= {"stopped": stage.server.stop(), "words": stage.server.words()}
            events = truth.journal(stage.server.folder)
            seen |= {"lost": lost(events, phones, listened), "events": len(events)}
            seen |= {"watch": watch, "rounds": rounds, "told": told, "folder": stage.server.folder}
            seen |= {"bridged": [len(phone.bridged) for phone in phones]}
            seen |= {"phone_cuts": [phone.cuts for phone in phones]}
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        report(seen)
    return seen


def test_memory_is_flat(soaked):
    """What grows a little in an hour ends a process in a week."""
    watch = soaked["watch"]
    words = flat("the server", watch.judged("server"), SIZE.server_rise_max)
    for name in ("sender", "receiver"):
        words += flat(f"the {name}'s page", watch.judged(name), SIZE.page_rise_max)
    assert words == []


def test_no_event_is_lost(soaked):
    """Every cut is resumed where it was: each event once, in order, as the journal has it."""
    assert soaked["lost"] == []
    told = soaked["told"]
    assert min(told["listener_cuts"], told["line_cuts"], *soaked["phone_cuts"]) > 0, "nothing cut"


def test_each_page_shows_what_the_ledger_says(soaked):
    """Left alone on the wallet's page, a phone ends up with the durable sums by itself."""
    assert soaked["shown"] == soaked["has"]


def test_nothing_complains_and_nothing_creeps(soaked):
    """No answer of our own fault, no word on a console, and in no stretch more than patience."""
    told = soaked["told"]
    assert told["faults"] == []
    assert soaked["complaints"] == []
    # A browser repeats a reading whose line was cut; a proof is good once, and a new one is made.
    assert set(soaked["doubted"]) <= {f"proof_invalid: {Flaw.REPLAYED}"}
    assert sum(soaked["bridged"]) > 0, "nobody has topped up on a phone"
    slow = [row for row in paces(told["timed"], SIZE.live_s / STRETCHES) if row.p99_ms > P99_MS_MAX]
    assert slow == []


def test_every_order_is_explained_and_the_books_are_clean(soaked):
    """Nothing hangs, the platform's bills agree to the fen, and the file passes every check."""
    assert soaked["hanging"] == {}
    for day in soaked["days"]:
        assert day["state"] == "closed", day
        assert [each for each in day["differences"] if each["state"] not in AGREED] == []
    assert soaked["stopped"] == 0, soaked["words"]
    for check in (("audit",), ("rebuild", "--check")):
        done = run(*check, "--data", str(soaked["folder"]), timeout_s=1_800)
        assert done.returncode == 0, done.stdout + done.stderr
