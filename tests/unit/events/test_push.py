"""The stream of one reader: fair to everybody else on the same loop."""

import asyncio

from lingqian.events.push import Filter, Notices, Reader, stream
from lingqian.events.tail import ALL, Bell, Event, Found

PIECES = 30


class Long:
    """A journal with a long way to go; nothing on it is what the reader wants."""

    def after(self, position):
        """Return one more row, up to the last."""
        seq = position.get(1, (0, ALL))[0]
        if seq == PIECES:
            return Found([], dict(position))
        event = Event(1, seq + 1, 0, "user.changed.v1", (), b"", b"{}")
        return Found([event], {1: (seq + 1, ALL)})


async def turns_of_others():
    """Read a stream that has nothing to say; return how often somebody else had a turn."""
    bell, turns = Bell(), 0
    journal = Long()
    wanted = Filter(types=frozenset(["packet.sent.v1"]))
    reader = Reader(journal, bell, Notices(bell), {}, wanted, lambda: True)

    async def read():
        async for _ in stream(reader):
            pass

    reading = asyncio.create_task(read())
    while journal.after(reader.position).events:
        await asyncio.sleep(0)
        turns += 1
        assert turns < 10 * PIECES, "the reader never gets on"
    reading.cancel()
    return turns


def test_a_long_way_through_the_journal_leaves_others_their_turn():
    """Who begins at the first event and wants almost none must not hold up everybody else."""
    assert asyncio.run(turns_of_others()) >= PIECES
