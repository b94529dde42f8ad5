"""Acts at the door: an operator proves it is he, and what he does is written down first (操作)."""

import logging
from typing import Final

from lingqian.compose import real_us
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.storage.authenticator import LOCK_S, Taken, has_authenticator, take_code
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.problem import Refused, shape

HEADER: Final = b"operator-code"
_log = logging.getLogger(__name__)


async def begin_act(door: Door, call: Call) -> None:
    """Let an operator begin: a one-time code where one is due, and a row that says so.

    A person who acts for himself is no operator.
    Refuses: operator_code_needed, wrong_operator_code, operator_code_locked.
    Raises: Unsent, Stopping; then nothing is done.
    """
    if call.caller.person or call.is_act:
        return
    await _check_code(door, call)
    await door.note(call.caller.name, call.operation, call.url.path, 0)
    call.is_act = True


async def end_act(door: Door, call: Call, status: int) -> None:
    """Write down how it ended; an act without an end was done while the house went down."""
    try:
        await door.note(call.caller.name, call.operation, call.url.path, status)
    except Fault as fault:
        _log.error("how an act ended is not written: %s", fault)


async def _check_code(door: Door, call: Call) -> None:
    key_id, vault = call.caller.key_id, door.wallet.vault
    if not has_authenticator(door.reader, key_id):
        if door.wallet.config.profile != "sandbox":
            words = "this key has no authenticator: lingqian key enrol NAME"
            raise Refused(Code.OPERATOR_CODE_NEEDED, detail=words)
        return
    code = call.header(HEADER)
    if not code:
        raise Refused(Code.OPERATOR_CODE_NEEDED, field="Operator-Code")
    taken = await door.chore(lambda db: take_code(db, vault, key_id, code, real_us()))
    if taken == Taken.LOCKED:
        raise Refused.by(shape(Code.OPERATOR_CODE_LOCKED), retry_after_s=LOCK_S)
    if taken == Taken.WRONG:
        raise Refused(Code.WRONG_OPERATOR_CODE, field="Operator-Code")
