"""Authenticators: the one-time codes that an operator's acts ask for beside the key (动态口令).

Law: a code is taken once, and none older than the last one taken; five wrong ones lock for ten
minutes. Looked at and counted in one transaction. Times are real.
Source: RFC 6238 (SHA-1, six digits, thirty seconds, as every authenticator app knows it).
"""

import base64
import hmac
import secrets
from enum import IntEnum
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from lingqian.kernel.clock import SECOND_US
from lingqian.storage.port import Connection
from lingqian.storage.vault import Vault

STEP_S: Final = 30
DIGITS: Final = 6
TRIES_MAX: Final = 5
LOCK_S: Final = 600
_SECRET_BYTES: Final = 20
# A phone's clock may be half a minute off, either way.
_DRIFT_STEPS: Final = (-1, 0, 1)
SELECT_AUTHENTICATOR: Final = (
    "SELECT secret_sealed, last_step, tries, locked_until_us FROM authenticators WHERE key_id = ?"
)
PUT_AUTHENTICATOR: Final = (
    "INSERT INTO authenticators (key_id, secret_sealed, last_step, tries, locked_until_us, "
    "created_at_us) VALUES (?, ?, 0, 0, 0, ?) ON CONFLICT (key_id) DO UPDATE SET "
    "secret_sealed = excluded.secret_sealed, last_step = 0, tries = 0, locked_until_us = 0, "
    "created_at_us = excluded.created_at_us"
)
TAKE_CODE: Final = "UPDATE authenticators SET last_step = ?, tries = 0 WHERE key_id = ?"
COUNT_WRONG: Final = "UPDATE authenticators SET tries = ?, locked_until_us = ? WHERE key_id = ?"


class Taken(IntEnum):
    """What became of a code."""

    GOOD = 1
    WRONG = 2
    LOCKED = 3


class Known(NamedTuple):
    """An authenticator as it is kept.   Units: µs."""

    secret_sealed: bytes
    last_step: int
    tries: int
    locked_until_us: int


def enrol(connection: Connection, vault: Vault, key_id: str, at_us: int) -> str:
    """Give a key an authenticator, in the place of one it had; return its secret, this once."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    sealed = vault.seal("identity", key_id.encode(), secret)
    connection.execute(PUT_AUTHENTICATOR, (key_id, sealed, at_us))
    return base64.b32encode(secret).decode()


def address(name: str, secret: str) -> str:
    """Return what an authenticator app reads from a picture."""
    return f"otpauth://totp/Lingqian:{quote(name)}?secret={secret}&issuer=Lingqian"


def has_authenticator(connection: Connection, key_id: str) -> bool:
    """Say whether a key has an authenticator."""
    return connection.execute(SELECT_AUTHENTICATOR, (key_id,)).fetchone() is not None


def take_code(connection: Connection, vault: Vault, key_id: str, code: str, at_us: int) -> Taken:
    """Take a code of a key that has an authenticator.

    Raises: Damaged when its secret cannot be opened.
    """
    row: Any = connection.execute(SELECT_AUTHENTICATOR, (key_id,)).fetchone()
    known = Known(*row)
    if at_us < known.locked_until_us:
        return Taken.LOCKED
    secret = vault.open("identity", key_id.encode(), known.secret_sealed)
    step = _step_of(secret, code, at_us // SECOND_US // STEP_S)
    if step > known.last_step:
        connection.execute(TAKE_CODE, (step, key_id))
        return Taken.GOOD
    tries = known.tries + 1
    is_full = tries >= TRIES_MAX
    until_us = at_us + LOCK_S * SECOND_US if is_full else known.locked_until_us
    connection.execute(COUNT_WRONG, (0 if is_full else tries, until_us, key_id))
    return Taken.WRONG


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step."""
    # SHA-1 is what every authenticator app knows; here it stands under HMAC.
    made = TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 - RFC 6238
    return made.generate(step * STEP_S).decode()


def _step_of(secret: bytes, code: str, now: int) -> int:
    """Return the step whose code this is, near now; 0 for none."""
    steps = [now + drift for drift in _DRIFT_STEPS]
    told = code.encode()
    good = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), told)]
    return max(good, default=0)
