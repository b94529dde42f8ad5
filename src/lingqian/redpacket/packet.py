"""Packets and their shares: nouns, states and the steps between them (红包).

Law: funded = claimed + remaining + returned; claims ≤ count; one claim per person.
Units: fen; µs.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.kernel.machine import machine
from lingqian.redpacket.split import Terms

TERMS_VERSION: Final = 1


class PacketKind(IntEnum):
    """Who may open a packet, and how."""

    LUCKY = 1
    EQUAL = 2
    TARGETED = 3
    PASSPHRASE = 4
    DRAW = 5


class PacketState(IntEnum):
    """Where a packet stands; finished, expired, refused and invalidated are for ever."""

    CREATED = 0
    AWAITING = 1
    HELD = 2
    OPEN = 3
    FINISHED = 4
    EXPIRED = 5
    REFUSED = 6
    INVALIDATED = 7
    # Waits for the evidence that its order is paid.
    FUNDING = 8


MACHINE: Final = machine(
    PacketState.CREATED,
    [
        (PacketState.CREATED, "open", PacketState.OPEN),
        (PacketState.CREATED, "await", PacketState.AWAITING),
        (PacketState.CREATED, "hold", PacketState.HELD),
        (PacketState.CREATED, "fund", PacketState.FUNDING),
        (PacketState.FUNDING, "open", PacketState.OPEN),
        (PacketState.FUNDING, "await", PacketState.AWAITING),
        (PacketState.FUNDING, "refuse", PacketState.REFUSED),
        (PacketState.HELD, "open", PacketState.OPEN),
        (PacketState.HELD, "await", PacketState.AWAITING),
        (PacketState.HELD, "refuse", PacketState.REFUSED),
        (PacketState.AWAITING, "open", PacketState.OPEN),
        (PacketState.AWAITING, "expire", PacketState.EXPIRED),
        (PacketState.AWAITING, "invalidate", PacketState.INVALIDATED),
        (PacketState.OPEN, "claim", PacketState.OPEN),
        (PacketState.OPEN, "finish", PacketState.FINISHED),
        (PacketState.OPEN, "expire", PacketState.EXPIRED),
        (PacketState.OPEN, "invalidate", PacketState.INVALIDATED),
    ],
)


class Packet(NamedTuple):
    """What was fixed when the packet was sent; nothing here ever changes.

    `recipients` is the ids of a targeted packet one after another; `seed_sealed` opens only with
    a key kept outside the database; `passphrase_mac` and `greeting_mac` are keyed digests.
    `is_by_channel`: an order pays for it over a channel (`packet_order`), not the balance.
    """

    sender_id: bytes
    kind: int
    is_lucky: bool
    total_fen: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    share_fen_min: int
    share_fen_max: int
    spread: int
    lifetime_us: int
    draw_at_us: int
    awaits_entropy: bool
    conversation_id: str
    recipients: bytes
    passphrase_mac: bytes
    greeting_mac: bytes
    cover: str
    commitment: bytes
    seed_sealed: bytes
    beacon_chain: bytes
    beacon_round: int
    created_at_us: int
    is_by_channel: bool = False


@dataclass(slots=True)
class Progress:
    """What changes while a packet lives: one narrow row, written once per batch.

    `due_at_us` is when a job must look at it (draw or expiry); 0 when there is nothing left to do.
    `wants_round` is the beacon round it still waits for; 0 when it waits for none.
    """

    await_until_us: int
    beacon: bytes
    beacon_signature: bytes
    chain: bytes
    claimed_count: int
    claimed_fen: int
    closed_at_us: int
    due_at_us: int
    entropy: bytes
    entropy_at_us: int
    expires_at_us: int
    returned_fen: int
    state: int
    ticket_count: int
    wants_round: int


@dataclass(slots=True)
class Claim:
    """One person's claim: the share it took, or for a draw its ticket until the draw gives a share.

    `ticket` counts claims of the packet from 1; `share` is the share's place from 1, 0 without one.
    """

    amount_fen: int
    at_us: int
    chain: bytes
    pseudonym: bytes
    seq: int
    share: int
    ticket: int


class Secret(NamedTuple):
    """What only memory holds of a live packet: shares, the key they came from, pseudonyms' salt."""

    shares: tuple[int, ...]
    key: bytes
    salt: bytes


def terms(packet_id: bytes, packet: Packet) -> Terms:
    """Return what stands under the packet's commitment."""
    return Terms(
        version=TERMS_VERSION,
        packet_id=packet_id,
        lucky=bool(packet.is_lucky),
        count=packet.count,
        total_fen=packet.total_fen,
        share_fen_min=packet.share_fen_min,
        share_fen_max=packet.share_fen_max,
        spread=packet.spread,
        draw=packet.kind == PacketKind.DRAW,
        beacon_chain=packet.beacon_chain,
        beacon_round=packet.beacon_round,
    )


def packet_order(packet_id: bytes) -> bytes:
    """Return the id of the order that pays for a packet over a channel: one for each packet."""
    return packet_id[:8] + sha256(b"lingqian packet order\x01" + packet_id).digest()[:8]


def remaining_fen(packet: Packet, progress: Progress) -> int:
    """Return what is still in the packet: funded less claimed less returned."""
    return packet.total_fen - progress.claimed_fen - progress.returned_fen


def state_at(progress: Progress, at_us: int) -> PacketState:
    """Return the state that is true at an instant, whether or not a job has run (lazy truth)."""
    state = _STATES[progress.state]
    if state in _LIVE and at_us >= progress.expires_at_us:
        return PacketState.EXPIRED
    if state == _AWAITING and at_us >= progress.await_until_us:
        return PacketState.OPEN
    return state


# Looked up once: every claim asks, and an enum's own look-up costs more than the answer.
_STATES: Final = tuple(PacketState)
_LIVE: Final = (PacketState.OPEN, PacketState.AWAITING)
_AWAITING: Final = PacketState.AWAITING
assert all(state == place for place, state in enumerate(_STATES)), "states count from 0"
