"""Named reads of closed and open days, and of the differences their bills have shown (对账查询)."""

from typing import Final

from lingqian.clearing.day import Day
from lingqian.clearing.difference import Difference, day_id
from lingqian.kernel.clock import business_day
from lingqian.storage.port import Connection
from lingqian.storage.schema import TABLES

_COLUMNS: Final = {table.name: ", ".join((*table.key, *table.columns)) for table in TABLES}
SELECT_DAY: Final = f"SELECT {_COLUMNS['days']} FROM days WHERE day_id = ?"  # noqa: S608 - names from the schema
SELECT_DAYS: Final = f"SELECT {_COLUMNS['days']} FROM days WHERE account = ? ORDER BY day"  # noqa: S608 - as above
SELECT_NEWEST_DAYS: Final = (
    f"SELECT {_COLUMNS['days']} FROM days "  # noqa: S608 - as above
    "WHERE day < ?1 OR (day = ?1 AND account > ?2) ORDER BY day DESC, account LIMIT ?3"
)
# A day's own, and of the days before it what still waits: of years of ended ones none is read.
SELECT_DIFFERENCES: Final = (
    f"SELECT {_COLUMNS['differences']} FROM differences "  # noqa: S608 - as above
    "WHERE account = ?1 AND day = ?2 UNION ALL "
    f"SELECT {_COLUMNS['differences']} FROM differences INDEXED BY differences_by_due "
    "WHERE state IN (1, 2) AND account = ?1 AND day < ?2 ORDER BY difference_id"
)
SELECT_DIFFERENCE: Final = (
    f"SELECT {_COLUMNS['differences']} FROM differences WHERE difference_id = ?"  # noqa: S608 - as above
)
# Later than any day there is.
_NO_DAY: Final = 1 << 62
SELECT_FIRST: Final = "SELECT min(created_at_us) FROM attempts WHERE account = ?"


def day_row(connection: Connection, account: str, day: int) -> Day | None:
    """Return a day as it is stored."""
    return day_of_id(connection, day_id(account, day))


def day_of_id(connection: Connection, identity: bytes) -> Day | None:
    """Return the day of an id."""
    row = connection.execute(SELECT_DAY, (identity,)).fetchone()
    return None if row is None else Day(*row[1:])


def days(connection: Connection, account: str) -> list[Day]:
    """Return an account's days, the oldest first."""
    return [Day(*row[1:]) for row in connection.execute(SELECT_DAYS, (account,))]


def newest_days(connection: Connection, rows_max: int, after: Day | None = None) -> list[Day]:
    """Return the newest days of all accounts; a page goes on after the last of the one before."""
    place = (_NO_DAY, "") if after is None else (after.day, after.account)
    rows = connection.execute(SELECT_NEWEST_DAYS, (*place, rows_max))
    return [Day(*row[1:]) for row in rows]


def differences(connection: Connection, account: str, day: int) -> list[tuple[bytes, Difference]]:
    """Return an account's differences of a day, and those that earlier days have left open."""
    rows = connection.execute(SELECT_DIFFERENCES, (account, day))
    return [(row[0], Difference(*row[1:])) for row in rows]


def difference(connection: Connection, identity: bytes) -> Difference | None:
    """Return one difference."""
    row = connection.execute(SELECT_DIFFERENCE, (identity,)).fetchone()
    return None if row is None else Difference(*row[1:])


def told(connection: Connection, day: Day) -> list[tuple[bytes, Difference]]:
    """Return what a report of a day shows: its own differences, and what it was carried."""
    return differences(connection, day.account, day.day)


def first_day(connection: Connection, account: str) -> int | None:
    """Return the day of an account's first attempt; None before there is one."""
    row = connection.execute(SELECT_FIRST, (account,)).fetchone()
    return business_day(row[0]) if row and isinstance(row[0], int) else None
