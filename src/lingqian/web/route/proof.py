"""Proofs: a closed packet's record, signed, with pseudonyms, for whoever has its link (证明)."""

import asyncio
from collections import OrderedDict
from typing import Any, Final

from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_PACKET
from lingqian.redpacket import proof
from lingqian.redpacket.packet import terms
from lingqian.storage import query
from lingqian.storage.query import Claimed, Sent
from lingqian.storage.vault import Vault
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.problem import Refused
from lingqian.web.reply import Reply, encode

_DONE_MAX: Final = 64


async def read(door: Door, call: Call) -> Reply:
    """Give the proof of a closed packet; it never changes, so it is made once."""
    packet_id = call.id(PREFIX_PACKET, "packet_id")
    known = door.proofs.get(packet_id)
    if known is None:
        known = await _make(door, packet_id)
        _keep(door.proofs, packet_id, known)
    return Reply(200, known)


def _keep(proofs: OrderedDict[bytes, bytes], packet_id: bytes, document: bytes) -> None:
    proofs[packet_id] = document
    if len(proofs) > _DONE_MAX:
        proofs.popitem(last=False)


async def _make(door: Door, packet_id: bytes) -> bytes:
    sent = query.packet(door.reader, packet_id)
    if sent is None:
        raise Refused(Code.NOT_FOUND)
    if not sent.progress.closed_at_us:
        raise Refused(Code.PACKET_NOT_CLOSED)
    seed = door.seed(sent)
    if seed is None:
        raise Refused(Code.PROOF_WITHHELD)
    found = query.all_claims(door.reader, packet_id)
    seal = query.closing_seal(door.reader, packet_id)
    journal = None if seal is None else proof.Journal(seal.lane, seal.seq, seal.head)
    # Thousands of shares take a while to draw again; nobody else waits for that.
    return await asyncio.to_thread(write, door.wallet.vault, sent, found, journal)


def write(vault: Vault, sent: Sent, found: list[Claimed], journal: proof.Journal | None) -> bytes:
    """Return the signed proof document of a closed packet."""
    packet_id, packet, progress = sent
    promised = terms(packet_id, packet)
    beacon = None
    if progress.beacon:
        beacon = proof.Beacon(progress.beacon_signature, progress.beacon)
    closure = proof.Closure(
        terms=promised,
        seed=vault.open("seed", packet_id, packet.seed_sealed),
        created_at_us=packet.created_at_us,
        closed_at_us=progress.closed_at_us,
        claims=[_claim(each, is_draw=promised.draw) for each in found],
        refund_fen=progress.returned_fen,
        entropy=progress.entropy or None,
        entropy_at_us=progress.entropy_at_us,
        beacon=beacon,
        journal=journal,
    )
    document = proof.record(closure)
    value = vault.sign(proof.signing_bytes(document))
    return encode(proof.signed(document, vault.public_key, value))


def _claim(found: Claimed, *, is_draw: bool) -> proof.Claim:
    claim = found.claim
    index, amount_fen = (0, 0) if is_draw else (claim.share, claim.amount_fen)
    return proof.Claim(claim.ticket, claim.pseudonym, index, amount_fen, claim.at_us)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/packets/{packet_id}/proof",
        run=read,
        summary="Give the proof of a closed packet",
        tag="packets",
        gives={200: Given(dict[str, Any], {"format": "lingqian.proof", "version": 1})},
        refuses=(Code.NOT_FOUND, Code.PACKET_NOT_CLOSED, Code.PROOF_WITHHELD),
        is_public=True,
    ),
)
