"""Routes and breakers: their exact numbers, each beside the number that does not do it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.channels.port import Product
from lingqian.channels.route import (
    HALF_LIFE_US,
    OPEN_US,
    STICKY_US,
    WINDOW_S,
    Breaker,
    Candidate,
    Health,
    Line,
    Phase,
    Sample,
    State,
    Stuck,
    Wish,
    allows,
    began,
    ended,
    is_healthy,
    is_rested,
    is_shut,
    open_hosts,
    routes,
    score,
)
from lingqian.channels.watch import Board
from lingqian.kernel.clock import SECOND_US

NOW = 1_000_000 * SECOND_US
LINE = Line("main", "h1", "prepay")
MAIN = Candidate("main", Product.JSAPI, ("h1", "h2"), 6_000, 1, 5_000_000)
SPARE = Candidate("spare", Product.JSAPI, ("h3",), 6_000, 1, 5_000_000)
WISH = Wish(frozenset((Product.JSAPI,)), 5_000)


def calls(state, count, *, failures=0, slow=0, line=LINE, at_us=NOW, step_us=0):
    """Play calls: first the failures, then the slow ones, then good ones."""
    for number in range(count):
        took_us = 5 * SECOND_US + 1 if failures <= number < failures + slow else 10_000
        sample = Sample(line, at_us + number * step_us, took_us, number < failures)
        state = ended(began(state, line, sample.at_us), sample)
    return state


def phase(state, line=LINE):
    """Return a line's phase."""
    return state.breakers[line].phase


@pytest.mark.parametrize(
    ("count", "failures", "slow", "expected"),
    [
        (20, 10, 0, Phase.OPEN),
        (20, 9, 0, Phase.CLOSED),
        (19, 19, 0, Phase.CLOSED),
        (20, 20, 0, Phase.OPEN),
        (20, 0, 2, Phase.OPEN),
        (20, 0, 1, Phase.CLOSED),
        (100, 0, 5, Phase.CLOSED),
    ],
)
def test_breaker_opens_at_its_numbers(count, failures, slow, expected):
    """Twenty calls, half of them failed, or one in twenty slower than five seconds: no sooner."""
    good_first = calls(State(), count - failures - slow)
    state = calls(good_first, failures + slow, failures=failures, slow=slow)
    assert phase(state) is expected


def test_a_call_of_exactly_five_seconds_is_not_slow():
    """The bound itself is allowed."""
    state = State()
    for _ in range(40):
        state = ended(state, Sample(LINE, NOW, 5 * SECOND_US, is_failure=False))
    assert phase(state) is Phase.CLOSED


def test_the_window_forgets_after_a_minute():
    """Ten failures an hour ago and ten good calls now are no outage."""
    old = calls(State(), 10, failures=10)
    assert phase(calls(old, 10, at_us=NOW + 59 * SECOND_US)) is Phase.OPEN
    assert phase(calls(old, 10, at_us=NOW + 60 * SECOND_US)) is Phase.CLOSED


def test_the_window_stays_short_however_many_calls_it_counts():
    """A breaker is a value that is copied on every call."""
    state = calls(State(), 5_000, step_us=100_000)
    assert len(state.breakers[LINE].window) <= 60


def opened():
    """Return a state whose line has just been opened, at NOW."""
    state = calls(State(), 20, failures=20)
    assert phase(state) is Phase.OPEN
    return state


def test_an_open_line_rests_for_thirty_seconds():
    """Not one call less, not one second more."""
    breaker = opened().breakers[LINE]
    assert not allows(breaker, NOW + OPEN_US - 1)
    assert allows(breaker, NOW + OPEN_US)


def probe(state, results):
    """Send probes after the rest, each ended before the next."""
    at_us = NOW + OPEN_US
    for is_failure in results:
        state = ended(began(state, LINE, at_us), Sample(LINE, at_us, 10_000, is_failure))
    return state


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ((False,) * 3, Phase.HALF_OPEN),
        ((False,) * 4, Phase.CLOSED),
        ((True, False, False, False, False), Phase.CLOSED),
        ((False, False, False, True), Phase.HALF_OPEN),
        ((False, True, True), Phase.OPEN),
    ],
)
def test_four_of_five_probes_close_a_line(results, expected):
    """One bad one may be chance; two are the outage still going on."""
    assert phase(probe(opened(), results)) is expected


def test_a_sixth_probe_waits_and_lost_probes_are_given_up():
    """Five calls find out; probes that never come back hold nothing closed for ever."""
    state = opened()
    at_us = NOW + OPEN_US
    for _ in range(5):
        assert allows(state.breakers[LINE], at_us)
        state = began(state, LINE, at_us)
    assert not allows(state.breakers[LINE], at_us)
    assert allows(state.breakers[LINE], at_us + OPEN_US)


def test_a_late_call_of_before_does_not_count_for_an_open_line():
    """It tells of the outage that has been seen."""
    state = opened()
    late = ended(state, Sample(LINE, NOW + 1, 10_000, is_failure=False))
    assert late.breakers == state.breakers


def test_a_failing_host_leaves_the_other_and_other_operations_alone():
    """A breaker stands for one operation over one host."""
    state = opened()
    assert open_hosts(state, "main", "prepay", ("h1", "h2"), NOW) == ("h2",)
    assert open_hosts(state, "main", "query", ("h1", "h2"), NOW) == ("h1", "h2")
    rested = NOW + OPEN_US
    assert open_hosts(state, "main", "prepay", ("h1", "h2"), rested) == ("h2", "h1")
    assert is_healthy(state, MAIN, NOW)
    assert not is_healthy(state, MAIN._replace(hosts=("h1",)), NOW)


