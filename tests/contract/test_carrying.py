"""What is carried over every bus: events out, commands in, money between lanes (总线上的账).

One suite, run in this process, on a Kafka and on the client's mock; the ledger is the same one.
"""

import asyncio
import threading
import time

import msgspec
import pytest

from bus import KINDS, PLACES, WAIT_S
from law import all_laws
from lingqian.events.bus import (
    COMMANDS,
    DEAD,
    EVENTS,
    RELAY,
    REPLIES,
    TOPICS,
    Message,
    OutOfSpan,
    last,
)
from lingqian.events.egress import Egress
from lingqian.events.ferry import Ferry
from lingqian.events.ingress import ASK, REPLY, Door, Ingress
from lingqian.events.mailbox import Mailbox
from lingqian.events.tail import Journal
from lingqian.events.tally import Tally
from lingqian.flows.command import DeliverRelay, Fund, Transfer
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Accepted, Damaged, Unsent
from lingqian.kit.follow import Follower, Mark, read_marks, write_marks
from lingqian.storage.lane import Submission
from lingqian.storage.operation import operation_faults
from lingqian.storage.position import Parker, parked, position
from lingqian.storage.relay import waiting
from lingqian.storage.vault import Vault
from lingqian.storage.wire import read_answer, write_submission
from world import World

LANES = 3
KEPT = frozenset({Fund, Transfer})


@pytest.fixture(params=KINDS)
def place(request):
    """Each kind of bus, empty, in a place of its own."""
    made = PLACES[request.param](LANES)
    yield made
    made.done()


@pytest.fixture
def bus(place):
    """The bus of one process."""
    return place.open()


@pytest.fixture
def world():
    """Four people with money over an empty store, in three lanes."""
    made = World(LANES)
    made.batch(*[made.register(name) for name in "abcd"])
    made.batch(*[made.fund(name, 1_000) for name in "abcd"])
    yield made
    made.close()


class Stage:
    """A ledger and what carries for it over one bus."""

    def __init__(self, world, bus):
        self.world = world
        self.bus = bus
        self.held = set(range(LANES))
        names = ("events_out", "commands_in", "relay_in", "relay_out")
        self.tallies = {name: Tally(name) for name in names}
        self.follower = Follower(bus, dict.fromkeys(range(LANES), Mark()))
        self.heard = []
        self.egress = self.teller()
        self.ingress = self.reader(COMMANDS, KEPT)

    def teller(self):
        """Return what tells events, as a process that has just started."""
        journal = Journal(self.world.connection, "/test")
        return Egress(self.bus, journal, lambda: self.held, self.tallies["events_out"])

    def reader(self, stream, kinds):
        """Return what reads a stream, as a process that has just started."""
        door = Door(
            lambda: self.held,
            lambda lane, name: position(self.world.connection, lane, name),
            self.world.writer.apply,
            Parker(Vault({1: bytes(32)})),
            lambda: self.world.clock.us,
        )
        return Ingress(self.bus, stream, kinds, door, self.tallies[f"{stream}_in"])

    def tell(self):
        """Tell all there is."""
        while self.egress.round():
            pass

    def follow(self, count):
        """Follow until so many events have been handed out in all."""
        until = time.monotonic() + WAIT_S
        while len(self.heard) < count:
            assert time.monotonic() < until, f"{len(self.heard)} of {count} events came"
            self.heard += self.follower.take(0.5)
        self.heard += self.follower.take(0.05)
        return [each.id for each in self.heard]

    def wanted(self):
        """Return the ids of all events the journal tells, by lane."""
        found = Journal(self.world.connection, "/test").after({}, 100_000)
        return [each.id for each in found.events]

    def put(self, *commands, lane=None, headers=()):
        """Put commands on the lines of their lanes."""
        self.bus.append(
            COMMANDS,
            [
                (
                    int.from_bytes(each.key[:2]) if lane is None else lane,
                    Message(b"", write_submission(Submission(each)), headers),
                )
                for each in commands
            ],
        )

    def read(self, count, ingress=None):
        """Read until so many messages have been read."""
        until, done = time.monotonic() + WAIT_S, 0
        while done < count:
            assert time.monotonic() < until, f"{done} of {count} messages came"
            done += (ingress or self.ingress).round()
        assert done == count

    def place_of(self, name, stream=COMMANDS):
        """Return how far a person's lane has read a stream."""
        return position(self.world.connection, self.world.lane_of(name), stream).place


