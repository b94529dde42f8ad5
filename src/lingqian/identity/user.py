"""Users as money sees them: an account class, a status and a version of both (用户).

Personal data is not here: it lies encrypted in its own table and never enters the journal.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class UserState(IntEnum):
    """Whether a user may move money."""

    ACTIVE = 1
    FROZEN = 2


@dataclass(slots=True)
class User:
    """A user's row: class, state, and the version that each change raises."""

    external_mac: bytes
    nickname_mac: bytes
    account_class: int
    state: int
    version: int
    created_at_us: int


class Status(NamedTuple):
    """What a command carries of a user of another lane; stale may delay, never overspend."""

    version: int
    account_class: int
    state: int
    is_member: bool = True
