"""Factors: by which kinds of proof a person paid, when they are asked for, their caps (支付要素).

Law: what a person has paid in a day, this payment included, is at most the cap of its factors,
whichever were used before: who has paid much with two kinds pays nothing more with one. A gift
counts what its coins had cost, also where they were bought from the balance the same day.
Units: fen; Shanghai days.   Source: 公告〔2015〕43 号 23, 24; risk-compliance reference 2.2, 3.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

# One bit for each kind of proof. Nothing: an app's server answers for the person.
KNOWS: Final = 1
HAS: Final = 2
IS: Final = 4
# Signed with a certificate that the law takes for a signature; nothing gives this bit by itself.
SIGNED: Final = 8
_KINDS: Final = (KNOWS, HAS, IS)


class Strength(IntEnum):
    """How strong the factors of a payment are, as the law counts them."""

    VOUCHED = 0
    WEAK = 1
    STRONG = 2
    SIGNED = 3


def strength(factors: int) -> Strength:
    """Return how strong factors are: how many kinds, and whether they sign."""
    if not factors:
        return Strength.VOUCHED
    if sum(1 for kind in _KINDS if factors & kind) < 2:
        return Strength.WEAK
    return Strength.SIGNED if factors & SIGNED else Strength.STRONG


class FactorCap(NamedTuple):
    """One row: what a person may pay a day by factors of a strength, in these profiles."""

    id: str
    profiles: tuple[str, ...]
    strength: Strength
    cap_fen: int
    source: str


_EVERYWHERE: Final = ("sandbox", "closed_loop", "licensed")
_LAW: Final = "公告〔2015〕43 号 24"

CAPS: Final[tuple[FactorCap, ...]] = (
    FactorCap("L4", _EVERYWHERE, Strength.WEAK, 100_000, f"{_LAW}: fewer than two kinds"),
    FactorCap("L4", ("licensed",), Strength.VOUCHED, 100_000, f"{_LAW}: no kind of ours"),
    FactorCap("L5", _EVERYWHERE, Strength.STRONG, 500_000, f"{_LAW}: two kinds, no signature"),
)
# By strength; None where no row binds.
FactorCaps = tuple[int | None, int | None, int | None, int | None]
NO_CAPS: Final[FactorCaps] = (None, None, None, None)


def agreed(cap_fen: int, source: str) -> FactorCap:
    """Return the row for payments that are signed (L6): as the house has agreed with its people.

    The law names no sum. Without an agreement no row binds, and nothing signs.
    """
    return FactorCap("L6", _EVERYWHERE, Strength.SIGNED, cap_fen, f"{_LAW}: as agreed; {source}")


def factor_caps(profile: str, rows: Iterable[FactorCap] = CAPS) -> FactorCaps:
    """Return the cap of each strength in an operating profile, the stricter row binding."""
    found: list[int | None] = [None] * len(Strength)
    for row in rows:
        if profile in row.profiles:
            known = found[row.strength]
            found[row.strength] = row.cap_fen if known is None else min(known, row.cap_fen)
    return (found[0], found[1], found[2], found[3])


class Act(IntEnum):
    """What a person does with money: pays out of what is there, takes it home, or owes it."""

    PAY = 1
    PAYOUT = 2
    ADVANCE = 3


class Occasion(IntEnum):
    """What a rule asks a factor for."""

    AMOUNT = 1
    NEW_DEVICE = 2
    FIRST_PAYEE = 3
    PAYOUT = 4
    DAY = 5
    ADVANCE = 6


class FactorRule(NamedTuple):
    """One row: on this occasion, from this amount on, a person proves more than the device."""

    occasion: Occasion
    amount_fen_min: int
    zh: str
    en: str
    source: str


_HOUSE: Final = "house rule"

RULES: Final[tuple[FactorRule, ...]] = (
    FactorRule(Occasion.PAYOUT, 1, "提现需要验证", "a payout asks for it", _HOUSE),
    # Who has signed in here since yesterday may owe by the device alone: at most fifty yuan.
    FactorRule(
        Occasion.ADVANCE, 1, "新设备上先用后付", "an advance on a new device asks for it", _HOUSE,
    ),
    FactorRule(
        Occasion.AMOUNT, 20_000, "金额较大", "the amount asks for it",
        f"{_LAW} and 23: up to 200 yuan may be paid without",
    ),
    FactorRule(
        Occasion.NEW_DEVICE, 5_000, "新设备", "this device is new here",
        "house rule; risk-compliance reference 7",
    ),
    FactorRule(
        Occasion.FIRST_PAYEE, 10_000, "首次向此人付款", "it is the first payment to this person",
        _HOUSE,
    ),
    FactorRule(
        Occasion.DAY, 1, "今日累计较大", "what was paid today asks for it", f"{_LAW}: L4",
    ),
)  # fmt: skip
NEW_DEVICE_S: Final = 24 * 3_600


class Facts(NamedTuple):
    """What the rules look at.   Units: fen; `device_age_s` real seconds."""

    amount_fen: int
    act: Act
    device_age_s: int
    is_first_payee: bool
    day_fen: int


def fits(facts: Facts, factors: int, caps: FactorCaps) -> bool:
    """Say whether a day may still hold a payment by these factors.

    Neither a payout to one's own account nor an advance, which pays nobody, is counted.
    """
    cap_fen = caps[strength(factors)]
    return facts.act != Act.PAY or cap_fen is None or facts.day_fen + facts.amount_fen <= cap_fen


def asks(facts: Facts, caps: FactorCaps, rules: Iterable[FactorRule] = RULES) -> FactorRule | None:
    """Return the first rule that asks for a factor; None when the device is enough."""
    is_new = facts.device_age_s < NEW_DEVICE_S
    applies = {
        Occasion.PAYOUT: facts.act == Act.PAYOUT,
        Occasion.ADVANCE: facts.act == Act.ADVANCE and is_new,
        Occasion.AMOUNT: True,
        Occasion.NEW_DEVICE: is_new,
        Occasion.FIRST_PAYEE: facts.is_first_payee,
        Occasion.DAY: not fits(facts, HAS, caps),
    }
    return next(
        (row for row in rules if applies[row.occasion] and facts.amount_fen >= row.amount_fen_min),
        None,
    )
