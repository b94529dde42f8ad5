"""Persons: who calls with a token of a session and a proof by its device's key (本人调用).

Law: a proof is taken once. What is remembered of proofs lives as long as they could come again.
Source: RFC 9449 §4.3, §7.1, §11.1.
"""

from collections import OrderedDict
from typing import Any, Final

from lingqian.compose import real_us
from lingqian.identity.key import Caller
from lingqian.identity.possession import (
    PROOF_AGE_S_MAX,
    Flaw,
    Proof,
    Target,
    plain_address,
    read_proof,
)
from lingqian.identity.session import Session
from lingqian.kernel.bound import PROOFS_MAX
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Busy
from lingqian.kernel.id import PREFIX_USER, show
from lingqian.storage.session import confirm
from lingqian.web.call import Call
from lingqian.web.problem import Refused

SCHEME: Final = "DPoP "
_NO_SCOPES: Final[frozenset[Any]] = frozenset()


class Spent:
    """The proofs that were taken since this process began, until they are too old anyway."""

    def __init__(self, began_s: int) -> None:
        # An older proof may have been taken by the process before this one.
        self._began_s = began_s
        self._until_s: OrderedDict[bytes, int] = OrderedDict()

    def take(self, proof: Proof, now_s: int) -> Flaw | None:
        """Take a proof, once.

        Raises: Busy when more are remembered than there is room for.
        """
        while self._until_s and next(iter(self._until_s.values())) < now_s:
            self._until_s.popitem(last=False)
        if proof.once in self._until_s:
            return Flaw.REPLAYED
        if proof.issued_at_s < self._began_s:
            return Flaw.EARLIER
        if len(self._until_s) >= PROOFS_MAX:
            raise Busy("too many proofs at once")
        self._until_s[proof.once] = now_s + 2 * PROOF_AGE_S_MAX
        return None


def addresses(public_origin: str, call: Call) -> frozenset[str]:
    """Return the addresses by which this request may have been sent.

    Without a `public_origin` the host is the caller's word: good enough on one's own machine.
    """
    path = call.scope["raw_path"].decode("latin-1").partition("?")[0]
    if public_origin:
        return frozenset((plain_address(public_origin + path),))
    host = call.header(b"host")
    return frozenset(plain_address(f"{scheme}://{host}{path}") for scheme in ("http", "https"))


def prove(door: Any, call: Call, token: str = "") -> Proof:  # noqa: ANN401 - the door stands on this module
    """Return the proof a request carries.

    Refuses: proof_invalid, saying what is wrong with it.   Raises: Busy.
    """
    found = [value for key, value in call.scope["headers"] if key == b"dpop"]
    text = found[0].decode("latin-1") if len(found) == 1 else ""
    now_s = real_us() // SECOND_US
    target = Target(call.method, addresses(door.wallet.config.public_origin, call), token)
    proof = read_proof(text, target, now_s)
    if isinstance(proof, Flaw):
        raise Refused(Code.PROOF_INVALID, detail=proof)
    flaw = door.spent.take(proof, now_s)
    if flaw is not None:
        raise Refused(Code.PROOF_INVALID, detail=flaw)
    return proof


async def admit_person(door: Any, call: Call) -> Caller:  # noqa: ANN401 - as above
    """Find out which person calls: a good token, and a proof by the key it is bound to.

    Refuses: unauthenticated, token_expired, session_ended, proof_invalid.
    """
    token = call.header(b"authorization").removeprefix(SCHEME)
    session = door.sessions.find(token, real_us())
    if isinstance(session, Code):
        raise Refused(session)
    proof = prove(door, call, token)
    if proof.thumbprint != session.thumbprint:
        raise Refused(Code.PROOF_INVALID, detail=Flaw.STRANGER)
    if not session.is_confirmed:
        await _confirm(door, session)
    return caller(session)


def caller(session: Session) -> Caller:
    """Return the person of a session as a caller."""
    name = show(PREFIX_USER, session.user_id)
    return Caller(name, _NO_SCOPES, session.user_id, session.session_id)


async def _confirm(door: Any, session: Session) -> None:  # noqa: ANN401 - as above
    """Note that the newest tokens have arrived: older ones are now somebody else's."""
    await door.chore(lambda connection: confirm(connection, session, real_us()))
    door.sessions.forget()
