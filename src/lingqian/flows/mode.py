"""Setting modes: who switched an account into bridging or out of it, and why (切换降级模式).

A mode is set in every lane, because every lane decides its own advances.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.flows.command import SetMode
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import View, Wanted
from lingqian.kernel.code import OK, Code
from lingqian.topup.mode import ADVANCING, STEPS, Mode, ModeRow

_DIGEST_BYTES: Final = 14


class ModeDone(NamedTuple):
    """The mode an account has now."""

    mode: int


def mode_key(lane: int, account: str) -> bytes:
    """Return the key of an account's mode in a lane."""
    return lane.to_bytes(2, "big") + sha256(account.encode()).digest()[:_DIGEST_BYTES]


def need_mode(command: SetMode, wanted: Wanted) -> None:
    """Name the mode's row."""
    wanted.modes.add(mode_key(command.lane, command.account))


def decide_mode(view: View, command: SetMode, at_us: int) -> Decision:
    """Take one step of the table of modes.

    Refuses: already_settled.
    """
    del at_us
    known = view.modes.get(mode_key(command.lane, command.account))
    after = STEPS.get((Mode.NORMAL if known is None else known.mode, command.event))
    if after is None:
        return refused(Code.ALREADY_SETTLED)
    # From here it must succeed.
    return Decision(OK, ModeDone(after))


def fold_mode(view: View, record: Record) -> None:
    """Write the mode, since when, by whom and why."""
    command, outcome = record.command, record.outcome
    assert isinstance(command, SetMode), "the journal names its kind"
    assert isinstance(outcome, ModeDone), "the journal names its kind"
    key = mode_key(command.lane, command.account)
    row = ModeRow(command.account, command.by, outcome.mode, record.at_us, command.why)
    view.modes.put(key, row)
    view.trail(record.seq, key)


def is_advancing(view: View, account: str) -> bool:
    """Say whether the line gives advances for orders of this account."""
    row = view.modes.get(mode_key(view.lane, account))
    return row is not None and row.mode in ADVANCING
