"""Posts: work runs while its lease is ours, has ended when it is not, and begins again."""

import asyncio

import pytest

from lingqian.cluster.post import Posts

PATIENCE_S = 20


class Work:
    """Work without an end that knows whether it is being done."""

    def __init__(self):
        self.begun = 0
        self.is_done_now = False
        self.moved = asyncio.Event()

    async def run(self):
        """Work; take a moment to end."""
        self.begun += 1
        self.is_done_now = True
        self.moved.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            self.is_done_now = False


def run(work):
    """Run a coroutine with a bound."""

    async def bounded():
        async with asyncio.timeout(PATIENCE_S):
            await work()

    asyncio.run(bounded())


def test_work_begins_with_its_lease_and_ends_before_it_is_let_go():
    """Twice, for a post may come back."""

    async def work():
        posts, sweep = Posts(is_alone=False), Work()
        running = asyncio.create_task(posts.run("sweep", sweep.run))
        await asyncio.sleep(0.02)
        assert sweep.begun == 0
        for times in (1, 2):
            sweep.moved.clear()
            posts.gain(["sweep", "other"])
            await sweep.moved.wait()
            assert (sweep.begun, sweep.is_done_now, posts.holds("sweep")) == (times, True, True)
            await posts.lose(["sweep"])
            assert (sweep.is_done_now, posts.holds("sweep")) == (False, False)
        assert posts.holds("other")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(work)


def test_process_that_is_alone_holds_every_post():
    """One process on one file asks nobody; and what works on behind its end is nobody's."""

    async def work():
        posts, sweep = Posts(is_alone=True), Work()
        running = asyncio.create_task(posts.run("sweep", sweep.run))
        await sweep.moved.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert not sweep.is_done_now

    run(work)


def test_work_that_fails_is_told_to_whoever_runs_it():
    """The outermost loop says so and begins again."""

    async def work():
        async def broken():
            raise ValueError("a mistake of ours")

        with pytest.raises(ValueError, match="a mistake"):
            await Posts(is_alone=True).run("sweep", broken)

    run(work)


def test_losing_what_never_ran_is_nothing():
    """A post whose work this process does not know."""
    run(lambda: Posts(is_alone=False).lose(["other"]))
