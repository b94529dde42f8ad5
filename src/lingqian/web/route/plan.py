"""Plans: what can be bought with a top-up, at list price (充值档位)."""

from typing import Final

import msgspec

from lingqian.identity.key import Scope
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.reply import Reply, reply


class PlanShown(msgspec.Struct, frozen=True):
    """One line of the price list; bonus coins last `bonus_life_s`, 0 for ever."""

    id: field.PlanId
    kind: str
    name_zh: str
    name_en: str
    amount_fen: field.Fen
    coins: int
    bonus_coins: int
    bonus_life_s: int
    scene: str


class PlanList(msgspec.Struct, frozen=True):
    """The price list."""

    plans: tuple[PlanShown, ...]


async def list_plans(door: Door, call: Call) -> Reply:
    """List what can be bought."""
    del call
    rows = [
        PlanShown(
            plan.plan_id,
            plan.kind.name.lower(),
            plan.name_zh,
            plan.name_en,
            plan.amount_fen,
            plan.coins,
            plan.bonus_coins,
            plan.bonus_life_s,
            plan.scene,
        )
        for plan in door.wallet.plans.values()
    ]
    return reply(200, PlanList(tuple(rows)))


_PLAN: Final = PlanShown("coins-30", "coins", "300 金币", "300 coins", 3_000, 300, 0, 0, "")

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/top-up-plans",
        run=list_plans,
        summary="List what can be bought",
        tag="top-ups",
        scopes=(Scope.READ_TOP_UPS,),
        gives={200: Given(PlanList, PlanList((_PLAN,)))},
        by_person=True,
    ),
)
