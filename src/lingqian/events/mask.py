"""Masks: an event as one person may read it: nobody else's balance, no reasons of the gate (脱敏).

Law: a person's stream tells no more than the person's own pages do.
"""

from typing import Any, Final

import msgspec

from lingqian.events.told import user

# What the gate thinks stays with the house; what a packet holds in all is its sender's.
_GATE: Final = ("rule", "verdict")
_SENDERS: Final = ("total_fen", "claimed_fen", "returned_fen")
_encode: Final = msgspec.json.Encoder().encode


class Mask:
    """Rewrites events for one person."""

    def __init__(self, user_id: bytes) -> None:
        self._own = user(user_id)

    def __call__(self, body: bytes) -> bytes:
        """Return an event without what is not for this person."""
        envelope: dict[str, Any] = msgspec.json.decode(body)
        data: dict[str, Any] = envelope["data"]
        hidden = _GATE if data.get("sender_id", self._own) == self._own else (*_GATE, *_SENDERS)
        for name in hidden:
            data.pop(name, None)
        if "balances" in data:
            data["balances"] = [row for row in data["balances"] if row["user_id"] == self._own]
        return _encode(envelope)
