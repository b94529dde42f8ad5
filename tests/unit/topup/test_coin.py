"""Coins: nothing left over, whatever is spent, expires, is frozen, comes back or is destroyed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lingqian.kernel.clock import DAY_US
from lingqian.topup.coin import (
    ADVANCED_LOCK_US,
    PAID_ONLY_SCENES,
    Back,
    Basis,
    Part,
    Price,
    Taken,
    Use,
    back_for,
    destroy,
    expired,
    free,
    freeze,
    is_expired,
    most_fen,
    part_for,
    released_fen,
    spend,
    take,
    thaw,
    use_of,
    worth_fen,
)
from lingqian.topup.grant import grant

ANY = Use(is_paid_only=False, takes_advanced=True)
PAID = Use(is_paid_only=True, takes_advanced=True)
USER = b"u" * 16


def lot(paid, bonus=0, cash=0, at_us=1, ends_us=0):
    """Return a fresh grant."""
    return grant(USER, (paid, bonus), cash or paid, (at_us, ends_us))


def spent(coins, *grants, use=ANY, at_us=5):
    """Take coins from grants named by letters and spend them; return what was taken of each."""
    named = [(letter.encode(), each) for letter, each in zip("abcdefgh", grants, strict=False)]
    taken = take(named, coins, use, at_us)
    for each in taken:
        spend(dict(named)[each.order_id], each)
    return {each.order_id.decode(): (each.paid, each.bonus, each.released_fen) for each in taken}


def test_the_example_of_the_reference_comes_out_to_the_fen():
    """84.37 yuan for 1000 and 70 coins: after 470 of them 37.05 is earned and 47.32 goes back."""
    order = lot(1_000, 70, 8_437)
    assert spent(470, order) == {"a": (400, 70, 3_705)}
    assert worth_fen(order) == 4_732
    assert part_for(order, 4_732) == Part(600, 0)
    assert spent(600, order)["a"][2] == 4_732


def test_bonus_goes_first_by_its_end_and_paid_coins_by_age():
    """What would expire is used before what would not, and nobody's paid coins grow old."""
    old, young = lot(10, at_us=1), lot(10, 5, at_us=3)
    soon, later = lot(10, 5, at_us=4, ends_us=90), lot(10, 5, at_us=2, ends_us=99)
    grants = (old, young, soon, later)
    assert [*spent(3, *grants)] == ["c"]
    assert spent(5, *grants).keys() == {"c", "d"}
    assert spent(9, *grants).keys() == {"d", "b", "a"}
    assert (old.paid_left, young.bonus_left, soon.bonus_left, later.bonus_left) == (8, 0, 0, 0)
    assert spent(10, *grants).keys() == {"a", "d"}
    assert (old.paid_left, later.paid_left, young.paid_left) == (0, 8, 10)


def test_a_bonus_that_is_over_is_not_taken_even_before_the_sweep():
    """Refusing after expiry never waits for a job."""
    order = lot(2, 5, ends_us=10)
    assert not is_expired(order, 9)
    assert is_expired(order, 10)
    assert spent(3, order, at_us=10) == {}
    assert spent(2, order, at_us=10) == {"a": (2, 0, order.released_fen)}
    assert spent(5, order, at_us=9)["a"][:2] == (0, 5)


def test_scenes_that_move_value_between_people_take_paid_coins_alone():
    """A bonus would otherwise be a way to print money."""
    order = lot(3, 100)
    for scene in PAID_ONLY_SCENES:
        assert use_of(scene, 0).is_paid_only
    assert not use_of("live", 0).is_paid_only
    assert spent(4, order, use=PAID) == {}
    assert spent(3, order, use=PAID)["a"][:2] == (3, 0)


