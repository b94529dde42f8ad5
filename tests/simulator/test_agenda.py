"""The agenda: it ends when it is told to, whatever happens in the same instant."""

import asyncio

from lingqian_simulator.agenda import Agenda
from lingqian_simulator.clock import Clock


def test_an_agenda_ends_though_the_clock_moves_in_the_same_instant():
    """A cancellation that is lost there leaves a simulator that nobody can stop."""

    async def cancelled_while_moved():
        clock = Clock()
        running = asyncio.create_task(Agenda(clock).run())
        await asyncio.sleep(0.01)
        clock.moved.set()
        running.cancel()
        await asyncio.wait({running}, timeout=1)
        is_over = running.cancelled()
        running.cancel()  # so that a failure ends too
        return is_over

    assert asyncio.run(cancelled_while_moved())
