"""The funnel: passages by trace, what the ledger proves of them, figures of each segment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.analytics.funnel import PATIENCE_US, Outcome, funnel, passages
from lingqian.analytics.segment import Segment, segment_of
from lingqian.analytics.step import LADDER, SEEN, BehaviourEvent, Step, held_us
from lingqian.kernel.clock import DAY_US, SECOND_US, business_day, day_start_us

DAY = 20_779
NOON_US = day_start_us(DAY) + 12 * 3_600 * SECOND_US
ORDER = b"order"
ANN, BOB = b"ann", b"bob"


def step(  # noqa: PLR0917 - the fields of a step, by name at every call
    name, after_s=0, trace=b"t", user=ANN, order=b"", reason="", scene=""
):
    """Return a step some seconds after noon."""
    at_us = NOON_US + after_s * SECOND_US
    return BehaviourEvent(0, at_us, order, reason, at_us, scene, Step[name.upper()], trace, user)


def credited(after_s=0, user=ANN, **more):
    """Return an order that was paid by a channel and credited some seconds after noon."""
    at_us = NOON_US + after_s * SECOND_US if after_s is not None else 0
    known = Outcome(
        user_id=user, amount_fen=5_000, scene="", is_paid=True, is_by_channel=True, is_risk=False,
        credited_at_us=at_us, first_spend_us=0,
    )  # fmt: skip
    return known._replace(**more)


def way(*names, order=b"", **more):
    """Return the steps of one passage, a second apart."""
    return [step(name, after, order=order, **more) for after, name in enumerate(names)]


WHOLE = ("plan_view", "amount_select", "quote", "invoke", "sheet_shown", "confirmed")


def only(events, outcomes=None):
    """Return the only passage there is."""
    (found,) = passages(events, outcomes or {})
    return found


def test_a_passage_reaches_as_far_as_its_last_step():
    """Steps may arrive in any order."""
    assert only(way("plan_view", "amount_select")).reached == Step.AMOUNT_SELECT
    assert only(way(*WHOLE)[::-1]).reached == Step.CONFIRMED
    assert only(way("plan_view", "quote", "cancel")).reached == Step.QUOTE


@pytest.mark.parametrize(
    ("outcome", "reached"),
    [
        (credited(None, is_paid=False), Step.CONFIRMED),
        (credited(None), Step.PAID),
        (credited(9), Step.CREDITED),
        (credited(9, first_spend_us=1), Step.FIRST_SPEND),
    ],
)
def test_what_is_proven_is_the_ledgers_word(outcome, reached):
    """A page cannot say that something was paid."""
    assert only(way(*WHOLE, order=ORDER), {ORDER: outcome}).reached == reached
    assert SEEN.isdisjoint({Step.PAID, Step.CREDITED, Step.FIRST_SPEND})


def report(events, outcomes, days=range(DAY, DAY + 1)):
    """Return the report by day and segment."""
    return {(row.day, row.segment): row for row in funnel(events, outcomes, days)}


def test_abandonment_is_a_sheet_asked_for_and_not_credited_in_half_an_hour():
    """Quotes without a sheet, and what the gate has stopped, are none."""
    outcomes = {
        b"in time": credited(1_700),
        b"late": credited(2 + PATIENCE_US // SECOND_US + 1),
        b"never": credited(None, is_paid=False),
        b"risk": credited(None, is_risk=True),
    }
    events = [
        each
        for number, order in enumerate(outcomes)
        for each in way(*WHOLE, order=order, trace=bytes((number,)))
    ]
    events += way("plan_view", "quote", trace=b"no sheet")
    row = report(events, outcomes)[DAY, Segment.ORDINARY]
    assert (row.asked, row.abandoned, row.abandonment_ppm) == (3, 2, 666_666)
    assert (row.credited, row.payers, row.orders_per_payer_ppm) == (2, 1, 2_000_000)


def test_rates_of_nothing_are_none():
    """Nobody gave up where nobody asked."""
    row = report(way("plan_view"), {})[0, Segment.ORDINARY]
    assert row.abandonment_ppm is None
    assert row.penetration_ppm is None
    assert row.orders_per_payer_ppm is None


def test_penetration_counts_orders_and_amounts():
    """One of four orders came from the balance, with three quarters of the money."""
    outcomes = {bytes((n,)): credited(n, amount_fen=100) for n in range(3)}
    outcomes[b"own"] = credited(9, amount_fen=900, is_by_channel=False)
    row = report([], outcomes)[DAY, Segment.ORDINARY]
    assert (row.penetration_ppm, row.penetration_amount_ppm) == (750_000, 250_000)
    assert (row.credited_fen, row.by_channel_fen) == (1_200, 300)


def test_a_person_has_one_segment_a_day():
    """Where most of the day's steps were taken; a tie goes to what says more."""
    assert segment_of([]) == Segment.ORDINARY
    assert segment_of(["chat", "", "live"]) == Segment.ORDINARY
    assert segment_of(["live", "live", "shop"]) == Segment.FAN
    assert segment_of(["shop", "live"]) == Segment.FAN
    assert segment_of(["", "shop"]) == Segment.SHOPPER
    events = way("plan_view", "quote", trace=b"1", scene="live")
    events += way("plan_view", trace=b"2", scene="shop") + way("plan_view", user=BOB, trace=b"3")
    rows = report(events, {})
    assert rows[DAY, Segment.FAN].reached[0] == 2
    assert rows[DAY, Segment.ORDINARY].reached[0] == 1


