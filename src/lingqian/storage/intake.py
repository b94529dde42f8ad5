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

from lingqian.flows.command import DeliverRelay
from lingqian.kernel.bound import BATCH_COMMANDS_MAX, QUEUE_AGE_S_MAX, QUEUE_COMMANDS_MAX
from lingqian.kernel.fault import Busy, Fault, Fenced, Moved, Stopping
from lingqian.storage.lane import Answer, Submission, Writer
from lingqian.storage.pace import Pacer
from lingqian.storage.port import Connection, Taken
from lingqian.storage.relay import waiting

Chore = Callable[[Connection], Any]


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
    until_s: float


class _Turn(NamedTuple):
    """Something to do between two batches; a bug in one that decides stops the lane."""

    work: Callable[[Writer], Any]
    future: "Future[Any]"
    decides: bool = False


class Intake:
    """Runs the writer in its own thread and brings answers back to where they were asked."""

    def __init__(
        self,
        open_writer: Callable[[], Writer],
        *,
        batch_max: int = BATCH_COMMANDS_MAX,
        queue_max: int = QUEUE_COMMANDS_MAX,
        on_batch: Callable[[Batched], None] | None = None,
        is_paced: bool = False,
    ) -> None:
        self._open_writer = open_writer
        self._batch_max = batch_max
        # A server has other clients; a file of our own takes whatever it is given.
        self._pacer = Pacer(batch_max) if is_paced else None
        self._queue_max = queue_max
        # Called in the writer's thread after each batch; may be set while the intake runs.
        self.on_batch = on_batch
        # Whether money between our lanes is carried here; else somebody else carries it.
        self.carries = True
        # Called there when the lanes turn out to be somebody else's, where they are shared.
        self.on_fenced: Callable[[], None] | None = None
        self._queue: deque[_Waiting] = deque()
        self._turns: deque[_Turn] = deque()
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
    def full_pct(self) -> int:
        """How much of the queue is taken, in per cent."""
        return 100 * len(self._queue) // self._queue_max

    @property
    def age_s(self) -> float:
        """How long the command that has waited longest has waited, in seconds."""
        try:
            return time.monotonic() - self._queue[0].since_s
        except IndexError:
            return 0.0

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

    def ask(
        self, submission: Submission, within_s: float = QUEUE_AGE_S_MAX
    ) -> "asyncio.Future[Answer]":
        """Queue a command from a coroutine; await the future for the durable answer.

        It is not tried any more when `within_s` has passed.
        Raises: Busy, Stopping at once; Busy, Unsent, Unknown, Fenced, Moved from the future.
        """
        self._admit()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        now_s = time.monotonic()
        self._queue.append(_Waiting(submission, future, loop, now_s, now_s + within_s))
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
        now_s = time.monotonic()
        until_s = now_s + QUEUE_AGE_S_MAX
        futures: list[Future[Answer]] = [Future() for _ in submissions]
        self._queue.extend(
            [
                _Waiting(each, future, None, now_s, until_s)
                for each, future in zip(submissions, futures, strict=True)
            ]
        )
        self._wake.set()
        return futures

    def chore(self, work: Chore) -> "Future[Any]":
        """Queue other writes for the writer's connection, in a transaction of their own."""
        return self._turn(lambda writer: writer.chore(work))

    def consume(
        self, submissions: Sequence[Submission], taken: Sequence[Taken]
    ) -> "Future[list[Answer]]":
        """Decide what was read from a stream as a batch, durable with how far it was read.

        From the future: Unsent, Unknown, Fenced, Moved, Stopping; then nothing is known of the
        batch but what is stored.
        """
        return self._turn(lambda writer: self._consume(writer, submissions, taken), decides=True)

    def share(self, known: frozenset[int]) -> "Future[None]":
        """Be told which lanes there are, some of them other processes'."""
        return self._turn(lambda writer: writer.share(known))

    def take(self, lanes: Sequence[int]) -> "Future[None]":
        """Own lanes before the next batch; Unsent from the future when that cannot be now."""
        return self._turn(lambda writer: writer.take(lanes))

    def give(self, lanes: Sequence[int]) -> "Future[None]":
        """Let lanes go behind the batch that is under way; what waits for them is told Moved."""
        return self._turn(lambda writer: writer.give(lanes))

    def _turn(self, work: Callable[[Writer], Any], *, decides: bool = False) -> "Future[Any]":
        """Queue something for the writer's own thread, to be done between two batches."""
        future: Future[Any] = Future()
        if not self.is_open:
            future.set_exception(Stopping("the process takes nothing new"))
            return future
        self._turns.append(_Turn(work, future, decides))
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
            while self._queue or self._turns:
                while self._turns:
                    self._do_turn(writer, self._turns.popleft())
                if self._queue:
                    self._do_batch(writer)
            if self._is_stopping and not self._queue and not self._turns:
                return

    def _do_turn(self, writer: Writer, turn: _Turn) -> None:
        if not turn.future.set_running_or_notify_cancel():
            return  # whoever asked is gone
        try:
            turn.future.set_result(turn.work(writer))
        except Exception as error:
            turn.future.set_exception(error)  # it belongs to whoever asked for the turn
            if turn.decides and not isinstance(error, Fault):
                raise

    def _consume(
        self, writer: Writer, submissions: Sequence[Submission], taken: Sequence[Taken]
    ) -> list[Answer]:
        began_s = self._busy_since_s = time.monotonic()
        try:
            answers = writer.apply(submissions, taken)
        except Fenced as error:
            raise self._fenced(writer, error) from error
        finally:
            self._busy_since_s = None
        self._batched(writer, answers, time.monotonic() - began_s)
        return answers

    def _next(self, writer: Writer) -> list[_Waiting]:
        """Return the commands of the next batch; those too late or not ours are told so."""
        queue, batch_max = self._queue, self._batch_max
        if self._pacer is not None:
            batch_max, linger_ms = self._pacer.pace
            if linger_ms and len(queue) < batch_max:
                time.sleep(linger_ms / 1_000)
        batch = [queue.popleft() for _ in range(min(len(queue), batch_max))]
        now_s = time.monotonic()
        if late := [each for each in batch if each.until_s < now_s]:
            _fail(late, Busy("the command waited too long and was not tried"))
            batch = [each for each in batch if each.until_s >= now_s]
        if writer.is_shared:
            strays = [each for each in batch if not writer.is_home(each.submission.command)]
            _fail(strays, Moved("the lane is with another process"))
            batch = [each for each in batch if writer.is_home(each.submission.command)]
        return batch

    def _do_batch(self, writer: Writer) -> None:
        batch = self._next(writer)
        if not batch:
            return
        began_s = self._busy_since_s = time.monotonic()
        try:
            answers = writer.apply([each.submission for each in batch])
        except Fenced as error:
            _fail(batch, self._fenced(writer, error))
            return
        except Fault as error:
            if self._pacer is not None:
                self._pacer.failed()
            _fail(batch, error)
            return
        except BaseException:
            _fail(batch, Stopping("the lane has stopped on a broken invariant"))
            raise
        finally:
            self._busy_since_s = None
        took_s = time.monotonic() - began_s
        if self._pacer is not None:
            self._pacer.took(took_s)
        _resolve(batch, answers)
        self._batched(writer, answers, took_s)

    def _batched(self, writer: Writer, answers: list[Answer], took_s: float) -> None:
        """Do what follows every batch."""
        self._deliver_relay(writer)
        if self.on_batch is not None:
            self.on_batch(Batched(writer, answers, took_s))

    def _fenced(self, writer: Writer, error: Fenced) -> Fault:
        """Return what a fenced batch is told: where lanes are shared, to look for their owner."""
        if not writer.is_shared:
            return error
        writer.give_all()
        if self.on_fenced is not None:
            self.on_fenced()
        return Moved(str(error))

    def _deliver_relay(self, writer: Writer) -> None:
        """Carry money between our lanes right behind the batch that let it go."""
        lanes = writer.lanes
        if not self.carries or len(lanes) == 1 or (writer.is_shared and not writer.has_let_go):
            return

        def look(connection: Any) -> list[DeliverRelay]:  # noqa: ANN401 - the engine's own type
            found = waiting(connection)
            return [each for each in found if each.lane in lanes and each.source in lanes]

        try:
            while commands := writer.read(look):
                writer.apply([Submission(each) for each in commands])
        except Fault:
            # What is not delivered now is still in the journal and goes with the next batch.
            return

    def _refuse_rest(self) -> None:
        while self._queue:
            _fail([self._queue.popleft()], Stopping("the process has stopped"))
        while self._turns:
            self._turns.popleft().future.set_exception(Stopping("the process has stopped"))


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
