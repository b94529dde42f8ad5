"""What a long enough run must have done: a closed list, so that a blind generator fails (演练清单).

A check that never met its case proves nothing.
"""

from collections import Counter
from typing import Final

from lingqian.kernel.code import Code

# Below this many commands the list is only reported: rare things need room.
COMMANDS_MIN: Final = 20_000

_CODES: Final[dict[str, Code]] = {
    "refused for funds": Code.EXCEEDS_AVAILABLE,
    "refused by the limit of a share": Code.EXCEEDS_SHARE_MAX,
    "refused by the limit of a payment": Code.EXCEEDS_PACKET_MAX,
    "refused by the limit of shares": Code.EXCEEDS_COUNT_MAX,
    "refused by the limit of payments a day": Code.EXCEEDS_DAY_COUNT,
    "refused by the limit of a day": Code.EXCEEDS_DAY,
    "refused by the limit of a year": Code.EXCEEDS_YEAR,
    "refused by the limit of a life": Code.EXCEEDS_LIFE,
    "refused by the ceiling of the bank": Code.EXCEEDS_BALANCE_MAX,
    "key reused with another field": Code.KEY_REUSED,
    "user unknown": Code.USER_UNKNOWN,
    "same user": Code.SAME_USER,
    "real name required": Code.REAL_NAME_REQUIRED,
    "account frozen": Code.ACCOUNT_FROZEN,
    "packet unknown": Code.PACKET_UNKNOWN,
    "packet infeasible": Code.PACKET_INFEASIBLE,
    "draw time invalid": Code.DRAW_TIME_INVALID,
    "packet invalidated": Code.PACKET_INVALIDATED,
    "packet finished": Code.PACKET_FINISHED,
    "packet expired": Code.PACKET_EXPIRED,
    "packet not open": Code.PACKET_NOT_OPEN,
    "own packet": Code.OWN_PACKET,
    "not a recipient": Code.NOT_A_RECIPIENT,
    "wrong passphrase": Code.WRONG_PASSPHRASE,
    "passphrase locked": Code.PASSPHRASE_LOCKED,
    "entropy not awaited": Code.ENTROPY_NOT_AWAITED,
    "entropy too late": Code.ENTROPY_TOO_LATE,
    "not due": Code.NOT_DUE,
    "already settled": Code.ALREADY_SETTLED,
    "blocked": Code.BLOCKED,
    "challenged": Code.CHALLENGE_REQUIRED,
    "claim held": Code.CLAIM_HELD,
    "case unknown": Code.CASE_UNKNOWN,
    "case closed": Code.CASE_CLOSED,
}
_EVENTS: Final = (
    "key replayed",
    "claim repeated",
    "claim with a stale status",
    "entropy mixed in",
    "beacon mixed in",
    "packet finished by claims",
    "packet expired and returned",
    "packet invalidated and returned",
    "draw with more tickets than shares",
    "draw with fewer tickets than shares",
    "money held for review",
    "money delayed",
    "case passed",
    "case released by a person",
    "case released by the clock",
    "case refused",
    "case lapsed by the clock",
    "clock jumped back",
    "crash before commit",
    "crash after commit, before the answer",
    "unknown commit that was committed",
    "unknown commit that was not",
    "power cut that lost writes",
    "power cut that tore a write",
    "crash while starting",
    "disk full",
    "write failed",
    "checkpoint",
)
_LANES: Final = ("relay delivered", "relay delivered twice", "relay gap")


def missing(events: Counter[str], codes: Counter[int], *, has_lanes: bool) -> list[str]:
    """Return what a run has not done."""
    wanted = _EVENTS + (_LANES if has_lanes else ())
    absent = [name for name, code in _CODES.items() if not codes[code]]
    return absent + [name for name in wanted if not events[name]]


def known(event: str) -> bool:
    """Say whether an event is on the list; the world notes no other."""
    return event in _EVENTS or event in _LANES
