"""Limits: every row that binds, with its source (限额)."""

from typing import Final

import msgspec

from lingqian.compliance.limit import DEFAULT
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


class LimitList(msgspec.Struct, frozen=True):
    """Every row."""

    limits: tuple[LimitShown, ...]


async def read(door: Door, call: Call) -> Reply:
    """List every limit row: those built in, and the operator's own."""
    del call
    rows = [LimitShown(row[0], row[1].name.lower(), row[2], row[3]) for row in DEFAULT]
    rows += [
        LimitShown(row.account_class, row.span.lower(), row.cap, row.source)
        for row in door.wallet.config.limits
    ]
    return reply(200, LimitList(tuple(rows)))


_ROW: Final = LimitShown(1, "life", 100_000, "公告〔2015〕43 号")

OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/limits",
        run=read,
        summary="List every limit and its source",
        tag="limits",
        gives={200: Given(LimitList, LimitList((_ROW,)))},
    ),
)
