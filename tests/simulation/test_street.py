"""The street: what is not taken comes again, keys change under way, and letters overtake others."""

from random import Random

import pytest

from lingqian.channels.port import Product, Profile
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.fault import BadSignature, Unsent
from lingqian.simulation.clerk import finish, purchase_of
from lingqian.simulation.street import Street
from lingqian.simulation.weather import FAIR, STORMY, begin, clear, end, spells

NOW_US = 1_800_000_000 * SECOND_US
PROFILE = Profile(
    "wx", "faulty", "模拟渠道", "Simulated channel", "CNY", frozenset((Product.JSAPI,)), 1, 10**8,
    can_refund_in_part=True, can_pay_out=True, refund_days_max=365, bill_hour=10,
)  # fmt: skip


class Town:
    """A street, a clock by hand, and attempts that have been paid."""

    def __init__(self):
        self.now_us = NOW_US
        self.street = Street(PROFILE, bytes(32), lambda: self.now_us)

    def pay(self, number):
        """Have an attempt paid; its notice is on its way."""
        purchase = purchase_of(number.to_bytes(16, "big"), 500, NOW_US + 10**9, "")
        finish(self.street.prepay(purchase))
        assert self.street.pay(purchase.attempt_no)

    def hear(self, headers, body):
        """Verify a notice; one that is not taken is told so to the channel."""
        try:
            return self.street.parse_notice(headers, body, self.now_us)
        except BadSignature:
            self.street.refused(headers, body)
            return None

    def taken(self):
        """Return the readings of all letters that are here and were taken."""
        heard = [self.hear(*each) for each in self.street.letters()]
        return [each.reading for each in heard if each is not None]


@pytest.fixture
def town():
    """A town in fair weather."""
    return Town()


def test_a_new_key_is_fetched_and_the_notice_comes_again(town):
    """Key rotation mid-flight costs a quarter of a minute, and no notice."""
    town.street.rotate()
    town.pay(1)
    assert town.taken() == []
    finish(town.street.query("pa_x"))
    assert town.taken() == [], "it comes again in its time"
    town.now_us += 15 * SECOND_US
    assert len(town.taken()) == 1
    assert town.street.happened == {"key_rotated": 1}


def test_a_notice_signed_long_ago_comes_again_until_clocks_agree(town):
    """A clock that is wrong by more than five minutes refuses the genuine, for a while."""
    town.street.skew_us = 400 * SECOND_US
    town.pay(1)
    assert town.taken() == []
    town.street.skew_us = 0
    town.now_us += 500 * SECOND_US
    assert len(town.taken()) == 1
    assert town.street.happened["clock_skew"] == 1


def test_a_forger_does_not_come_again(town):
    """What the channel never signed is not repeated by it."""
    town.street.rates = town.street.rates._replace(notice_forged=1_000)
    town.pay(1)
    assert town.taken() == []
    town.now_us += 86_400 * SECOND_US
    assert town.street.letters() == []


def test_letters_overtake_each_other(town):
    """What comes at one moment comes in any order, and that is counted."""
    for number in range(1, 9):
        town.pay(number)
    assert len(town.taken()) == 8
    assert town.street.happened["notice_reordered"] > 0


def test_one_host_carries_what_two_cannot(town):
    """One host down is counted; with both down nothing is sent."""
    town.street.down = 1
    town.pay(1)
    town.street.down = 2
    with pytest.raises(Unsent):
        finish(town.street.query("pa_x"))
    assert town.street.happened == {"host_down": 2, "both_hosts_down": 1}


def test_spells_begin_and_end(town):
    """After the last spell a street is as it was; fair weather has none."""

    found = list(spells(Random(1), ("wx",), STORMY))
    assert {each.what for each in found} == {"host", "clock", "key"}
    for each in found:
        begin(town.street, each)
    assert town.street.down == 2
    assert abs(town.street.skew_us) > 300 * SECOND_US
    for each in found:
        end(town.street, each)
    clear(town.street)
    assert (town.street.down, town.street.slow, town.street.skew_us) == (0, 0, 0)
    assert not list(spells(Random(1), ("wx",), FAIR))
