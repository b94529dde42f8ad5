"""Who may claim: passphrases are compared normalised, recipients by membership (领取条件)."""

import unicodedata

from lingqian.redpacket.packet import Packet


def normal_passphrase(text: str) -> str:
    """Fold width, case and white space, so that a phrase spoken is a phrase typed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(folded.split())


def is_recipient(packet: Packet, user_id: bytes) -> bool:
    """Say whether a targeted packet names this person."""
    ids = packet.recipients
    return any(ids[at : at + 16] == user_id for at in range(0, len(ids), 16))