@pytest.fixture
def stage(world, bus):
    """The whole of it."""
    made = Stage(world, bus)
    yield made
    made.follower.close()
    made.ingress.close()


def by_lane(ids):
    """Return ids lane by lane, each in its order."""
    return sorted(ids, key=lambda each: int(each.split(":")[0]))


# --- events out -----------------------------------------------------------------------------------


def test_events_come_in_the_order_of_their_lane(stage):
    """A credit before its debit, a claim before its packet: nobody could make sense of it."""
    stage.tell()
    assert by_lane(stage.follow(8)) == by_lane(stage.wanted())
    assert {each.event["specversion"] for each in stage.heard} == {"1.0"}
    assert stage.heard[0].event["id"] == stage.heard[0].id


def test_a_message_says_what_it_is(stage):
    """Other systems route by key and headers, and never open the body for it."""
    stage.tell()
    lane = stage.world.lane_of("a")
    found = last(stage.bus, EVENTS, lane, WAIT_S)
    event = msgspec.json.decode(found.message.value)
    assert found.message.key.decode() == event["subject"]
    assert found.header("content-type").startswith(b"application/cloudevents+json")
    assert int(found.header("sequence")) == event["sequence"]
    assert int(found.header("lane")) == lane


def test_a_teller_that_starts_again_goes_on_where_the_topic_ends(stage):
    """Nothing is stored of how far the bus was told, so nothing can be wrong about it."""
    stage.tell()
    stage.egress = stage.teller()
    stage.tell()
    stage.world.do(stage.world.transfer("a", "b", 5))
    stage.tell()
    ids = stage.follow(len(stage.wanted()))
    assert by_lane(ids) == by_lane(stage.wanted())
    spans = [stage.bus.span(EVENTS, lane).end for lane in range(LANES)]
    assert sum(spans) == len(ids), "and nothing is there twice"
    tally = stage.tallies["events_out"]
    ends = {lane: row.row.next_seq - 1 for lane, row in stage.world.writer.lanes.items()}
    assert (tally.carried, tally.told) == (len(ids), ends), "whoever watches sees nothing behind"


def test_a_lane_that_is_not_held_is_not_told(stage):
    """Its owner tells it; two would tell everything twice."""
    stage.held = {stage.world.lane_of("a")}
    stage.tell()
    assert {int(each.split(":")[0]) for each in stage.follow(2)} == stage.held
    stage.held = set(range(LANES))
    stage.tell()
    assert by_lane(stage.follow(8)) == by_lane(stage.wanted())


def test_a_lost_topic_is_told_again_from_the_first_row(place, stage):
    """The journal is the truth; a bus may forget everything on any day."""
    stage.tell()
    stage.follow(8)
    before = len(stage.heard)
    place.lose(EVENTS)
    with pytest.raises(Unsent):
        stage.egress.round()
    stage.world.do(stage.world.transfer("a", "b", 5))
    place.make(EVENTS)
    stage.tell()
    ids = stage.follow(len(stage.wanted()))
    assert by_lane(ids) == by_lane(stage.wanted()), "each once, for who followed before"
    assert len(ids) > before
    fresh = Follower(stage.bus, dict.fromkeys(range(LANES), Mark()))
    stage.follower, stage.heard = fresh, []
    assert by_lane(stage.follow(len(ids))) == by_lane(ids)


def test_a_topic_that_lost_its_begin_is_told_again(place, stage):
    """Made again between two messages, it begins in the middle; the next teller sees it."""
    stage.tell()
    lane = stage.world.lane_of("a")
    late = last(stage.bus, EVENTS, lane, WAIT_S).message
    place.lose(EVENTS)
    place.make(EVENTS)
    stage.bus.append(EVENTS, [(lane, late)])
    stage.follower = Follower(stage.bus, dict.fromkeys(range(LANES), Mark()))
    until = time.monotonic() + WAIT_S
    while not stage.follower.gaps and time.monotonic() < until:
        assert stage.follower.take(0.5) == [], "what comes too early is held back"
    assert [each.lane for each in stage.follower.gaps] == [lane]
    stage.egress = stage.teller()
    stage.tell()
    assert by_lane(stage.follow(8)) == by_lane(stage.wanted())
    assert stage.follower.gaps == []


