"""Tries: what is told at the door is counted before it is looked at (尝试次数)."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from lingqian.identity.password import Password, is_locked, tried, tries_left
from lingqian.kernel.clock import SECOND_US, business_day, day_start_us, rfc3339
from lingqian.kernel.code import Code
from lingqian.storage import password as rows
from lingqian.storage.port import Connection
from lingqian.web.door import Door
from lingqian.web.problem import Refused, shape

Digits = Annotated[str, Meta(pattern="^[0-9]{6}$", description="Six digits.")]


# Counts one try of a person on a day; False when there have been enough.
Count = Callable[[Connection, bytes, int], bool]


async def count_try(door: Door, count: Count, user_id: bytes, code: Code) -> None:
    """Count one of a day's tries, durably, before anything of it is looked at.

    Refuses: the code, until the day is over.
    """
    at_us = door.wallet.clock.now_us()
    day = business_day(at_us)
    if not await door.chore(lambda db: count(db, user_id, day)):
        wait_s = (day_start_us(day + 1) - at_us) // SECOND_US + 1
        raise Refused.by(shape(code), retry_after_s=wait_s)


async def prove_password(door: Door, user_id: bytes, text: str) -> bytes:
    """Take one try at a payment password; return what is kept of it when it was right.

    Refuses: password_not_set, password_locked, wrong_password.
    """
    at_us = door.wallet.clock.now_us()
    found: Password | None = await door.chore(lambda db: rows.count_try(db, user_id, at_us))
    if found is None:
        raise Refused(Code.PASSWORD_NOT_SET)
    if is_locked(found, at_us):
        raise _locked(found, at_us)
    async with door.slow:
        is_right = await asyncio.to_thread(
            rows.is_password, door.wallet.vault, user_id, text, found.hashed
        )
    if not is_right:
        raise _wrong(tried(found, at_us), at_us)
    await door.chore(lambda db: rows.forgive(db, user_id, found.hashed))
    return found.hashed


def _locked(found: Password, at_us: int) -> Refused:
    seconds = -(-(found.locked_until_us - at_us) // SECOND_US)
    content = shape(Code.PASSWORD_LOCKED, locked_until=rfc3339(found.locked_until_us))
    return Refused.by(content, retry_after_s=seconds)


def _wrong(after: Password, at_us: int) -> Refused:
    until = rfc3339(after.locked_until_us) if is_locked(after, at_us) else ""
    left = tries_left(after, at_us)
    return Refused.by(shape(Code.WRONG_PASSWORD, tries_left=left, locked_until=until))