def test_advanced_coins_buy_only_what_is_locked_for_a_week():
    """Their money is not proven yet."""
    order = replace(lot(5), is_advance=1)
    assert not use_of("live", ADVANCED_LOCK_US - 1).takes_advanced
    assert use_of("live", 7 * DAY_US).takes_advanced
    assert spent(1, order, use=use_of("live", 0)) == {}
    assert spent(1, order, use=use_of("transfer", 7 * DAY_US)) == {}
    assert spent(1, order, use=use_of("live", 7 * DAY_US)) != {}


def test_frozen_coins_are_not_taken():
    """They may go back to where their money came from at any moment."""
    order = lot(5, 5, 100)
    freeze(order, Part(3, 5), 80)
    assert free(order) == (2, 0)
    assert spent(3, order) == {}
    assert spent(2, order) == {"a": (2, 0, 20)}


def test_too_few_coins_take_nothing():
    """A spend is whole or not at all."""
    one, two = lot(5), lot(5)
    assert spent(11, one, two) == {}
    assert (one.paid_left, two.paid_left) == (5, 5)


def test_refund_takes_unspent_bonus_first_and_never_less_than_its_worth():
    """Ten coins for a yuan: 31 fen are worth 3.1 coins, and four of them go."""
    order = lot(8, 2, 100)
    assert part_for(order, 31) == Part(2, 2)
    assert part_for(order, 1) == Part(0, 1)
    assert part_for(order, 100) == Part(8, 2)


def test_refund_of_less_than_all_never_takes_every_coin():
    """Money without coins could never be earned nor given back."""
    assert part_for(lot(1, 0, 100), 99) is None
    assert part_for(lot(10, 0, 1_000), 999) is None
    assert part_for(lot(10, 0, 1_000), 900) == Part(9, 0)


def test_refund_at_full_price_forfeits_the_bonus():
    """The reference's example: 600 of 1,000 at 10 fen are 60.00, and worth 47.32 of 84.37."""
    order = lot(1_000, 70, 8_437)
    spent(470, order)
    price = Price(10_000, 1_000)
    assert most_fen(order, price, Basis.BLENDED) == 4_732
    assert most_fen(order, price, Basis.PAID_ONLY) == 6_000
    assert back_for(order, 6_000, price, Basis.PAID_ONLY) == Back(Part(600, 0), 4_732)
    assert back_for(order, 4_732, price, Basis.BLENDED) == Back(Part(600, 0), 4_732)


def test_refund_of_a_part_at_full_price_leaves_coins_their_worth():
    """What a coin earns later does not depend on what went back before."""
    order, price = lot(80, 20, 1_000), Price(1_000, 80)
    back = back_for(order, 500, price, Basis.PAID_ONLY)
    assert back == Back(Part(40, 20), 600)
    freeze(order, *back)
    assert spent(1, order)["a"] == (1, 0, 10)
    assert back_for(order, 476, price, Basis.PAID_ONLY) is None
    assert most_fen(order, price, Basis.PAID_ONLY) == 487


def test_end_of_a_bonus_earns_its_part_and_leaves_what_is_frozen():
    """Frozen coins belong to a refund; should it fail, they are due at once."""
    order = lot(5, 5, 100, ends_us=10)
    freeze(order, Part(0, 2), 20)
    taken = expired(b"a", order)
    assert taken == Taken(b"a", 0, 3, 30)
    spend(order, taken)
    assert (order.bonus_left, order.due_at_us) == (2, 0)
    thaw(order, Part(0, 2), 20)
    assert (order.due_at_us, worth_fen(order)) == (10, 70)


sizes = st.tuples(st.integers(0, 60), st.integers(0, 60)).filter(any)


@given(sizes, st.integers(0, 10_000), st.lists(st.integers(1, 30)))
def test_any_way_of_spending_earns_exactly_the_price(size, cash, steps):
    """Σ of what is earned = the price, by floors of a running total: no step depends on others."""
    order = grant(USER, size, cash, (1, 0))
    gone = total = 0
    for step in [*steps, sum(size)]:
        some = min(step, sum(size) - gone)
        if some:
            total += spent(some, order)["a"][2]
            gone += some
            assert total == cash * gone // sum(size)
    assert (total, worth_fen(order)) == (cash, 0)


