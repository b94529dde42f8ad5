"""Tries: the payment password told at the door, counted before it is looked at (支付密码尝试)."""

import asyncio
from typing import Annotated

from msgspec import Meta

from lingqian.identity.password import Password, is_locked, tried, tries_left
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.code import Code
from lingqian.storage import password as rows
from lingqian.web.door import Door
from lingqian.web.problem import Refused, shape

Digits = Annotated[str, Meta(pattern="^[0-9]{6}$", description="Six digits.")]


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
