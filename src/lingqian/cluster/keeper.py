"""The keeper: says that we live, takes our share of the work and hands over what is not (守约).

Law: what was not renewed in time by our own clock is put down before anything else. A lease that we
give up is released only when its work has ended here, so its next holder never meets us.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple, Protocol

from lingqian.cluster.lease import Gift, Lease, Member, Picture, lane_of_lease, spread
from lingqian.cluster.register import Register
from lingqian.kernel.bound import (
    BEAT_S_DEFAULT,
    COMMIT_TRIES_MAX,
    LEASE_S_DEFAULT,
    TAKEOVER_S_MAX,
)
from lingqian.kernel.fault import Fault, Unknown, Unsent
from lingqian.storage.setback import Setback

# Looks that others ask for come no closer than this, nor does a second try when one has failed.
LOOK_EVERY_S: Final = 0.02
TRY_AGAIN_S: Final = 0.5
_log = logging.getLogger(__name__)


class Timing(NamedTuple):
    """How long a member lives after a renewal, and how often it renews. Units: seconds."""

    life_s: float = LEASE_S_DEFAULT
    beat_s: float = BEAT_S_DEFAULT

    @property
    def patience_s(self) -> float:
        """How long whoever asks waits at most: a dead owner's lanes have another by then."""
        return self.life_s + self.beat_s + TAKEOVER_S_MAX


class Holder(Protocol):
    """What does the work of leases; called on the keeper's thread."""

    def gain(self, names: list[str]) -> None:
        """Begin the work of these leases; it may still be beginning when this returns."""
        ...

    def lose(self, names: list[str]) -> None:
        """End the work of these leases; it has ended when this returns.

        Raises: TimeoutError when it does not end in time.
        """
        ...

    def see(self, picture: Picture) -> None:
        """Learn who is there and holds what."""
        ...

    def greet(self, members: list[Member]) -> None:
        """Make ready to tell members something soon."""
        ...

    def tell(self, members: list[Member]) -> None:
        """Tell members that something was let go for them."""
        ...


