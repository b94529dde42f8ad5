"""S1 to S8 and S11: the split's law, each beside a control that must fail the same test.

`LINGQIAN_STATISTICS=full` runs the sizes of the acceptance text; without it, seconds.
"""

import time
from fractions import Fraction
from itertools import permutations, product
from math import comb

import pytest
import rival
from drawing import rivals, splits, terms
from significance import FULL, SIGNIFICANCE, Places, goodness, mean_is_zero, sized

from lingqian.redpacket.split import SLOTS, equal, feasible, lucky, spread_for

#: Seconds in the ordinary command; some of the full sizes take ten minutes on a busy machine.
pytestmark = pytest.mark.timeout(sized(120, 7200))


def place_p(source, count, figure):
    """Return the p-value of a figure of the shares being alike at every place."""
    places = Places(count)
    for shares in source:
        places.add(figure(shares))
    return places.p_value()


# --- S1: sum and bounds --------------------------------------------------------------------------


def random_packet(chance, count_max):
    """Return any packet that can be split: bounds wide or narrow, total anywhere or at a corner."""
    count = chance.randint(1, count_max)
    low = chance.choice((0, 1, 1, 1, chance.randint(0, 500)))
    cap = chance.choice((0, 1, 2, chance.randint(0, 50), chance.randint(0, 20_000)))
    least, most = count * low, count * (low + cap)
    total = chance.choice((chance.randint(least, most), least, min(least + 1, most), most))
    return terms(total, count, low, low + cap, chance.choice((1, 2, 2, 3, 8)))


@pytest.mark.parametrize(
    ("count_max", "size"), [(20, sized(9_000, 10**6)), (500, sized(300, 10**4))]
)
def test_s1_sums_exactly_within_bounds(count_max, size):
    """The first promise of a split: no fen lost, none made, none out of bounds."""
    chance = rival.fresh()
    for _ in range(size):
        packet = random_packet(chance, count_max)
        shares = lucky(packet, chance.randbytes(32))
        assert sum(shares) == packet.total_fen, packet
        assert packet.share_fen_min <= min(shares) <= max(shares) <= packet.share_fen_max, packet


def test_s1_control_last_too_leaves_money_over():
    """Control: the rule that draws the last share as well loses money, and S1 sees it."""
    packet, chance = terms(100, 10), rival.fresh()
    sums = [sum(shares) for shares in rivals(rival.LAST_TOO, packet, 200, chance)]
    assert any(total != 100 for total in sums)


def test_s1_infeasible_is_refused():
    """Just outside the bounds on either side no split exists."""
    for count, low, high in product((1, 2, 500, 5000), (1, 3), (3, 200)):
        assert not feasible(count * low - 1, count, low, high)
        assert not feasible(count * high + 1, count, low, high)


# --- S2, S3, S4: means and variances by place ----------------------------------------------------


def test_s2_means_are_alike_at_every_place():
    """The first and the last claimer expect the same, to 0.05 % of the mean at full size."""
    size = sized(40_000, 2_000_000)
    packet = terms(1000, 10)
    places = Places(10)
    for shares in splits(packet, size):
        places.add(shares)
    error = (places.inside / places.size / 10 / size) ** 0.5
    assert places.p_value() > SIGNIFICANCE
    assert all(abs(mean - 100) < 5.5 * error for mean in places.means())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("fixed ceiling 2.1 T/n", sized(40_000, 200_000)),
        # A bias of 0.5 %: seen only by a sample of the full size.
        *([("1 + U{0..2avg-1}", 2_000_000)] if FULL else []),
    ],
)
def test_s2_control_fails(name, size):
    """Control: published rules whose first place is worth more or less."""
    chance = rival.fresh()
    source = rivals(rival.TRUNCATED[name], terms(1000, 10), size, chance)
    assert place_p(source, 10, lambda shares: shares) < SIGNIFICANCE


@pytest.mark.parametrize(("total", "count"), [(30, 20), (100, 18)])
def test_s3_tiny_amounts_are_fair(total, count):
    """A few fen each, the favourite joke packet, is where others are worst."""
    source = splits(terms(total, count), sized(15_000, 200_000))
    assert place_p(source, count, lambda shares: shares) > SIGNIFICANCE


