"""Modes: whether a channel account works, is bridged by advances, or is being caught up (降级模式).

Law: a mode changes by the table only, with who and why; after an outage the line opens again only
when every attempt of it has been asked about, or is so old that a bill has told how it ended.
Forced off outlasts every signal.
Units: seconds.   Source: top-up reference §6, §8.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

SILENCE_S_MAX: Final = 60
# Signals must be good for as long as they had to be bad.
STEADY_S_MIN: Final = 60


class Mode(IntEnum):
    """How one channel account is served."""

    NORMAL = 0
    DEGRADED = 1
    UNWINDING = 2
    FORCED_OFF = 3


# No state machine of kernel.machine, for it never ends: modes go round for as long as we serve.
STEPS: Final[dict[tuple[int, str], Mode]] = {
    (Mode.NORMAL, "degrade"): Mode.DEGRADED,
    (Mode.DEGRADED, "recover"): Mode.UNWINDING,
    # There is no way back into DEGRADED from here: the attempts of this outage come first.
    (Mode.UNWINDING, "finish"): Mode.NORMAL,
    (Mode.NORMAL, "force_off"): Mode.FORCED_OFF,
    (Mode.DEGRADED, "force_off"): Mode.FORCED_OFF,
    (Mode.UNWINDING, "force_off"): Mode.FORCED_OFF,
    (Mode.FORCED_OFF, "allow"): Mode.UNWINDING,
}
# What a person may ask for; all other steps are taken by signals alone.
BY_PERSON: Final = frozenset(("force_off", "allow"))
# Only here does the line give advances.
ADVANCING: Final = frozenset((Mode.DEGRADED,))


@dataclass(slots=True)
class ModeRow:
    """A lane's knowledge of one account's mode: since when, set by whom, and why."""

    account: str
    by: str
    mode: int
    since_us: int
    why: str


class Signals(NamedTuple):
    """What is seen of one account.

    `are_routes_open`: every breaker on every way to it has opened. `is_creating`: pay sheets can
    be had. `silent_s`: how long attempts wait without any evidence coming in, 0 when none waits.
    `steady_s`: for how long nothing of that was wrong. `unasked`: attempts of the outage that have
    had no answer since it ended. `billed`: those of them that a bill has told of by now.
    """

    are_routes_open: bool = False
    is_creating: bool = True
    silent_s: int = 0
    steady_s: int = 0
    unasked: int = 0
    billed: int = 0


def trouble(signals: Signals) -> str:
    """Say why an account needs bridging; empty when it does not."""
    if signals.are_routes_open:
        return "every route is open-circuited"
    if signals.is_creating and signals.silent_s > SILENCE_S_MAX:
        return f"no evidence for {signals.silent_s} s while orders are created"
    return ""


def due_event(mode: Mode, signals: Signals) -> tuple[str, str]:
    """Return the step that the signals call for and why; two empty words for none."""
    reason = trouble(signals)
    if mode == Mode.NORMAL and reason:
        return "degrade", reason
    if mode == Mode.DEGRADED and not reason and signals.steady_s >= STEADY_S_MIN:
        return "recover", f"evidence and routes steady for {signals.steady_s} s"
    if mode == Mode.UNWINDING and not signals.unasked and not reason:
        return "finish", _finished(signals.billed)
    return "", ""


def _finished(billed: int) -> str:
    if not billed:
        return "every attempt of the outage has been asked about"
    return f"all asked but {billed} without an answer, which the bill of their day has told of"