class GrantMachine(RuleBasedStateMachine):
    """One grant through any life: money is earned, on its way back, gone back or still owed."""

    @initialize(size=sizes, cash=st.integers(0, 10_000))
    def begin(self, size, cash):
        """Credit an order."""
        self.grant, self.cash = grant(USER, size, cash, (1, 0)), cash
        self.price = Price(max(cash, 1), size[0])
        self.earned = self.back = 0
        self.frozen = []

    @precondition(lambda self: any(free(self.grant)))
    @rule(share=st.integers(1, 100))
    def spend(self, share):
        """Spend some of what is free."""
        coins = max(1, sum(free(self.grant)) * share // 100)
        self.earned += spent(coins, self.grant)["a"][2]

    @precondition(lambda self: worth_fen(self.grant))
    @rule(share=st.integers(1, 100))
    def ask(self, share):
        """Ask for a part of the worth."""
        amount = max(1, worth_fen(self.grant) * share // 100)
        part = part_for(self.grant, amount)
        if part is None:
            assert amount < worth_fen(self.grant)
            return
        left = sum(free(self.grant))
        worth = worth_fen(self.grant)
        assert sum(part) * worth >= amount * left, "coins worth less than what goes back"
        freeze(self.grant, part, amount)
        self.frozen.append((part, amount))

    @precondition(lambda self: free(self.grant).paid)
    @rule(share=st.integers(1, 100))
    def ask_at_full_price(self, share):
        """Ask for a part of what the paid coins cost; their worth goes, whatever comes back."""
        most = most_fen(self.grant, self.price, Basis.PAID_ONLY)
        amount = max(1, most * share // 100)
        back = back_for(self.grant, amount, self.price, Basis.PAID_ONLY) if most else None
        if back is None:
            assert not most or amount < most
            return
        assert back.part.bonus == free(self.grant).bonus
        assert back.part.paid * self.price.amount_fen >= amount * self.price.coins
        assert 0 <= back.value_fen <= worth_fen(self.grant)
        freeze(self.grant, *back)
        self.frozen.append(back)

    @precondition(lambda self: self.frozen)
    @rule(place=st.integers(0, 9), has_arrived=st.booleans())
    def end(self, place, has_arrived):
        """End one of the refunds."""
        part, amount = self.frozen.pop(place % len(self.frozen))
        if has_arrived:
            destroy(self.grant, part)
            self.back += amount
        else:
            thaw(self.grant, part, amount)

    @rule()
    def look(self):
        """A grant of which nothing is left only rests."""

    @invariant()
    def nothing_is_lost(self):
        """Earned + on its way + gone back + owed = the price; no coins, no price."""
        on_its_way = sum(amount for _, amount in self.frozen)
        owed = worth_fen(self.grant)
        assert self.earned + on_its_way + self.back + owed == self.cash
        row = self.grant
        assert 0 <= row.paid_frozen <= row.paid_left <= row.paid_coins
        assert 0 <= row.bonus_frozen <= row.bonus_left <= row.bonus_coins
        assert 0 <= row.released_fen <= row.cash_fen
        whole = row.paid_coins + row.bonus_coins - row.paid_frozen - row.bonus_frozen
        gone = row.paid_coins + row.bonus_coins - row.paid_left - row.bonus_left
        assert row.released_fen == (row.cash_fen * gone // whole if whole else 0)
        if not any(free(row)):
            assert not owed

    def teardown(self):
        """Spend what is free: it earns all that is owed."""
        coins = sum(free(self.grant)) if hasattr(self, "grant") else 0
        if coins:
            assert released_fen(self.grant, coins) == worth_fen(self.grant)


TestGrant = GrantMachine.TestCase