@pytest.mark.parametrize("name", rival.TRUNCATED)
def test_s3_control_every_truncating_rule_fails(name):
    """Control: every rule of the reference's table is unfair at 30 fen for 20 people."""
    source = rivals(rival.TRUNCATED[name], terms(30, 20), sized(15_000, 200_000), rival.fresh())
    assert place_p(source, 20, lambda shares: shares) < SIGNIFICANCE


def squared(shares):
    """Return squared distances from the mean of 100."""
    return [(share - 100) ** 2 for share in shares]


def test_s4_variances_are_alike_at_every_place():
    """Waiting must not make the game wilder or tamer either."""
    places = Places(10)
    for shares in splits(terms(1000, 10), sized(20_000, 200_000)):
        places.add(squared(shares))
    assert places.p_value() > SIGNIFICANCE
    variances = places.means()
    assert max(variances) / min(variances) < sized(1.2, 1.05)


def test_s4_control_double_mean_fails():
    """Control: the ideal double mean is 1.77 times as wild at the end as at the start."""
    places = Places(10)
    for shares in rivals(rival.double_mean, terms(1000, 10), sized(20_000, 200_000), rival.fresh()):
        places.add(squared(shares))
    assert places.p_value() < SIGNIFICANCE
    assert max(places.means()) / min(places.means()) > sized(1.2, 1.5)


# --- S5: best and worst luck ---------------------------------------------------------------------


def lucky_places(source, count, best, chance):
    """Count at which place the best, or the worst, share lay; ties are broken by the test."""
    counts = [0] * count
    for shares in source:
        extreme = best(shares)
        counts[chance.choice([i for i, share in enumerate(shares) if share == extreme])] += 1
    return counts


#: Best luck on a hundred places; worst luck there needs the full size, and quickly shows on ten.
LUCK = (
    (max, 100, sized(4_000, 200_000)),
    (min, 10, sized(12_000, 200_000)),
    *([(min, 100, 200_000)] if FULL else []),
)


@pytest.mark.parametrize(("best", "count", "size"), LUCK)
def test_s5_luck_is_uniform_over_the_places(best, count, size):
    """Best and worst luck fall on every place equally often."""
    counts = lucky_places(splits(terms(2000 * count, count), size), count, best, rival.fresh())
    assert goodness(counts, [size / count] * count) > SIGNIFICANCE


@pytest.mark.parametrize(("best", "count", "size"), LUCK)
def test_s5_control_double_mean_fails(best, count, size):
    """Control: under double mean the last two take 16 % of best luck, and more of the worst."""
    chance = rival.fresh()
    source = rivals(rival.double_mean, terms(2000 * count, count), size, chance)
    counts = lucky_places(source, count, best, chance)
    assert goodness(counts, [size / count] * count) < SIGNIFICANCE


# --- S6: the exact law ---------------------------------------------------------------------------

#: total, count, least, greatest, spread: free, bounded, turned, wild, wide minimum.
SMALL = (
    (9, 3, 1, 9, 2),
    (10, 4, 1, 4, 2),
    (12, 4, 1, 5, 2),
    (13, 4, 1, 4, 2),
    (14, 5, 0, 4, 3),
    (14, 5, 2, 14, 1),
    (11, 3, 0, 6, 4),
)


def law(row):
    """Return every bounded split and its probability, by plain enumeration."""
    total, count, low, high, spread = row
    cap, surplus = high - low, total - count * low
    turned = 2 * surplus > count * cap
    weights = {}
    for parts in product(range(cap + 1), repeat=count):
        if sum(parts) == surplus:
            weight = 1
            for part in parts:
                y = cap - part if turned else part
                weight *= comb(y + spread - 1, spread - 1)
            weights[tuple(low + part for part in parts)] = weight
    whole = sum(weights.values())
    return {shares: Fraction(weight, whole) for shares, weight in weights.items()}


def law_p(source, size, chances):
    """Return the chi-square p-value of a sample against a law; 0 for a split outside it."""
    counts = dict.fromkeys(chances, 0)
    for shares in source:
        if shares not in counts:
            return 0.0
        counts[shares] += 1
    return goodness(list(counts.values()), [float(chance * size) for chance in chances.values()])


