"""Routes: which account and product serve an order, and which lines are given a rest (路由与熔断).

Law: everything here is a function of a state and a time; a business refusal is never a sample, so a
person without money in the purse does not switch an account off.
Units: µs; parts per million; fen.   Source: docs/concepts of top-up, routing; the numbers are ours.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from lingqian.channels.port import Product
from lingqian.kernel.clock import DAY_US, SECOND_US

PPM: Final = 1_000_000
# The score.
HALF_LIFE_US: Final = 600 * SECOND_US
PRIOR_CALLS: Final = 20
PRIOR_GOOD: Final = 19
FEE_WEIGHT: Final = 1  # a fee of one ppm weighs as much as one success in a million
LATENCY_PPM_PER_MS: Final = 10  # one second weighs as much as one success in a hundred
PRIOR_LATENCY_MS: Final = 300
STICKY_US: Final = DAY_US
# The breaker.
WINDOW_S: Final = 60
CALLS_MIN: Final = 20
FAILURES_PERCENT: Final = 50
SLOW_US: Final = 5 * SECOND_US
SLOW_ONE_IN: Final = 20  # p95 is above SLOW when more than one call in twenty is
OPEN_US: Final = 30 * SECOND_US
PROBES: Final = 5
PROBES_GOOD: Final = 4
# What its success means for the score of an account: that a pay sheet could be had.
CREATION: Final = "prepay"

assert PROBES_GOOD <= PROBES, "the breaker can close"
assert PRIOR_GOOD <= PRIOR_CALLS, "a rate is at most one"


class Line(NamedTuple):
    """What a breaker stands for: one operation of one account over one host."""

    account: str
    host: str
    operation: str


class Sample(NamedTuple):
    """How one call went. Technical failures are failures; refusals by business are successes."""

    line: Line
    at_us: int
    took_us: int
    is_failure: bool


class Phase(IntEnum):
    """A breaker lets everything pass, nothing, or a few to see."""

    CLOSED = 1
    OPEN = 2
    HALF_OPEN = 3


class Second(NamedTuple):
    """The calls that ended in one second of the window."""

    at_s: int
    calls: int = 0
    failures: int = 0
    slow: int = 0


class Breaker(NamedTuple):
    """One line's breaker; `since_us` is when its phase began."""

    phase: Phase = Phase.CLOSED
    since_us: int = 0
    window: tuple[Second, ...] = ()
    probes_begun: int = 0
    probes_good: int = 0
    probes_bad: int = 0


class Health(NamedTuple):
    """An account's decayed record; weights halve every ten minutes."""

    at_us: int = 0
    good: float = 0.0
    bad: float = 0.0
    latency_ms: float = 0.0


class State(NamedTuple):
    """All that routing remembers. Values are replaced, never changed."""

    breakers: Mapping[Line, Breaker] = {}
    health: Mapping[str, Health] = {}


class Candidate(NamedTuple):
    """A configured way to be paid. `scenes` empty allows every scene; `refused_tags` are risks."""

    account: str
    product: Product
    hosts: tuple[str, ...]
    fee_ppm: int
    amount_fen_min: int
    amount_fen_max: int
    scenes: frozenset[str] = frozenset()
    refused_tags: frozenset[str] = frozenset()


class Stuck(NamedTuple):
    """What served this person last."""

    account: str
    product: Product
    at_us: int


class Wish(NamedTuple):
    """What has to be paid and how it can be: `products` are those this client can open."""

    products: frozenset[Product]
    amount_fen: int
    scene: str = ""
    fee_ppm_max: int = PPM
    risk_tag: str = ""
    stuck: Stuck | None = None


def routes(
    state: State, candidates: Sequence[Candidate], wish: Wish, now_us: int
) -> tuple[Candidate, ...]:
    """Return every candidate that can serve, the best first; ties keep the configured order.

    What served this person within a day stays first while it is healthy.
    """
    fit = [each for each in candidates if fits(each, wish) and is_healthy(state, each, now_us)]
    fit.sort(key=lambda each: -score(state, each, now_us))
    stuck = wish.stuck
    if stuck is not None and 0 <= now_us - stuck.at_us < STICKY_US:
        fit.sort(key=lambda each: (each.account, each.product) != (stuck.account, stuck.product))
    return tuple(fit)


def fits(candidate: Candidate, wish: Wish) -> bool:
    """Say whether a candidate could serve a wish, its health apart."""
    return (
        candidate.product in wish.products
        and candidate.amount_fen_min <= wish.amount_fen <= candidate.amount_fen_max
        and candidate.fee_ppm <= wish.fee_ppm_max
        and (not candidate.scenes or wish.scene in candidate.scenes)
        and wish.risk_tag not in candidate.refused_tags
    )


def is_healthy(state: State, candidate: Candidate, now_us: int) -> bool:
    """Say whether a pay sheet may be asked for over at least one of an account's hosts."""
    return bool(open_hosts(state, candidate.account, CREATION, candidate.hosts, now_us))


def score(state: State, candidate: Candidate, now_us: int) -> int:
    """Return a candidate's score: its rate of success less what its fee and its delay weigh.

    Units: ppm.
    """
    health = _decayed(state.health.get(candidate.account, Health()), now_us)
    calls = health.good + health.bad + PRIOR_CALLS
    rate_ppm = int((health.good + PRIOR_GOOD) / calls * PPM)
    latency_ms = int((health.latency_ms + PRIOR_LATENCY_MS * PRIOR_CALLS) / calls)
    return rate_ppm - FEE_WEIGHT * candidate.fee_ppm - LATENCY_PPM_PER_MS * latency_ms


