"""Answers of the lane as answers of the API: refusals with the field and the case they name."""

from typing import Any

from lingqian.flows import order, packet, payout, transfer
from lingqian.flows.case import case_id
from lingqian.flows.claim import claim_key
from lingqian.flows.command import AskPayout, ClaimPacket, OpenOrder, SendPacket
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_CASE, show
from lingqian.storage.lane import Answer
from lingqian.web.problem import problem
from lingqian.web.reply import Reply

_WITH_CASE = frozenset((Code.CHALLENGE_REQUIRED, Code.CLAIM_HELD))


def refusal(answer: Answer) -> Reply:
    """Return the answer for a command that the lane refused."""
    code = Code(answer.code)
    case = case_of(answer.command) if code in _WITH_CASE else ""
    return problem(code, field=answer.field, case_id=case)


def case_of(command: Any) -> str:  # noqa: ANN401 - any command that the gate may stop
    """Return the id of the case that a request opens, also when it comes again."""
    match command:
        case ClaimPacket():
            identity = case_id(claim_key(command.packet_id, command.user_id))
        case SendPacket():
            identity = case_id(command.key, packet.asked(command))
        case OpenOrder():
            identity = case_id(command.key, order.asked(command))
        case AskPayout():
            identity = case_id(command.key, payout.asked(command))
        case _:
            identity = case_id(command.key, transfer.asked(command))
    return show(PREFIX_CASE, identity)


def first_of(answer: Answer) -> tuple[Any, bool]:
    """Return what was answered first, an Answer or a Record, and whether that is now."""
    return (answer, True) if answer.first is None else (answer.first, False)
