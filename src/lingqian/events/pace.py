"""Pace: how fast and in which order a channel account is asked (限速与退避).

Law: nobody who waits in front of a phone stands behind a timer. Units: seconds of the process's own
steady clock; it measures waiting, never business time.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

PER_S: Final = 50
TRIES: Final = 3
BACKOFF_S: Final = 0.2
REST_S_MAX: Final = 60.0


class Priority(IntEnum):
    """Who goes first: a person who waits, then what is not known, then the oldest."""

    CLIENT = 0
    UNKNOWN = 1
    OLDEST = 2


class Bucket:
    """A token bucket of one account: so many calls a second, by priority, then in order."""

    def __init__(self, per_s: float = PER_S, now: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._now = now
        self._tokens = per_s
        self._at_s = now()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._is_pouring = False

    async def take(self, priority: Priority) -> None:
        """Wait for a token."""
        self._fill()
        if self._tokens >= 1 and not self._waiting:
            self._tokens -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), future))
        self._pour()
        await future

    def _fill(self) -> None:
        now_s = self._now()
        self._tokens = min(self._per_s, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s

    def _pour(self) -> None:
        """Hand out what there is, and come back when there is more."""
        self._fill()
        while self._waiting and self._tokens >= 1:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():  # who gave up takes no token
                self._tokens -= 1
                future.set_result(None)
        if self._waiting and not self._is_pouring:
            self._is_pouring = True
            missing_s = (1 - self._tokens) / self._per_s
            asyncio.get_running_loop().call_later(missing_s, self._again)

    def _again(self) -> None:
        self._is_pouring = False
        self._pour()


def backoff_s(tries: int, chance: Callable[[], float] = random.random) -> float:
    """Return how long to wait before a call is made again: 0.2 · 2^n, full jitter.

    Source: top-up §7. Jitter is no secret; it only keeps callers apart.
    """
    return BACKOFF_S * float(1 << tries) * chance()


class Rest:
    """Subjects that could not be dealt with just now, each left alone a little longer each time.

    In memory only: what is due stands in the rows, and a restart may ask at once.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until_s: dict[bytes, tuple[float, int]] = {}

    def is_resting(self, subject: bytes) -> bool:
        """Say whether a subject is to be left alone."""
        until_s, _ = self._until_s.get(subject, (0.0, 0))
        return self._now() < until_s

    def failed(self, subject: bytes) -> None:
        """Leave a subject alone: 1 s, then twice as long each time, up to a minute."""
        _, tries = self._until_s.get(subject, (0.0, 0))
        rest_s = min(REST_S_MAX, 2.0**tries)
        self._until_s[subject] = (self._now() + rest_s, min(tries + 1, 6))

    def done(self, subject: bytes) -> None:
        """Forget a subject that was dealt with."""
        self._until_s.pop(subject, None)
