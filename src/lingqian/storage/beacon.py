"""The public beacon: randomness nobody here can choose, by drand's HTTP protocol (公共随机信标).

A round's randomness is the SHA-256 of its signature, which is checked; the BLS signature itself is
kept in the packet's proof for anyone to check against the chain's public key, and not checked here.
Source: docs.drand.love, HTTP API (`/{chain}/public/{round}`), read 2026-11.
"""

from hashlib import sha256
from typing import Final, NamedTuple

import aiohttp
import msgspec

from lingqian.kernel.fault import Damaged, Unsent
from lingqian.storage.port import Connection

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_BODY_BYTES_MAX: Final = 4_096
_SIGNATURE_BYTES_MAX: Final = 128
SELECT_WAITING: Final = (
    # State 1 awaits and may time out; state 3 is a draw whose round comes after its entries.
    "SELECT packet_id, wants_round FROM progress WHERE wants_round > 0 AND wants_round <= ? "
    "AND (state = 3 OR (state = 1 AND await_until_us > ?)) ORDER BY wants_round LIMIT ?"
)


class Beacon(NamedTuple):
    """Where a drand chain can be read, and the timetable of its rounds."""

    urls: tuple[str, ...]
    chain: bytes
    genesis_s: int
    period_s: int

    def round_after(self, at_ms: int) -> int:
        """Return the first round that is published after an instant of real time."""
        passed_ms = at_ms - self.genesis_s * 1_000
        return max(1, passed_ms // (self.period_s * 1_000) + 2)

    def published(self, at_ms: int) -> int:
        """Return the newest round that can be known at an instant of real time."""
        return self.round_after(at_ms) - 1


class Drawn(NamedTuple):
    """One round: its randomness and the signature it comes from."""

    randomness: bytes
    signature: bytes


class _Answer(msgspec.Struct):
    round: int
    signature: str
    randomness: str | None = None


def read_round(number: int, body: bytes) -> Drawn:
    """Read a beacon's answer for one round.

    Raises: Damaged when it is for another round or its randomness is not its signature's hash.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        signature = bytes.fromhex(answer.signature)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Damaged("the beacon's answer cannot be read") from error
    randomness = sha256(signature).digest()
    is_same = answer.randomness is None or answer.randomness == randomness.hex()
    if answer.round != number or not 0 < len(signature) <= _SIGNATURE_BYTES_MAX or not is_same:
        raise Damaged("the beacon's answer contradicts itself")
    return Drawn(randomness, signature)


async def fetch_round(session: aiohttp.ClientSession, beacon: Beacon, number: int) -> Drawn:
    """Ask each mirror in turn for a round.

    Raises: Unsent when none has it.
    """
    for url in beacon.urls:
        address = f"{url.rstrip('/')}/{beacon.chain.hex()}/public/{number}"
        try:
            async with session.get(address, timeout=_TIMEOUT, allow_redirects=False) as answer:
                if answer.status == 200:
                    return read_round(number, await answer.content.read(_BODY_BYTES_MAX))
        except (aiohttp.ClientError, TimeoutError, Damaged):
            # The next mirror may do better; when none does, the caller tries again later.
            continue
    raise Unsent(f"no mirror has round {number} of the beacon")


def waiting(
    connection: Connection, *, published: int, at_us: int, rows_max: int
) -> list[tuple[bytes, int]]:
    """Return packets whose promised round has been published, with the round."""
    values = (published, at_us, rows_max)
    return connection.execute(SELECT_WAITING, values).fetchall()
