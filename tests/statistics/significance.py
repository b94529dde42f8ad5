"""Tails of the distributions the tests compare with, and sizes of samples.

The regularised incomplete gamma function by its series and its continued fraction: the two
classical forms, each where it converges fast.
"""

import os
from math import erfc, exp, lgamma, log, sqrt

FULL = os.environ.get("LINGQIAN_STATISTICS") == "full"
SIGNIFICANCE = 1e-6


def sized(quick, full):
    """Return the sample's size: seconds in the ordinary test command, or the size of the text."""
    return full if FULL else quick


def chi_square_tail(statistic, freedom):
    """Return the chance that chi-square with so many degrees of freedom exceeds the statistic."""
    a, x = freedom / 2, statistic / 2
    if x <= 0:
        return 1.0
    scale = exp(a * log(x) - x - lgamma(a))
    if x < a + 1:
        return 1 - _series(a, x) * scale
    return _fraction(a, x) * scale


def normal_tail(z):
    """Return the chance that a standard normal lies further from 0 than z, on either side."""
    return erfc(abs(z) / sqrt(2))


def goodness(observed, expected):
    """Return the chi-square p-value of counts; cells expected below 5 are thrown together."""
    large = [(o, e) for o, e in zip(observed, expected, strict=True) if e >= 5]
    small_o = sum(observed) - sum(o for o, _ in large)
    small_e = sum(expected) - sum(e for _, e in large)
    if small_e >= 5:
        large.append((small_o, small_e))
    elif small_o > 40 + 10 * small_e:
        return 0.0  # counts where next to none may be
    statistic = sum((o - e) ** 2 / e for o, e in large)
    return chi_square_tail(statistic, len(large) - 1)


class Places:
    """One figure at every place of many packets: are the means of all places alike?

    Under exchangeability the covariance of the places is the same for every pair, so the spread
    of the means over the places, measured by the spread inside packets, is chi-square.
    """

    def __init__(self, count):
        self.size = 0
        self.sums = [0.0] * count
        self.inside = 0.0

    def add(self, values):
        """Take in the figures of one packet."""
        sums = self.sums
        total = squares = 0.0
        for place, value in enumerate(values):
            sums[place] += value
            total += value
            squares += value * value
        self.size += 1
        self.inside += squares - total * total / len(sums)

    def means(self):
        """Return the mean at every place."""
        return [total / self.size for total in self.sums]

    def p_value(self):
        """Return the chance of means at least so unlike, if the places are exchangeable."""
        count = len(self.sums)
        means = self.means()
        middle = sum(means) / count
        variance = self.inside / self.size / (count - 1)
        if variance == 0:
            return 1.0 if max(means) - min(means) < 1e-9 else 0.0
        statistic = self.size * sum((mean - middle) ** 2 for mean in means) / variance
        return chi_square_tail(statistic, count - 1)


def mean_is_zero(values):
    """Return the p-value of a sample's mean being 0, by the normal limit."""
    size = len(values)
    mean = sum(values) / size
    variance = sum((value - mean) ** 2 for value in values) / (size - 1)
    return normal_tail(mean / sqrt(variance / size)) if variance else float(mean == 0)


def _series(a, x):
    term = total = 1 / a
    k = a
    while abs(term) > 1e-16 * abs(total):
        k += 1
        term *= x / k
        total += term
    return total


def _fraction(a, x):
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for i in range(1, 10_000):
        step = -i * (i - a)
        b += 2
        d = 1 / (step * d + b or tiny)
        c = b + step / c or tiny
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
