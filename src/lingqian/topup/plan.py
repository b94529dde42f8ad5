"""Plans: what can be bought with a top-up, at list price (充值档位).

Law: a plan is data in the order that used it; changing the list changes no order.
Units: fen; coins; s.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from lingqian.topup.order import OrderKind


class Plan(NamedTuple):
    """One line of the price list. A plan without coins puts its amount into the balance."""

    plan_id: str
    name_zh: str
    name_en: str
    amount_fen: int
    coins: int = 0
    bonus_coins: int = 0
    bonus_life_s: int = 0
    scene: str = ""

    @property
    def kind(self) -> OrderKind:
        """What the money becomes."""
        return OrderKind.COINS if self.coins else OrderKind.BALANCE


# Bought without a plan: any amount, into the balance.
FREE: Final = Plan("", "零钱充值", "Top-up of the balance", 0)

# Ten coins for a yuan, and a gift from fifty yuan on.  Source: house rule; the ratio is the
# operator's to choose (top-up, open choices).
DEFAULT: Final = (
    Plan("coins-6", "60 金币", "60 coins", 600, 60),
    Plan("coins-30", "300 金币", "300 coins", 3_000, 300),
    Plan("coins-50", "500 金币送 25", "500 coins and 25 more", 5_000, 500, 25, 30 * 86_400),
    Plan("coins-100", "1000 金币送 70", "1000 coins and 70 more", 10_000, 1_000, 70, 30 * 86_400),
    Plan("balance-50", "零钱 50 元", "50 yuan into the balance", 5_000),
)


def cheapest_coins(plans: Mapping[str, Plan]) -> int:
    """Return how many coins the smallest plan brings; 0 where no plan brings any."""
    return min((plan.coins for plan in plans.values() if plan.coins), default=0)
