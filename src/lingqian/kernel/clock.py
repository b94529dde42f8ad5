"""Time as integers: microseconds since 1970 UTC, and business dates in Shanghai (营业日).

Law: the core never asks what time it is; it is told.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, Protocol

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
# China has kept one zone without daylight saving since 1991; a fixed offset needs no tables.
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_SHANGHAI_US: Final = 8 * 3_600 * SECOND_US
_EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).date().toordinal()


class Clock(Protocol):
    """Tells the business time and sleeps no one."""

    def now_us(self) -> int:
        """Return microseconds since 1970 UTC."""
        ...


def business_day(at_us: int) -> int:
    """Return the Shanghai calendar day as days since 1970-01-01."""
    return (at_us + _SHANGHAI_US) // DAY_US


def day_start_us(day: int) -> int:
    """Return the first instant of a business day. Units: µs."""
    return day * DAY_US - _SHANGHAI_US


def business_date(day: int) -> date:
    """Return the calendar date of a business day."""
    return date.fromordinal(_EPOCH_DAY + day)


def business_year(day: int) -> int:
    """Return the calendar year of a business day."""
    return datetime.fromordinal(_EPOCH_DAY + day).year


def rfc3339(at_us: int) -> str:
    """Write an instant in UTC with milliseconds, as every answer of the API does."""
    moment = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_us % SECOND_US // 1000:03d}Z"


def from_rfc3339(text: str) -> int | None:
    """Read an instant with its offset; None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
