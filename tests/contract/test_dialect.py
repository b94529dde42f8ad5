"""Every statement of the package is understood by a MariaDB, and the rules mean the same on both.

The statements are collected from the modules, so that a new one is asked about without a word here.
"""

import importlib
import pkgutil
import re
from functools import cache

import apsw
import pytest

import lingqian
import mariadb
from lingqian.storage.mysql.dialect import RULES, said
from lingqian.storage.mysql.store import MysqlStore

pytestmark = pytest.mark.needs("mariadb")
BEGINS = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|PRAGMA)\b")
# Rooms that have a database of their own, or say what is each engine's.
APART = (
    "lingqian.bench.",
    "lingqian.simulation.",
    "lingqian.storage.migration.",
    "lingqian.storage.mysql",
    "lingqian.storage.sqlite",
)
# What only the embedded engine is told, and why.
EMBEDDED = {
    "lingqian.storage.ground:SELECT_TABLES": "the schema as that engine keeps it",
    "lingqian.storage.ground:TABLE_INFO": "the schema as that engine keeps it",
}
# The first words of statements that others end.
BEGINNINGS = {
    "lingqian.storage.behaviour:_ORDER",
    "lingqian.storage.our_side:_PAID",
    "lingqian.storage.our_side:_REFUNDED",
    "lingqian.storage.session:_SESSION",
}


def texts_in(name, value, depth=0):
    """Yield every statement in a value, with where it is."""
    if isinstance(value, str) and BEGINS.match(value):
        yield name, value
    elif depth < 4 and isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(f"{name}[{key!r}]", each, depth + 1)
    elif depth < 4 and isinstance(value, tuple | list):
        for place, each in enumerate(value):
            yield from texts_in(f"{name}[{place}]", each, depth + 1)


@cache
def statements():
    """Return every statement of the package, by where it stands first."""
    found = {}
    for module in pkgutil.walk_packages(lingqian.__path__, "lingqian."):
        if module.name.startswith(APART) or module.name.endswith("__main__"):
            continue
        for name, value in list(vars(importlib.import_module(module.name)).items()):
            if not name.startswith("__"):
                for where, text in texts_in(f"{module.name}:{name}", value):
                    found.setdefault(text, where)
    return {where: text for text, where in found.items()}


def told(text):
    """Return a statement as a server is asked about it, without doing it; each value is a 1."""
    return f"EXPLAIN {'1'.join(said(text).parts)}"


@pytest.fixture(scope="module")
def link():
    """A connection to a database with the newest schema."""
    with mariadb.database() as place:
        store = MysqlStore(place)
        yield store.connection
        store.close()


def test_there_are_statements_to_ask_about():
    """The control: a walk that finds nothing would keep the test below green for ever."""
    found = statements()
    assert len(found) > 300
    assert set(EMBEDDED) | BEGINNINGS <= set(found)
    words = " ".join(found.values())
    rules = [rule for rule in RULES if not re.search(r"\\x0", rule.ours)]
    assert [rule.ours for rule in rules if not re.search(rule.ours, words)] == []


def test_every_statement_is_understood_by_a_server(link):
    """A read that only the embedded engine takes would be found by a customer on the first day."""
    for where, text in statements().items():
        if where not in EMBEDDED and where not in BEGINNINGS:
            try:
                link.execute(told(text)).fetchall()
            except Exception as error:
                raise AssertionError(f"{where}: {error}") from error


@pytest.mark.parametrize(
    "text", ["SELECT json_group_array(lane) FROM lanes", "SELECT 1 FROM lanes INDEXED BY nothing"]
)
def test_statement_that_a_server_does_not_know_is_found(link, text):
    """The control for the test above."""
    with pytest.raises(Exception, match=r"json_group_array|nothing"):
        link.execute(told(text)).fetchall()


