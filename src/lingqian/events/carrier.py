"""The carrier: what goes between a ledger and a bus, each part in a thread of its own (搬运).

Law: it carries the lanes that the writer owns at the moment, so it needs no lease of its own; where
two believe for a while that they own one, the epoch in the lane's row says who is right.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from lingqian.events.bus import AGAIN_AFTER_S, COMMANDS, RELAY, Bus
from lingqian.events.egress import Egress
from lingqian.events.ferry import Ferry
from lingqian.events.ingress import Door, Ingress
from lingqian.events.tail import Journal
from lingqian.events.tally import Tally
from lingqian.flows.command import DeliverRelay
from lingqian.kernel.bound import BUS_ANSWER_S_MAX
from lingqian.kernel.fault import Fault
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Connection, Taken
from lingqian.storage.position import Parker, position
from lingqian.storage.relay import waiting
from lingqian.storage.setback import Setback

STOP_S_MAX: Final = 3 * BUS_ANSWER_S_MAX
REST_S: Final = 0.05
_log = logging.getLogger(__name__)


class Part(NamedTuple):
    """One part: how it goes, and what its thread runs until it is told to stop."""

    tally: Tally
    run: Callable[[threading.Event], None]


class Means(NamedTuple):
    """What carrying needs: buses and connections of its own, the writer's lanes, the intake."""

    open_bus: Callable[[], Bus]
    connect: Callable[[], Connection]
    held: Callable[[], Iterable[int]]
    intake: Intake
    parker: Parker
    now_us: Callable[[], int]
    source: str


class Carrier:
    """Runs the parts until it is stopped."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(each,), name=f"lingqian-{each.tally.name}", daemon=True
            )
            for each in parts
        ]

    def _run(self, part: Part) -> None:
        try:
            part.run(self._stop)
        except BaseException:
            # A mistake of ours ends the part; nothing stands still without being seen to.
            part.tally.is_failing = True
            raise

    def start(self) -> None:
        """Begin."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """End behind what is under way; what is not out is told by whoever starts next."""
        self._stop.set()
        for each in self._threads:
            each.join(STOP_S_MAX)


def events_out(means: Means) -> Part:
    """Return what tells the journal on the bus."""
    tally = Tally("events_out")

    def run(stop: threading.Event) -> None:
        with closing(means.open_bus()) as bus, closing(means.connect()) as connection:
            egress = Egress(bus, Journal(connection, means.source), means.held, tally)
            _go_on(tally, lambda: 0.0 if egress.round() else REST_S, stop)

    return Part(tally, run)


def commands_in(means: Means, kinds: frozenset[type]) -> Part:
    """Return what reads commands of these kinds from the bus."""
    return _stream_in(means, COMMANDS, kinds)


def relay_in(means: Means) -> Part:
    """Return what reads deliveries of money from the bus."""
    return _stream_in(means, RELAY, frozenset({DeliverRelay}))


def relay_out(means: Means) -> Part:
    """Return what tells deliveries of money from our lanes on the bus."""
    tally = Tally("relay_out")

    def run(stop: threading.Event) -> None:
        with closing(means.open_bus()) as bus, closing(means.connect()) as connection:

            def ours() -> list[DeliverRelay]:
                held = frozenset(means.held())
                return [each for each in waiting(connection) if each.source in held]

            ferry = Ferry(bus, ours, tally)

            def once() -> float:
                ferry.round()
                return REST_S

            _go_on(tally, once, stop)

    return Part(tally, run)


def _stream_in(means: Means, stream: str, kinds: frozenset[type]) -> Part:
    tally = Tally(f"{stream}_in")

    def consume(submissions: Sequence[Submission], taken: Sequence[Taken]) -> list[Answer]:
        return means.intake.consume(submissions, taken).result()

    def run(stop: threading.Event) -> None:
        with closing(means.open_bus()) as bus, closing(means.connect()) as connection:
            door = Door(
                means.held,
                lambda lane, name: position(connection, lane, name),
                consume,
                means.parker,
                means.now_us,
            )
            with closing(Ingress(bus, stream, kinds, door, tally)) as ingress:

                def once() -> float:
                    # It waits for what comes by itself.
                    ingress.round()
                    return 0.0

                _go_on(tally, once, stop)

    return Part(tally, run)


def _go_on(tally: Tally, once: Callable[[], float], stop: threading.Event) -> None:
    """Do a round and rest as long as it says, until told to stop; what fails is tried again."""
    setback = Setback(_log, tally.name.replace("_", " "))
    while not stop.is_set():
        try:
            rest_s = once()
        except Fault as fault:
            setback.failed(fault)
            tally.is_failing = True
            rest_s = AGAIN_AFTER_S
        else:
            setback.over()
            tally.is_failing = False
        stop.wait(rest_s)
