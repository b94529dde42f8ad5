"""The typed tables: what the code says of a table is what the database has."""

import dataclasses

import apsw
import pytest

from lingqian.flows.view import View, Wanted
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sqlite import migrate


@pytest.fixture(scope="module")
def database():
    """An empty database of the newest schema."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    yield connection
    connection.close()


def columns(database, name):
    """Return a table's columns and its key, as the database has them."""
    info = database.execute(f"PRAGMA table_info({name})").fetchall()
    key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
    return [row[1] for row in info], key


def fields(make):
    """Return the fields of a row's class in the order in which it takes them."""
    if dataclasses.is_dataclass(make):
        return tuple(field.name for field in dataclasses.fields(make))
    return make._fields


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_has_the_columns_of_its_row_in_their_order(database, table):
    """Rows are read by place: two columns of one type that changed places would go unseen."""
    names, key = columns(database, table.name)
    assert names == [*table.key, *table.columns]
    assert key == list(table.key)
    assert fields(table.make) == table.columns


@pytest.mark.parametrize("name", APPENDED)
def test_appended_table_has_its_columns_in_their_order(database, name):
    """The same for what only grows."""
    assert columns(database, name)[0] == list(APPENDED[name])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_key_of_two_columns_is_cut_in_memory(table):
    """One byte string in memory, two columns on disk, and nothing in between."""
    assert bool(table.cut) == (len(table.key) == 2)


def test_every_typed_table_has_its_place_in_the_view_and_in_what_is_wanted():
    """A table that cannot be named cannot be loaded."""
    assert {table.attribute for table in TABLES} < set(Wanted.__slots__)
    view = View(0, None, None)
    assert all(hasattr(view, table.attribute) for table in TABLES)
    rest = set(Wanted.__slots__) - {table.attribute for table in TABLES}
    assert rest == {"is_gated", "keys", "purses", "tickets"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_row_object_is_slotted(table):
    """The lane keeps hundreds of thousands of them."""
    assert hasattr(table.make, "__slots__")


def test_money_columns_are_checked_by_the_database(database):
    """A counter below zero is refused even by a program that has gone mad."""
    for name in ("debits_posted", "credits_posted", "debits_pending", "credits_pending"):
        values = dict.fromkeys(("debits_posted", "credits_posted", "debits_pending",
                                "credits_pending", "seq"), 0)  # fmt: skip
        values[name] = -1
        with pytest.raises(apsw.ConstraintError):
            database.execute(
                f"INSERT INTO accounts VALUES (?, {', '.join('?' * 5)})", (b"a", *values.values())
            )
