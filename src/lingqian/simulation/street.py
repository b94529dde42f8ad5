"""The street between us and a channel: hosts, clocks, keys, and the order letters come in (街道).

Law: it adds trouble and never truth: what was paid, refunded and billed stays the faulty channel's.
A notice that is not answered with success comes again by the channel's own schedule.
Units: seconds; µs; parts per thousand.   Source: top-up reference 1 (F1, F10) and 17.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from lingqian.channels.faulty import Faulty
from lingqian.channels.faulty.channel import Letter
from lingqian.channels.faulty.truth import Payment
from lingqian.channels.port import Bill, BillKind, Notice, Profile
from lingqian.channels.wechatpay.bill import parse_bill
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Unsent
from lingqian.simulation.paper import Odd, write

HOSTS: Final = 2
# A minute at most: whoever asked has long given up, and hears the answer all the same.
SLOW_S_MAX: Final = 60
_AGAIN_S: Final = (
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600,
)  # fmt: skip
_ODD: Final = tuple(each for each in Odd if each is not Odd.EVEN)
_SERIAL: Final = "faulty-serial"


class Street(Faulty):
    """One account behind two hosts, with a clock and keys of its own.

    `down` hosts do not answer; `slow` in a thousand answers come late, `odd` in a thousand bills
    are odd; `skew_us` is how far its clock is ahead of ours.
    """

    def __init__(self, profile: Profile, seed: bytes, clock: Callable[[], int]) -> None:
        self.skew_us = 0
        super().__init__(profile, seed, lambda: clock() + self.skew_us)
        self.down = 0
        self.slow = 0
        self.odd = 0
        self._serial = 0
        self._secrets = {0: self._secret}
        self._fetched = {0}
        self._wants_keys = False
        self._newest = ""
        self._seen: set[str] = set()
        self._again: dict[bytes, int] = {}

    def note(self, fault: str) -> None:
        """Count a fault that has really happened."""
        happened = self._dice.happened
        happened[fault] = happened.get(fault, 0) + 1

    # --- hosts and speed ------------------------------------------------------------------------

    def _before(self, *, is_read: bool) -> None:
        if self.down:
            self.note("host_down")
        if self.down >= HOSTS:
            self.note("both_hosts_down")
            raise Unsent("no host answers")
        if self._wants_keys:
            # What the adapter does beside its next call: fetch the keys it has not met yet.
            self._fetched |= set(self._secrets)
            self._wants_keys = False
        super()._before(is_read=is_read)

    def delay_us(self) -> int:
        """Draw for how long an answer is on its way; most come at once."""
        if not self._dice.fall("slow", self.slow):
            return 0
        return SECOND_US + self._dice.wait_us(SLOW_S_MAX)

    # --- bills ----------------------------------------------------------------------------------

    async def fetch_bill(self, kind: BillKind, day: int) -> Bill:
        """Fetch a day's bill as a file, and read it as the channel's own adapter does.

        Raises: Rejected while it is not there, or is no bill; the channel faults.
        """
        bill = await super().fetch_bill(kind, day)
        odd = Odd.EVEN
        if bill.rows and self._dice.fall("bill_odd", self.odd):
            odd = _ODD[self._dice.below(len(_ODD))]
            self.note(f"bill: {odd}")
        return parse_bill(kind, day, write(bill, odd))

    def payments(self, day: int) -> list[Payment]:
        """Return what was paid on a day, as an even bill shows it."""
        return self.truth.payments(day)

    # --- keys -----------------------------------------------------------------------------------

    def rotate(self) -> None:
        """Sign with a new key from now on; whoever verifies has to fetch it first."""
        self._serial += 1
        self._secrets[self._serial] = sha256(b"rotated" + self._secrets[self._serial - 1]).digest()

    def _headers(self, letter: Letter, now_us: int) -> dict[str, str]:
        self._secret = self._secrets[self._serial]
        return {**super()._headers(letter, now_us), _SERIAL: str(self._serial)}

    def parse_notice(self, headers: dict[str, str], body: bytes, now_us: int) -> Notice:
        """Verify under the key that the notice names, once that key has been fetched.

        Raises: BadSignature, Rejected.
        """
        serial = int(headers[_SERIAL])
        if serial not in self._fetched:
            self._wants_keys = True
            self.note("key_rotated")
            raise BadSignature("signed with a key that has not been fetched")
        self._secret = self._secrets[serial]
        try:
            notice = super().parse_notice(headers, body, now_us)
        except BadSignature:
            if self._is_ours(headers, body):
                self.note("clock_skew")
            raise
        self._again.pop(body, None)
        return notice

    # --- letters --------------------------------------------------------------------------------

    def letters(self) -> list[tuple[dict[str, str], bytes]]:
        """Take what has arrived, in any order; count what has overtaken something older."""
        found = super().letters()
        for place in range(len(found) - 1, 0, -1):
            other = self._dice.below(place + 1)
            found[place], found[other] = found[other], found[place]
        for _, body in found:
            number = json.loads(body)["id"]
            if number < self._newest and number not in self._seen:
                self.note("notice_reordered")
            self._newest = max(self._newest, number)
            self._seen.add(number)
        return found

    def refused(self, headers: dict[str, str], body: bytes) -> None:
        """Hear that a notice was not taken: a genuine one comes again, signed anew."""
        tries = self._again.get(body, 0)
        if tries >= len(_AGAIN_S) or not self._is_ours(headers, body):
            return
        self._again[body] = tries + 1
        due_at_us = self._clock() + _AGAIN_S[tries] * SECOND_US
        self._letters.append(Letter(due_at_us, len(self._letters), body, is_forged=False))

    def _is_ours(self, headers: dict[str, str], body: bytes) -> bool:
        """Say whether this channel has signed it for this merchant, whatever the clock says."""
        serial = int(headers[_SERIAL])
        stamp = int(headers["faulty-timestamp"])
        said = json.loads(body)
        own = self._sign(str(stamp).encode(), body, self._secrets[serial])
        return said["merchant"] == self._profile.account and own == headers["faulty-signature"]
