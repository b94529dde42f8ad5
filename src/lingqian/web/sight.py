"""Sight: who may see what of a packet, before and after it is over (可见范围).

Law: unopened amounts and the seed are visible to nobody before close; the total never stands on
the card.   Source: docs/reference/api.md, "Who sees what".
"""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from lingqian.flows.gate import may_pay
from lingqian.kernel.code import Code
from lingqian.redpacket.condition import is_recipient
from lingqian.redpacket.packet import Claim, PacketKind, PacketState, state_at
from lingqian.storage import query
from lingqian.storage.query import Sent
from lingqian.web import field
from lingqian.web.door import Door
from lingqian.web.problem import Refused

OVER = (
    PacketState.FINISHED,
    PacketState.EXPIRED,
    PacketState.REFUSED,
    PacketState.INVALIDATED,
)


class Viewer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whose eyes; without it everything that the app itself may see."""

    viewer_id: field.UserId | None = None


class ViewerPage(field.Page, frozen=True, forbid_unknown_fields=True):
    """For whose eyes, and which page."""

    viewer_id: field.UserId | None = None


class Role(IntEnum):
    """What somebody is to a packet, from the one who sees least."""

    OTHER = 1
    MEMBER = 2
    CLAIMER = 3
    SENDER = 4
    KEY = 5


class Sight(NamedTuple):
    """A packet as one viewer may see it; the viewer is empty for the app's own key.

    `hindrance` is why this person may not open packets at all.
    """

    sent: Sent
    viewer: bytes
    role: Role
    state: PacketState
    claim: Claim | None
    at_us: int
    hindrance: Code = Code.OK

    @property
    def is_over(self) -> bool:
        """Whether nobody can claim any more."""
        return self.state in OVER

    @property
    def sees_total(self) -> bool:
        """Whether the total and what remains may be shown."""
        return self.role >= Role.SENDER

    @property
    def sees_claims(self) -> bool:
        """Whether the list of claims may be shown."""
        return self.role >= Role.CLAIMER or (self.role == Role.MEMBER and self.is_over)

    @property
    def sees_best(self) -> bool:
        """Whether the best luck and the way to the proof may be shown."""
        return self.is_over and self.role >= Role.MEMBER


def look(door: Door, packet_id: bytes, viewer: bytes) -> Sight:
    """Return a packet as a viewer may see it; no viewer is the app itself.

    Refuses: not_found, also for a packet that this viewer may not see.
    """
    sight = seen(door, packet_id, viewer)
    if sight is None:
        raise Refused(Code.NOT_FOUND)
    return sight


def seen(door: Door, packet_id: bytes, viewer: bytes) -> Sight | None:
    """Return a packet as a viewer may see it; None for one that is not there for this viewer."""
    sent = query.packet(door.reader, packet_id)
    if sent is None:
        return None
    at_us = door.wallet.clock.now_us()
    state = state_at(sent.progress, at_us)
    if not viewer:
        return Sight(sent, b"", Role.KEY, state, None, at_us)
    status = door.wallet.directory.status(viewer)
    if status is None:
        return None
    claim = query.claim(door.reader, packet_id, viewer)
    role = _role(door, sent, viewer, claim)
    if role is None or (state in (PacketState.HELD, PacketState.REFUSED) and role < Role.SENDER):
        return None
    hindrance = may_pay(status.account_class, status.state)
    return Sight(sent, viewer, role, state, claim, at_us, hindrance)


def _role(door: Door, sent: Sent, viewer: bytes, claim: Claim | None) -> Role | None:
    packet = sent.packet
    if viewer == packet.sender_id:
        return Role.SENDER
    if claim is not None:
        return Role.CLAIMER
    is_here = door.may_see(packet.conversation_id, viewer)
    if packet.kind == PacketKind.TARGETED:
        if is_recipient(packet, viewer):
            return Role.MEMBER
        return Role.OTHER if is_here else None
    return Role.MEMBER if is_here else None
