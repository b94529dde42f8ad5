"""The agent does what rows say, once each, and leaves what fails to its row."""

import asyncio
from types import SimpleNamespace

import pytest

from lingqian.channels.port import Prepaid, Product, Purchase
from lingqian.events import errand
from lingqian.events.agent import RUNNING_MAX, Agent, Arrived
from lingqian.events.degrade import Pulse
from lingqian.events.errand import Errands, Kit
from lingqian.kernel.fault import BadSignature, Rejected, Unknown, Unsent
from lingqian.storage.due import DueAttempt
from lingqian.topup.attempt import AttemptState, PrepayResult

ACCOUNT = "main"
PURCHASE = Purchase("pa_0", Product.NATIVE, "words", 100, "CNY", 10**16, "", "127.0.0.1", "tu_0")
SHEET = Prepaid("wx1", 10**15)


class Counted:
    """Counts nothing and takes everything."""

    def call(self, account, verb, outcome):
        """Hear of a call."""

    def evidence(self, source, effect):
        """Hear of evidence."""


def errands():
    """Make errands whose house is empty: only the ladder of one call is looked at."""
    clock = SimpleNamespace(offset_us=0, now_us=lambda: 0)
    pulse = Pulse(lambda: 0)
    return Errands(Kit(None, None, None, {ACCOUNT: None}, clock, Counted(), lambda _: pulse))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Nobody waits for a backoff here."""
    monkeypatch.setattr(errand, "backoff_s", lambda _: 0.0)


@pytest.mark.parametrize(
    ("answers", "result", "code", "calls"),
    [
        ([SHEET], PrepayResult.PAYABLE, "", 1),
        ([Unsent("refused"), SHEET], PrepayResult.PAYABLE, "", 2),
        ([Unknown("cut"), SHEET], PrepayResult.PAYABLE, "", 2),
        ([Unsent("no")] * 3, PrepayResult.FAILED, "unsent", 3),
        ([Unsent("no"), Unknown("cut"), Unsent("no")], PrepayResult.UNKNOWN, "unknown", 3),
        ([BadSignature("odd")] * 3, PrepayResult.UNKNOWN, "unknown", 3),
        ([Rejected("NO_AUTH")], PrepayResult.FAILED, "NO_AUTH", 1),
        # The first call may have arrived: a later no does not prove that nothing can be paid.
        ([Unknown("cut"), Rejected("PARAM_ERROR")], PrepayResult.UNKNOWN, "PARAM_ERROR", 2),
    ],
)
def test_a_pay_sheet_is_asked_for_three_times_and_never_called_failed_by_guess(
    answers, result, code, calls
):
    """A number that might be payable is never given up for another one."""
    left = list(answers)

    async def call():
        said = left.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    sheet = asyncio.run(errands()._sheet(ACCOUNT, call))
    assert (sheet.result, sheet.code, len(answers) - len(left)) == (result, code, calls)


def test_one_subject_has_one_errand_and_a_failed_one_rests():
    """Two looks at the same row do not call twice; what failed is not tried in a tight loop."""

    async def run():
        agent = Agent(errands().kit)
        began = []
        gate = asyncio.Event()

        async def fail():
            began.append(1)
            await gate.wait()
            raise Unsent("down")

        agent._start(b"a", fail)
        agent._start(b"a", fail)
        await asyncio.sleep(0)
        gate.set()
        await asyncio.sleep(0.01)
        agent._start(b"a", fail)
        await asyncio.sleep(0.01)
        return len(began), len(agent._running)

    assert asyncio.run(run()) == (1, 0)


def test_a_notice_is_acted_on_while_every_channel_is_silent(monkeypatch):
    """Queries that hang would else leave proven money to the next look, seconds later."""
    monkeypatch.setattr("lingqian.events.agent.DRAIN_S", 0.0)

    async def run():
        agent = Agent(errands().kit)
        acted = []

        async def apply(arrived):
            acted.append(arrived.key)

        monkeypatch.setattr(agent, "_apply", apply)
        for number in range(RUNNING_MAX + 1):
            agent._start(b"query %d" % number, lambda: asyncio.sleep(60))
        waiting = len(agent._running)
        agent.act_on(Arrived(b"notice", ACCOUNT, None))
        await asyncio.sleep(0.01)
        await agent._drain()
        return waiting, acted

    assert asyncio.run(run()) == (RUNNING_MAX, [b"notice"])


def test_an_alarm_halves_what_is_left_of_an_interval_and_no_more():
    """While callbacks are lost, a query comes at half its distance, and then not again at once."""
    agent = Agent(errands().kit)
    due = DueAttempt(b"a", ACCOUNT, AttemptState.PAYABLE, 0, 600, 10_000)
    assert not agent._is_due(due, 300, set())
    assert agent._is_due(due, 300, {ACCOUNT})
    agent._asked_us[b"a"] = 300
    assert not agent._is_due(due, 301, {ACCOUNT})
    assert agent._is_due(due, 450, {ACCOUNT})
    assert agent._is_due(due, 600, set())


def test_a_stop_waits_for_errands_and_then_cuts_them(monkeypatch):
    """A drained server neither loses an answer on its way nor hangs on a channel that is silent."""
    monkeypatch.setattr("lingqian.events.agent.DRAIN_S", 0.05)

    async def run():
        agent = Agent(errands().kit)
        ended = []

        async def quick():
            await asyncio.sleep(0.01)
            ended.append("quick")

        async def endless():
            await asyncio.sleep(60)
            ended.append("endless")

        agent._start(b"a", quick)
        agent._start(b"b", endless)
        await asyncio.sleep(0)
        await agent._drain()
        return ended, len(agent._running)

    assert asyncio.run(run()) == (["quick"], 0)
