"""In process, batch by batch: share of the raw bound, sizes, hot against spread (批)."""

import time
from collections.abc import Sequence
from typing import Final

from lingqian.bench.raw import Raw, Recorder, race
from lingqian.bench.report import Bar, Measure, judged, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import BATCH, World, push
from lingqian.storage.lane import Submission, Writer

# A group of fifty: the packet of the README.
SHARES: Final = 50
# The most shares that the limits allow one packet.
HOT_SHARES: Final = 500
HISTORY_CLAIMS: Final = 500
RAW_TRANSFERS: Final = Bar(name="transfers: share of the raw bound, batch 1,000", must=0.5, aim=0.8)
RAW_CLAIMS: Final = Bar(name="claims: share of the raw bound, batch 1,000", must=0.5, aim=0.8)
HOT_ACCOUNT: Final = Bar(name="one hot account against spread ones", must=1.0, aim=1.2)
HOT_PACKET: Final = Bar(name="one hot packet against spread ones", must=1.0, aim=1.2)


def laps(writer: Writer, submissions: Sequence[Submission], size: int) -> list[float]:
    """Apply commands in batches and return how long each took."""
    taken = []
    for start in range(0, len(submissions), size):
        batch = submissions[start : start + size]
        began = time.perf_counter()
        answers = writer.apply(batch)
        taken.append(time.perf_counter() - began)
        assert not any(answer.code for answer in answers), "the benchmark's commands are all valid"
    return taken


def against_raw(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Race the lane against the engine that writes the same rows: transfers, sends, claims.

    The file has a history first: on an empty one every page is in the processor's own cache.
    """
    folder = world.folder
    history = world.writer()
    for _ in range(scale.history):
        push(history, world.transfers(BATCH), BATCH)
        packets = world.packets(history, HISTORY_CLAIMS // SHARES, SHARES)
        push(history, world.claims(packets, SHARES), BATCH)
    history.close()
    raw = Raw(world.copy(folder))
    writer = world.writer(Recorder)
    shares: dict[str, list[float]] = {"transfers": [], "sends": [], "claims": []}
    lane_s: dict[str, list[float]] = {name: [] for name in shares}
    raw_s: dict[str, list[float]] = {name: [] for name in shares}
    counts = dict.fromkeys(shares, 0)

    def run(name: str, submissions: list[Submission]) -> None:
        result = race(writer, raw, submissions, BATCH)
        shares[name].append(result.share)
        lane_s[name] += result.lane_s
        raw_s[name] += result.raw_s
        counts[name] += len(submissions)

    for _ in range(scale.rounds):
        run("transfers", world.transfers(scale.transfers))
        sends = world.sends(scale.packets, SHARES)
        packets = [each.command.packet_id for each in sends]  # type: ignore[union-attr]  # all SendPacket
        run("sends", sends)
        run("claims", world.claims(packets, SHARES))
    writer.close()
    raw.close()
    bars = [judged(RAW_TRANSFERS, shares["transfers"]), judged(RAW_CLAIMS, shares["claims"])]
    measures = [
        measure
        for name in shares
        for measure in (
            timed("batch 1,000", name, counts[name], lane_s[name]),
            timed("batch 1,000", f"{name}: raw bound", counts[name], raw_s[name]),
        )
    ]
    return bars, measures


def sizes(world: World, scale: Scale) -> list[Measure]:
    """Measure transfers and claims at every batch size."""
    writer = world.writer()
    found = []
    for size in scale.batches:
        count = min(scale.transfers, max(size * 4, size * 200 if size < BATCH else 0))
        lap_s = laps(writer, world.transfers(count), size)
        found.append(timed(f"batch {size:,}", "transfers", count, lap_s))
        packets = world.packets(writer, -(-count // SHARES), SHARES)
        claims = world.claims(packets, SHARES)[:count]
        found.append(timed(f"batch {size:,}", "claims", count, laps(writer, claims, size)))
    writer.close()
    return found


def hot(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure one hot account and one hot packet against spread ones, by turns."""
    writer = world.writer()
    shares = min(HOT_SHARES, scale.people // 2)
    packets = max(scale.transfers // shares // 2, 1)
    taken: dict[str, list[float]] = {"account": [], "packet": []}
    ratios: dict[str, list[float]] = {"account": [], "packet": []}
    for _ in range(scale.rounds):
        spread_s = laps(writer, world.transfers(scale.transfers), BATCH)
        hot_s = laps(writer, world.transfers(scale.transfers, world.people[0]), BATCH)
        taken["account"] += hot_s
        ratios["account"].append(sum(spread_s) / sum(hot_s))
        spread_s = _emptied(world, writer, [shares // SHARES] * packets, SHARES)
        hot_s = _emptied(world, writer, [1] * packets, shares // SHARES * SHARES)
        taken["packet"] += hot_s
        ratios["packet"].append(sum(spread_s) / sum(hot_s))
    writer.close()
    transfers = scale.transfers * scale.rounds
    claims = shares // SHARES * SHARES * packets * scale.rounds
    measures = [
        timed("hot", "transfers to one hot account, batch 1,000", transfers, taken["account"]),
        timed("hot", f"claims of one hot packet, batch {shares}", claims, taken["packet"]),
    ]
    bars = [judged(HOT_ACCOUNT, ratios["account"]), judged(HOT_PACKET, ratios["packet"])]
    return bars, measures


def _emptied(world: World, writer: Writer, groups: list[int], shares: int) -> list[float]:
    """Empty groups of packets, each group by one batch of claims, and time the claims alone."""
    taken = []
    for packets in groups:
        ids = world.packets(writer, packets, shares)
        taken += laps(writer, world.claims(ids, shares), packets * shares)
    return taken
