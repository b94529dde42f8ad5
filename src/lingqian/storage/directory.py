"""The directory: what commands carry of people who may live in another lane, kept close at hand."""

import time
from typing import Final

from lingqian.flows.user import conversation_key
from lingqian.identity.user import Status
from lingqian.kernel.bound import CACHE_ROWS_MAX
from lingqian.storage.port import Connection

# How long what others may change is believed.
STATUS_LIFE_S: Final = 1.0
SELECT_STATUS: Final = "SELECT version, account_class, state FROM users WHERE user_id = ?"
SELECT_MEMBERS: Final = "SELECT members FROM conversations WHERE conversation = ?"


class Directory:
    """Statuses and memberships, read once and kept until told that they changed.

    Where others may change them too they are kept for `life_s` only: a status travels with its
    version, so one that is older than it should be delays somebody and overspends nothing.
    """

    def __init__(self, connection: Connection, life_s: float = 0.0) -> None:
        self._connection = connection
        self._life_s = life_s
        self._until_s = 0.0
        self._statuses: dict[bytes, Status] = {}
        self._members: dict[str, frozenset[bytes] | None] = {}

    def status(self, user_id: bytes) -> Status | None:
        """Return a person's status; None when there is no such person."""
        self._age()
        known = self._statuses.get(user_id)
        if known is None:
            row = self._connection.execute(SELECT_STATUS, (user_id,)).fetchone()
            if row is None:
                return None
            if len(self._statuses) >= CACHE_ROWS_MAX:
                self._statuses.clear()
            known = self._statuses[user_id] = Status(*row)
        return known

    def members(self, conversation_id: str) -> frozenset[bytes] | None:
        """Return a conversation's members; None when it was never registered: then all may join."""
        self._age()
        if conversation_id in self._members:
            return self._members[conversation_id]
        key = conversation_key(conversation_id)
        row = self._connection.execute(SELECT_MEMBERS, (key,)).fetchone()
        known = None
        if row is not None:
            ids = row[0]
            known = frozenset([ids[at : at + 16] for at in range(0, len(ids), 16)])
        if len(self._members) >= CACHE_ROWS_MAX:
            self._members.clear()
        self._members[conversation_id] = known
        return known

    def _age(self) -> None:
        """Forget everything, where it may be old by now."""
        if self._life_s and (now_s := time.monotonic()) >= self._until_s:
            self._until_s = now_s + self._life_s
            self._statuses.clear()
            self._members.clear()

    def forget_user(self, user_id: bytes) -> None:
        """Read a person again: the status has changed."""
        self._statuses.pop(user_id, None)

    def forget_conversation(self, conversation_id: str) -> None:
        """Read a conversation again: its members have changed."""
        self._members.pop(conversation_id, None)
