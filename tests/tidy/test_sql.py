"""What a lane says to a database is said on every engine; what only one keeps is not said at all.

A word that an engine takes and does not keep is worse than one that it refuses: TiDB reads
`SKIP LOCKED` and then locks nothing.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tidy.text import ROOT, files, name_of

STORAGE = ROOT / "src" / "lingqian" / "storage"
# Said on every engine, or on all that speak the MySQL protocol.
SHARED = tuple(STORAGE / name for name in ("sql.py", "loader.py", "relay.py"))
REGISTER = STORAGE.with_name("cluster") / "register.py"
PROTOCOL = (
    *[path for path in files(".py", ".sql") if STORAGE / "mysql" in path.parents],
    REGISTER,
)
STEPS = tuple(path for path in PROTOCOL if path.suffix == ".sql")
# What is banned, and why. Words of SQL are capitals in our texts; prose is not.
ONE_ENGINE = (
    (r"\bRETURNING\b", "only some engines give back what they wrote"),
    (r"\bSKIP LOCKED\b", "taken, and then nothing is locked"),
    (r"\bNOWAIT\b", "another error on each engine"),
    (r"\bLOCK IN SHARE MODE\b|\bFOR SHARE\b", "nothing, an error, or more than was asked"),
    (r"\bFOR UPDATE\b", "a lock can be lost; the epoch cannot"),
    (r"\bGET_LOCK\b|\bLOCK TABLES\b", "a lock of one server, not of a cluster"),
    (r"\bFOREIGN KEY\b|\bREFERENCES\b", "the check locks the parent's row"),
    (r"\bCREATE TRIGGER\b|\bCREATE SEQUENCE\b|\bCREATE PROCEDURE\b", "not on every engine"),
    (r"\bAUTO_INCREMENT\b|\bAUTO_RANDOM\b", "numbers taken at insert are no order of commits"),
    (r"\bGENERATED ALWAYS\b|\bVIRTUAL\b", "indexed differently everywhere"),
    (r"\bREPLACE INTO\b|\bINSERT IGNORE\b", "deletes or swallows in silence"),
    (r"\bAS OF TIMESTAMP\b", "old truth"),
    (r"tidb_dml_type\s*=\s*'bulk'", "may call a commit failed that succeeded"),
    (r"\bSTART TRANSACTION READ ONLY\b", "taken, and then not kept"),
)
ONE_SQLITE = (
    (r"\bPRAGMA\b|\bROWID\b", "only the embedded engine knows it"),
    (r"\bjson_each\b|\btypeof\(", "only the embedded engine reads it so"),
    (r"\bINSERT OR\b", "only the embedded engine knows it"),
    (r"\bCHECK\b", "a law of the code; a check of the schema is a second look"),
)
COLUMN_TYPES = re.compile(
    r"^    \S+ (BIGINT|VARBINARY\(\d+\)|VARCHAR\(255\)|\w*BLOB|TEXT) NOT NULL"
)
INDEX = re.compile(r"^    (PRIMARY KEY|UNIQUE KEY|KEY|CHECK|\s*OR) ?")
TABLE_END = ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;"


def found(paths: tuple[Path, ...], banned: tuple[tuple[str, str], ...]) -> list[str]:
    """Return every place that says what is banned, with the reason."""
    return [
        f"{name_of(path)}:{number}: {line.strip()} ({why})"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for pattern, why in banned
        if re.search(pattern, line)
    ]


def test_there_is_something_to_look_at():
    """The control: a folder that moved would leave the tests below green for ever."""
    assert all(path.exists() for path in SHARED)
    assert len(PROTOCOL) > 5
    assert STEPS


def test_no_lane_says_what_only_one_engine_keeps():
    """One lane code on all engines is only true as long as each does what it is told."""
    assert found((*SHARED, *PROTOCOL), ONE_ENGINE) == []


def test_what_is_shared_is_not_of_the_embedded_engine():
    """What the dialect says in other words may stand there; what it has no words for may not."""
    assert found(SHARED, ONE_SQLITE) == []


def test_steps_of_the_schema_may_run_twice_and_name_what_they_rest_on():
    """A change of a table cannot be taken back; text and its order are never left to a default."""
    for path in STEPS:
        lines = path.read_text("utf-8").splitlines()
        begun = [line for line in lines if line.startswith("CREATE TABLE")]
        assert all(line.startswith("CREATE TABLE IF NOT EXISTS ") for line in begun), path
        assert len(begun) == sum(line == TABLE_END for line in lines), path


def test_columns_have_types_that_are_the_same_everywhere():
    """No decimals, no floats, no JSON, no times with zones; and nothing is ever absent."""
    odd = [
        f"{name_of(path)}:{number}: {line}"
        for path in STEPS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if line.startswith("    ") and not (COLUMN_TYPES.match(line) or INDEX.match(line))
    ]
    assert odd == []


@pytest.mark.parametrize(
    ("banned", "bad", "good"),
    [
        (ONE_ENGINE, "SELECT 1 FROM t FOR UPDATE SKIP LOCKED", "# it skips what is locked"),
        (ONE_ENGINE, "INSERT INTO t VALUES (1) RETURNING id", "Returning an id is a habit."),
        (ONE_ENGINE, "SET SESSION tidb_dml_type = 'bulk'", "SET tidb_dml_type = 'standard'"),
        (ONE_ENGINE, "id BIGINT AUTO_INCREMENT PRIMARY KEY", "id BIGINT PRIMARY KEY"),
        (ONE_SQLITE, "INSERT OR IGNORE INTO t", "INSERT INTO t (a) VALUES (?) ON CONFLICT"),
        (ONE_SQLITE, "SELECT value FROM json_each(?)", "SELECT a || b"),
    ],
)
def test_the_patterns_above_find_what_they_are_for(banned, bad, good):
    """A pattern that finds nothing would keep the tests above green for ever."""
    assert any(re.search(pattern, bad) for pattern, _ in banned)
    assert not any(re.search(pattern, good) for pattern, _ in banned)


@pytest.mark.parametrize(
    "line", ["    amount DECIMAL(20, 2) NOT NULL", "    note TEXT", "    at TIMESTAMP NOT NULL"]
)
def test_odd_column_is_found(line):
    """The control for the types."""
    assert not COLUMN_TYPES.match(line)


def test_ordinary_installation_does_without_the_driver():
    """It is an extra: who has one file and one process never loads it."""
    look = "import sys, lingqian.cli.main, lingqian.compose; print('pymysql' in sys.modules)"
    line = [sys.executable, "-c", look]
    assert subprocess.run(line, capture_output=True, check=True, text=True).stdout == "False\n"
