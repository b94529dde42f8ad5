"""Rules as others publish them, made again as controls: each must fail the test it stands for.

Source: the red-packet reference, sections 5.3, 5.4 and 10: rules as published in code. `R` is what
remains and `k` how many shares, at every step. All keep a fen for each later share unless said.
"""

import random

_CHANCE = random.SystemRandom()


def fresh():
    """Return a fast generator with a fresh seed: the rivals' chance is not what is on trial."""
    return random.Random(_CHANCE.getrandbits(128))


def step_by_step(pick, *, last_takes_all=True):
    """Return a rule that draws share after share with `pick(R, k, T, n, chance)`."""

    def rule(total, count, chance):
        rest, shares = total, []
        for k in range(count, 1, -1):
            share = min(max(pick(rest, k, (total, count), chance), 1), rest - (k - 1))
            shares.append(share)
            rest -= share
        last = rest if last_takes_all else min(rest, max(1, pick(rest, 1, (total, count), chance)))
        shares.append(last)
        return shares

    return rule


def _below(chance, bound):
    return int(chance.random() * bound) if bound > 0 else 0


#: Section 5.4, row by row.
ONE_PLUS_TWICE_AVERAGE = step_by_step(lambda r, k, _, c: 1 + _below(c, 2 * r // k))
FLOOR_OF_TWICE = step_by_step(lambda r, k, _, c: int(c.random() * 2 * r / k))
RANDOM_MODULO = step_by_step(lambda r, k, _, c: c.getrandbits(32) % max(1, 2 * r // k))
ONE_PLUS_SURPLUS = step_by_step(lambda r, k, _, c: 1 + _below(c, 2 * (r - k) // k + 1))
ONE_PLUS_TWO_FLOORS = step_by_step(lambda r, k, _, c: 1 + _below(c, 2 * ((r - k) // k) + 1))
FLOOR_FROM_ONE = step_by_step(lambda r, k, _, c: int(1 + c.random() * (2 * r / k - 1)))
LAST_TOO = step_by_step(
    lambda r, k, _, c: 1 + _below(c, max(1, 2 * r // k - 1)), last_takes_all=False
)
NINE_TENTHS = step_by_step(lambda r, k, _, c: 1 + _below(c, max(1, int(1.8 * r / k))))
FIXED_CEILING = step_by_step(lambda _r, _k, whole, c: 1 + _below(c, int(2.1 * whole[0] / whole[1])))
PLAIN = step_by_step(lambda r, k, _, c: 1 + _below(c, r - k + 1))

TRUNCATED = {
    "1 + U{0..2avg-1}": ONE_PLUS_TWICE_AVERAGE,
    "floor(rand·2avg), 0 is 1": FLOOR_OF_TWICE,
    "rand mod (2R/k), 0 is 1": RANDOM_MODULO,
    "1 + U{0..floor(2S/k)}": ONE_PLUS_SURPLUS,
    "1 + U{0..2 floor(S/k)}": ONE_PLUS_TWO_FLOORS,
    "floor(U(1, 2R/k))": FLOOR_FROM_ONE,
    "U{1..2R/k-1}, the last too": LAST_TOO,
    "U{1..0.9·2R/k}": NINE_TENTHS,
    "fixed ceiling 2.1 T/n": FIXED_CEILING,
    "U{1..R}": PLAIN,
}


def double_mean(total, count, chance):
    """Split by the ideal double mean (二倍均值法), in real numbers: X ~ U(0, 2R/k)."""
    rest, shares = float(total), []
    for k in range(count, 1, -1):
        share = chance.random() * 2 * rest / k
        shares.append(share)
        rest -= share
    shares.append(rest)
    return shares


def clipped(shares, cap):
    """Repair a split by clipping to the cap and handing the rest to the first with room."""
    shares = list(shares)
    over = sum(max(0, share - cap) for share in shares)
    for place, share in enumerate(shares):
        shares[place] = min(share, cap)
        room = min(over, cap - shares[place])
        shares[place] += room
        over -= room
    return shares


def priority(shares, favourites):
    """Give the largest shares to the favourites, as a documented live product lets an owner do."""
    order = sorted(range(len(shares)), key=lambda place: -shares[place])
    chosen = order[: len(favourites)]
    shares = list(shares)
    for favourite, place in zip(favourites, chosen, strict=True):
        shares[favourite], shares[place] = shares[place], shares[favourite]
    return shares
