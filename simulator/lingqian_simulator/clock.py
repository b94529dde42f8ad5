"""Two clocks: the business clock, which may be moved, and the real one, which signatures need.

Units: microseconds since 1970 UTC. Texts are in UTC+8, as everything of WeChat Pay.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
CHINA: Final = timezone(timedelta(hours=8))


def real_us() -> int:
    """Return the machine's time."""
    return time.time_ns() // 1000


class Clock:
    """The business clock: the machine's time plus an offset that the control calls set."""

    def __init__(self, offset_us: int = 0, real: Callable[[], int] = real_us) -> None:
        self._real = real
        self.offset_us = offset_us
        self.moved = asyncio.Event()

    def now_us(self) -> int:
        """Return the business time."""
        return self._real() + self.offset_us

    def real_s(self) -> int:
        """Return the machine's time in whole seconds, for signatures."""
        return self._real() // SECOND_US

    def set_offset(self, offset_us: int) -> None:
        """Move the business time and wake whoever waits for it."""
        self.offset_us = offset_us
        self.moved.set()


def moment(at_us: int) -> datetime:
    """Return the instant in China."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).astimezone(CHINA)


def rfc3339(at_us: int) -> str:
    """Write an instant as the API does: `2018-06-08T10:34:56+08:00`."""
    return moment(at_us).isoformat(timespec="seconds")


def bill_time(at_us: int) -> str:
    """Write an instant as bills do: `2018-06-08 10:34:56`."""
    return moment(at_us).strftime("%Y-%m-%d %H:%M:%S")


def bill_date(at_us: int) -> str:
    """Write the day an instant belongs to."""
    return moment(at_us).strftime("%Y-%m-%d")


def from_rfc3339(text: str) -> int | None:
    """Read an instant with its offset; None when it is not one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else round(found.timestamp()) * SECOND_US


def day_start_us(date: str) -> int | None:
    """Return the first instant of a bill date; None when it is no date."""
    try:
        found = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=CHINA)
    except ValueError:
        return None
    return round(found.timestamp()) * SECOND_US if found.strftime("%Y-%m-%d") == date else None