def open_hosts(
    state: State, account: str, operation: str, hosts: Sequence[str], now_us: int
) -> tuple[str, ...]:
    """Return the hosts that may be called: sound ones in their order, then those being tried."""
    allowed = [
        (breaker.phase is not Phase.CLOSED, host)
        for host in hosts
        if allows(breaker := state.breakers.get(Line(account, host, operation), Breaker()), now_us)
    ]
    return tuple(host for _, host in sorted(allowed, key=lambda each: each[0]))


def is_shut(state: State, account: str, hosts: Sequence[str]) -> bool:
    """Say whether no host of an account is known to give pay sheets: no breaker is closed."""
    return all(each.phase is not Phase.CLOSED for each in _creators(state, account, hosts))


def is_rested(state: State, account: str, hosts: Sequence[str], now_us: int) -> bool:
    """Say whether some host of an account may be tried after its rest, or is being tried well."""
    return any(_is_tried(each, now_us) for each in _creators(state, account, hosts))


def _is_tried(breaker: Breaker, now_us: int) -> bool:
    is_well = breaker.phase is Phase.HALF_OPEN and not breaker.probes_bad
    return is_well or now_us - breaker.since_us >= OPEN_US


def _creators(state: State, account: str, hosts: Sequence[str]) -> list[Breaker]:
    lines = [Line(account, host, CREATION) for host in hosts]
    return [state.breakers.get(line, Breaker()) for line in lines]


def allows(breaker: Breaker, now_us: int) -> bool:
    """Say whether a call may pass; after its rest a line is tried by a few probes."""
    if breaker.phase is Phase.CLOSED:
        return True
    is_rested = now_us - breaker.since_us >= OPEN_US
    # Probes that never came back must not hold a line closed for ever.
    return is_rested or (breaker.phase is Phase.HALF_OPEN and breaker.probes_begun < PROBES)


def began(state: State, line: Line, now_us: int) -> State:
    """Return the state after a call has begun: it may be a probe."""
    breaker = state.breakers.get(line, Breaker())
    if breaker.phase is Phase.CLOSED:
        return state
    if now_us - breaker.since_us >= OPEN_US:
        breaker = Breaker(Phase.HALF_OPEN, now_us)
    breaker = breaker._replace(probes_begun=breaker.probes_begun + 1)
    return state._replace(breakers={**state.breakers, line: breaker})


def ended(state: State, sample: Sample) -> State:
    """Return the state after a call has ended."""
    line = sample.line
    breaker = state.breakers.get(line, Breaker())
    breakers = {**state.breakers, line: _judged(breaker, sample)}
    if line.operation != CREATION:
        return state._replace(breakers=breakers)
    health = _rated(state.health.get(line.account, Health()), sample)
    return State(breakers, {**state.health, line.account: health})


def _judged(breaker: Breaker, sample: Sample) -> Breaker:
    match breaker.phase:
        case Phase.CLOSED:
            return _watched(breaker, sample)
        case Phase.HALF_OPEN:
            return _probed(breaker, sample)
        case Phase.OPEN:
            # A call from before the line was opened; its like has been counted.
            return breaker


def _watched(breaker: Breaker, sample: Sample) -> Breaker:
    """Count a call of a closed breaker, and open it where the window says so."""
    window = _with(breaker.window, sample)
    calls = sum(each.calls for each in window)
    failures = sum(each.failures for each in window)
    slow = sum(each.slow for each in window)
    is_bad = failures * 100 >= calls * FAILURES_PERCENT or slow > calls // SLOW_ONE_IN
    if calls >= CALLS_MIN and is_bad:
        return Breaker(Phase.OPEN, sample.at_us)
    return breaker._replace(window=window)


def _probed(breaker: Breaker, sample: Sample) -> Breaker:
    """Count a probe: enough good ones close the breaker, too many bad ones open it again."""
    is_bad = sample.is_failure or sample.took_us > SLOW_US
    good, bad = breaker.probes_good + (not is_bad), breaker.probes_bad + is_bad
    if good >= PROBES_GOOD:
        return Breaker(Phase.CLOSED, sample.at_us)
    if bad > PROBES - PROBES_GOOD:
        return Breaker(Phase.OPEN, sample.at_us)
    return breaker._replace(probes_good=good, probes_bad=bad)


def _with(window: tuple[Second, ...], sample: Sample) -> tuple[Second, ...]:
    """Add a call to a window and let go of what is older than it is long."""
    at_s = sample.at_us // SECOND_US
    kept = [each for each in window if at_s - WINDOW_S < each.at_s]
    last = kept.pop() if kept and kept[-1].at_s >= at_s else Second(at_s)
    added = Second(
        last.at_s,
        last.calls + 1,
        last.failures + sample.is_failure,
        last.slow + (sample.took_us > SLOW_US),
    )
    return (*kept, added)


def _decayed(health: Health, now_us: int) -> Health:
    # Two hosts' clocks or a set-back clock give no weight back.
    share = 0.5 ** (max(0, now_us - health.at_us) / HALF_LIFE_US)
    return Health(now_us, health.good * share, health.bad * share, health.latency_ms * share)


def _rated(health: Health, sample: Sample) -> Health:
    found = _decayed(health, max(sample.at_us, health.at_us))
    return found._replace(
        good=found.good + (not sample.is_failure),
        bad=found.bad + sample.is_failure,
        latency_ms=found.latency_ms + sample.took_us / 1_000,
    )
