"""Rebuild: the journal alone makes every table again, and a difference is named."""

import apsw
import pytest

from ledger_case import opened
from lingqian.kernel.fault import Damaged
from lingqian.storage.rebuild import compare, fold_journal
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sqlite import SqliteStore


def rebuilt(folder, target):
    """Fold a data directory's journal into a new database; return how the tables compare."""
    source = opened(folder)
    store = SqliteStore(target, synchronous="OFF")
    rows = []
    fold_journal(source, store, rows.append)
    checks = {check.table: check for check in compare(source, store.connection)}
    store.close()
    source.close()
    return checks, sum(rows)


def test_rebuild_agrees_with_the_tables(life, tmp_path):
    """Dropping every typed table loses nothing."""
    checks, rows = rebuilt(life, tmp_path / "rebuilt.db")
    assert [check for check in checks.values() if not check.is_equal] == []
    assert set(checks) == {table.name for table in TABLES} | set(APPENDED) | {"lanes"}
    assert rows == checks["journal"].rows > 0


def test_rebuild_agrees_in_small_groups(life, tmp_path, monkeypatch):
    """Where a group of batches is cut makes no difference: rows are loaded again as they stand."""
    monkeypatch.setattr("lingqian.storage.rebuild._GROUP_ROWS", 1)
    monkeypatch.setattr("lingqian.storage.rebuild.CACHE_ROWS_MAX", 3)
    checks, _ = rebuilt(life, tmp_path / "rebuilt.db")
    assert [check for check in checks.values() if not check.is_equal] == []


@pytest.mark.parametrize("table", [table.name for table in TABLES[:7]])
def test_rebuild_names_what_differs(data, tmp_path, table):
    """A changed, a missing and an extra row are each counted as what they are."""
    db = apsw.Connection(str(data / "ledger.db"))
    key, *_, last = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    first = f"{key} = (SELECT min({key}) FROM {table})"
    db.execute(
        f"UPDATE {table} SET {last} = "
        f"iif(typeof({last}) = 'blob', CAST({last} || x'01' AS BLOB), {last} + 1) "
        f"WHERE {key} = (SELECT max({key}) FROM {table})"
    )
    checks, _ = rebuilt(data, tmp_path / "one.db")
    assert (checks[table].different, checks[table].missing, checks[table].extra) == (1, 0, 0)
    db.execute(f"DELETE FROM {table} WHERE {first}")
    checks, _ = rebuilt(data, tmp_path / "two.db")
    assert (checks[table].different, checks[table].missing, checks[table].extra) == (1, 1, 0)
    db.execute(f"UPDATE {table} SET {key} = CAST({key} || x'01' AS BLOB) WHERE {first}")
    checks, _ = rebuilt(data, tmp_path / "three.db")
    assert (checks[table].different, checks[table].missing, checks[table].extra) == (1, 2, 1)
    db.close()


def test_rebuild_refuses_a_journal_that_does_not_follow(data, tmp_path):
    """A rebuild is no repair: from a broken journal nothing is made."""
    db = apsw.Connection(str(data / "ledger.db"))
    db.execute("DELETE FROM journal WHERE (lane, seq) = (SELECT lane, max(seq) - 2 FROM journal)")
    db.close()
    with pytest.raises(Damaged, match="run the audit"):
        rebuilt(data, tmp_path / "rebuilt.db")
