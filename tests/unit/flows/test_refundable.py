"""What a top-up says can be asked back is what the lane then takes, at every refund ever played."""

from pathlib import Path

import pytest

from lingqian.flows import kind as kinds
from lingqian.flows.command import AskRefund
from lingqian.flows.refundable import Ground, refundable_fen
from lingqian.kernel.code import OK, Code
from lingqian.ledger.account import available_fen
from lingqian.ledger.chart import balance_account
from lingqian.topup.coin import Basis
from lingqian.topup.refund import Origin
from play import play, read

SCENARIOS = Path(__file__).parents[2] / "scenario"
# Refused for the sum, or for what the order is; the others are about the person or the moment.
TOO_MUCH = {
    Code.EXCEEDS_AVAILABLE,
    Code.EXCEEDS_REFUNDABLE,
    Code.EXCEEDS_REFUND_COUNT,
    Code.NOT_REFUNDABLE,
    Code.REFUND_TOO_LATE,
}


def most(view, command, at_us):
    """Return what the order would have said just before it was asked."""
    order = view.orders.get(command.order_id)
    counters = view.accounts.get(balance_account(order.user_id))
    ground = Ground(
        order,
        view.attempts.have(order.paid_attempt) if order.paid_attempt else None,
        view.grants.get(command.order_id),
        0 if counters is None else available_fen(counters),
    )
    return refundable_fen(ground, Basis(command.basis), at_us)


@pytest.fixture
def asked(monkeypatch):
    """Hear every refund that a person asks for: amount, code, and what was said before."""
    found = []
    row = kinds.KINDS[AskRefund]

    def decide(view, command, at_us):
        known = command.origin == Origin.PERSON and view.orders.get(command.order_id) is not None
        said = most(view, command, at_us) if known else None
        decision = row.decide(view, command, at_us)
        if said is not None:
            found.append((command.amount_fen, decision.code, said))
        return decision

    monkeypatch.setitem(kinds.KINDS, AskRefund, row._replace(decide=decide))
    return found


@pytest.mark.parametrize("lanes", [1, 4])
def test_no_more_is_promised_and_no_less(asked, lanes):
    """Every row of the refund scenarios, by channel and balance, for coins and for money."""
    for scenario in read(SCENARIOS / "refund.txt"):
        play(scenario, lanes, laws=str).close()
    wrong = [
        (amount_fen, Code(code).name, said_fen)
        for amount_fen, code, said_fen in asked
        if (code == OK and amount_fen > said_fen) or (code in TOO_MUCH and amount_fen <= said_fen)
    ]
    assert wrong == []
    assert len({code for _, code, _ in asked}) > 4
    whole = [each for each in asked if each[1] == OK and each[0] == each[2]]
    assert whole, "the control: some asked for all of it, and had it"
