"""The door: what every handler stands on (接口层)."""

from collections import OrderedDict
from typing import Final

import apsw

from lingqian.compose import Wallet
from lingqian.kernel.bound import CACHE_ROWS_MAX
from lingqian.storage import query
from lingqian.storage.desk import FIELD_NICKNAME
from lingqian.storage.keyring import Keyring
from lingqian.storage.lane import Answer, Submission
from lingqian.web.meter import Meter

STUCK_S: Final = 5


class Door:
    """The wallet with what the API adds: callers, meters, a memory of where packets are."""

    def __init__(self, wallet: Wallet, meter: Meter) -> None:
        self.wallet = wallet
        self.keys = Keyring(wallet.reader)
        self.meter = meter
        self.body_bytes_max = wallet.config.body_bytes_max
        self.is_stopping = False
        self.proofs: OrderedDict[bytes, bytes] = OrderedDict()
        self._conversations: dict[bytes, str] = {}

    @property
    def is_ready(self) -> bool:
        """Whether commands are taken and the oldest does not wait too long."""
        intake = self.wallet.intake
        return not self.is_stopping and intake.is_open and intake.waits_s < STUCK_S

    def stop(self) -> None:
        """Say that the process is about to end: streams close, readiness is withdrawn."""
        self.is_stopping = True

    @property
    def reader(self) -> apsw.Connection:
        """The connection for reads, of the event loop's thread."""
        return self.wallet.reader

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to the lane and wait until its answer is durable.

        Raises: Busy, Stopping, Unsent, Unknown, Fenced.
        """
        return await self.wallet.intake.ask(submission)

    def conversation(self, packet_id: bytes) -> str:
        """Return the conversation a packet was posted in; empty for none, or for no packet."""
        known = self._conversations.get(packet_id)
        if known is None:
            known = query.conversation_of(self.reader, packet_id)
            if known is None:
                return ""
            if len(self._conversations) >= CACHE_ROWS_MAX:
                self._conversations.clear()
            self._conversations[packet_id] = known
        return known

    def may_see(self, conversation_id: str, user_id: bytes) -> bool:
        """Say whether a person belongs to a conversation; to one without a list everybody does."""
        if not conversation_id:
            return True
        members = self.wallet.directory.members(conversation_id)
        return members is None or user_id in members

    def text(self, owner_id: bytes, field: int) -> str:
        """Return one field of personal data; empty when there is none, or no longer."""
        sealed = query.sealed_text(self.reader, owner_id, field)
        if sealed is None:
            return ""
        return self.wallet.vault.open("personal", owner_id + bytes((field,)), sealed).decode()

    def nickname(self, user_id: bytes) -> str:
        """Return how a person is called."""
        return self.text(user_id, FIELD_NICKNAME)
