"""Losses: how many callbacks of a channel account never came, over five minutes (回调丢失率).

A payment that a query proved counts as lost when no notice of it has come in time; an account above
the bound is asked twice as often. In memory: it is a measurement, not a fact.
Units: seconds of a steady clock.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

WINDOW_S: Final = 300.0
# The first repeat of a notice comes fifteen seconds after the first; a little for the way.
PATIENCE_S: Final = 20.0
ALARM_PPM: Final = 20_000
# One lost callback out of three payments is no rate.
PROVEN_MIN: Final = 20
_PPM: Final = 1_000_000


class _Proof(NamedTuple):
    attempt_id: bytes
    at_s: float


class Losses:
    """What one account has proven lately, and which of it was told by a notice."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._proofs: deque[_Proof] = deque()
        self._known: set[bytes] = set()
        self._told: set[bytes] = set()

    def proven(self, attempt_id: bytes) -> None:
        """Hear that a payment was proven, by whatever came first."""
        self._forget()
        if attempt_id not in self._known:
            self._known.add(attempt_id)
            self._proofs.append(_Proof(attempt_id, self._now()))

    def told(self, attempt_id: bytes) -> None:
        """Hear that a notice of a payment has come."""
        self.proven(attempt_id)
        self._told.add(attempt_id)

    def _forget(self) -> None:
        oldest_s = self._now() - WINDOW_S
        while self._proofs and self._proofs[0].at_s < oldest_s:
            gone = self._proofs.popleft().attempt_id
            self._known.discard(gone)
            self._told.discard(gone)

    @property
    def lost_ppm(self) -> int:
        """Return the rate of lost callbacks, of those that have had the time to come."""
        self._forget()
        late_s = self._now() - PATIENCE_S
        ripe = [each.attempt_id for each in self._proofs if each.at_s <= late_s]
        lost = sum(each not in self._told for each in ripe)
        return lost * _PPM // len(ripe) if len(ripe) >= PROVEN_MIN else 0

    @property
    def is_alarming(self) -> bool:
        """Say whether more callbacks are lost than may be."""
        return self.lost_ppm > ALARM_PPM
