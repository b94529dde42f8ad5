"""Income: when a streamer's part of a gift becomes money that can be spent (收益结算).

Rows say how many days after a gift its income is settled (T + n), by the scene it was given in.
"""

from typing import Final, NamedTuple

from lingqian.kernel.clock import DAY_US


class IncomeRow(NamedTuple):
    """One row: in this scene the streamer gets `streamer_ppm` of the price, `days` after it."""

    streamer_ppm: int
    days: int
    source: str


_HOUSE: Final = "house rule"
_LOCKED: Final = "top-up reference 8: advanced coins only where income is locked for a week"

DEFAULT_SCENE: Final = "live"
INCOME: Final[dict[str, IncomeRow]] = {
    DEFAULT_SCENE: IncomeRow(500_000, 7, _LOCKED),
    "chat": IncomeRow(500_000, 1, _HOUSE),
}


def income_row(scene: str) -> IncomeRow:
    """Return the row of a scene; one that has none is settled like a live stream."""
    return INCOME.get(scene, INCOME[DEFAULT_SCENE])


def settle_after_us(row: IncomeRow) -> int:
    """Return how long after a gift its income is settled."""
    return row.days * DAY_US