ROWS = [(1, 1, b"ab"), (1, 2, b"a"), (2, 1, b"")]
SAME = [
    ("SELECT a, b FROM t WHERE (a, b) < (?, ?) ORDER BY a, b", (1, 2)),
    ("SELECT a, b FROM t WHERE (a, b) > (:a, :b) ORDER BY a, b", {"a": 1, "b": 1}),
    ("SELECT max(a, b), iif(a > b, 'more', 'less') FROM t ORDER BY a, b", ()),
    ("SELECT sum(a), COALESCE(sum(iif(a = 1, b, 0)), 0), count(*) FROM t", ()),
    ("SELECT CAST(c || ? AS BLOB), hex(c), length(c) FROM t ORDER BY a, b", (b"\x00z",)),
    ("SELECT 'row ' || a || ' of ' || (a + b) FROM t WHERE c <> x'' ORDER BY b", ()),
    ("SELECT instr(c, ?), substr(c, 2, 1) FROM t WHERE c <> x'' ORDER BY b", (b"b",)),
    ("SELECT a FROM t WHERE instr(?, ' ' || a || ' ') = 0", (" 1 ",)),
    ("SELECT ?2, ?1, ?2", (7, "七'\\")),
    ("SELECT a FROM t WHERE b = 1 ORDER BY a = 2 DESC, a", ()),
    ("SELECT COALESCE(sum(b = 1), 0), max(b) > 1 FROM t", ()),
    ("SELECT CAST(char(a) AS BLOB) FROM t ORDER BY a, b", ()),
]


@pytest.fixture(scope="module")
def both(link):
    """Both engines with the same rows."""
    embedded = apsw.Connection(":memory:")
    embedded.execute("CREATE TABLE t (a INTEGER, b INTEGER, c BLOB, PRIMARY KEY (a, b))")
    link.execute("CREATE TEMPORARY TABLE t (a BIGINT, b BIGINT, c VARBINARY(9), KEY (a, b))")
    for connection in (embedded, link):
        connection.executemany("INSERT INTO t (a, b, c) VALUES (?, ?, ?)", ROWS)
    yield embedded, link
    embedded.close()
    link.execute("DROP TEMPORARY TABLE t")


@pytest.mark.parametrize(("text", "values"), SAME)
def test_both_engines_answer_the_same(both, text, values):
    """Another word must not be another thing; and a sum is a whole number on both."""
    ours, theirs = [connection.execute(text, values).fetchall() for connection in both]
    assert ours
    assert theirs == ours
    kinds = [[type(value) for value in row] for row in ours]
    assert [[type(value) for value in row] for row in theirs] == kinds


def test_what_a_chore_is_told_of_its_rows_is_the_same(both):
    """An update that finds a row has found it, changed or not."""
    for connection in both:
        connection.execute("UPDATE t SET b = b WHERE a = ?", (1,))
        assert connection.changes() == 2
        connection.execute("DELETE FROM t WHERE a = ?", (9,))
        assert connection.changes() == 0


def test_row_that_is_there_is_left_or_changed_as_it_is_said(link):
    """Of a row that is known already, only what is said is written; what is broken is refused."""
    keep = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
    put = (
        "INSERT INTO settings (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    for text, value in ((keep, "a"), (keep, "b"), (put, "c")):
        link.execute(text, ("name", value))
        (found,) = link.execute("SELECT value FROM settings WHERE name = ?", ("name",)).fetchone()
        assert found == {"a": "a", "b": "a", "c": "c"}[value]
    with pytest.raises(Exception, match="cannot be null"):
        link.execute(keep, ("other", None))


def test_sum_that_is_no_whole_number_does_not_pass():
    """Money has no fractions; and what is left of that answer is nobody's."""
    with mariadb.database() as place:
        store = MysqlStore(place)
        with pytest.raises(ValueError, match="invalid literal"):
            store.connection.execute("SELECT sum(a / 2) FROM (SELECT 1 AS a) AS found")
        assert not store.connection.is_open
        store.close()
