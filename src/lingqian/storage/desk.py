"""The desk: turns what a caller asked for into commands: ids, seeds, digests, sealed texts (受理).

Everything random or secret enters a command here; behind it all is decided by pure functions.
"""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.flows.command import (
    AddBeacon,
    AddEntropy,
    ChangeUser,
    ClaimPacket,
    ClosePacket,
    DrawPacket,
    Fund,
    RegisterUser,
    SendPacket,
    SetMembers,
    SettleCase,
    Transfer,
)
from lingqian.flows.view import Reveal
from lingqian.identity.user import Status, User
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.id import mint
from lingqian.redpacket.commitment import commitment, shares, split_key
from lingqian.redpacket.condition import normal_passphrase
from lingqian.redpacket.packet import (
    TERMS_VERSION,
    Packet,
    PacketKind,
    Progress,
    Secret,
    terms,
)
from lingqian.redpacket.split import Terms
from lingqian.storage.beacon import Beacon
from lingqian.storage.clock import unix_ms
from lingqian.storage.lane import Submission
from lingqian.storage.port import Personal
from lingqian.storage.vault import Vault

FIELD_NICKNAME: Final = 1
FIELD_GREETING: Final = 2
FIELD_NOTE: Final = 3
FIELD_EXTERNAL: Final = 4
# The raw bytes of a notice; its owner is the notice's key, its digest their plain SHA-256.
FIELD_NOTICE: Final = 5
# Why a refund was asked for, and where a payout goes.
_KEY_BYTES: Final = 14


class Wish(NamedTuple):
    """A packet as a sender asks for it.   Units: fen; s; µs."""

    sender_id: bytes
    kind: PacketKind
    total_fen: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    share_fen_max: int
    is_lucky: bool = True
    share_fen_min: int = 1
    spread: int = 2
    lifetime_s: int = 86_400
    draw_at_us: int = 0
    draw_in_s: int = 0
    awaits_entropy: bool = False
    conversation_id: str = ""
    recipients: tuple[bytes, ...] = ()
    passphrase: str = ""
    greeting: str = ""
    cover: str = ""
    is_by_channel: bool = False
    factors: int = 0


def client_key(lane: int, caller_key: str) -> bytes:
    """Return the idempotency key of a caller's own key in a lane."""
    digest = sha256(b"lingqian key\x01" + caller_key.encode()).digest()
    return lane.to_bytes(2, "big") + digest[:_KEY_BYTES]


def reveal_with(vault: Vault) -> Reveal:
    """Return the function that opens a packet's sealed seed with this vault's keys."""

    def reveal(packet_id: bytes, packet: Packet, progress: Progress) -> Secret:
        seed = vault.open("seed", packet_id, packet.seed_sealed)
        promised = terms(packet_id, packet)
        key = split_key(promised, seed, progress.entropy or None, progress.beacon or None)
        return Secret(shares(promised, key), key, vault.secret("salt", packet_id))

    return reveal


