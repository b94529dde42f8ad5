"""The office: all that goes between this process and its Kafka, opened and closed as one (总线口).

Law: with topics that could lose what they acknowledge nothing is begun outside the sandbox.
"""

from collections.abc import Callable
from typing import Final

from lingqian.events.bus import Bus
from lingqian.events.carrier import (
    Carrier,
    Means,
    Part,
    commands_in,
    events_out,
    relay_in,
    relay_out,
)
from lingqian.events.kafka.bus import KafkaBus
from lingqian.events.kafka.setting import KafkaRow
from lingqian.events.kafka.topic import Topics
from lingqian.events.mailbox import Mailbox
from lingqian.flows.command import AskPayout, ClaimPacket, Command, SendGift, SendPacket, Transfer
from lingqian.kernel.fault import Damaged
from lingqian.storage.lane import Answer, Submission

# What may go over the bus: what people do in a rush, and may ask again about with the same key.
BY_BUS: Final[dict[str, type]] = {
    "claims": ClaimPacket,
    "sends": SendPacket,
    "transfers": Transfer,
    "gifts": SendGift,
    "payouts": AskPayout,
}


class Office:
    """Carries for the lanes that are this process's, and posts what people ask of any lane.

    Opening raises: Damaged when a topic could lose messages; Unsent when no broker answers.
    """

    def __init__(self, row: KafkaRow, means: Means, lanes: int, *, is_sandbox: bool) -> None:
        if not is_sandbox and (faults := Topics(row).faults(lanes)):
            raise Damaged("; ".join(faults))
        self._kinds = frozenset([BY_BUS[name] for name in row.ingress])
        self._bus = KafkaBus(row)
        self._mailbox = Mailbox(self._bus, lanes, row.ingress_wait_ms / 1_000)
        parts = _parts(row, means, self._kinds)
        self._carrier = Carrier(parts)
        # How each part goes; its own thread writes it.
        self.tallies = [part.tally for part in parts]

    def start(self) -> None:
        """Begin."""
        self._carrier.start()
        if self._kinds:
            self._mailbox.start()

    def stop(self) -> None:
        """End behind what is under way."""
        if self._kinds:
            self._mailbox.stop()
        self._carrier.stop()
        self._bus.close()

    def takes(self, command: Command) -> bool:
        """Say whether a command goes over the bus."""
        return type(command) in self._kinds

    async def ask(self, submission: Submission) -> Answer:
        """Put a command on its lane's line and wait a while for the durable answer.

        Raises: Busy, Unsent, Accepted.
        """
        return await self._mailbox.ask(submission)


def opener(row: KafkaRow) -> Callable[[], Bus]:
    """Return how a thread opens a bus of its own."""
    return lambda: KafkaBus(row)


def _parts(row: KafkaRow, means: Means, kinds: frozenset[type]) -> list[Part]:
    """Return what is carried: events always, commands and money where it is set."""
    parts = [events_out(means)]
    if kinds:
        parts.append(commands_in(means, kinds))
    if row.relay == "kafka":
        means.intake.carries = False
        parts += [relay_out(means), relay_in(means)]
    return parts