def test_an_account_is_shut_when_no_host_is_sound_and_rested_when_one_may_be_tried():
    """What the degrade path asks: is there a way at all, and is it time to see?"""
    state = opened()
    assert not is_shut(state, "main", ("h1", "h2"))
    assert is_shut(state, "main", ("h1",))
    assert not is_rested(state, "main", ("h1",), NOW + OPEN_US - 1)
    rested = NOW + OPEN_US
    assert is_rested(state, "main", ("h1",), rested)
    tried = began(state, LINE, rested)
    assert is_shut(tried, "main", ("h1",))
    assert is_rested(tried, "main", ("h1",), rested)
    failed = ended(tried, Sample(LINE, rested, 10_000, is_failure=True))
    assert not is_rested(failed, "main", ("h1",), rested)


@pytest.mark.parametrize(
    "change",
    [
        {"products": frozenset((Product.APP,))},
        {"amount_fen": 5_000_001},
        {"fee_ppm_max": 5_999},
        {"scene": "mini"},
        {"risk_tag": "doubtful"},
    ],
)
def test_each_filter_keeps_a_candidate_out(change):
    """What cannot serve is not in the list, however healthy it is."""
    candidate = MAIN._replace(scenes=frozenset(("shop",)), refused_tags=frozenset(("doubtful",)))
    wish = WISH._replace(scene="shop")
    assert routes(State(), [candidate], wish, NOW) == (candidate,)
    assert routes(State(), [candidate], wish._replace(**change), NOW) == ()


def test_ties_keep_the_configured_order():
    """An operator's order means something as long as nothing speaks against it."""
    assert routes(State(), [MAIN, SPARE], WISH, NOW) == (MAIN, SPARE)
    assert routes(State(), [SPARE, MAIN], WISH, NOW) == (SPARE, MAIN)


def test_fees_and_failures_and_delay_lower_a_score():
    """All three, so that each can be outweighed by the others."""
    assert routes(State(), [MAIN._replace(fee_ppm=6_001), SPARE], WISH, NOW)[0] == SPARE
    failing = calls(State(), 4, failures=4)
    assert routes(failing, [MAIN, SPARE], WISH, NOW)[0] == SPARE
    spare_line = Line("spare", "h3", "prepay")
    slow = calls(calls(State(), 1, slow=1), 1, line=spare_line)
    assert routes(slow, [MAIN, SPARE], WISH, NOW)[0] == SPARE


def test_twenty_pseudo_calls_stand_before_the_first_real_one():
    """One failure at midnight must not switch an account off."""
    assert score(State(), MAIN, NOW) == 950_000 - 6_000 - 3_000
    one = State(health={"main": Health(NOW, 0.0, 1.0, 300.0)})
    assert score(one, MAIN, NOW) == int(19 / 21 * 1_000_000) - 6_000 - 3_000


def test_a_record_weighs_half_after_ten_minutes():
    """Yesterday's outage is over."""
    bad = State(health={"main": Health(NOW, 0.0, 20.0, 6_000.0)})
    assert score(bad, MAIN, NOW) == 475_000 - 9_000
    assert score(bad, MAIN, NOW + HALF_LIFE_US) == int(19 / 30 * 1_000_000) - 9_000
    assert score(bad, MAIN, NOW - HALF_LIFE_US) == 475_000 - 9_000  # a clock set back


def test_a_person_stays_with_what_served_last_for_a_day_while_it_is_healthy():
    """A pay sheet that looks different each time frightens people."""
    wish = WISH._replace(stuck=Stuck("spare", Product.JSAPI, NOW - STICKY_US + 1))
    assert routes(State(), [MAIN, SPARE], wish, NOW) == (SPARE, MAIN)
    assert routes(State(), [MAIN, SPARE], wish, NOW + 1) == (MAIN, SPARE)
    sick = calls(State(), 20, failures=20, line=Line("spare", "h3", "prepay"))
    assert routes(sick, [MAIN, SPARE], wish, NOW) == (MAIN,)


def test_only_asking_for_a_pay_sheet_changes_the_score():
    """A bill that fails says nothing about paying."""
    query = LINE._replace(operation="query")
    state = calls(State(), 5, failures=5, line=query)
    assert score(state, MAIN, NOW) == score(State(), MAIN, NOW)


samples = st.lists(
    st.tuples(st.integers(0, 90 * SECOND_US), st.integers(0, 9 * SECOND_US), st.booleans()),
    max_size=60,
)


@given(samples)
def test_any_history_leaves_a_breaker_that_can_close_again(history):
    """A line must not be lost to a strange order of events."""
    state, now_us = State(), NOW
    for wait_us, took_us, is_failure in history:
        now_us += wait_us
        if allows(state.breakers.get(LINE, Breaker()), now_us):
            state = began(state, LINE, now_us)
        state = ended(state, Sample(LINE, now_us, took_us, is_failure))
    # When the last minute is over as well: until then it may rightly open on what it has seen.
    later = now_us + WINDOW_S * SECOND_US + OPEN_US
    for _ in range(4):
        assert allows(state.breakers.get(LINE, Breaker()), later)
        state = ended(began(state, LINE, later), Sample(LINE, later, 1, is_failure=False))
    assert allows(state.breakers[LINE], later)


def test_the_board_keeps_accounts_apart():
    """One board serves all channels of a process."""
    board = Board(lambda: NOW)
    watch = board.of("main")
    for _ in range(20):
        watch.begin("h1", "prepay")
        watch.note("h1", "prepay", 1, is_failure=True)
    assert watch.hosts("prepay", ("h1", "h2")) == ("h2",)
    assert board.of("spare").hosts("prepay", ("h1", "h2")) == ("h1", "h2")
