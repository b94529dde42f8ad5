"""Limits: every row that binds, with its source (限额)."""

from typing import Final

import msgspec

from lingqian.compliance.factor import RULES
from lingqian.compliance.limit import DEFAULT
from lingqian.compose import Config, factor_rows
from lingqian.web import field
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.operation import Given, Operation
from lingqian.web.reply import Reply, reply


class LimitShown(msgspec.Struct, frozen=True):
    """One row: for a class and a span at most `cap`, in fen or in number; the strictest binds."""

    account_class: int
    span: str
    cap: int
    source: str


class FactorCapShown(msgspec.Struct, frozen=True):
    """What a person may pay a day by factors of a strength."""

    id: str
    strength: str
    cap_fen: field.Fen
    source: str


class FactorRuleShown(msgspec.Struct, frozen=True):
    """On which occasion a payment of a person has to be proven, and from which amount on."""

    occasion: str
    amount_fen_min: field.Fen
    message_zh: str
    message_en: str
    source: str


class LimitList(msgspec.Struct, frozen=True):
    """Every row that binds in this operating profile."""

    limits: tuple[LimitShown, ...]
    factor_caps: tuple[FactorCapShown, ...] = ()
    factor_rules: tuple[FactorRuleShown, ...] = ()


async def read(door: Door, call: Call) -> Reply:
    """List every limit row, those built in and the operator's own, and the rows about factors."""
    del call
    rows = [LimitShown(row[0], row[1].name.lower(), row[2], row[3]) for row in DEFAULT]
    rows += [
        LimitShown(row.account_class, row.span.lower(), row.cap, row.source)
        for row in door.wallet.config.limits
    ]
    return reply(200, LimitList(tuple(rows), _caps(door.wallet.config), _rules()))


def _caps(config: Config) -> tuple[FactorCapShown, ...]:
    return tuple(
        [
            FactorCapShown(row.id, row.strength.name.lower(), row.cap_fen, row.source)
            for row in factor_rows(config)
            if config.profile in row.profiles
        ]
    )


def _rules() -> tuple[FactorRuleShown, ...]:
    return tuple(
        [
            FactorRuleShown(
                row.occasion.name.lower(), row.amount_fen_min, row.zh, row.en, row.source
            )
            for row in RULES
        ]
    )


_ROW: Final = LimitShown(1, "life", 100_000, "公告〔2015〕43 号")

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/limits",
        run=read,
        summary="List every limit and its source",
        tag="limits",
        gives={200: Given(LimitList, LimitList((_ROW,)))},
        by_person=True,
    ),
)