def test_a_topic_that_knows_more_than_the_journal_stops_the_teller(stage):
    """An old backup was restored: others have heard of what our books do not have."""
    stage.tell()
    found = last(stage.bus, EVENTS, stage.world.lane_of("a"), WAIT_S)
    headers = [
        (name, b"999" if name == "sequence" else value) for name, value in found.message.headers
    ]
    stage.bus.append(EVENTS, [(found.lane, found.message._replace(headers=tuple(headers)))])
    with pytest.raises(Damaged, match="row 999"):
        stage.teller().round()


# --- following ------------------------------------------------------------------------------------


def test_a_follower_goes_on_from_the_marks_it_kept(stage):
    """It keeps them with what the events did, and after a crash does nothing twice."""
    stage.tell()
    stage.follow(8)
    kept = read_marks(write_marks(stage.follower.marks))
    assert kept == stage.follower.marks
    stage.follower.close()
    stage.follower = Follower(stage.bus, kept)
    stage.world.do(stage.world.transfer("a", "b", 5))
    stage.tell()
    assert by_lane(stage.follow(len(stage.wanted()))) == by_lane(stage.wanted())


def test_a_follower_skips_what_comes_twice(stage):
    """Two tellers for a moment, or one told again: the same event is one event."""
    stage.tell()
    lane = stage.world.lane_of("a")
    stage.bus.append(EVENTS, [(lane, last(stage.bus, EVENTS, lane, WAIT_S).message)])
    assert by_lane(stage.follow(8)) == by_lane(stage.wanted())
    assert stage.follower.take(0.2) == []


def test_a_follower_does_not_pass_over_a_gap(stage):
    """What is missing may be a debit: nothing after it is handed out before it has come."""
    stage.tell()
    stage.follow(8)
    lane = stage.world.lane_of("a")
    found = last(stage.bus, EVENTS, lane, WAIT_S)
    names = {"sequence": b"900", "previous": f"{lane}:899:0".encode()}
    headers = tuple([(name, names.get(name, value)) for name, value in found.message.headers])
    stage.bus.append(EVENTS, [(lane, found.message._replace(headers=headers))])
    until = time.monotonic() + WAIT_S
    while not stage.follower.gaps and time.monotonic() < until:
        assert stage.follower.take(0.5) == []
    (gap,) = stage.follower.gaps
    assert (gap.lane, gap.found) == (lane, f"{lane}:900:0")
    stage.follower.again(lane)
    assert stage.follower.take(1) == [], "read again, all of it is known or still too early"


# --- commands in ----------------------------------------------------------------------------------


def test_commands_are_done_in_order_and_once(stage):
    """Money is given and spent again: the other way round it would be refused."""
    world = stage.world
    stage.put(world.transfer("a", "b", 900), world.fund("a", 500), world.transfer("a", "b", 600))
    stage.read(3)
    assert world.balance("a") == 0
    assert stage.place_of("a") == 3
    assert stage.ingress.round(0.05) == 0
    all_laws(world.connection)


def test_a_reader_that_starts_again_reads_on_where_the_ledger_says(stage):
    """How far it was read is committed with what was done: nothing is done twice or left out."""
    world = stage.world
    stage.put(world.fund("a", 1))
    stage.read(1)
    stage.put(world.fund("a", 2))
    again = stage.reader(COMMANDS, KEPT)
    stage.read(1, again)
    assert (world.balance("a"), stage.place_of("a")) == (1_003, 2)
    again.close()


def test_a_command_that_comes_twice_is_done_once(stage):
    """Whoever heard nothing puts it again, with the same key."""
    world = stage.world
    command = world.fund("a", 7, key="k")
    stage.put(command, command)
    stage.read(2)
    stage.put(command)
    stage.read(1)
    assert world.balance("a") == 1_007


def test_what_is_no_command_is_parked_and_passed_over(stage):
    """One bad message must not stop a lane, and must not vanish."""
    world, lane = stage.world, stage.world.lane_of("a")
    stage.bus.append(COMMANDS, [(lane, Message(b"", b"noise"))])
    stage.put(world.register("e"), lane=lane)
    stage.put(world.fund("a", 1), lane=(lane + 1) % LANES)
    stage.put(world.fund("a", 5))
    stage.read(4)
    assert world.balance("a") == 1_005
    found = {each.reason for each in parked(world.connection, 9)}
    assert any("its form is not known" in each for each in found)
    assert "RegisterUser does not come this way" in found
    assert f"its home is lane {lane}" in found
    assert len(found) == 3
    tally = stage.tallies["commands_in"]
    assert (tally.carried, tally.parked) == (1, 3)
    dead = last(stage.bus, DEAD, (lane + 1) % LANES, WAIT_S)
    assert dead.header("reason") == f"its home is lane {lane}".encode()
    assert stage.bus.span(DEAD, lane).end == 2


