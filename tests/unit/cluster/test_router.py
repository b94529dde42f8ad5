"""The router: whoever owns a lane answers, however often it has to be looked for."""

import asyncio
import time

import pytest

from lingqian.cluster.lease import Lease, Member, Picture, lane_lease
from lingqian.cluster.line import Key, Trust
from lingqian.cluster.router import Router
from lingqian.flows.command import SetMembers
from lingqian.kernel.fault import Busy, Moved, Unknown, Unsent
from lingqian.storage.lane import Answer, Submission

TRUST = Trust(Key(b"a key of thirty-two bytes or so."))
PATIENCE_S = 0.6
ASKED = Submission(SetMembers(b"k" * 16, 1, "room", b""))


class Desk:
    """An intake that says what it was told to say, one thing after the other."""

    def __init__(self, *sayings):
        self.sayings = list(sayings)
        self.count = 0

    def ask(self, submission, within_s):
        """Answer, or fail."""
        assert within_s > 0
        self.count += 1
        future = asyncio.get_running_loop().create_future()
        said = self.sayings.pop(0) if self.sayings else None
        if said is None:
            future.set_result(Answer(0, submission.command, None, 5, 6, "", None))
        else:
            future.set_exception(said)
        return future


def picture(*owners, there=("me", "far")):
    """Return who owns which lane; the far one listens where nobody does."""
    members = [Member(name, "127.0.0.1:1", frozenset(), 1, 2) for name in there]
    leases = [Lease(lane_lease(lane), owner, 1) for lane, owner in enumerate(owners)]
    return Picture(1, tuple(members), tuple(leases))


def routed(desk, nudge=lambda: None, patience_s=PATIENCE_S):
    """Return a router that has seen nothing yet."""
    return Router("me", desk, nudge, TRUST, patience_s)


def asked(desk, *pictures, nudge=lambda: None):
    """Ask once, with these pictures seen one after the other, one at each nudge."""
    left = list(pictures)

    async def work():
        def turn():
            nudge()
            if left:
                router.see(left.pop(0))

        router = routed(desk, turn)
        router.see(left.pop(0))
        return await router.ask(ASKED)

    return asyncio.run(work())


def test_own_lane_is_asked_here():
    """Nothing goes over any line."""
    desk = Desk()
    assert not asked(desk, picture("far", "me")).code
    assert desk.count == 1


@pytest.mark.parametrize("fault", [Moved("m"), Unsent("u"), Unknown("k")])
def test_what_may_be_otherwise_later_is_asked_again(fault):
    """The same command: if it was done, it is answered again."""
    desk = Desk(fault, fault)
    assert not asked(desk, picture("me", "me")).code
    assert desk.count == 3


def test_busy_is_told_at_once():
    """Asking again would only make it busier."""
    desk = Desk(Busy("full"))
    with pytest.raises(Busy):
        asked(desk, picture("me", "me"))
    assert desk.count == 1


def test_lane_that_moved_here_is_found():
    """Its owner cannot be reached, then nobody owns it, then it is ours."""
    desk = Desk()
    pictures = [picture("me", "far"), picture("me", ""), picture("me", "me")]
    assert not asked(desk, *pictures).code
    assert desk.count == 1


def test_lane_of_a_member_that_is_gone_is_nobodys():
    """It is not asked: its time is over, whatever it thinks itself."""
    desk = Desk()
    pictures = [picture("me", "far", there=("me",)), picture("me", "me")]
    assert not asked(desk, *pictures).code


def test_lane_that_never_was_is_anybodys():
    """Ids come from outside; the owner of the first lane says that nothing is there."""
    desk = Desk()
    assert not asked(desk, picture("me")).code


def test_patience_ends_and_says_whether_it_may_have_been_done():
    """Unknown once is unknown to the end, whatever came after it."""
    for sayings, told in (
        ([Unsent("u")] * 99, Unsent),
        ([Moved("m")] * 99, Unsent),
        ([Unknown("k")] + [Moved("m")] * 99, Unknown),
    ):
        began = time.monotonic()
        with pytest.raises(told):
            asked(Desk(*sayings), picture("me", "me"))
        assert time.monotonic() - began < PATIENCE_S + 5


def test_new_picture_wakes_whoever_waits():
    """A hand-over is over in a moment; nobody sleeps through it."""

    async def work():
        desk = Desk(*[Moved("m")] * 5)
        router = routed(desk, patience_s=60)
        router.see(picture("me", ""))
        asking = asyncio.create_task(router.ask(ASKED))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        for _ in range(6):
            router.see(picture("me", "me"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asking
        return time.monotonic() - began

    assert asyncio.run(work()) < 5


def test_looks_are_asked_for_while_nobody_is_found():
    """The keeper looks at the register only every few seconds by itself."""
    nudges = []
    with pytest.raises(Unsent):
        asked(Desk(), picture("me", ""), nudge=lambda: nudges.append(1))
    assert len(nudges) > 2
