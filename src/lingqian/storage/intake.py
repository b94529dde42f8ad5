"""The intake: a bounded queue in front of the writer's own thread (收单队列).

Law: what has gathered while the last batch was committing is the next batch; nobody waits for a
batch to fill. Too much waiting is refused at the door, never timed out inside.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import apsw

from lingqian.kernel.bound import BATCH_COMMANDS_MAX, QUEUE_AGE_S_MAX, QUEUE_COMMANDS_MAX
from lingqian.kernel.fault import Busy, Fault, Stopping
from lingqian.storage.lane import Answer, Submission, Writer
from lingqian.storage.relay import waiting

Chore = Callable[[apsw.Connection], Any]


class Batched(NamedTuple):
    """A batch that is durable and answered: whose lanes, its answers, how long it took."""

    writer: Writer
    answers: Sequence[Answer]
    took_s: float


class _Waiting(NamedTuple):
    submission: Submission
    future: "asyncio.Future[Answer] | Future[Answer]"
    loop: asyncio.AbstractEventLoop | None
    since_s: float


class _Chore(NamedTuple):
    work: Chore
    future: "Future[Any]"


class Intake:
    """Runs the writer in its own thread and brings answers back to where they were asked."""

    def __init__(
        self,
        open_writer: Callable[[], Writer],
        *,
        batch_max: int = BATCH_COMMANDS_MAX,
        queue_max: int = QUEUE_COMMANDS_MAX,
        on_batch: Callable[[Batched], None] | None = None,
    ) -> None:
        self._open_writer = open_writer
        self._batch_max = batch_max
        self._queue_max = queue_max
        # Called in the writer's thread after each batch; may be set while the intake runs.
        self.on_batch = on_batch
        self._queue: deque[_Waiting] = deque()
        self._chores: deque[_Chore] = deque()
        self._wake = threading.Event()
        # The loop that will wake the writer once it has run what is ready now.
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="lingqian-writer", daemon=True)
        self._busy_since_s: float | None = None
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Start the thread and wait until the store is open.

        Raises: what opening the store raises.
        """
        self._thread.start()
        self._ready.result()

    @property
    def depth(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def waits_s(self) -> float:
        """How long the commands taken but not answered have waited, in seconds."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def is_open(self) -> bool:
        """Whether new commands are taken."""
        return not self._is_stopping and self.failure is None

    def _admit(self) -> None:
        if not self.is_open:
            raise Stopping("the process takes nothing new")
        if len(self._queue) >= self._queue_max:
            raise Busy(f"{self._queue_max} commands are waiting")

    def ask(self, submission: Submission) -> "asyncio.Future[Answer]":
        """Queue a command from a coroutine; await the future for the durable answer.

        Raises: Busy, Stopping at once; Unsent, Unknown, Fenced from the future.
        """
        self._admit()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._queue.append(_Waiting(submission, future, loop, time.monotonic()))
        if self._gathering is not loop and not self._wake.is_set():
            self._gathering = loop
            loop.call_soon(self._gathered)
        return future

    def _gathered(self) -> None:
        """Wake the writer: all that the loop had ready when the first command came is queued."""
        self._gathering = None
        self._wake.set()

    def ask_many(self, submissions: Sequence[Submission]) -> "list[Future[Answer]]":
        """Queue commands from a thread; each future has its own answer.

        Raises: Busy, Stopping.
        """
        self._admit()
        since = time.monotonic()
        futures: list[Future[Answer]] = [Future() for _ in submissions]
        self._queue.extend(
            [
                _Waiting(each, future, None, since)
                for each, future in zip(submissions, futures, strict=True)
            ]
        )
        self._wake.set()
        return futures

    def chore(self, work: Chore) -> "Future[Any]":
        """Queue other writes for the writer's connection, in a transaction of their own."""
        future: Future[Any] = Future()
        if not self.is_open:
            future.set_exception(Stopping("the process takes nothing new"))
            return future
        self._chores.append(_Chore(work, future))
        self._wake.set()
        return future

    def stop(self) -> None:
        """Take nothing new, finish what waits, close the store and end the thread."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            writer = self._open_writer()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits in start()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        try:
            self._serve(writer)
        except BaseException as error:  # noqa: BLE001 - a bug stops the lane; nothing goes on behind it
            self.failure = error
        finally:
            writer.close()
            self._refuse_rest()

    def _serve(self, writer: Writer) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue or self._chores:
                while self._chores:
                    self._do_chore(writer, self._chores.popleft())
                if self._queue:
                    self._do_batch(writer)
            if self._is_stopping and not self._queue and not self._chores:
                return

    def _do_chore(self, writer: Writer, chore: _Chore) -> None:
        if not chore.future.set_running_or_notify_cancel():
            return  # whoever asked is gone
        try:
            chore.future.set_result(writer.chore(chore.work))
        except Exception as error:  # noqa: BLE001 - belongs to whoever asked for the chore
            chore.future.set_exception(error)

    def _do_batch(self, writer: Writer) -> None:
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), self._batch_max))]
        oldest = time.monotonic() - QUEUE_AGE_S_MAX
        if batch[0].since_s < oldest:
            late = [each for each in batch if each.since_s < oldest]
            _fail(late, Busy("the command waited too long and was not tried"))
            batch = [each for each in batch if each.since_s >= oldest]
            if not batch:
                return
        began_s = self._busy_since_s = time.monotonic()
        try:
            answers = writer.apply([each.submission for each in batch])
        except Fault as error:
            _fail(batch, error)
            return
        except BaseException:
            _fail(batch, Stopping("the lane has stopped on a broken invariant"))
            raise
        finally:
            self._busy_since_s = None
        took_s = time.monotonic() - began_s
        _resolve(batch, answers)
        self._deliver_relay(writer)
        if self.on_batch is not None:
            self.on_batch(Batched(writer, answers, took_s))

    def _deliver_relay(self, writer: Writer) -> None:
        """Carry money between lanes right behind the batch that let it go."""
        if len(writer.lanes) == 1:
            return
        try:
            while commands := writer.read(lambda connection: list(waiting(connection))):
                writer.apply([Submission(each) for each in commands])
        except Fault:
            # What is not delivered now is still in the journal and goes with the next batch.
            return

    def _refuse_rest(self) -> None:
        while self._queue:
            _fail([self._queue.popleft()], Stopping("the process has stopped"))
        while self._chores:
            self._chores.popleft().future.set_exception(Stopping("the process has stopped"))


def _resolve(batch: list[_Waiting], answers: list[Answer]) -> None:
    """Hand answers back, one wake-up per event loop and not one per answer."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Any, Answer]]] = {}
    for each, answer in zip(batch, answers, strict=True):
        if each.loop is None:
            each.future.set_result(answer)
        else:
            loops.setdefault(each.loop, []).append((each.future, answer))
    for loop, pairs in loops.items():
        _call(loop, _set_results, pairs)


def _fail(batch: list[_Waiting], error: Fault) -> None:
    for each in batch:
        if each.loop is None:
            each.future.set_exception(error)
        else:
            _call(each.loop, _set_failure, (each.future, error))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], pairs: object) -> None:
    try:
        loop.call_soon_threadsafe(function, pairs)
    except RuntimeError:
        # The loop was closed: whoever asked is gone; the answer is durable all the same.
        return


def _set_results(pairs: list[tuple[Any, Answer]]) -> None:
    for future, answer in pairs:
        if not future.done():
            future.set_result(answer)


def _set_failure(pair: tuple[Any, Fault]) -> None:
    future, error = pair
    if not future.done():
        future.set_exception(error)
