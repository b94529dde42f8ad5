"""Acts at the door: an operator proves it is he, and what he does is written down first (操作).

Law: a key alone does not act where an authenticator or a passkey is known for it: a code or a
signature is asked for, each taken once. A signature is over this very request and no other.
"""

import logging
from hashlib import sha256
from typing import Final

from lingqian.compose import real_us
from lingqian.identity.approval import (
    APPROVAL_LIFE_S,
    Challenge,
    digest_of,
    read_challenge,
    write_challenge,
)
from lingqian.identity.possession import read64
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Fault
from lingqian.storage import operator_passkey as passkeys
from lingqian.storage.authenticator import LOCK_S, Taken, has_authenticator, take_code
from lingqian.web.call import Call, read_body
from lingqian.web.door import Door
from lingqian.web.passkey import PasskeyProof, read_signed
from lingqian.web.problem import Refused, shape

CODE_HEADER: Final = b"operator-code"
PASSKEY_HEADER: Final = b"operator-passkey"
CODE: Final = "code"
PASSKEY: Final = "passkey"
_log = logging.getLogger(__name__)


class ActProof(PasskeyProof, frozen=True, forbid_unknown_fields=True):
    """A passkey's answer to the challenge of an act, with the challenge itself."""

    challenge: str


async def begin_act(door: Door, call: Call) -> None:
    """Let an operator begin: a code or a signature where one is due, and a row that says so.

    A person who acts for himself is no operator.
    Refuses: operator_code_needed, wrong_operator_code, operator_code_locked, challenge_invalid,
    passkey_invalid.   Raises: Unsent, Stopping; then nothing is done.
    """
    if call.caller.person or call.is_act:
        return
    await _prove(door, call)
    await door.note(call.caller.name, call.operation, call.url.path, 0)
    call.is_act = True


async def end_act(door: Door, call: Call, status: int) -> None:
    """Write down how it ended; an act without an end was done while the house went down."""
    try:
        await door.note(call.caller.name, call.operation, call.url.path, status)
    except Fault as fault:
        _log.error("how an act ended is not written: %s", fault)


def guards(door: Door, key_id: str) -> tuple[str, ...]:
    """Return what proves an act under a key: any one of these; nothing when nothing is known."""
    has_passkey = bool(passkeys.passkeys_of(door.reader, key_id))
    return (PASSKEY,) * has_passkey + (CODE,) * has_authenticator(door.reader, key_id)


async def _prove(door: Door, call: Call) -> None:
    needs = guards(door, call.caller.key_id)
    signed, code = call.header(PASSKEY_HEADER), call.header(CODE_HEADER)
    if signed and PASSKEY in needs:
        await _take_signature(door, call, signed)
    elif code and CODE in needs:
        await _take_code(door, call, code)
    elif needs:
        raise await _needed(door, call, needs)
    elif door.wallet.config.profile != "sandbox":
        words = "this key has no authenticator: lingqian key enrol NAME"
        raise Refused(Code.OPERATOR_CODE_NEEDED, detail=words)


async def _needed(door: Door, call: Call, needs: tuple[str, ...]) -> Refused:
    field = "Operator-Code" if CODE in needs else "Operator-Passkey"
    challenge = ""
    if PASSKEY in needs:
        until_us = real_us() + APPROVAL_LIFE_S * SECOND_US
        digest = await _digest(call)
        mac = _mac(door, call, digest, until_us)
        challenge = write_challenge(Challenge(digest, until_us, mac))
    content = shape(Code.OPERATOR_CODE_NEEDED, field=field, needs=needs, challenge=challenge)
    return Refused.by(content)


async def _take_code(door: Door, call: Call, code: str) -> None:
    key_id, vault = call.caller.key_id, door.wallet.vault
    taken = await door.chore(lambda db: take_code(db, vault, key_id, code, real_us()))
    if taken == Taken.LOCKED:
        raise Refused.by(shape(Code.OPERATOR_CODE_LOCKED), retry_after_s=LOCK_S)
    if taken == Taken.WRONG:
        raise Refused(Code.WRONG_OPERATOR_CODE, field="Operator-Code")


async def _take_signature(door: Door, call: Call, text: str) -> None:
    proof = _read(text)
    challenge = read_challenge(proof.challenge)
    if challenge is None or challenge.until_us <= real_us():
        raise Refused(Code.CHALLENGE_INVALID)
    own = _mac(door, call, await _digest(call), challenge.until_us)
    if not door.wallet.vault.same(own, challenge.mac):
        raise Refused(Code.CHALLENGE_INVALID)
    key_id = call.caller.key_id
    known = passkeys.passkeys_of(door.reader, key_id)
    told = sha256(proof.challenge.encode()).digest()
    mine, counter = read_signed(door, call, known, told, proof)
    use = passkeys.Use(counter, challenge.until_us, real_us())
    if not await door.chore(lambda db: passkeys.use_passkey(db, key_id, mine, use)):
        raise Refused(Code.CHALLENGE_INVALID, detail="it was answered before, or a newer one was")


def _read(text: str) -> ActProof:
    raw = read64(text)
    if raw is None:
        raise Refused(Code.PASSKEY_INVALID, field="Operator-Passkey", detail="not base64url")
    try:
        return read_body(ActProof, raw)
    except Refused as refusal:
        raise Refused(Code.PASSKEY_INVALID, field="Operator-Passkey") from refusal


async def _digest(call: Call) -> bytes:
    """Return the digest of what an act is: this method and address, its key, its very bytes."""
    return digest_of(
        call.method.encode(),
        call.scope["raw_path"],
        call.scope["query_string"],
        call.header(b"idempotency-key").encode("latin-1"),
        await call.body(),
    )


def _mac(door: Door, call: Call, digest: bytes, until_us: int) -> bytes:
    until = until_us.to_bytes(8, "big")
    return door.wallet.vault.mac("act challenge", call.caller.key_id.encode(), digest, until)