def test_an_answer_goes_to_whoever_asked(stage):
    """On the line he named, under the name he gave; a refusal is an answer too."""
    world = stage.world
    asked = ((REPLY, b"1"), (ASK, b"mine"))
    stage.put(world.transfer("a", "b", 5_000), headers=asked)
    stage.put(world.fund("a", 1))
    stage.read(2)
    found = last(stage.bus, REPLIES, 1, WAIT_S)
    answer = read_answer(found.message.value)
    assert (found.header(ASK), Code(answer.code)) == (b"mine", Code.EXCEEDS_AVAILABLE)
    assert stage.bus.span(REPLIES, 1).end == 1, "who did not ask is told nothing"


def test_a_new_topic_is_read_from_its_begin(place, stage):
    """The old one's place means nothing there; what is put again is done once."""
    world = stage.world
    command = world.fund("a", 7, key="k")
    stage.put(command, world.fund("a", 1))
    stage.read(2)
    place.lose(COMMANDS)
    stage.ingress._looked_s = 0
    with pytest.raises(Unsent):
        stage.ingress.round()
    place.make(COMMANDS)
    stage.put(command, world.fund("a", 2), world.fund("a", 3))
    stage.ingress = stage.reader(COMMANDS, KEPT)
    stage.read(3)
    assert (world.balance("a"), stage.place_of("a")) == (1_013, 3)


def test_a_place_that_is_gone_is_said_in_the_ledger(stage):
    """Guessing where to go on would pass over commands without a word."""
    world, lane = stage.world, stage.world.lane_of("a")
    command = world.fund("a", 7, key="k")
    stage.put(command)
    stage.read(1)
    topic = position(world.connection, lane, COMMANDS).topic
    world.store.chore(
        lambda db: db.execute("UPDATE positions SET place = 9 WHERE lane = ?", (lane,))
    )
    stage.ingress = stage.reader(COMMANDS, KEPT)
    until = time.monotonic() + WAIT_S
    while not parked(world.connection, 9) and time.monotonic() < until:
        stage.ingress.round()
    (row,) = parked(world.connection, 9)
    assert (row.topic, row.place, row.lane) == (topic, 9, lane)
    assert "place 9 is gone" in row.reason
    assert [*operation_faults(world.connection, None)] == [], "it was said why"
    stage.read(1)
    assert (world.balance("a"), stage.place_of("a")) == (1_007, 1), "read twice, done once"


class Hasty:
    """A bus whose client says once that a place is not there: its topic was made a moment ago."""

    def __init__(self, bus):
        self._bus = bus
        self.said = 0

    def __getattr__(self, name):
        return getattr(self._bus, name)

    def reader(self, topic):
        """Return a reader that says so at first."""
        made = self._bus.reader(topic)
        take = made.take

        def hasty(count_max, wait_s):
            self.said += 1
            if self.said == 1:
                raise OutOfSpan(0)
            return take(count_max, wait_s)

        made.take = hasty
        return made


def test_a_place_that_is_there_is_not_said_to_be_gone(stage):
    """Brokers answer so for a moment when a topic was made again; nothing of it is lost."""
    world = stage.world
    stage.put(world.fund("a", 7, key="k"))
    hasty = stage.bus = Hasty(stage.bus)
    stage.ingress = stage.reader(COMMANDS, KEPT)
    with pytest.raises(Unsent, match="was not given"):
        stage.ingress.round()
    stage.read(1)
    assert hasty.said > 1
    assert (world.balance("a"), parked(world.connection, 9)) == (1_007, [])


