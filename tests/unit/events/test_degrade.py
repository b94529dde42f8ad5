"""The watch over accounts: real modes in a real lane; breakers and answers by hand."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from lingqian.channels.port import TradeState
from lingqian.channels.route import OPEN_US, Breaker, Line, Phase, State
from lingqian.events.degrade import (
    MISSES_MAX,
    UNWIND_ROWS,
    Errand,
    Left,
    Pulse,
    Surroundings,
    Watch,
)
from lingqian.kernel.bound import BILLED_AFTER_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Busy
from lingqian.storage import standing
from lingqian.storage.outage import figures, outages
from lingqian.topup.attempt import PrepayResult
from lingqian.topup.mode import SILENCE_S_MAX, STEADY_S_MIN, Mode
from lingqian.topup.order import OrderKind
from world import World

HOSTS = ("one", "two")


class Scene:
    """A world with one account `wx` of two hosts, and a channel that answers when it is told to."""

    def __init__(self, lanes=1):
        self.world = World(lanes)
        self.world.do(self.world.register("a"))
        self.health = SimpleNamespace(state=State(), now_us=self.world.clock.now_us)
        self.watch = self.fresh()
        self.is_answering, self.is_reachable = True, False
        self.asked, self.shut = [], []

    def fresh(self):
        """Make a watch as a restart does."""
        around = Surroundings(
            self.world.connection, self.ask, range(self.world.lane_count), self.world.clock,
            self.health, {"wx": HOSTS},
        )  # fmt: skip
        return Watch(around)

    async def ask(self, submission):
        """Put a command to the lane."""
        return self.world.do(submission.command)

    def look(self, seconds=1):
        """Let time pass and look once."""
        self.world.wait(seconds * SECOND_US)
        asyncio.run(self.watch.look(Errand(self.query, self.reach, self.close)))
        return self.watch.mode("wx")

    async def query(self, attempt_id):
        """Answer a question, or do not."""
        self.asked.append(attempt_id)
        return self.is_answering

    async def reach(self, attempt_id):
        """Say whether the channel answers at all."""
        assert attempt_id == b"last"
        return self.is_reachable

    async def close(self, attempt_id):
        """Hear that an attempt is to be closed."""
        self.shut.append(attempt_id)

    def breakers(self, phase, hosts=HOSTS):
        """Put the breakers of some hosts into a phase."""
        since_us = self.world.clock.us
        lines = {Line("wx", host, "prepay"): Breaker(phase, since_us) for host in hosts}
        self.health.state = State(lines)

    def attempt(self, order, name):
        """Begin an attempt that waits."""
        self.world.do(self.world.attempt(name, order))
        self.world.do(self.world.prepaid(name, PrepayResult.PAYABLE))
        return self.world.ids[name]

    def order(self, name, amount_fen=2_000):
        """Open an order for coins."""
        command = self.world.order(name, "a", OrderKind.COINS, amount_fen, coins=200)
        assert not self.world.do(command).code
        return self.world.ids[name]


@pytest.fixture(params=[1, 3], ids=["one lane", "three lanes"])
def scene(request):
    """A scene in a world of one lane, and of several."""
    found = Scene(request.param)
    yield found
    found.world.close()


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """Switches are warnings; here there are many."""
    caplog.set_level(logging.CRITICAL)


def test_one_sound_host_keeps_an_account_normal(scene):
    """The other host comes before everything else."""
    scene.breakers(Phase.OPEN, HOSTS[:1])
    assert scene.look() == Mode.NORMAL


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.HALF_OPEN])
def test_breakers_on_every_host_degrade_in_every_lane(scene, phase):
    """A tried breaker is not yet a sound one; each lane decides its own advances."""
    scene.breakers(phase)
    assert scene.look() == Mode.DEGRADED
    rows = scene.world.connection.execute("SELECT mode, by FROM modes").fetchall()
    assert rows == [(Mode.DEGRADED, "degrade")] * scene.world.lane_count


def test_recovery_has_to_be_steady(scene):
    """A host that comes and goes does not switch every second."""
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.breakers(Phase.CLOSED)
    assert scene.look(STEADY_S_MIN - 1) == Mode.DEGRADED
    scene.breakers(Phase.OPEN)
    assert scene.look() == Mode.DEGRADED
    scene.breakers(Phase.CLOSED)
    assert scene.look(STEADY_S_MIN - 1) == Mode.DEGRADED
    assert scene.look() == Mode.UNWINDING
    assert scene.look() == Mode.NORMAL


def test_a_rested_breaker_needs_no_tap_to_recover(scene):
    """At night nobody taps, and by day another account may serve who does."""
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.watch.pulse("wx").created(b"last", is_answered=False)
    assert scene.look(OPEN_US // SECOND_US + STEADY_S_MIN) == Mode.DEGRADED
    scene.is_reachable = True
    assert scene.look(STEADY_S_MIN - 1) == Mode.DEGRADED
    assert scene.look() == Mode.UNWINDING


def test_a_breaker_that_has_not_rested_is_not_questioned(scene):
    """It opened a moment ago, and an answer to a question does not give pay sheets."""
    scene.watch.pulse("wx").created(b"last", is_answered=False)
    scene.is_reachable = True
    scene.breakers(Phase.OPEN)
    assert scene.look() == Mode.DEGRADED


def test_probes_that_go_well_are_no_new_outage(scene):
    """A breaker closes by its fourth good probe; until then taps must not switch back and forth."""
    scene.watch.pulse("wx").created(b"last", is_answered=True)
    scene.is_reachable = True
    scene.breakers(Phase.HALF_OPEN)
    assert scene.look() == Mode.NORMAL
    bad = {line: row._replace(probes_bad=1) for line, row in scene.health.state.breakers.items()}
    scene.health.state = State(bad)
    assert scene.look() == Mode.DEGRADED


def test_silence_degrades_only_while_somebody_waits(scene):
    """A question that nobody waits for an answer to is no outage."""
    scene.watch.pulse("wx").missed()
    assert scene.look(SILENCE_S_MAX + 2) == Mode.NORMAL
    scene.order("o")
    scene.attempt("o", "t")
    scene.watch.pulse("wx").missed()
    assert scene.look(SILENCE_S_MAX) == Mode.NORMAL
    assert scene.look() == Mode.DEGRADED


def test_one_answer_ends_a_silence(scene):
    """Evidence for anybody says that evidence comes."""
    scene.order("o")
    scene.attempt("o", "t")
    pulse = scene.watch.pulse("wx")
    pulse.missed()
    assert scene.look(SILENCE_S_MAX - 1) == Mode.NORMAL
    pulse.heard()
    pulse.missed()
    assert scene.look(SILENCE_S_MAX) == Mode.NORMAL


def test_unwinding_asks_the_oldest_first_at_a_bounded_pace(scene):
    """No attempt of the outage is left out, and a channel that just came back is not flooded."""
    made = []
    for number in range(2 * UNWIND_ROWS + 3):
        scene.order(f"o{number}")
        made.append(scene.attempt(f"o{number}", f"t{number}"))
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.breakers(Phase.CLOSED)
    assert scene.look(STEADY_S_MIN) == Mode.UNWINDING
    assert scene.look() == Mode.UNWINDING
    assert scene.asked == made[:UNWIND_ROWS]
    assert scene.look() == Mode.UNWINDING
    assert scene.look() == Mode.NORMAL
    assert scene.asked == made
    assert scene.watch.asked("wx") == len(made)


def test_what_does_not_answer_is_asked_again_and_holds_the_end(scene):
    """NORMAL means that everything of the outage has been asked about."""
    for number in range(MISSES_MAX + 2):
        scene.order(f"o{number}")
        scene.attempt(f"o{number}", f"t{number}")
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.breakers(Phase.CLOSED)
    scene.look(STEADY_S_MIN)
    scene.is_answering = False
    assert scene.look() == Mode.UNWINDING
    assert len(scene.asked) == MISSES_MAX
    scene.is_answering = True
    assert scene.look() == Mode.NORMAL
    assert len(set(scene.asked)) == MISSES_MAX + 2


def test_what_never_answers_is_left_to_the_bill_of_its_day(scene):
    """One number the channel cannot speak of must not keep the line shut for ever."""
    scene.order("o")
    scene.attempt("o", "t")
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.breakers(Phase.CLOSED)
    scene.look(STEADY_S_MIN)
    scene.is_answering = False
    assert scene.look(BILLED_AFTER_S - 3_600) == Mode.UNWINDING
    asked = len(scene.asked)
    assert scene.look(3_600) == Mode.NORMAL
    assert len(scene.asked) == asked
    why = "SELECT DISTINCT why FROM modes WHERE account = 'wx'"
    assert "all asked but 1 " in scene.world.connection.execute(why).fetchone()[0]
    # It is still asked about by its own schedule, and that it says nothing is no outage of today.
    scene.watch.pulse("wx").missed()
    assert scene.look(SILENCE_S_MAX + 1) == Mode.NORMAL
    scene.breakers(Phase.OPEN)
    assert scene.look() == Mode.DEGRADED


def test_a_restart_while_unwinding_asks_once_more(scene):
    """How far it had come is not worth a row: asking twice does nothing twice."""
    scene.order("o")
    made = scene.attempt("o", "t")
    scene.breakers(Phase.OPEN)
    scene.look()
    scene.breakers(Phase.CLOSED)
    scene.look(STEADY_S_MIN)
    scene.watch = scene.fresh()
    assert scene.watch.mode("wx") == Mode.UNWINDING
    assert scene.look() == Mode.NORMAL
    assert scene.asked == [made]


def test_a_persons_word_outlasts_the_signals(scene):
    """Forced off, nothing is advanced whatever is seen; a step that cannot be taken is refused."""
    switch = scene.watch.switch
    assert asyncio.run(switch("wx", "allow", "li", "no")) == Code.ALREADY_SETTLED
    assert asyncio.run(switch("wx", "force_off", "li", "a drill")) == Code.OK
    scene.breakers(Phase.OPEN)
    assert scene.look(600) == Mode.FORCED_OFF
    assert asyncio.run(switch("wx", "allow", "li", "over")) == Code.OK
    scene.breakers(Phase.CLOSED)
    assert scene.look() == Mode.NORMAL


def test_lanes_that_differ_are_brought_together():
    """A crash between two lanes leaves one behind; the next word of a person reaches both."""
    scene = Scene(3)
    scene.world.do(scene.world.set_mode("a", "force_off"))
    assert asyncio.run(scene.watch.switch("wx", "force_off", "li", "a drill")) == Code.OK
    rows = scene.world.connection.execute("SELECT mode FROM modes").fetchall()
    assert rows == [(Mode.FORCED_OFF,)] * 3
    scene.world.close()


@pytest.fixture
def bridged(scene):
    """An outage in which an order with a number and one without were advanced."""
    world = scene.world
    for name in ("b",):
        world.do(world.register(name))
    for name in ("a", "b"):
        world.do(world.fund_line(name, 100_000, key=f"line of {name}"))
    scene.order("o")
    scene.attempt("o", "t")
    assert not world.do(world.order("p", "b", OrderKind.COINS, 1_000, coins=100)).code
    scene.breakers(Phase.OPEN)
    scene.look()
    for name in ("o", "p"):
        assert not world.do(world.advance(name)).code
    return scene


def test_who_has_not_paid_is_asked_once_after_the_outage(bridged):
    """First its number is closed, when it is old enough; then the payment is asked for, once."""
    scene, world = bridged, bridged.world
    assert scene.look(400) == Mode.DEGRADED
    assert scene.shut == []
    scene.breakers(Phase.CLOSED)
    assert scene.look(STEADY_S_MIN) == Mode.UNWINDING
    assert set(scene.shut) == {world.ids["t"]}
    assert standing.advance(world.connection, world.ids["p"]).asked_at_us
    assert not standing.advance(world.connection, world.ids["o"]).asked_at_us
    scene.look()
    world.do(world.observe("t", TradeState.CLOSED))
    scene.look()
    asked_us = standing.advance(world.connection, world.ids["o"]).asked_at_us
    assert asked_us
    scene.look()
    assert standing.advance(world.connection, world.ids["o"]).asked_at_us == asked_us


def test_a_number_just_begun_is_not_closed(bridged):
    """A channel wants five minutes between an order and its closing."""
    bridged.breakers(Phase.CLOSED)
    bridged.look(STEADY_S_MIN)
    assert bridged.shut == []


def test_an_outage_is_told_by_its_steps_and_figures(bridged):
    """Its parts add up, and one that goes on has no end."""
    scene, world = bridged, bridged.world
    (going,) = outages(world.connection, "wx")
    assert (going.ended_us, going.closed_us) == (0, 0)
    scene.breakers(Phase.CLOSED)
    scene.look(STEADY_S_MIN)
    scene.look()
    (outage,) = outages(world.connection, "wx")
    assert [each.event for each in outage.steps] == ["degrade", "recover", "finish"]
    assert outage.began_us < outage.ended_us < outage.closed_us
    # The world mints its ids by names and not by time.
    told = figures(world.connection, "wx", outage, world.clock.us, 0).advances
    assert (told.advances, told.advanced_fen, told.open_fen) == (2, 3_000, 3_000)
    assert figures(world.connection, "other", outage, world.clock.us, 0).advances.advances == 0


def test_one_account_that_hangs_does_not_hide_another(monkeypatch):
    """Each is looked at apart, and a look that the surroundings spoil is taken again."""
    monkeypatch.setattr("lingqian.events.degrade.LOOK_EVERY_S", 0.01)
    scene = Scene()
    around = scene.watch._around._replace(hosts={"wx": HOSTS, "hung": HOSTS})
    watch = Watch(around)
    lines = [Line(account, host, "prepay") for account in ("wx", "hung") for host in HOSTS]
    scene.health.state = State({line: Breaker(Phase.OPEN) for line in lines})
    watch.pulse("hung").created(b"last", is_answered=False)
    tries = []

    async def hang(_):
        await asyncio.sleep(60)

    async def spoiled(submission):
        tries.append(submission)
        if len(tries) == 1:
            raise Busy("full")
        return await scene.ask(submission)

    watch._around = around._replace(ask=spoiled)

    async def run():
        task = asyncio.ensure_future(watch.run(Errand(scene.query, hang, scene.close)))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert (watch.mode("wx"), watch.mode("hung")) == (Mode.DEGRADED, Mode.NORMAL)
    scene.world.close()


def test_steady_time_begins_anew_at_each_moment_of_trouble():
    """The pulse alone: sixty seconds of good signals, counted from the last bad one."""
    clock = SimpleNamespace(us=0)
    pulse = Pulse(lambda: clock.us)
    clock.us = 30 * SECOND_US
    assert pulse.signals(are_routes_open=False, left=Left()).steady_s == 30
    assert pulse.signals(are_routes_open=True, left=Left()).steady_s == 0
    clock.us = 40 * SECOND_US
    assert pulse.signals(are_routes_open=False, left=Left()).steady_s == 10
    pulse.created(b"last", is_answered=False)
    pulse.missed()
    clock.us = 200 * SECOND_US
    seen = pulse.signals(are_routes_open=False, left=Left())
    assert (seen.silent_s, seen.is_creating, seen.steady_s) == (160, False, 170)
