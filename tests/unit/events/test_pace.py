"""Whoever waits in front of a phone goes first, and nobody asks faster than the account may."""

import asyncio

from lingqian.events.inbox import REJECTED_MAX, Rejects, kept, read_kept
from lingqian.events.loss import PATIENCE_S, PROVEN_MIN, WINDOW_S, Losses
from lingqian.events.pace import REST_S_MAX, Bucket, Priority, Rest, backoff_s


class Steady:
    """A steady clock moved by hand."""

    def __init__(self):
        self.s = 0.0

    def __call__(self):
        return self.s


def test_a_bucket_lets_a_client_pass_before_the_timers():
    """A person who has come back from paying must not stand behind a thousand old orders."""

    async def run():
        clock = Steady()
        bucket = Bucket(2, clock)
        await bucket.take(Priority.OLDEST)
        await bucket.take(Priority.OLDEST)
        order = []

        async def ask(name, priority):
            await bucket.take(priority)
            order.append(name)

        tasks = [
            asyncio.create_task(ask("old", Priority.OLDEST)),
            asyncio.create_task(ask("unknown", Priority.UNKNOWN)),
            asyncio.create_task(ask("client", Priority.CLIENT)),
        ]
        await asyncio.sleep(0)
        assert order == []
        for _ in range(3):
            clock.s += 0.5
            bucket._pour()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(run()) == ["client", "unknown", "old"]


def test_a_bucket_never_gives_more_than_its_rate():
    """Two a second are two a second, however many wait."""

    async def run():
        clock = Steady()
        bucket = Bucket(2, clock)
        done = []

        async def ask(number):
            await bucket.take(Priority.OLDEST)
            done.append(number)

        tasks = [asyncio.create_task(ask(each)) for each in range(10)]
        counts = []
        for _ in range(5):
            await asyncio.sleep(0)
            counts.append(len(done))
            clock.s += 1
            bucket._pour()
        await asyncio.gather(*tasks)
        return counts

    assert asyncio.run(run()) == [2, 4, 6, 8, 10]


def test_the_backoff_doubles_and_is_jittered_in_full():
    """All at the same distance would come back together."""
    assert [backoff_s(n, lambda: 1.0) for n in range(3)] == [0.2, 0.4, 0.8]
    assert backoff_s(2, lambda: 0.0) == 0.0


def test_a_subject_that_fails_rests_longer_each_time():
    """A channel that is down is not asked in a tight loop, and is asked again within a minute."""
    clock = Steady()
    rest = Rest(clock)
    waits = []
    for _ in range(9):
        rest.failed(b"a")
        start = clock.s
        while rest.is_resting(b"a"):
            clock.s += 1
        waits.append(clock.s - start)
    assert waits == [1, 2, 4, 8, 16, 32, REST_S_MAX, REST_S_MAX, REST_S_MAX]
    rest.done(b"a")
    rest.failed(b"a")
    clock.s += 1
    assert not rest.is_resting(b"a")


def test_lost_callbacks_are_those_that_had_time_to_come():
    """A callback on its way is not lost, one that never comes is, and an old one is forgotten."""
    clock = Steady()
    losses = Losses(clock)
    for number in range(PROVEN_MIN * 2):
        losses.proven(bytes((number,)))
    assert losses.lost_ppm == 0
    clock.s = PATIENCE_S
    for number in range(PROVEN_MIN * 2 - 1):
        losses.told(bytes((number,)))
    assert losses.lost_ppm == 1_000_000 // (PROVEN_MIN * 2)
    assert losses.is_alarming
    clock.s = WINDOW_S + 1
    assert not losses.is_alarming


def test_a_kept_notice_reads_back_byte_for_byte():
    """A signature can be checked again years later only over the same bytes."""
    headers = {"wechatpay-nonce": "n", "wechatpay-signature": "s==", "cookie": "not ours"}
    body = b'{"a":1}\n\n{"b":"\xff"}'
    assert read_kept(kept(headers, body)) == (
        {"wechatpay-nonce": "n", "wechatpay-signature": "s=="},
        body,
    )


def test_rejects_are_bounded():
    """Anybody may send rubbish; it must not fill the memory."""
    rejects = Rejects()
    for number in range(REJECTED_MAX + 5):
        rejects.put("main", "forged", b"x" * 100_000, number)
    found = rejects.of("main")
    assert (len(found), found[0].at_us, len(found[0].head)) == (REJECTED_MAX, REJECTED_MAX + 4, 512)
    assert rejects.of("other") == []
