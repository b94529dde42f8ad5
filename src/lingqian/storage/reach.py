"""Reach: whether a database answers, as those who read from it find out (可达性).

Law: nobody asks only to know; what is read anyway says it. One answer ends whatever failed before.
"""

import time


class Reach:
    """What the readers of one database note; any thread may note and look."""

    def __init__(self) -> None:
        self._failing_since_s: float | None = None

    def answered(self) -> None:
        """Note that the database has answered just now."""
        self._failing_since_s = None

    def failed(self) -> None:
        """Note that it could not be asked just now."""
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()

    @property
    def away_s(self) -> float:
        """How long everybody who asked has had no answer; 0 when the last one had. Unit: seconds.

        It does not grow by an answer that is only slow: until it has failed nothing is known.
        """
        since_s = self._failing_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
