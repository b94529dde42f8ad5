"""The mailbox: commands put on a bus, and their answers awaited for a while (命令投递).

Law: an answer is the lane's, durable. When none has come in time the command is neither done nor
refused as far as we know: whoever asks again with the same key gets its first answer.
"""

import asyncio
import logging
import queue
import secrets
import threading
from concurrent.futures import Future
from typing import Final, NamedTuple

from lingqian.events.bus import (
    ABSENT,
    AGAIN_AFTER_S,
    COMMANDS,
    REPLIES,
    Bus,
    Carried,
    Message,
    OutOfSpan,
)
from lingqian.events.ingress import ASK, REPLY
from lingqian.flows.kind import home_lane
from lingqian.kernel.bound import BUS_MESSAGES_MAX, QUEUE_COMMANDS_MAX
from lingqian.kernel.fault import Accepted, Busy, Damaged, Fault
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.setback import Setback
from lingqian.storage.wire import read_answer, write_submission

WAIT_S: Final = 0.25
_ASK_BYTES: Final = 16
_log = logging.getLogger(__name__)


class _Letter(NamedTuple):
    lane: int
    message: Message
    future: "Future[Answer]"


class Mailbox:
    """Puts commands on the bus for one process, and hears what became of them."""

    def __init__(self, bus: Bus, lanes: int, wait_s: float) -> None:
        self._bus = bus
        self._wait_s = wait_s
        # All who share a line of replies hear each other's and leave them alone.
        self._line = secrets.randbelow(lanes)
        self._letters: queue.Queue[_Letter] = queue.Queue(QUEUE_COMMANDS_MAX)
        self._asked: dict[bytes, Future[Answer]] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=each, name=f"lingqian-{each.__name__}", daemon=True)
            for each in (self._post, self._hear)
        ]

    def start(self) -> None:
        """Begin to post and to hear."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """End; what was posted stays posted."""
        self._stop.set()
        for each in self._threads:
            each.join()

    async def ask(self, submission: Submission) -> Answer:
        """Put a command on its lane's line and wait a while for the durable answer.

        Raises: Busy when too much waits to be posted; Unsent when the bus does not take it;
        Accepted when it was taken and no answer has come in time.
        """
        name, future = secrets.token_bytes(_ASK_BYTES), Future[Answer]()
        headers = ((REPLY, b"%d" % self._line), (ASK, name))
        message = Message(name, write_submission(submission), headers)
        letter = _Letter(home_lane(submission.command), message, future)
        self._asked[name] = future
        try:
            self._letters.put_nowait(letter)
            async with asyncio.timeout(self._wait_s):
                return await asyncio.wrap_future(future)
        except queue.Full:
            raise Busy(f"{QUEUE_COMMANDS_MAX} commands wait to be posted") from None
        except TimeoutError:
            raise Accepted("the command is on its way; ask again with the same key") from None
        finally:
            self._asked.pop(name, None)

    def _post(self) -> None:
        """Put on the bus together whatever has gathered."""
        while not self._stop.is_set():
            letters = self._gathered()
            if not letters:
                continue
            try:
                self._bus.append(COMMANDS, [each[:2] for each in letters])
            except Fault as fault:
                for each in letters:
                    _fail(each.future, fault)

    def _gathered(self) -> list[_Letter]:
        letters = []
        try:
            letters.append(self._letters.get(timeout=WAIT_S))
            while len(letters) < BUS_MESSAGES_MAX:
                letters.append(self._letters.get_nowait())
        except queue.Empty:
            pass
        return letters

    def _hear(self) -> None:
        """Hear answers from now on; older ones are nobody's any more."""
        reader, identity = self._bus.reader(REPLIES), ABSENT
        setback = Setback(_log, "replies")
        while not self._stop.is_set():
            try:
                if identity == ABSENT:
                    identity = self._bus.identity(REPLIES)
                    reader.seek({self._line: self._bus.span(REPLIES, self._line).end})
                for each in reader.take(BUS_MESSAGES_MAX, WAIT_S):
                    self._answer(each)
            except (Fault, OutOfSpan) as error:
                setback.failed(error)
                identity = ABSENT
                self._stop.wait(AGAIN_AFTER_S)
            else:
                setback.over()
        reader.close()

    def _answer(self, carried: Carried) -> None:
        future = self._asked.get(carried.header(ASK))
        if future is None:
            return
        try:
            answer = read_answer(carried.message.value)
        except Damaged as fault:
            _fail(future, fault)
            return
        if future.set_running_or_notify_cancel():
            future.set_result(answer)


def _fail(future: "Future[Answer]", fault: Fault) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(fault)
