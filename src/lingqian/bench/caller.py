"""Callers who each wait for their own answer, and a stampede on one packet (并发)."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from lingqian.bench.batch import HOT_SHARES, SHARES
from lingqian.bench.report import Bar, Crowd, Measure, judged, timed
from lingqian.bench.scale import Scale
from lingqian.bench.world import STATUS, World
from lingqian.compose import Config, Wallet
from lingqian.kernel.code import Code
from lingqian.storage.lane import Answer, Submission

Result = TypeVar("Result")
Ask = Callable[[Submission], Awaitable[Answer]]
STAMPEDE_SHARES: Final = 100
SINGLE: Final = Bar(
    name="64 callers against one transaction per request, same file", must=3.0, aim=5.0
)


def run_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on the event loop that the server runs on."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - does not exist on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def crowd(ask: Ask, make: Callable[[], Submission], callers: int, calls: int) -> Crowd:
    """Let callers ask one after another, each minting its own command, until all calls are made."""
    waits_s: list[float] = []
    clock = time.perf_counter

    async def caller() -> None:
        for _ in range(calls // callers):
            began = clock()
            answer = await ask(make())
            waits_s.append(clock() - began)
            assert not answer.code, "the benchmark's commands are all valid"

    began = clock()
    await asyncio.gather(*[caller() for _ in range(callers)])
    return Crowd(clock() - began, waits_s)


def open_and(
    world: World, work: Callable[[Wallet], Coroutine[Any, Any, Crowd]], batch_max: int | None = None
) -> Crowd:
    """Open the wallet on the world's file inside a loop, work, and close it."""
    config = Config() if batch_max is None else Config(batch_commands_max=batch_max)

    async def main() -> Crowd:
        wallet = Wallet(world.folder, config)
        try:
            return await work(wallet)
        finally:
            wallet.close()

    return run_loop(main())


def transfers(
    world: World, scale: Scale, target_id: bytes | None = None, batch_max: int | None = None
) -> Crowd:
    """Let the callers pay each other, or all pay one; whom is chosen before the clock runs."""
    pairs = [world.pair(target_id) for _ in range(scale.calls)]

    def make() -> Submission:
        return world.pay(*pairs.pop())

    return open_and(
        world, lambda wallet: crowd(wallet.intake.ask, make, scale.callers, scale.calls), batch_max
    )


def claims(world: World, scale: Scale, shares: int) -> Crowd:
    """Let the callers open packets of this many shares."""
    writer = world.writer()
    packets = world.packets(writer, -(-scale.calls // shares), shares)
    writer.close()
    waiting = world.claims(packets, shares)
    return open_and(
        world, lambda wallet: crowd(wallet.intake.ask, waiting.pop, scale.callers, scale.calls)
    )


def one_by_one(world: World, count: int) -> list[float]:
    """Answer each request by a transaction of its own, with nothing else in the way."""
    writer = world.writer()
    laps_s = []
    for _ in range(count):
        began = time.perf_counter()
        answers = writer.apply([world.transfer()])
        laps_s.append(time.perf_counter() - began)
        assert not answers[0].code, "the benchmark's commands are all valid"
    writer.close()
    return laps_s


def against_single(world: World, scale: Scale) -> tuple[list[Bar], list[Measure]]:
    """Measure callers with group commit against a transaction for each, by turns."""
    ratios: list[float] = []
    measures: list[Measure] = []
    count = max(scale.calls // 8, 1)
    for _ in range(scale.rounds):
        together = transfers(world, scale)
        single_s = one_by_one(world, count)
        ratios.append(scale.calls / together.took_s / (count / sum(single_s)))
        measures = [
            together.measure(f"transfers, {scale.callers} callers"),
            timed("callers", "transfers, one transaction per request", count, single_s),
        ]
    alone = transfers(world, scale._replace(calls=count // 8 * 8), batch_max=1)
    measures.append(alone.measure(f"the same, {scale.callers} callers in front of it"))
    hot = transfers(world, scale, world.people[0])
    measures.append(hot.measure(f"transfers, {scale.callers} callers, one hot account"))
    measures.append(claims(world, scale, SHARES).measure(f"claims, {scale.callers} callers"))
    many = min(HOT_SHARES, scale.people // 2)
    hot = claims(world, scale, many)
    measures.append(hot.measure(f"claims, {scale.callers} callers, packets of {many:,}"))
    return [judged(SINGLE, ratios)], measures


def stampede(world: World, scale: Scale) -> list[Measure]:
    """Let everybody tap one packet at once: a hundred win, the rest are told it is finished."""
    writer = world.writer()
    shares = min(STAMPEDE_SHARES, scale.claimers // 2)
    packet_id = world.packets(writer, 1, shares)[0]
    writer.close()
    won: list[bytes] = []

    async def work(wallet: Wallet) -> Crowd:
        waits_s: list[float] = []
        clock = time.perf_counter

        async def claimer(user_id: bytes) -> None:
            began = clock()
            if wallet.board.look(packet_id) is None:
                answer = await wallet.intake.ask(wallet.desk.claim(packet_id, user_id, STATUS))
                if answer.code:
                    assert answer.code == Code.PACKET_FINISHED, "nothing else can be refused here"
                    wallet.board.note(packet_id, answer.code)
                else:
                    won.append(user_id)
            waits_s.append(clock() - began)

        began = clock()
        await asyncio.gather(*[claimer(each) for each in world.people[: scale.claimers]])
        return Crowd(clock() - began, waits_s)

    result = open_and(world, work)
    assert len(set(won)) == shares, "every share is taken once"
    return [result.measure(f"stampede: {scale.claimers:,} claimers, one packet of {shares}")]