class Desk:
    """Mints commands for callers. Holds keys and the number of open lanes, and no state."""

    def __init__(self, vault: Vault, lanes: int, beacon: Beacon | None = None) -> None:
        self._vault = vault
        self._lanes = lanes
        self._beacon = beacon

    def _id(self, lane: int) -> bytes:
        return mint(lane, unix_ms(), secrets.randbits(64))

    def _private(
        self, owner_id: bytes, field: int, text: str
    ) -> tuple[bytes, tuple[Personal, ...]]:
        """Return a text's keyed digest and its sealed row; nothing for no text."""
        if not text:
            return b"", ()
        plain = text.encode()
        mac = self._vault.mac("personal", plain)
        cipher = self._vault.seal("personal", owner_id + bytes((field,)), plain)
        return mac, (Personal(owner_id, field, cipher, mac),)

    def external_mac(self, external_id: str) -> bytes:
        """Return the digest under which an external person is found."""
        return self._vault.mac("external", external_id.encode())

    def lane_for(self, text: str) -> int:
        """Return the lane where something named by the outside begins its life."""
        return int.from_bytes(sha256(text.encode()).digest()[:4], "big") % self._lanes

    def register(self, external_id: str, nickname: str, account_class: int) -> Submission:
        """Make the command that registers an external person once and for all."""
        lane = self.lane_for(external_id)
        mac = self.external_mac(external_id)
        user_id = self._id(lane)
        nickname_mac, rows = self._private(user_id, FIELD_NICKNAME, nickname)
        plain = external_id.encode()
        cipher = self._vault.seal("personal", user_id + bytes((FIELD_EXTERNAL,)), plain)
        rows += (Personal(user_id, FIELD_EXTERNAL, cipher, mac),)
        key = lane.to_bytes(2, "big") + mac[:_KEY_BYTES]
        return Submission(RegisterUser(key, user_id, mac, nickname_mac, account_class), rows)

    def change(
        self,
        user_id: bytes,
        user: User,
        *,
        caller_key: str,
        changes: dict[str, int],
        nickname: str | None,
    ) -> Submission:
        """Make the command that changes a user's class, state or nickname."""
        rows: tuple[Personal, ...] = ()
        nickname_mac = user.nickname_mac
        if nickname is not None:
            nickname_mac, rows = self._private(user_id, FIELD_NICKNAME, nickname)
        command = ChangeUser(
            client_key(user_id[0] << 8 | user_id[1], caller_key),
            user_id,
            changes.get("account_class", user.account_class),
            changes.get("state", user.state),
            nickname_mac,
        )
        return Submission(command, rows)

    def members(
        self, conversation_id: str, members: Sequence[bytes], caller_key: str
    ) -> Submission:
        """Make the command that sets a conversation's members."""
        lane = self.lane_for(conversation_id)
        ids = b"".join(sorted(set(members)))
        return Submission(SetMembers(client_key(lane, caller_key), lane, conversation_id, ids))

    def fund(self, user_id: bytes, amount_fen: int, caller_key: str) -> Submission:
        """Make the command that puts play money into a balance."""
        lane = user_id[0] << 8 | user_id[1]
        return Submission(Fund(client_key(lane, caller_key), self._id(lane), user_id, amount_fen))

    def transfer(  # noqa: PLR0913 - what a payment slip has, by name
        self,
        source_id: bytes,
        target_id: bytes,
        *,
        amount_fen: int,
        target: Status,
        note: str,
        caller_key: str,
        factors: int = 0,
    ) -> Submission:
        """Make the command that moves money between two people."""
        lane = source_id[0] << 8 | source_id[1]
        transfer_id = self._id(lane)
        note_mac, rows = self._private(transfer_id, FIELD_NOTE, note)
        command = Transfer(
            client_key(lane, caller_key),
            transfer_id,
            source_id,
            target_id,
            amount_fen,
            note_mac,
            target.account_class,
            target.state,
            factors,
        )
        return Submission(command, rows)

    def send(self, wish: Wish, caller_key: str) -> Submission:
        """Make the command that funds a packet: draw its seed, seal it, commit to it."""
        lane = wish.sender_id[0] << 8 | wish.sender_id[1]
        packet_id = self._id(lane)
        seed = secrets.token_bytes(32)
        chain, number = self._promise(wish)
        promised = Terms(
            version=TERMS_VERSION,
            packet_id=packet_id,
            lucky=wish.is_lucky,
            count=wish.count,
            total_fen=wish.total_fen,
            share_fen_min=wish.share_fen_min,
            share_fen_max=wish.share_fen_max,
            spread=wish.spread,
            draw=wish.kind == PacketKind.DRAW,
            beacon_chain=chain,
            beacon_round=number,
        )
        greeting_mac, rows = self._private(packet_id, FIELD_GREETING, wish.greeting)
        command = SendPacket(
            client_key(lane, caller_key),
            packet_id,
            wish.sender_id,
            wish.kind,
            wish.is_lucky,
            wish.total_fen,
            wish.count,
            wish.share_fen_min,
            wish.share_fen_max,
            wish.spread,
            wish.lifetime_s * SECOND_US,
            wish.draw_at_us,
            wish.awaits_entropy,
            wish.conversation_id,
            b"".join(sorted(set(wish.recipients))),
            self.passphrase_mac(wish.passphrase),
            greeting_mac,
            wish.cover,
            commitment(promised, seed),
            self._vault.seal("seed", packet_id, seed),
            chain,
            number,
            wish.is_by_channel,
            wish.factors,
        )
        return Submission(command, rows)

    def _promise(self, wish: Wish) -> tuple[bytes, int]:
        """Return the beacon's chain and the first round that nobody can know yet.

        For a draw that is the first round after its entries close. Beacons keep real time.
        """
        if self._beacon is None:
            return b"", 0
        wait_ms = max(0, wish.draw_in_s) * 1_000
        return self._beacon.chain, self._beacon.round_after(unix_ms() + wait_ms)

    def beacon(self, packet_id: bytes, randomness: bytes, signature: bytes) -> Submission:
        """Make the command that mixes the promised round in."""
        return Submission(AddBeacon(packet_id, randomness, signature))

    def passphrase_mac(self, passphrase: str) -> bytes:
        """Return the keyed digest of a normalised passphrase; empty for none."""
        normal = normal_passphrase(passphrase)
        return self._vault.mac("passphrase", normal.encode()) if normal else b""

    def claim(
        self, packet_id: bytes, user_id: bytes, status: Status, passphrase: str = ""
    ) -> Submission:
        """Make the command that opens a packet for a person."""
        command = ClaimPacket(
            packet_id,
            user_id,
            self.passphrase_mac(passphrase) if passphrase else b"",
            status.version,
            status.account_class,
            status.state,
            status.is_member,
        )
        return Submission(command)

    def entropy(self, packet_id: bytes, entropy: bytes) -> Submission:
        """Make the command that mixes the sender's bytes in."""
        return Submission(AddEntropy(packet_id, entropy))

    def draw(self, packet_id: bytes) -> Submission:
        """Make the command that holds a due draw."""
        return Submission(DrawPacket(packet_id))

    def invalidate(self, packet_id: bytes, by: str) -> Submission:
        """Make the command by which a person takes a packet out of circulation."""
        return Submission(ClosePacket(packet_id, True, by))  # noqa: FBT003 - a field of the command

    def settle(self, case_id: bytes, event: str, by: str) -> Submission:
        """Make the command by which a person ends a case: `release` or `refuse`."""
        return Submission(SettleCase(case_id, event, by))
