"""The payment password: six digits, five tries, then a lock that grows (支付密码).

Law: a try is counted before it is looked at, so that neither a crash nor a second request gives one
more. Six digits are few: they are worth nothing without the pepper, which is not in the database.
Units: µs of the business clock.   Source: risk-compliance reference 8; the waits are house rules.
"""

import re
from typing import Final, NamedTuple

from lingqian.kernel.clock import SECOND_US

TRIES_MAX: Final = 5
# How long the first, the second … lock lasts; the last one for every later lock.
LOCKS_S: Final = (600, 3_600, 6 * 3_600, 24 * 3_600)
# A reset takes effect after this: whoever has lost nothing sees it coming and can call it off.
RESET_WAIT_S: Final = 24 * 3_600
_FORM: Final = re.compile("[0-9]{6}", re.ASCII)
_UP: Final = "0123456789" * 2
_DOWN: Final = _UP[::-1]
# Alternating and paired digits are what is tried first after runs and repeats.
_PATTERN: Final = re.compile(r"(.)\1\1(.)\2\2|(..)\3\3|(...)\4", re.ASCII)


class Password(NamedTuple):
    """A person's payment password as it is kept; `reset_at_us` is when it ends, or 0."""

    hashed: bytes
    set_at_us: int
    tries: int
    locks: int
    locked_until_us: int
    reset_at_us: int


def is_weak(text: str) -> bool:
    """Say whether digits are among the first that anybody would try."""
    return text in _UP or text in _DOWN or _PATTERN.fullmatch(text) is not None


def is_form(text: str) -> bool:
    """Say whether a text is six digits."""
    return _FORM.fullmatch(text) is not None


def is_over(password: Password, at_us: int) -> bool:
    """Say whether a password has been reset and the wait is over: it is as if there were none."""
    return 0 < password.reset_at_us <= at_us


def is_locked(password: Password, at_us: int) -> bool:
    """Say whether no try is taken now."""
    return at_us < password.locked_until_us


def tried(password: Password, at_us: int) -> Password:
    """Return a password with one more try counted; the fifth locks it at once."""
    assert not is_locked(password, at_us), "no try is taken while it is locked"
    if password.tries + 1 < TRIES_MAX:
        return password._replace(tries=password.tries + 1)
    seconds = LOCKS_S[min(password.locks, len(LOCKS_S) - 1)]
    until_us = at_us + seconds * SECOND_US
    return password._replace(tries=0, locks=password.locks + 1, locked_until_us=until_us)


def passed(password: Password) -> Password:
    """Return a password that was told right: its tries and locks are forgotten."""
    return password._replace(tries=0, locks=0, locked_until_us=0)


def tries_left(password: Password, at_us: int) -> int:
    """Return how many wrong tries are left before a lock."""
    return 0 if is_locked(password, at_us) else TRIES_MAX - password.tries