def test_a_topic_made_again_has_lost_nothing_of_the_old_ones(place, stage):
    """Where its reader has not heard of the new one yet, an old place is no loss of the new."""
    world = stage.world
    stage.put(world.fund("a", 7, key="k"), world.fund("a", 8))
    stage.read(2)
    place.lose(COMMANDS)
    place.make(COMMANDS)
    hasty = stage.ingress._bus = Hasty(stage.bus)
    stage.ingress._reader = hasty.reader(COMMANDS)
    with pytest.raises(Unsent, match="was not given"):
        stage.ingress.round()
    stage.put(world.fund("a", 9, key="k2"))
    stage.read(1)
    assert (world.balance("a"), parked(world.connection, 9)) == (1_024, [])


# --- money between lanes --------------------------------------------------------------------------


def ferried(stage, again_after_s=60):
    """Return what tells the deliveries that wait, and what reads them."""
    look = stage.world.connection
    ferry = Ferry(stage.bus, lambda: list(waiting(look)), stage.tallies["relay_out"], again_after_s)
    return ferry, stage.reader(RELAY, frozenset({DeliverRelay}))


def between(world):
    """Return two people of different lanes."""
    other = next(name for name in "bcd" if world.lane_of(name) != world.lane_of("a"))
    return "a", other


def test_money_between_lanes_arrives_once(stage):
    """A delivery told twice is a delivery; the watermark says which."""
    world = stage.world
    source, target = between(world)
    ferry, reader = ferried(stage)
    world.batch(world.transfer(source, target, 40))
    assert ferry.round() == 1
    assert ferry.round() == 0, "it is on its way"
    ferry._sent.clear()
    assert ferry.round() == 1
    stage.read(2, reader)
    reader.close()
    assert world.balance(target) == 1_040
    assert list(waiting(world.connection)) == []
    all_laws(world.connection)


def test_a_delivery_that_was_lost_is_told_again_from_the_journal(stage):
    """What comes before the one it follows is refused, and nothing is passed over."""
    world = stage.world
    source, target = between(world)
    ferry, reader = ferried(stage, again_after_s=0)
    world.batch(world.transfer(source, target, 40))
    (lost,) = waiting(world.connection)
    early = lost._replace(first=lost.first + 1)
    message = Message(b"", write_submission(Submission(early)))
    stage.bus.append(RELAY, [(early.lane, message)])
    stage.read(1, reader)
    assert world.balance(target) == 1_000
    assert ferry.round() == 1
    stage.read(1, reader)
    reader.close()
    assert world.balance(target) == 1_040
    all_laws(world.connection)


# --- asking and hearing ---------------------------------------------------------------------------


def test_who_asks_over_the_bus_hears_the_durable_answer(stage):
    """And who hears nothing in time is told so, and asks again with the same key."""
    world = stage.world
    mailbox = Mailbox(stage.bus, LANES, WAIT_S)
    mailbox.start()
    stop = threading.Event()

    async def asked(command):
        asking = asyncio.create_task(mailbox.ask(Submission(command)))
        while not asking.done():
            stage.ingress.round(0.05)
            await asyncio.sleep(0)
        return await asking

    try:
        answer = asyncio.run(asked(world.fund("a", 5, key="k")))
        assert (answer.code, world.balance("a")) == (Code.OK, 1_005)
        mailbox._wait_s = 0.01
        with pytest.raises(Accepted):
            asyncio.run(mailbox.ask(Submission(world.fund("a", 6, key="l"))))
        mailbox._wait_s = WAIT_S
        answer = asyncio.run(asked(world.fund("a", 6, key="l")))
    finally:
        stop.set()
        mailbox.stop()
    assert answer.code == Code.OK
    assert world.balance("a") == 1_011


# --- all at once ----------------------------------------------------------------------------------


def test_every_topic_may_be_lost_at_once(place, stage):
    """Everything on the bus is a copy: no balance hangs on it, and who follows misses nothing."""
    world = stage.world
    stage.put(world.fund("a", 5))
    stage.read(1)
    stage.tell()
    stage.follow(len(stage.wanted()))
    balances = [world.balance(name) for name in "abcd"]
    place.lose(*TOPICS)
    place.make(*TOPICS)
    stage.tell()
    world.do(world.fund("b", 1))
    stage.put(world.fund("c", 2))
    stage.ingress = stage.reader(COMMANDS, KEPT)
    stage.read(1)
    stage.tell()
    assert by_lane(stage.follow(len(stage.wanted()))) == by_lane(stage.wanted())
    assert [world.balance(name) for name in "abcd"] == [
        each + more for each, more in zip(balances, (0, 1, 2, 0), strict=True)
    ]
    all_laws(world.connection)