@pytest.mark.parametrize("row", SMALL, ids=str)
def test_s6_small_splits_follow_the_law(row):
    """Every split of a small packet is drawn as often as the product of its weights says."""
    size = sized(15_000, 1_000_000)
    assert law_p(splits(terms(*row), size), size, law(row)) > SIGNIFICANCE


@pytest.mark.parametrize("row", SMALL, ids=str)
def test_s6_control_another_spread_fails(row):
    """Control: the law of another spread is told apart by a sample of the same size."""
    size = sized(15_000, 1_000_000)
    assert law_p(splits(terms(*row), size), size, law((*row[:4], row[4] + 2))) < SIGNIFICANCE


@pytest.mark.parametrize("row", [(10, 4, 1, 4, 2), (12, 4, 1, 5, 2)], ids=str)
def test_s6_control_clipping_fails(row):
    """Control: repairing a violation of the cap by handing the rest on is another law."""
    size = sized(15_000, 1_000_000)
    free = splits(terms(row[0], row[1], row[2], None, row[4]), size)
    source = (tuple(rival.clipped(shares, row[3])) for shares in free)
    assert law_p(source, size, law(row)) < SIGNIFICANCE


def test_s6_slots_follow_their_law():
    """The last rung has a law too: any two shares are jointly hypergeometric."""
    count, cap, surplus, size = 14, 2, 14, sized(20_000, 1_000_000)
    assert spread_for(count + surplus, count, 1, 1 + cap) == SLOTS
    counts = dict.fromkeys(product(range(cap + 1), repeat=2), 0)
    for shares in splits(terms(count + surplus, count, 1, 1 + cap), size):
        counts[shares[0] - 1, shares[-1] - 1] += 1
    slots = count * cap
    expected = [
        size
        * comb(cap, a)
        * comb(cap, b)
        * comb(slots - 2 * cap, surplus - a - b)
        / comb(slots, surplus)
        for a, b in counts
    ]
    assert goodness(list(counts.values()), expected) > SIGNIFICANCE


# --- S7: exchangeability -------------------------------------------------------------------------

TRIPLES = ((0, 1, 2), (0, 4, 9), (7, 8, 9), (2, 9, 5))


def triple_p(source, chance):
    """Return the least p-value over triples of places of all six orders being equally likely."""
    orders = {triple: dict.fromkeys(permutations(range(3)), 0) for triple in TRIPLES}
    size = 0
    for shares in source:
        size += 1
        for triple, counts in orders.items():
            ranked = sorted(range(3), key=lambda i: (shares[triple[i]], chance.random()))
            counts[tuple(ranked)] += 1
    return min(goodness(list(counts.values()), [size / 6] * 6) for counts in orders.values()) * len(
        TRIPLES
    )


def lag_p(source, lag):
    """Return the p-value of the correlation at a lag being -1/(n-1), as exchange demands.

    Deviations of one packet add up to 0, so over all pairs their products add up to minus the sum
    of squares; the pairs at one lag must have their part of it.
    """
    values = []
    for shares in source:
        mean = sum(shares) / len(shares)
        off = [share - mean for share in shares]
        count = len(off)
        pairs = sum(off[i] * off[i + lag] for i in range(count - lag))
        values.append(pairs + sum(x * x for x in off) * (count - lag) / (count * (count - 1)))
    return mean_is_zero(values)


def test_s7_triples_come_in_every_order():
    """No three places have a favourite order."""
    source = splits(terms(1000, 10), sized(15_000, 500_000))
    assert triple_p(source, rival.fresh()) > SIGNIFICANCE


def test_s7_control_double_mean_fails_on_triples():
    """Control: early shares are capped at twice the mean and late ones are not."""
    chance = rival.fresh()
    source = rivals(rival.double_mean, terms(1000, 10), sized(30_000, 500_000), chance)
    assert triple_p(source, chance) < SIGNIFICANCE


@pytest.mark.parametrize("lag", [1, 2, 9])
def test_s7_lags_are_correlated_alike(lag):
    """Neighbours are no more and no less alike than strangers."""
    assert lag_p(splits(terms(1000, 10), sized(15_000, 500_000)), lag) > SIGNIFICANCE


