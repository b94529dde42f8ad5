"""Our statements in the protocol's words: what each rule says, and what no rule touches."""

import pytest

from lingqian.storage.mysql.dialect import said
from lingqian.storage.mysql.link import filled

TEXTS = {
    'SELECT "key" FROM keys WHERE key = ?': 'SELECT "key" FROM "keys" WHERE "key" = 1',
    "SELECT by, l.lane FROM lines l": 'SELECT "by", l.lane FROM "lines" l',
    "SELECT a FROM t GROUP BY a ORDER BY a": "SELECT a FROM t GROUP BY a ORDER BY a",
    "SELECT iif(a > 0, b, 0) FROM t": "SELECT IF(a > 0, b, 0) FROM t",
    "SELECT CAST(a || b AS BLOB)": "SELECT CAST(a || b AS BINARY)",
    "SELECT max(a.x, 1), max(b), MAX(iif(a, b, 0))": (
        "SELECT GREATEST(a.x, 1), max(b), MAX(IF(a, b, 0))"
    ),
    "UPDATE t SET a = MAX(?, b) WHERE c = ?": "UPDATE t SET a = GREATEST(1, b) WHERE c = 2",
    "SELECT 1 FROM t WHERE (a, b) < (?, ?) AND c = ?": (
        "SELECT 1 FROM t WHERE (a <= 1 AND (a < 1 OR b < 2)) AND c = 3"
    ),
    "SELECT 1 FROM t WHERE (t.a, t.b) > (:last, :id) LIMIT :rows": (
        "SELECT 1 FROM t WHERE (t.a >= 1 AND (t.a > 1 OR t.b > 2)) LIMIT 3"
    ),
    "SELECT a FROM t INDEXED BY t_by_a WHERE a = ?2 OR a = ?1": (
        "SELECT a FROM t FORCE INDEX (t_by_a) WHERE a = 2 OR a = 1"
    ),
    "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b": (
        "INSERT INTO t (a, b) VALUES (1, 2) ON DUPLICATE KEY UPDATE b = VALUES(b)"
    ),
    "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a, b) DO NOTHING": (
        "INSERT INTO t (a, b) VALUES (1, 2) ON DUPLICATE KEY UPDATE a = a"
    ),
    "SELECT 1 FROM t WHERE typeof(a) <> 'blob' OR a = x''": (
        "SELECT 1 FROM t WHERE FALSE OR a = x''"
    ),
    "SELECT 'is it? by :name, iif(' || a, \"key\" FROM t": (
        "SELECT 'is it? by :name, iif(' || a, \"key\" FROM t"
    ),
}
NAMES = {"last": 0, "id": 1, "rows": 2}


@pytest.mark.parametrize(("ours", "theirs"), TEXTS.items())
def test_every_rule_says_what_it_should_and_leaves_the_rest(ours, theirs):
    """A rule too many would change what money is asked for."""
    statement = said(ours)
    places = [NAMES.get(place, place) for place in statement.order]
    assert filled(statement.parts, [place + 1 for place in places]) == theirs


def test_values_go_where_the_text_has_them():
    """Numbered and named ones may come twice; plain ones pass without being copied."""
    assert list(said("SELECT ?2, ?1, ?2").arranged("ab")) == ["b", "a", "b"]
    assert said("SELECT :b, :a, :b").arranged({"a": 1, "b": 2}) == [2, 1, 2]
    values = (1, 2)
    assert said("SELECT ?, ?").arranged(values) is values


def test_value_too_many_is_a_bug():
    """A statement must not be sent with less than was meant, or with another's value."""
    with pytest.raises(AssertionError):
        said("SELECT ?").arranged((1, 2))
