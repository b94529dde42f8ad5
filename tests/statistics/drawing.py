"""Fresh samples of our own split: a new seed from the system in every run."""

import hashlib
import os

from lingqian.redpacket.split import SPREAD_DEFAULT, Terms, lucky


def terms(total, count, low=1, high=None, spread=SPREAD_DEFAULT):
    """Return the terms of a lucky packet; without `high` no cap binds."""
    return Terms(
        version=1,
        packet_id=bytes(16),
        lucky=True,
        count=count,
        total_fen=total,
        share_fen_min=low,
        share_fen_max=total if high is None else high,
        spread=spread,
    )


def splits(packet, size):
    """Yield so many independent splits of a packet's terms."""
    seed = os.urandom(32)
    for number in range(size):
        yield lucky(packet, hashlib.sha256(seed + number.to_bytes(8)).digest())


def rivals(rule, packet, size, chance):
    """Yield so many splits of the same packet by another's rule."""
    for _ in range(size):
        yield rule(packet.total_fen, packet.count, chance)