class Keeper:
    """A thread of its own with a register; what it does is decided by `spread`."""

    def __init__(
        self,
        open_register: Callable[[], Register],
        me: Member,
        holder: Holder,
        names: list[str],
        timing: Timing = Timing(),  # noqa: B008 - a frozen value
    ) -> None:
        self._open_register = open_register
        self._me = me
        self._holder = holder
        self._names = names
        self._timing = timing
        self._held: set[str] = set()
        self._doubts: set[str] = set()
        # When our life was renewed last, as whom, and how long it lasts by our own clock.
        self._renewed_s = -math.inf
        self._said: Member | None = None
        self._until_s = 0.0
        self._wake = threading.Event()
        self._is_stopping = False
        self._setback = Setback(_log, "leases")
        self._ready: Future[None] = Future()
        self._gone: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="lingqian-keeper", daemon=True)

    def start(self) -> None:
        """Join; what is free and our share is ours when this returns.

        Raises: what opening the register raises.
        """
        self._thread.start()
        self._ready.result()

    def nudge(self) -> None:
        """Look again soon; may be called from any thread."""
        self._wake.set()

    def doubt(self, names: list[str]) -> None:
        """Take up the work of these leases anew, if they are still ours: it has ended by itself."""
        self._doubts.update(names)
        self._wake.set()

    @property
    def is_fresh(self) -> bool:
        """Whether our own life was renewed in time."""
        return time.monotonic() < self._until_s

    @property
    def held(self) -> frozenset[str]:
        """The leases whose work is done here."""
        return frozenset(self._held)

    def hand_over(self) -> "Future[None]":
        """Give everything to the others, as far as there are any; the future ends with it."""
        self._me = self._me._replace(roles=frozenset())
        self._wake.set()
        return self._gone

    def stop(self) -> None:
        """Let go what is left and take part no more."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    # --- on the keeper's own thread ---------------------------------------------------------------

    def _run(self) -> None:
        try:
            register = self._open_register()
            self._begin(register)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits in start()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        pause_s = self._rest_s()
        while not self._is_stopping:
            self._wake.wait(pause_s)
            self._wake.clear()
            pause_s = self._rest_s() if self._try_round(register) else TRY_AGAIN_S
            time.sleep(LOOK_EVERY_S)
        self._leave(register)

    def _rest_s(self) -> float:
        """Return how long it is until the next renewal."""
        return max(0.0, self._renewed_s + self._timing.beat_s - time.monotonic())

    def _begin(self, register: Register) -> None:
        """Join; where many begin at once the database may undo what one of them does."""
        for tries_left in reversed(range(COMMIT_TRIES_MAX)):
            try:
                register.open(self._names)
                self._round(register)
            except (Unsent, Unknown):
                if not tries_left:
                    register.close()
                    raise
            else:
                return

    def _try_round(self, register: Register) -> bool:
        try:
            self._round(register)
        except (Fault, TimeoutError) as fault:
            self._setback.failed(fault)
            if not self.is_fresh:
                self._put_down_quietly()
            return False
        self._setback.over()
        return True

    def _round(self, register: Register) -> None:
        if not self.is_fresh:
            self._put_down()
        picture = self._picture(register)
        self._holder.see(picture)
        if self._follow(register, picture):
            picture = register.look()
            self._holder.see(picture)
        if not self._me.roles and not self._given(picture) and not self._gone.done():
            self._gone.set_result(None)

    def _picture(self, register: Register) -> Picture:
        """Return who is there and holds what; renew our life where it is time, or we are another.

        A look that others ask for between two renewals costs no commit: while lanes change hands
        there are many, and each commit would keep those of the lanes waiting.
        """
        now_s = time.monotonic()
        if self._said == self._me and now_s < self._renewed_s + self._timing.beat_s / 2:
            return register.look()
        picture = register.beat(self._me)
        self._said, self._renewed_s = self._me, now_s
        self._until_s = now_s + self._timing.life_s
        return picture

    def _put_down(self) -> None:
        """End all work here: by now it may be somebody else's."""
        if self._held:
            _log.warning("%d leases are put down: they were not renewed", len(self._held))
            names, self._held = sorted(self._held), set()
            self._holder.lose(names)

    def _given(self, picture: Picture) -> tuple[Gift, ...]:
        """Return what is still to be handed over to somebody."""
        give = spread(self._me.name, picture).give
        return tuple([gift for gift in give if gift.to is not None])

    def _follow(self, register: Register, picture: Picture) -> bool:
        """Do what the picture asks of us; True when that changed it."""
        ours = {lease.name for lease in picture.leases if lease.owner == self._me.name}
        doubts, self._doubts = self._doubts, set()
        self._held -= doubts
        if lost := self._held - ours:
            self._held -= lost
            self._holder.lose(sorted(lost))
        given = self._given(picture)
        if given:
            self._give(register, given)
            ours -= {gift.lease.name for gift in given}
        take = spread(self._me.name, picture).take
        taken: list[Lease] = register.take(take, self._me.name) if take else []
        ours |= {lease.name for lease in taken}
        if fresh := ours - self._held:
            self._held |= fresh
            self._holder.gain(sorted(fresh))
        return bool(given or taken)

    def _give(self, register: Register, given: tuple[Gift, ...]) -> None:
        """Hand over, lanes first: a timer that takes a while to end keeps nobody waiting."""
        names = [gift.lease.name for gift in given]
        heirs = sorted({gift.to for gift in given if gift.to is not None})
        self._holder.greet(heirs)
        lanes = [name for name in names if lane_of_lease(name) is not None]
        posts = [name for name in names if lane_of_lease(name) is None]
        for some in filter(None, (lanes, posts)):
            self._held -= set(some)
            self._holder.lose(some)
            register.release(some, self._me.name)
            self._holder.tell(heirs)

    def _leave(self, register: Register) -> None:
        """Go; when the database cannot be told, our time ends by itself."""
        self._put_down_quietly()
        try:
            register.leave(self._me.name)
        except Fault as fault:
            _log.warning("leases are left to run out: %s", fault)
        register.close()

    def _put_down_quietly(self) -> None:
        names, self._held = sorted(self._held), set()
        try:
            self._holder.lose(names)
        except TimeoutError as fault:
            # It was told to end and does so later; what it still commits is fenced.
            _log.warning("leases: %s", fault)