def test_s7_control_double_mean_fails_on_lags():
    """Control: under double mean the last two hang together."""
    source = rivals(rival.double_mean, terms(1000, 10), sized(30_000, 500_000), rival.fresh())
    assert lag_p(source, 1) < SIGNIFICANCE


# --- S8: near the cap ----------------------------------------------------------------------------

NEAR = (0.2, 0.35, 0.5, 0.65, 0.9, 0.999)


@pytest.mark.parametrize("cap", [20_000, 60, 1])
@pytest.mark.parametrize("part", NEAR)
def test_s8_near_the_cap_is_fast_exact_and_exchangeable(part, cap):
    """Five hundred shares close to the cap: under a second, within bounds, alike at every place."""
    packet = terms(500 + int(500 * cap * part), 500, 1, 1 + cap)
    places, slowest = Places(500), 0.0
    for number in range(sized(12, 2_000)):
        start = time.process_time()
        (shares,) = splits(packet, 1)
        slowest = max(slowest, time.process_time() - start)
        assert sum(shares) == packet.total_fen, number
        assert min(shares) >= 1
        assert max(shares) <= 1 + cap
        places.add(shares)
    assert slowest < 1
    assert places.p_value() > SIGNIFICANCE


@pytest.mark.parametrize("part", NEAR)
def test_s8_small_near_the_cap_is_exchangeable(part):
    """The same on twelve shares, where the sample is large enough to see a small bias."""
    packet = terms(12 + int(12 * 60 * part), 12, 1, 61)
    source = splits(packet, sized(4_000, 200_000))
    assert place_p(source, 12, lambda shares: shares) > SIGNIFICANCE


@pytest.mark.parametrize("part", [0.35, 0.5, 0.65])
def test_s8_control_clipping_fails(part):
    """Control: clip and hand on, and the first place is worth more."""
    free = terms(12 + int(12 * 60 * part), 12)
    source = (rival.clipped(shares, 61) for shares in splits(free, sized(10_000, 200_000)))
    assert place_p(source, 12, lambda shares: shares) < SIGNIFICANCE


# --- S10: equal packets --------------------------------------------------------------------------


def test_s10_equal_shares_differ_by_a_fen():
    """Every total from one fen a share to a hundred: exact, level, never zero or negative."""
    for count, total in product((1, 3, 18, 100), range(100, 10_000, 7)):
        shares = equal(total, count)
        assert sum(shares) == total
        assert max(shares) - min(shares) <= 1
        assert min(shares) >= 1


# --- S11: no favour ------------------------------------------------------------------------------

USERS = 50
HABITS = ("the first", "the last", "any place")


def luck_p(source, chance, habits):
    """Return the p-value of all users having the same luck, each by a habit of when to open."""
    places = Places(USERS)
    for shares in source:
        order = sorted(range(USERS), key=lambda user: (habits[user], chance.random()))
        luck = [0.0] * USERS
        for place, user in enumerate(order):
            luck[user] = shares[place]
        places.add(luck)
    return places.p_value()


def test_s11_nobody_is_favoured():
    """Fifty people with fixed habits over many packets have the same luck."""
    chance = rival.fresh()
    habits = [chance.choice((0, 1, 2)) for _ in range(USERS)]
    source = splits(terms(10_000, USERS), sized(2_500, 20_000))
    assert luck_p(source, chance, habits) > SIGNIFICANCE


def test_s11_control_a_priority_list_fails():
    """Control: two favourites who get the two largest shares of every tenth packet are seen."""
    chance = rival.fresh()
    favoured = (
        rival.priority(shares, (3, 4)) if number % 10 == 0 else shares
        for number, shares in enumerate(splits(terms(10_000, USERS), sized(2_500, 20_000)))
    )
    assert luck_p(favoured, chance, list(range(USERS))) < SIGNIFICANCE


def test_the_test_of_places_is_calibrated():
    """The instrument itself: where places are alike a tenth of its p-values lie below 0.1."""
    chance = rival.fresh()
    low = 0
    for _ in range(400):
        places = Places(6)
        for _ in range(60):
            cuts = sorted(chance.random() for _ in range(5))
            places.add([b - a for a, b in zip([0, *cuts], [*cuts, 1], strict=True)])
        low += places.p_value() < 0.1
    assert 5 < low < 75, "six standard errors about 40"