def test_reasons_of_giving_up_are_counted():
    """The last reason of a passage is its reason."""
    events = [*way("quote", "cancel", reason="back"), step("cancel", 9, reason="too_slow")]
    events += way("quote", "cancel", trace=b"u", reason="too_slow")
    assert report(events, {})[DAY, Segment.ORDINARY].cancelled == {"too_slow": 2}


def test_days_are_business_days_and_only_those_asked_for():
    """A passage belongs to the day of its first step."""
    midnight = (day_start_us(DAY + 1) - NOON_US) // SECOND_US
    late = [step("plan_view", midnight - 1), step("quote", midnight + 1)]
    rows = report(late, {})
    assert set(rows) == {(DAY, Segment.ORDINARY), (0, Segment.ORDINARY)}
    assert rows[DAY, Segment.ORDINARY].reached[:3] == (1, 1, 1)
    assert report(late, {}, range(DAY + 1, DAY + 2)) == {}
    assert business_day(day_start_us(DAY)) == DAY
    assert business_day(day_start_us(DAY) - 1) == DAY - 1


NAMES = st.sampled_from([each.name for each in SEEN])
STEPS = st.builds(
    step,
    NAMES,
    st.integers(0, 80_000),
    st.binary(min_size=1, max_size=1),
    st.sampled_from([ANN, BOB]),
    st.sampled_from([b"", b"a", b"b"]),
    scene=st.sampled_from(["", "live", "shop"]),
)


@given(
    st.lists(STEPS, max_size=60),
    st.dictionaries(
        st.sampled_from([b"a", b"b"]), st.builds(credited, st.integers(0, 80_000) | st.none())
    ),
)
def test_a_funnel_never_widens(events, outcomes):
    """At every step there are at most as many as before it; days and totals agree."""
    rows = funnel(events, outcomes, range(DAY, DAY + 3))
    for row in rows:
        assert list(row.reached) == sorted(row.reached, reverse=True)
        assert len(row.reached) == len(LADDER)
        assert 0 <= row.abandoned <= row.asked <= row.reached[LADDER.index(Step.INVOKE)]
        assert row.by_channel <= row.credited
    whole = sum(row.reached[0] for row in rows if row.day)
    assert whole == sum(row.reached[0] for row in rows if not row.day)
    assert whole == len({each.trace for each in events})


def test_a_clock_is_believed_within_reason():
    """A week back, five seconds ahead."""
    now = NOON_US
    assert held_us(now - 5, now) == now - 5
    assert held_us(now - 30 * DAY_US, now) == now - 7 * DAY_US
    assert held_us(now + DAY_US, now) == now + 5 * SECOND_US
