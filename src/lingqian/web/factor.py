"""Factors at the door: whether a payment has to be proven, and whether it has been (支付核身).

Law: what has to be proven depends on the person, the device and the payment, never on what the page
asks for. A token is bound to the very bytes of the request and to its idempotency key.
"""

from typing import Final, NamedTuple

from lingqian.compliance.factor import HAS, IS, KNOWS, SIGNED, Act, FactorRule, Facts, asks, fits
from lingqian.compose import real_us
from lingqian.identity.approval import (
    APPROVAL_LIFE_S,
    Approval,
    Challenge,
    digest_of,
    read_approval,
    read_challenge,
    write_approval,
    write_challenge,
)
from lingqian.kernel.clock import SECOND_US, business_day
from lingqian.kernel.code import Code
from lingqian.kernel.id import lane_of
from lingqian.storage import passkey, password, query
from lingqian.storage.desk import client_key
from lingqian.web.call import Call
from lingqian.web.door import Door
from lingqian.web.problem import Refused, shape

HEADER: Final = b"payment-factor"
PASSWORD: Final = "password"  # noqa: S105 - the name of a factor
PASSKEY: Final = "passkey"


def kinds(door: Door) -> dict[str, int]:
    """Return which kinds of proof each factor is here; a passkey signs where that was agreed."""
    signs = 0 if door.wallet.config.signature is None else SIGNED
    return {PASSKEY: IS | signs, PASSWORD: KNOWS}


class Payment(NamedTuple):
    """A payment as the rules see it.   Units: fen. Without a `payee` there is nobody to know."""

    user_id: bytes
    amount_fen: int
    caller_key: str
    payee: bytes = b""
    act: Act = Act.PAY


async def factors_of(door: Door, call: Call, payment: Payment) -> int:
    """Return by which factors a payment is proven; none for an app, which answers for its people.

    Refuses: factor_needed, password_not_set, challenge_invalid.
    """
    if not call.caller.person:
        return 0
    digest = digest_of(
        call.caller.person,
        call.caller.session_id,
        call.scope["raw_path"],
        payment.caller_key.encode(),
        await call.body(),
    )
    header = call.header(HEADER)
    if header:
        return HAS | _approved(door, call, digest, header)
    key = client_key(lane_of(payment.user_id), payment.caller_key)
    if query.is_key_known(door.reader, key):
        # Asked again: the first answer is given once more, and nothing moves.
        return HAS
    facts = _facts(door, call, payment)
    rule = asks(facts, door.wallet.policy.factor_caps)
    if rule is not None:
        raise _needed(door, call, digest, (rule, facts))
    return HAS


def _facts(door: Door, call: Call, payment: Payment) -> Facts:
    session = door.sessions.of(call.caller.session_id)
    began_us = query.device_since_us(door.reader, b"" if session is None else session.device_id)
    at_us = door.wallet.clock.now_us()
    is_first = bool(payment.payee) and not password.is_payee(
        door.reader, payment.user_id, payee_mac(door, payment)
    )
    return Facts(
        payment.amount_fen,
        payment.act,
        (real_us() - began_us) // SECOND_US,
        is_first,
        query.paid_today_fen(door.reader, payment.user_id, business_day(at_us)),
    )


def payee_mac(door: Door, payment: Payment) -> bytes:
    """Return by what a payee is known again."""
    return door.wallet.vault.mac("payee", payment.user_id, payment.payee)


async def remember_payee(door: Door, payment: Payment) -> None:
    """Note that a person has paid somebody, so that the next time is not the first."""
    mac = payee_mac(door, payment)
    if payment.payee and not password.is_payee(door.reader, payment.user_id, mac):
        at_us = door.wallet.clock.now_us()
        await door.chore(lambda db: password.add_payee(db, payment.user_id, mac, at_us))


def _needed(door: Door, call: Call, digest: bytes, why: tuple[FactorRule, Facts]) -> Refused:
    rule, facts = why
    person = call.caller.person
    has_password = password.find(door.reader, person, door.wallet.clock.now_us()) is not None
    has_passkey = bool(passkey.passkeys_of(door.reader, person))
    if not (has_password or has_passkey):
        return Refused(Code.PASSWORD_NOT_SET)
    has = {PASSKEY: has_passkey, PASSWORD: has_password}
    known = [(name, HAS | kind) for name, kind in kinds(door).items() if has[name]]
    caps = door.wallet.policy.factor_caps
    # Nobody is asked for a proof by which the day could not hold the payment; where none helps,
    # the lane says so.
    helping = [name for name, factors in known if fits(facts, factors, caps)]
    needs = tuple(helping or [name for name, _ in known])
    until_us = real_us() + APPROVAL_LIFE_S * SECOND_US
    challenge = Challenge(digest, until_us, _challenge_mac(door, call, digest, until_us))
    content = shape(
        Code.FACTOR_NEEDED,
        detail=f"{rule.zh}；{rule.en}",
        needs=needs,
        challenge=write_challenge(challenge),
        amount_fen=facts.amount_fen,
    )
    return Refused.by(content)


def _challenge_mac(door: Door, call: Call, digest: bytes, until_us: int) -> bytes:
    whose = (call.caller.person, call.caller.session_id)
    until = until_us.to_bytes(8, "big")
    return door.wallet.vault.mac("payment challenge", *whose, digest, until)


def _approval_mac(door: Door, call: Call, digest: bytes, approval: Approval) -> bytes:
    whose = (call.caller.person, call.caller.session_id)
    said = (bytes((approval.factors,)), approval.until_us.to_bytes(8, "big"))
    return door.wallet.vault.mac("payment token", *whose, digest, *said)


def open_challenge(door: Door, call: Call, text: str) -> bytes:
    """Return the digest of the payment that a challenge of this session is about.

    Refuses: challenge_invalid.
    """
    challenge = read_challenge(text)
    if challenge is None or challenge.until_us <= real_us():
        raise Refused(Code.CHALLENGE_INVALID)
    mac = _challenge_mac(door, call, challenge.digest, challenge.until_us)
    if not door.wallet.vault.same(mac, challenge.mac):
        raise Refused(Code.CHALLENGE_INVALID)
    return challenge.digest


def approve(door: Door, call: Call, digest: bytes, factors: int) -> str:
    """Return the token that says by which factors a person proved a payment."""
    blank = Approval(factors, real_us() + APPROVAL_LIFE_S * SECOND_US, b"")
    return write_approval(blank._replace(mac=_approval_mac(door, call, digest, blank)))


def _approved(door: Door, call: Call, digest: bytes, header: str) -> int:
    name, _, text = header.partition(" ")
    approval = read_approval(text)
    is_named = approval is not None and kinds(door).get(name) == approval.factors
    if approval is None or not is_named or approval.until_us <= real_us():
        raise Refused(Code.CHALLENGE_INVALID)
    if not door.wallet.vault.same(_approval_mac(door, call, digest, approval), approval.mac):
        raise Refused(Code.CHALLENGE_INVALID)
    return approval.factors
