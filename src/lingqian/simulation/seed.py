"""Seeds of a simulated world: sealed by a stand-in for the vault that needs no fresh chance.

The split, the commitment and the salt are the product's own; only the cipher is not.
"""

from hashlib import sha256
from typing import Any

from lingqian.redpacket.commitment import shares, split_key
from lingqian.redpacket.packet import Packet, Progress, Secret, terms


class Sealing:
    """Seals and opens seeds by a mask that follows from the world and the packet."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def seal(self, packet_id: bytes, seed: bytes) -> bytes:
        """Hide a seed of 32 bytes; doing it twice shows it again."""
        mask = sha256(self._root + b"mask" + packet_id).digest()
        return bytes([one ^ two for one, two in zip(seed, mask, strict=True)])

    def reveal(self, packet_id: bytes, packet: Packet, progress: Progress) -> Secret:
        """Open a stored packet, as the lane asks for it."""
        return self._secret(packet_id, packet, (progress.entropy, progress.beacon))

    def open(self, command: Any, entropy: bytes, beacon: bytes) -> Secret:  # noqa: ANN401 - a send, by its fields
        """Open a packet from the command that sent it, as the auditor asks for it."""
        return self._secret(command.packet_id, command, (entropy, beacon))

    def _secret(self, packet_id: bytes, packet: Any, mixed: tuple[bytes, bytes]) -> Secret:  # noqa: ANN401 - as above
        seed = self.seal(packet_id, packet.seed_sealed)
        promised = terms(packet_id, packet)
        key = split_key(promised, seed, mixed[0] or None, mixed[1] or None)
        return Secret(shares(promised, key), key, sha256(self._root + b"salt" + packet_id).digest())
