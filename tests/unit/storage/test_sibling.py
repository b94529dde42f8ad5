"""The schema of the MySQL protocol grows with the embedded one; told without any server.

Who adds a column or a table that a lane writes adds it twice. This test says what to write.
"""

import re

import apsw
import pytest

from lingqian.storage.mysql import schema
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sqlite import migrate

NAMES = ("lanes", "settings", *APPENDED, *(table.name for table in TABLES))
# Who owns a lane, and through which connection: only a server has more than one that may ask.
BESIDE = {("lanes", name) for name in ("owner", "connection", "connected_s")}
TYPES = {"INTEGER": "BIGINT", "BLOB": "VARBINARY(16)", "TEXT": "VARCHAR(255)"}
DEFAULTS = {"INTEGER": "0", "BLOB": "x''", "TEXT": "''"}
CREATED = re.compile(r'CREATE TABLE IF NOT EXISTS "?(\w+)"? \(\n(.*)\n\) ENGINE', re.DOTALL)
COLUMN = re.compile(r'^    "?(\w+)"? (?:BIGINT|VARBINARY|VARCHAR|\w*BLOB|TEXT)\b', re.MULTILINE)
ADDED = re.compile(r'ALTER TABLE "?(\w+)"? ADD COLUMN "?(\w+)"?')
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
    """Return the columns of each table that a lane writes, with their types."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    found = {
        name: [(row[1], row[2]) for row in connection.execute(f'PRAGMA table_info("{name}")')]
        for name in NAMES
    }
    connection.close()
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


def test_what_a_lane_writes_can_be_written_to_a_server():
    """A column that only the embedded engine has stops every commit on MariaDB."""
    needed = list(missing(embedded(), sibling(step.text for step in schema.steps())))
    assert needed == [], f"write into {FOLDER}/{next_number():04}_….sql: {'; '.join(needed)}"


def next_number():
    """Return the number that the next file of steps has."""
    return schema.steps()[-1].number + 1


def test_columns_stand_in_one_order_and_none_is_of_the_server_alone():
    """Rows of the tables that only grow are read as a whole, by place."""
    ours = sibling(step.text for step in schema.steps())
    assert set(ours) == set(NAMES), f"{set(ours) ^ set(NAMES)}: one schema only"
    for table, columns in embedded().items():
        here = [name for name in ours[table] if (table, name) not in BESIDE]
        assert here == [name for name, _ in columns], table


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
