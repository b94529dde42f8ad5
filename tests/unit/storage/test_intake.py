"""The intake gathers what is ready together, and never leaves a command waiting for nobody."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from lingqian.storage.intake import Intake
from lingqian.storage.lane import Answer, Submission

PATIENCE_S = 10


class Scribe:
    """A writer that answers everything and remembers its batches."""

    is_shared = False

    def __init__(self):
        self.lanes = {0: None}
        self.batches = []
        self.taken = []

    def apply(self, submissions, taken=()):
        """Answer a batch."""
        self.batches.append([each.command for each in submissions])
        self.taken += taken
        return [Answer(0, each.command, None, 0, 0, "", None) for each in submissions]

    def close(self):
        """Release nothing."""


@pytest.fixture
def desk():
    """A running intake in front of a scribe."""
    scribe = Scribe()
    intake = Intake(lambda: scribe)
    intake.start()
    yield SimpleNamespace(intake=intake, scribe=scribe)
    intake.stop()


async def asked(intake, word):
    """Ask one command and return the command that was answered."""
    async with asyncio.timeout(PATIENCE_S):
        return (await intake.ask(Submission(word))).command


def test_what_a_loop_has_ready_together_is_one_batch(desk):
    """Each batch costs a flush: commands that stand at the door together must share it."""

    async def caller(number):
        time.sleep(0.002)  # noqa: ASYNC251 - a read on this thread: the writer could run meanwhile
        return await asked(desk.intake, f"command {number}")

    async def crowd():
        return await asyncio.gather(*[caller(number) for number in range(16)])

    answered = asyncio.run(crowd())
    assert desk.scribe.batches == [answered]
    assert len(set(answered)) == 16


def test_a_single_command_does_not_wait_for_others(desk):
    """Nothing fills a batch but what is there."""
    assert asyncio.run(asked(desk.intake, "alone")) == "alone"
    assert asyncio.run(asked(desk.intake, "again")) == "again"
    assert desk.scribe.batches == [["alone"], ["again"]]


def test_a_loop_that_ends_takes_nobody_with_it(desk):
    """A loop may close before it could wake the writer; the next caller's command still goes."""
    loop = asyncio.new_event_loop()

    def ask_and_end():
        loop.stop()
        desk.intake.ask(Submission("left behind"))

    loop.call_soon(ask_and_end)
    loop.run_forever()
    loop.close()
    assert asyncio.run(asked(desk.intake, "next")) == "next"
    assert [word for batch in desk.scribe.batches for word in batch] == ["left behind", "next"]


def test_every_loop_and_every_thread_is_answered(desk):
    """Two loops and a thread without one ask at the same time."""
    heard = []

    def live(name):
        heard.extend(asyncio.run(many(name)))

    async def many(name):
        return [await asked(desk.intake, f"{name} {n}") for n in range(200)]

    threads = [threading.Thread(target=live, args=(name,)) for name in ("a", "b")]
    for each in threads:
        each.start()
    futures = desk.intake.ask_many([Submission(f"c {n}") for n in range(200)])
    heard.extend(each.result(PATIENCE_S).command for each in futures)
    for each in threads:
        each.join(PATIENCE_S)
    assert len(set(heard)) == 600


def test_what_was_read_from_a_stream_is_a_batch_of_its_own():
    """How far it was read goes with what it did; nothing else may be in that transaction."""
    scribe, batches = Scribe(), []
    intake = Intake(lambda: scribe, on_batch=batches.append)
    intake.start()
    try:
        answers = intake.consume([Submission("read")], ["taken"]).result(PATIENCE_S)
    finally:
        intake.stop()
    assert [answer.command for answer in answers] == ["read"]
    assert (scribe.batches, scribe.taken) == ([["read"]], ["taken"])
    assert len(batches) == 1


def test_a_bug_in_what_was_read_stops_the_lane():
    """Memory and store may differ from then on: nothing may be decided on top of it."""
    scribe = Scribe()
    intake = Intake(lambda: scribe)
    intake.start()
    scribe.apply = None
    with pytest.raises(TypeError):
        intake.consume([], []).result(PATIENCE_S)
    intake.stop()
    assert isinstance(intake.failure, TypeError)
