"""Reads past the lane: a balance, a page of a statement, a packet, on a snapshot (查询)."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from lingqian.bench.batch import SHARES
from lingqian.bench.report import Measure, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import BATCH, World, push
from lingqian.compose import DATABASE
from lingqian.storage import query
from lingqian.storage.sqlite import connect
from lingqian.storage.statement import SEQ_MAX, lines

_PAGE_ROWS = 50


def reads(world: World, scale: Scale) -> list[Measure]:
    """Measure the three reads that every screen begins with."""
    writer = world.writer()
    push(writer, world.transfers(scale.transfers), BATCH)
    packets = world.packets(writer, max(scale.packets // 10, 1), SHARES)
    people, pick = world.people, world.chance.choice
    with closing(connect(str(world.folder / DATABASE), readonly=True)) as reader:
        before = (SEQ_MAX, 0)
        kinds: tuple[tuple[str, Callable[[bytes], Any], Sequence[bytes]], ...] = (
            ("balance", lambda user_id: query.balance(reader, user_id), people),
            (
                f"statement, a page of {_PAGE_ROWS}",
                lambda user_id: lines(reader, user_id, before, _PAGE_ROWS),
                people,
            ),
            ("packet", lambda packet_id: query.packet(reader, packet_id), packets),
        )
        found = []
        for name, read, ids in kinds:
            laps_s = []
            for _ in range(scale.reads):
                subject = pick(ids)
                began = time.perf_counter()
                read(subject)
                laps_s.append(time.perf_counter() - began)
            found.append(timed("reads, in process", name, scale.reads, laps_s))
    writer.close()
    return found
