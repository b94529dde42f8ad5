"""Users as money sees them: an account class, a status and a version of both (用户).

Personal data is not here: it lies encrypted in its own table and never enters the journal.
"""

from enum import IntEnum
from typing import NamedTuple


class UserState(IntEnum):
    """Whether a user may move money."""

    ACTIVE = 1
    FROZEN = 2


class User:
    """A user's row: class, state, and the version that each change raises."""

    __slots__ = ("account_class", "created_at_us", "external_mac", "nickname_mac", "state", "version")

    def __init__(
        self,
        external_mac: bytes,
        nickname_mac: bytes,
        account_class: int,
        state: int,
        version: int,
        created_at_us: int,
    ) -> None:
        self.external_mac = external_mac
        self.nickname_mac = nickname_mac
        self.account_class = account_class
        self.state = state
        self.version = version
        self.created_at_us = created_at_us


class Status(NamedTuple):
    """What a command carries of a user who may live in another lane; stale may delay, never overspend."""

    version: int
    account_class: int
    state: int
    is_member: bool = True
