"""The carrier: what goes between a ledger and a bus, each part in a thread of its own (搬运).

Law: it carries the lanes that the writer owns at the moment, so it needs no lease of its own; where
two believe for a while that they own one, the epoch in the lane's row says who is right.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from lingqian.events.bus import COMMANDS, RELAY, Bus
from lingqian.events.egress import Egress
from lingqian.events.ferry import Ferry
from lingqian.events.ingress import Door, Ingress
from lingqian.events.tail import Journal
from lingqian.flows.command import DeliverRelay
from lingqian.kernel.bound import BUS_ANSWER_S_MAX
from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Connection, Taken
from lingqian.storage.position import Parker, position
from lingqian.storage.relay import waiting

STOP_S_MAX: Final = 3 * BUS_ANSWER_S_MAX
Run = Callable[[threading.Event], None]


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

    def __init__(self, runs: Sequence[Run]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(
                target=each, args=(self._stop,), name=f"lingqian-{each.__name__}", daemon=True
            )
            for each in runs
        ]

    def start(self) -> None:
        """Begin."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """End behind what is under way; what is not out is told by whoever starts next."""
        self._stop.set()
        for each in self._threads:
            each.join(STOP_S_MAX)


def events_out(means: Means) -> Run:
    """Return what tells the journal on the bus."""

    def tell(stop: threading.Event) -> None:
        with closing(means.open_bus()) as bus, closing(means.connect()) as connection:
            Egress(bus, Journal(connection, means.source), means.held).run(stop)

    return tell


def commands_in(means: Means, kinds: frozenset[type]) -> Run:
    """Return what reads commands of these kinds from the bus."""

    def read(stop: threading.Event) -> None:
        _read(means, COMMANDS, kinds, stop)

    return read


def relay_in(means: Means) -> Run:
    """Return what reads deliveries of money from the bus."""

    def receive(stop: threading.Event) -> None:
        _read(means, RELAY, frozenset({DeliverRelay}), stop)

    return receive


def relay_out(means: Means) -> Run:
    """Return what tells deliveries of money from our lanes on the bus."""

    def ferry(stop: threading.Event) -> None:
        with closing(means.open_bus()) as bus, closing(means.connect()) as connection:

            def ours() -> list[DeliverRelay]:
                held = frozenset(means.held())
                return [each for each in waiting(connection) if each.source in held]

            Ferry(bus, ours).run(stop)

    return ferry


def _read(means: Means, stream: str, kinds: frozenset[type], stop: threading.Event) -> None:
    with closing(means.open_bus()) as bus, closing(means.connect()) as connection:

        def consume(submissions: Sequence[Submission], taken: Sequence[Taken]) -> list[Answer]:
            return means.intake.consume(submissions, taken).result()

        door = Door(
            means.held,
            lambda lane, name: position(connection, lane, name),
            consume,
            means.parker,
            means.now_us,
        )
        Ingress(bus, stream, kinds, door).run(stop)
