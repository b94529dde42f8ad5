"""The schema of the MySQL protocol grows with the embedded one; told without any server.

Who adds a table, a column or an index adds it twice. This test says what to write.
"""

import re
from contextlib import contextmanager

import apsw
import pytest

from lingqian.storage.mysql import schema
from lingqian.storage.sqlite import migrate

# Who owns a lane, and through which connection: only a server has more than one that may ask.
BESIDE = {("lanes", name) for name in ("owner", "connection", "connected_s")}
# Who is there and does what: one process on one file has nobody to tell.
OF_MANY = {"members", "leases"}
TYPES = {"INTEGER": "BIGINT", "BLOB": "VARBINARY(16)", "TEXT": "VARCHAR(255)"}
DEFAULTS = {"INTEGER": "0", "BLOB": "x''", "TEXT": "''"}
CREATED = re.compile(r'CREATE TABLE IF NOT EXISTS "?(\w+)"? \(\n(.*)\n\) ENGINE', re.DOTALL)
COLUMN = re.compile(r'^    "?(\w+)"? (?:BIGINT|VARBINARY|VARCHAR|\w*BLOB|TEXT)\b', re.MULTILINE)
ADDED = re.compile(r'ALTER TABLE "?(\w+)"? ADD COLUMN "?(\w+)"?')
INDEXED = re.compile(r"CREATE INDEX (\w+) ON (\w+) \(([^)]*)\)|KEY (\w+) \(([^)]*)\)")
# What chooses the rows of an index there stands before its own columns here, or after them.
CHOOSING = {
    "advances_open": ["user_id", "state"],
    "advances_unasked": ["state", "asked_at_us", "created_at_us"],
    "api_keys_by_name": ["name", "revoked_at_us"],
    "cases_by_due": ["state", "due_at_us"],
    "covers_withdrawn": ["content_mac", "withdrawn_at_us"],
    "differences_by_due": ["state", "due_at_us"],
    "gifts_by_due": ["state", "settles_at_us"],
    "gifts_by_pending": ["streamer_id", "state"],
    "refunds_by_stuck": ["stage", "refund_id"],
    "transactions_by_parked": ["parked_fen", "at_us"],
}
# Why an index of the embedded engine is not needed on a server.
NEEDLESS = {"askers_by_place": "an expression; the read names every lane's key instead"}
FOLDER = "src/lingqian/storage/mysql/migration"


def sibling(texts):
    """Return the columns of each table that steps make, in their order."""
    found = {}
    for text in texts:
        if made := CREATED.search(text):
            found[made[1]] = COLUMN.findall(made[2])
        for table, column in ADDED.findall(text):
            found[table].append(column)
    return found


def embedded():
    """Return the columns of each table, with their types."""
    with newest() as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: [(row[1], row[2]) for row in connection.execute(f'PRAGMA table_info("{name}")')]
            for (name,) in tables.fetchall()
        }


@contextmanager
def newest():
    """Lend the embedded engine's newest schema, empty."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    yield connection
    connection.close()


def embedded_indexes():
    """Return the columns of each index that has a name."""
    with newest() as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        )
        return {
            name: [row[2] for row in connection.execute(f'PRAGMA index_info("{name}")')]
            for (name,) in names.fetchall()
        }


def sibling_indexes(texts):
    """Return the columns of each index that steps make, beside the primary keys."""
    found = {}
    for text in texts:
        for made in INDEXED.finditer(text):
            found[made[1] or made[4]] = (made[3] or made[5]).split(", ")
    return found


def missing(theirs, ours):
    """Return what to write for every table and column that one schema has and the other has not."""
    for table, columns in theirs.items():
        if table not in ours:
            yield f"CREATE TABLE IF NOT EXISTS {table} (…) as 0001_ledger.sql does, in a new file"
            continue
        for name, kind in columns:
            if name not in ours[table]:
                yield (
                    f"ALTER TABLE {table} ADD COLUMN {name} {TYPES[kind]} NOT NULL "
                    f"DEFAULT {DEFAULTS[kind]} (or a wider type), in a new file"
                )


def test_what_is_written_can_be_written_to_a_server():
    """A column that only the embedded engine has stops every commit on MariaDB."""
    needed = list(missing(embedded(), sibling(step.text for step in schema.steps())))
    assert needed == [], f"write into {FOLDER}/{next_number():04}_….sql: {'; '.join(needed)}"


def next_number():
    """Return the number that the next file of steps has."""
    return schema.steps()[-1].number + 1


def test_columns_stand_in_one_order_and_none_is_of_the_server_alone():
    """Rows of the tables that only grow are read as a whole, by place."""
    ours = sibling(step.text for step in schema.steps())
    theirs = embedded()
    odd = set(ours) - OF_MANY ^ set(theirs)
    assert not odd, f"{odd}: one schema only"
    for table, columns in theirs.items():
        here = [name for name in ours[table] if (table, name) not in BESIDE]
        assert here == [name for name, _ in columns], table


def test_every_index_that_a_read_has_is_there_on_a_server():
    """A read without its index is quick in every test, and slow in the third month."""
    ours = sibling_indexes(step.text for step in schema.steps())
    theirs = {name: CHOOSING.get(name, it) for name, it in embedded_indexes().items()}
    assert len(theirs) > 50, "the control: they are found"
    for name in NEEDLESS:
        assert theirs.pop(name)
    assert ours == theirs


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ({"fresh": [("a", "INTEGER")]}, "CREATE TABLE IF NOT EXISTS fresh"),
        (
            {"known": [("a", "INTEGER"), ("b", "INTEGER")]},
            "ALTER TABLE known ADD COLUMN b BIGINT NOT NULL DEFAULT 0",
        ),
        (
            {"known": [("a", "INTEGER"), ("b", "BLOB")]},
            "ALTER TABLE known ADD COLUMN b VARBINARY(16) NOT NULL DEFAULT x''",
        ),
    ],
)
def test_author_of_a_migration_is_told_what_to_write(theirs, words):
    """The control, and the words: whoever reads them has never looked into the other folder."""
    step = (
        "CREATE TABLE IF NOT EXISTS known (\n    a BIGINT NOT NULL,\n    PRIMARY KEY (a)\n) ENGINE"
    )
    (told,) = missing(theirs, sibling([step]))
    assert told.startswith(words)
    assert list(missing(theirs, sibling([step, "ALTER TABLE known ADD COLUMN b BIGINT"]))) == (
        [told] if "fresh" in theirs else []
    )
