"""Luck: claims checked against what fixed them before anybody opened the packet (手气核对).

Law: the chain of claims is unbroken; with the keys at hand, every share and every place of a draw
follows again from the sealed seed, and the seed from the commitment.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from lingqian.flows.claim import ClaimDone
from lingqian.flows.close import DrawDone
from lingqian.flows.command import AddBeacon, ClaimPacket, DrawPacket
from lingqian.flows.decision import Record
from lingqian.flows.packet import MixDone
from lingqian.flows.view import View
from lingqian.kernel.fault import Damaged
from lingqian.redpacket.commitment import (
    chain,
    commitment,
    draw_key,
    draw_order,
    pseudonym,
    shares,
    split_key,
)
from lingqian.redpacket.packet import PacketKind, Secret, terms
from lingqian.storage.finding import FindingKind
from lingqian.storage.vault import Vault

LUCKY: Final = frozenset({ClaimDone, DrawDone, MixDone})
Fault = tuple[FindingKind, str]


class Luck:
    """Opens sealed seeds and compares; without a vault it checks the chain alone."""

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault

    def faults(self, view: View, record: Record) -> Iterator[Fault]:
        """Yield what is wrong with a claim or a draw. To be asked before the row is folded."""
        if isinstance(record.outcome, ClaimDone):
            yield from self._claim(view, record, record.outcome)
        elif isinstance(record.outcome, DrawDone):
            yield from self._draw(view, record, record.outcome)
        elif isinstance(record.command, AddBeacon) and not _is_round(record.command):
            yield FindingKind.CLAIM_SHARE, "the beacon's round is not its signature's hash"

    def _claim(self, view: View, record: Record, outcome: ClaimDone) -> Iterator[Fault]:
        command = record.command
        assert isinstance(command, ClaimPacket), "the journal names its kind"
        packet, progress = (
            view.packets.have(command.packet_id),
            view.progress.have(command.packet_id),
        )
        is_draw = packet.kind == PacketKind.DRAW
        ticket = 1 + (progress.ticket_count if is_draw else progress.claimed_count)
        if (outcome.ticket, outcome.share) != (ticket, 0 if is_draw else ticket):
            words = f"ticket {outcome.ticket} with share {outcome.share} where {ticket} is next"
            yield FindingKind.CLAIM_COUNT, words
        link = chain(
            progress.chain,
            sequence=outcome.ticket,
            pseudonym=outcome.pseudonym,
            index=outcome.share,
            amount_fen=outcome.amount_fen,
            at_us=record.at_us,
        )
        if link != outcome.chain:
            yield FindingKind.CLAIM_CHAIN, f"claim {outcome.ticket} does not follow the one before"
        if self._vault is None:
            return
        if command.packet_id not in view.secrets:
            yield from self._open(view, command.packet_id, self._vault)
        yield from _claim_faults(view, command, outcome)

    def _open(self, view: View, packet_id: bytes, vault: Vault) -> Iterator[Fault]:
        """Derive a packet's shares again; none are known when its seed does not open."""
        packet, progress = view.packets.have(packet_id), view.progress.have(packet_id)
        try:
            seed = vault.open("seed", packet_id, packet.seed_sealed)
        except Damaged as error:
            yield FindingKind.CLAIM_SHARE, f"packet {packet_id.hex()}: {error}"
            view.secrets[packet_id] = Secret((), b"", b"")
            return
        promised = terms(packet_id, packet)
        if commitment(promised, seed) != packet.commitment:
            words = f"packet {packet_id.hex()}: its seed is not the one committed to"
            yield FindingKind.CLAIM_SHARE, words
        key = split_key(promised, seed, progress.entropy or None, progress.beacon or None)
        salt = vault.secret("salt", packet_id)
        view.secrets[packet_id] = Secret(shares(promised, key), key, salt)

    def _draw(self, view: View, record: Record, outcome: DrawDone) -> Iterator[Fault]:
        command = record.command
        assert isinstance(command, DrawPacket), "the journal names its kind"
        if self._vault is None:
            return
        if command.packet_id not in view.secrets:
            yield from self._open(view, command.packet_id, self._vault)
        secret = view.secrets[command.packet_id]
        if not secret.key:
            return
        packet, progress = (
            view.packets.have(command.packet_id),
            view.progress.have(command.packet_id),
        )
        tickets = len(view.tickets[command.packet_id])
        order = draw_order(draw_key(secret.key, progress.chain), tickets, packet.count)
        if outcome.tickets != order:
            yield FindingKind.CLAIM_SHARE, "the draw's order does not follow from the ticket chain"
        if outcome.amounts_fen != secret.shares[: len(order)]:
            yield FindingKind.CLAIM_SHARE, "the draw's amounts do not follow from the sealed seed"


def _is_round(command: AddBeacon) -> bool:
    return sha256(command.signature).digest() == command.randomness


def _claim_faults(view: View, command: ClaimPacket, outcome: ClaimDone) -> Iterator[Fault]:
    secret = view.secrets[command.packet_id]
    if not secret.key:
        return
    if outcome.pseudonym != pseudonym(command.packet_id, command.user_id, secret.salt):
        yield FindingKind.CLAIM_CHAIN, f"claim {outcome.ticket} bears another person's pseudonym"
    if outcome.share and outcome.amount_fen != secret.shares[outcome.share - 1]:
        words = (
            f"share {outcome.share} is {secret.shares[outcome.share - 1]} fen by the sealed seed, "
            f"the row gives {outcome.amount_fen}"
        )
        yield FindingKind.CLAIM_SHARE, words
