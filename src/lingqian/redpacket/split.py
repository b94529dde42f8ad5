"""Split: a total into shares, exact to the fen and blind to the order of claims (拆分).

Law: Σ shares = total; share_fen_min ≤ share ≤ share_fen_max; lucky shares are exchangeable, so no
place in the queue has an advantage of any kind. Nothing about any user is an input.
Units: fen.   Source: docs/reference/proof.md, "The split".
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import comb, perm

from lingqian.kernel.chance import Stream

COUNT_MAX = 5000
SPREAD_DEFAULT = 2
SPREAD_MAX = 64
TOTAL_FEN_MAX = 2**63 - 1
VERSION = 1

#: What the rung is called when no spread qualifies and slots are drawn instead.
SLOTS = 0

_LABEL = b"lingqian/split"
_LADDER = (2, 3, 4, 6, 8, 12, 16, 24)
_TRIES_MAX = 10_000  # a rung is taken only if a try succeeds with chance ≥ 5 %
_FRACTION_BITS = 192


@dataclass(frozen=True, slots=True)
class Terms:
    """What is promised when a packet is sent; all of it stands under the commitment."""

    version: int  #: of the law, now 1
    packet_id: bytes  #: 16 bytes
    lucky: bool  #: True: by chance (拼手气); False: equal shares (普通)
    count: int  #: of shares, 1 … COUNT_MAX
    total_fen: int
    share_fen_min: int
    share_fen_max: int
    spread: int  #: asked for: 1 is wild (line cutting), larger is more even
    draw: bool = False  #: True: tickets are permuted after close; False: claim k opens share k
    beacon_chain: bytes = b""  #: 32 bytes, the hash of the drand chain promised; empty: none
    beacon_round: int = 0  #: the round promised; 0: none


def feasible(total_fen: int, count: int, share_fen_min: int, share_fen_max: int) -> bool:
    """Say whether any split exists: n·m ≤ T ≤ n·M, with 1 ≤ n and 0 ≤ m ≤ M."""
    if not (1 <= count <= COUNT_MAX and 0 <= share_fen_min <= share_fen_max):
        return False
    fits = count * share_fen_min <= total_fen <= count * share_fen_max
    return fits and total_fen <= TOTAL_FEN_MAX


def equal(total_fen: int, count: int) -> tuple[int, ...]:
    """Split evenly: the first `total_fen` mod `count` shares get one fen more."""
    assert count >= 1, "a packet has a share"
    assert total_fen >= 0, "money is never negative here"
    share, rest = divmod(total_fen, count)
    return (share + 1,) * rest + (share,) * (count - rest)


def lucky(terms: Terms, key: bytes) -> tuple[int, ...]:
    """Split by the grouped stars-and-bars law under the cap, from a 32-byte key.

    The same terms and key give the same shares for ever. The caller has checked `feasible`.
    """
    count, low, high = terms.count, terms.share_fen_min, terms.share_fen_max
    assert feasible(terms.total_fen, count, low, high), "no such split exists"
    assert 1 <= terms.spread <= SPREAD_MAX, "spread out of range"
    cap = high - low
    surplus = terms.total_fen - count * low
    turned = 2 * surplus > count * cap
    if turned:  # what is missing to the cap is split instead: there it binds less
        surplus = count * cap - surplus
    parts = _parts(Stream(key, _LABEL), surplus, (count, cap, terms.spread))
    return tuple([high - y for y in parts] if turned else [low + y for y in parts])


def spread_for(
    total_fen: int,
    count: int,
    share_fen_min: int,
    share_fen_max: int,
    spread: int = SPREAD_DEFAULT,
) -> int:
    """Return the spread really used: the first rung that meets the cap often enough.

    `SLOTS` when no rung of the ladder does. Decided in integers alone, so every language agrees.
    """
    cap = share_fen_max - share_fen_min
    surplus = total_fen - count * share_fen_min
    return _rung(min(surplus, count * cap - surplus), count, cap, spread)


def _parts(stream: Stream, surplus: int, shape: tuple[int, int, int]) -> list[int]:
    count, cap, spread = shape
    if surplus == 0:
        return [0] * count
    rung = _rung(surplus, count, cap, spread)
    if rung == SLOTS:
        return _slots(stream, surplus, count, cap)
    for _ in range(_TRIES_MAX):
        parts = _grouped(stream, surplus, count, rung)
        if max(parts) <= cap:
            return parts
    raise AssertionError("ten thousand tries failed, each with a chance of at least 5 %")


def _grouped(stream: Stream, surplus: int, count: int, spread: int) -> list[int]:
    """Set bars among stars, and count the stars between every `spread`-th bar and the next."""
    bars = count * spread - 1
    places = surplus + bars
    ends = sorted(stream.distinct(bars, places))[spread - 1 :: spread]
    return [end - start - spread for start, end in pairwise([-1, *ends, places])]


def _slots(stream: Stream, surplus: int, count: int, cap: int) -> list[int]:
    """Give each share `cap` slots and fill `surplus` of all slots: never above the cap."""
    parts = [0] * count
    for slot in stream.distinct(surplus, count * cap):
        parts[slot // cap] += 1
    return parts


@lru_cache(maxsize=4096)
def _rung(surplus: int, count: int, cap: int, spread: int) -> int:
    if surplus <= cap:
        return spread  # the cap cannot bind
    for rung in (spread, *(rung for rung in _LADDER if rung > spread)):
        if _accepts(surplus, count, cap, rung):
            return rung
    return SLOTS


def _accepts(surplus: int, count: int, cap: int, spread: int) -> bool:
    """Prove that a try keeps to the cap with chance ≥ 5 %: 1 - n·P(one part exceeds it).

    A part exceeds the cap iff fewer than `spread` bars lie in the first cap + spread places, a
    hypergeometric tail. Every division rounds up, so the chance is never overstated.
    """
    bars = count * spread - 1
    places = surplus + bars
    window = cap + spread
    few = spread - 1
    term = comb(bars, few) * perm(window, few) << _FRACTION_BITS
    term = -(-term // perm(places, few))
    for i in range(bars - few):
        term = -(-term * (places - window - i) // (places - few - i))
    tail = term
    for k in range(few, 0, -1):
        stars_beyond = places - window - bars + k
        if stars_beyond <= 0:
            break
        term = -(-term * k * stars_beyond // ((window - k + 1) * (bars - k + 1)))
        tail += term
    return 20 * count * tail <= 19 << _FRACTION_BITS
