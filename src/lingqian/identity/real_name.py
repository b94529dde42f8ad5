"""Real names: the form of an ID number, what is shown of it, and the class it leads to (实名).

Law: one identity has one account, so one set of limits. A verification never lowers a class.
Source: GB 11643-1999 (number and check digit); 公告〔2015〕43 号 11 (classes); mission R8.
"""

import re
from datetime import date
from enum import IntFlag
from typing import Final, NamedTuple

from lingqian.kernel.account_class import AccountClass

# A person who mistypes has some tries a day; who asks whether others exist has no more.
TRIES_A_DAY_MAX: Final = 5
NAME_LENGTH_MAX: Final = 32
ADULT_YEARS: Final = 18
_FORM: Final = re.compile("[1-9][0-9]{16}[0-9X]", re.ASCII)
_NAME: Final = re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf·]{2,32}|[A-Za-z][A-Za-z .'-]{1,31}")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"
_YEAR_MIN: Final = 1900


class Check(IntFlag):
    """What was verified of a person, one bit each: an external channel in the law's words."""

    NUMBER = 1
    FACE = 2


class ClassRow(NamedTuple):
    """In these profiles, so many verified channels make this class."""

    profiles: tuple[str, ...]
    channels_min: int
    account_class: AccountClass
    source: str


_TEXTS: Final = "mission R8: unverified 1,000 a day, verified 200,000 a year"
_LAW: Final = "公告〔2015〕43 号 11"
CLASSES: Final[tuple[ClassRow, ...]] = (
    ClassRow(("sandbox", "closed_loop"), 1, AccountClass.CLASS_II, _TEXTS),
    ClassRow(("sandbox", "closed_loop"), 2, AccountClass.CLASS_III, _TEXTS),
    ClassRow(("licensed",), 1, AccountClass.CLASS_I, f"{_LAW}: one channel, from afar"),
    ClassRow(("licensed",), 3, AccountClass.CLASS_II, f"{_LAW}: three channels, from afar"),
    ClassRow(("licensed",), 5, AccountClass.CLASS_III, f"{_LAW}: five channels, from afar"),
)


class RealName(NamedTuple):
    """What is kept of a person's verification; names and numbers only sealed and as digests.

    Units: µs; `day` is a Shanghai day. `verified_at_us` is 0 while nothing was verified.
    """

    name_sealed: bytes
    number_sealed: bytes
    name_mac: bytes
    number_mac: bytes
    checks: int
    verified_at_us: int
    day: int
    tries: int


def class_of(profile: str, checks: int, known: int) -> int:
    """Return the class that verified channels make, never lower than the one known."""
    channels = sum(1 for check in Check if checks & check)
    found = [
        row.account_class
        for row in CLASSES
        if profile in row.profiles and channels >= row.channels_min
    ]
    return max([known, *found])


def normal_number(text: str) -> str:
    """Return an ID number as it is written on the card: no spaces, a capital X."""
    return text.replace(" ", "").upper()


def is_number(text: str, today: date) -> bool:
    """Say whether a text can be an ID number: form, a birthday there was, the check digit."""
    if _FORM.fullmatch(text) is None:
        return False
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    if born.year < _YEAR_MIN or born > today:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return _CHECKS[total % 11] == text[17]


def is_minor(number: str, today: date) -> bool:
    """Say whether the person of an ID number is younger than eighteen years (未成年人).

    Source: 民法典 17: whoever has not reached eighteen; by the day, born on a leap day by 1 March.
    """
    born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not had_birthday) < ADULT_YEARS


def is_name(text: str) -> bool:
    """Say whether a text can be the name on a document."""
    return _NAME.fullmatch(text) is not None


def mask_name(name: str) -> str:
    """Return a name of which only the last letter can be read."""
    return "*" * (len(name) - 1) + name[-1:]


def mask_number(number: str) -> str:
    """Return a number of which only the first and the last digit can be read."""
    return number[:1] + "*" * (len(number) - 2) + number[-1:]
