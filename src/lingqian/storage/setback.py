"""Setback: something that fails again and again is told once, and once that it is over (故障日志).

Law: an outage of an hour is a few lines of a log. What began it is told with the class of what
failed; another class is another line; who goes on says so.
"""

import logging
import time


class Setback:
    """Tells of one kind of work; several may do it, and it is over when none of them fails.

    Belongs to one thread.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._told: set[str] = set()
        self._failing: set[str] = set()
        self._since_s = 0.0

    def failed(self, error: Exception, who: str = "") -> None:
        """Tell of a failure, unless one of its class was told since all was well."""
        if not self._told:
            self._since_s = time.monotonic()
        self._failing.add(who)
        kind = type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            self._log.warning("%s: %s: %s", self._what, kind, error)

    def left(self, who: str) -> None:
        """Note that somebody does the work no more, however it went: nothing goes on by that."""
        self._failing.discard(who)

    def over(self, who: str = "") -> None:
        """Note that somebody does not fail; tell it when he was the last one who did."""
        self._failing.discard(who)
        if self._told and not self._failing:
            self._told.clear()
            took_s = time.monotonic() - self._since_s
            self._log.warning("%s: goes on after %.1f s", self._what, took_s)
