"""What the split law promises, beside what a sample shows (for `lingqian split --explain`).

Figures here are for reading: fractions and decimals, never amounts that are paid.
Source: docs/reference/proof.md, "The split"; the moments of the Dirichlet-multinomial law.
"""

from collections.abc import Iterable, Iterator
from math import exp, lgamma

from lingqian.redpacket.split import SLOTS, Terms, spread_for

_LITTLE = 10  # a share below a tenth of the mean counts as little
_LARGE = 20  # fen of surplus to a share, from which the limit for large totals is good to 1 %
_STEPS = 2000


class Sample:
    """Running sums over splits of one packet's terms."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.size = 0
        self.squares = 0
        self.largest = 0
        self.little = 0
        self.by_place = [0] * terms.count

    def watch(self, splits: Iterable[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        """Pass the splits on, and count each."""
        total, count = self.terms.total_fen, self.terms.count
        by_place = self.by_place
        for amounts in splits:
            self.size += 1
            self.largest += max(amounts)
            for place, amount in enumerate(amounts):
                by_place[place] += amount
                self.squares += amount * amount
                self.little += _LITTLE * count * amount < total
            yield amounts

    def rows(self) -> dict[str, float]:
        """Return the figures of the sample, by name."""
        shares = self.size * self.terms.count
        mean = self.terms.total_fen / self.terms.count
        return {
            "mean": sum(self.by_place) / shares,
            "lowest place": min(self.by_place) / self.size,
            "highest place": max(self.by_place) / self.size,
            "variance": self.squares / shares - mean * mean,
            "largest": self.largest / self.size,
            "little": self.little / shares,
        }


def promise(terms: Terms) -> dict[str, float]:
    """Return the figures of the law that have a closed form for these terms, by name."""
    count, cap = terms.count, terms.share_fen_max - terms.share_fen_min
    surplus = terms.total_fen - count * terms.share_fen_min
    mean = terms.total_fen / count
    figures = {"mean": mean, "lowest place": mean, "highest place": mean}
    if surplus > cap or count == 1:  # the cap binds, or nothing is left to chance
        return figures
    part, bars = surplus / count, count * terms.spread
    figures["variance"] = part * (1 - 1 / count) * (surplus + bars) / (1 + bars)
    if part >= _LARGE:
        figures["largest"] = terms.share_fen_min + part * _largest(count, terms.spread)
    # Below a tenth of the mean: at most this much above the minimum.
    above = -(-terms.total_fen // (_LITTLE * count)) - 1 - terms.share_fen_min
    figures["little"] = 1 - _exceeds(surplus, count, above, terms.spread) if above >= 0 else 0.0
    return figures


def explain(sample: Sample) -> str:
    """Return the table of promises and findings, one figure a line."""
    terms, found, promised = sample.terms, sample.rows(), promise(sample.terms)
    used = spread_for(
        terms.total_fen, terms.count, terms.share_fen_min, terms.share_fen_max, terms.spread
    )
    rung = "slots (no rung meets this cap)" if used == SLOTS else str(used)
    heading = (
        f"total {terms.total_fen} fen, {terms.count} shares of {terms.share_fen_min} to "
        f"{terms.share_fen_max} fen, spread asked {terms.spread}, used {rung}; "
        f"{sample.size} splits"
    )
    lines = [heading, f"{'':<34}{'the law':>16}{'this sample':>16}"]
    for name, words in _WORDS.items():
        law = f"{promised[name]:.4f}" if name in promised else "-"
        lines.append(f"{words:<34}{law:>16}{found[name]:>16.4f}")
    lines.append("-: no simple closed form for this cap or total")
    return "\n".join(lines)


_WORDS = {
    "mean": "mean share, fen",
    "lowest place": "mean of the lowest place, fen",
    "highest place": "mean of the highest place, fen",
    "variance": "variance of a share, fen²",
    "largest": "mean of the largest share, fen",
    "little": "part of shares under a tenth of μ",
}


def _exceeds(surplus: int, count: int, above: int, spread: int) -> float:
    """Return the chance that one part exceeds `above`: fewer than `spread` bars come early."""
    bars = count * spread - 1
    places, window = surplus + bars, above + spread
    chances = (
        exp(
            _log_choose(window, few)
            + _log_choose(places - window, bars - few)
            - _log_choose(places, bars)
        )
        for few in range(spread)
        if 0 <= bars - few <= places - window
    )
    return sum(chances)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _largest(count: int, spread: int) -> float:
    """Return E[max]/mean in the limit of large totals: of `count` gamma(spread) variables."""
    top = spread + 12 * spread**0.5 + 40
    step = top / _STEPS
    middles = ((i + 0.5) * step for i in range(_STEPS))
    area: float = sum(1.0 - pow(_gamma(spread, middle), count) for middle in middles) * step
    return area / spread


def _gamma(spread: int, t: float) -> float:
    """Return P(gamma(spread) ≤ t), by its Poisson sum."""
    term = total = exp(-t)
    for k in range(1, spread):
        term *= t / k
        total += term
    return 1 - total
