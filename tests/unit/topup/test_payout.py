"""Payouts: their states, and when a channel is asked again."""

from lingqian.channels.port import PayoutState, RefundState
from lingqian.flows import payout, refund
from lingqian.kernel.clock import SECOND_US
from lingqian.topup.payout import MACHINE, RETURNED, UNDER_WAY, Payout, PayoutStage, is_unconfirmed
from lingqian.topup.schedule import ask_at_us

HOUR_US = 3_600 * SECOND_US


def test_the_channel_is_asked_each_minute_and_then_less_and_less():
    """The channel's own advice: five minutes, then 5, 10, 20, 30 minutes, and on."""
    at_us, minutes = 0, []
    for tries in range(11):
        at_us = ask_at_us(tries, at_us)
        minutes.append(at_us // (60 * SECOND_US))
    assert minutes == [1, 2, 3, 4, 5, 10, 20, 40, 70, 100, 130]


def test_only_what_was_not_sent_can_be_cancelled_by_us():
    """Under way, a cancel is a question to the channel."""
    cancels = {stage for stage, event in MACHINE.steps if event == "cancel"}
    assert cancels == {PayoutStage.APPROVED, *UNDER_WAY}
    assert MACHINE.final == {PayoutStage.SUCCESS, *RETURNED}


def test_every_stage_under_way_takes_every_reading():
    """Notices and answers overtake each other."""
    for stage in UNDER_WAY:
        for event in payout.EVENT.values():
            assert (stage, event) in MACHINE.steps


def test_every_reading_has_its_place_in_the_tables():
    """A state of the channel that no table knows would be silence."""
    assert set(refund.EVENT) == set(RefundState)
    assert set(PayoutState) - set(payout.EVENT) == {PayoutState.UNKNOWN, PayoutState.ABSENT}


def test_a_person_has_a_day_to_confirm():
    """Then it should be taken back; the channel may do so late."""
    row = Payout("a", 1, "", 0, 0, "", b"", 0, "", PayoutStage.WAITING, 5, 0, 0, b"u")
    assert not is_unconfirmed(row, 24 * HOUR_US + 4)
    assert is_unconfirmed(row, 24 * HOUR_US + 5)
    row.stage = PayoutStage.PROCESSING
    assert not is_unconfirmed(row, 48 * HOUR_US)
