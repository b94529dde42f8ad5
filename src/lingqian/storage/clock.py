"""The business clock: real time, and in the sandbox a person may move it forward (营业时钟)."""

import time


class BusinessClock:
    """Tells business time: the system's microseconds plus what the sandbox has advanced."""

    def __init__(self, offset_us: int = 0) -> None:
        self.offset_us = offset_us

    def now_us(self) -> int:
        """Return microseconds since 1970 UTC."""
        return time.time_ns() // 1_000 + self.offset_us


def unix_ms() -> int:
    """Return the system's own time in milliseconds: for ids, which order by real time."""
    return time.time_ns() // 1_000_000
