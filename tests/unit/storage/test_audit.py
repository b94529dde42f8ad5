"""The audit: silent on a clean ledger, and it sees any value of any table change."""

import secrets

import apsw
import pytest

from ledger_case import LedgerCase, opened
from lingqian.storage.audit import FINDINGS_OF_A_KIND_MAX, PASSES, audit
from lingqian.storage.finding import MEANING, FindingKind
from lingqian.storage.vault import open_vault


def findings_of(folder, *, keys=True):
    """Audit a data directory and return what was found."""
    found = []
    connection = opened(folder)
    vault = open_vault(folder / "keys") if keys else None
    summary = audit(connection, heads=folder / "heads.log", vault=vault, emit=found.append)
    connection.close()
    shown = [min(count, FINDINGS_OF_A_KIND_MAX) for count in summary.findings.values()]
    assert sum(shown) == len(found)
    return found


def tables_of(folder):
    """Return the tables of the schema, by the schema's own word."""
    connection = opened(folder)
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in rows}


def test_audit_is_silent_on_a_clean_ledger(life):
    """The control of every other test here: no edit, no finding."""
    assert findings_of(life) == []


def test_audit_is_silent_without_keys(life):
    """Without keys it sees less and says so; it does not invent."""
    assert findings_of(life, keys=False) == []


def test_audit_checks_every_table_of_the_schema(life):
    """A persisted table without a checking pass is a defect."""
    checked = frozenset().union(*[each.tables for each in PASSES])
    assert tables_of(life) == checked


def test_the_life_fills_every_table(life):
    """An empty table would make the tests of this file pass by finding nothing to edit."""
    connection = opened(life)
    lanes = connection.execute("SELECT count(*) FROM lanes").fetchone()[0]
    relayed = {"relays", "relay_heads", "relay_marks"}
    for name in tables_of(life) - (relayed if lanes == 1 else set()):
        assert connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] > 0, name
    connection.close()


def test_every_kind_of_finding_says_what_it_means():
    """The table of kinds is closed and complete."""
    assert set(MEANING) == set(FindingKind)


# Columns no other stored value follows from; each with why.
UNBOUND = {
    ("seals", "epoch"): "a change within its neighbours' epochs",
    ("seals", "at_us"): "a change between its rows and the next batch",
    ("lanes", "epoch"): "raised at every start, without a row",
    ("settings", "value"): "an operator's own word",
    ("settings", "name"): "an operator's own word",
    ("api_keys", "key_id"): "an operator's own word",
    ("api_keys", "name"): "an operator's own word",
    ("api_keys", "secret_digest"): "only its shape is known",
    ("api_keys", "scopes"): "an operator's own word",
    ("api_keys", "created_at_us"): "only its order is known",
    ("api_keys", "revoked_at_us"): "only its order is known",
    ("session_links", "link_id"): "drawn by chance",
    ("session_links", "token_digest"): "only its shape is known",
    ("session_links", "path"): "a caller's own word",
    ("session_links", "made_by"): "a caller's own word",
    ("session_links", "created_at_us"): "only its order is known",
    ("session_links", "expires_at_us"): "only its order is known",
    ("devices", "thumbprint"): "only its shape is known",
    ("devices", "created_at_us"): "only its order is known",
    ("sessions", "session_id"): "drawn by chance, where no link names it",
    ("sessions", "generation"): "any number is possible",
    ("sessions", "is_confirmed"): "either is possible",
    ("sessions", "rotated_at_us"): "only its order is known",
    ("sessions", "ends_at_us"): "only its order is known",
    ("sessions", "created_at_us"): "only its order is known",
    ("sessions", "seen_at_us"): "only its order is known",
    ("sessions", "revoked_at_us"): "only its order is known",
    ("payment_passwords", "hashed"): "only its shape is known",
    ("payment_passwords", "set_at_us"): "only its order is known",
    ("payment_passwords", "tries"): "any number below five is possible",
    ("payment_passwords", "locks"): "any number is possible",
    ("payment_passwords", "locked_until_us"): "any time is possible",
    ("payment_passwords", "reset_at_us"): "any time is possible",
    ("real_names", "checks"): "either is possible",
    ("real_names", "verified_at_us"): "any time is possible",
    ("real_names", "day"): "any day is possible",
    ("real_names", "tries"): "any number up to five is possible",
    ("passkeys", "x"): "only its shape is known",
    ("passkeys", "y"): "only its shape is known",
    ("passkeys", "counter"): "any number is possible",
    ("passkeys", "created_at_us"): "any time is possible",
    ("passkeys", "used_at_us"): "any time is possible",
    ("covers", "cover_id"): "only its shape is known, once its picture is withdrawn",
    ("covers", "content_mac"): "only its shape is known, once its picture is withdrawn",
    ("covers", "created_at_us"): "any time is possible",
    ("covers", "withdrawn_at_us"): "any time is possible",
    ("cover_days", "day"): "any day is possible",
    ("cover_days", "tries"): "any number up to twenty is possible",
    ("authenticators", "last_step"): "any step is possible",
    ("authenticators", "tries"): "any number below five is possible",
    ("authenticators", "locked_until_us"): "any time is possible",
    ("authenticators", "created_at_us"): "any time is possible",
    ("operator_passkeys", "x"): "only its shape is known",
    ("operator_passkeys", "y"): "only its shape is known",
    ("operator_passkeys", "counter"): "any number is possible",
    ("operator_passkeys", "created_at_us"): "any time is possible",
    ("operator_passkeys", "used_at_us"): "any time before the challenge is possible",
    ("operator_passkeys", "challenge_us"): "any time after the use is possible",
    ("payees", "payee_mac"): "only its shape is known",
    ("payees", "at_us"): "any time is possible",
    ("endpoints", "url"): "an operator's own word",
    ("endpoints", "types"): "an operator's own word",
    ("endpoints", "secret_sealed"): "only its shape is known",
    ("endpoints", "created_at_us"): "only its order is known",
    ("endpoints", "disabled_at_us"): "only its order is known",
    ("positions", "topic"): "only its shape is known",
    ("positions", "place"): "any place behind what was parked is possible",
    ("parked_messages", "at_us"): "any time is possible",
    ("parked_messages", "reason"): "a word for people",
    ("endpoint_cursors", "lane"): "any lane is possible",
    ("endpoint_cursors", "seq"): "any row of the journal is possible",
    ("deliveries", "event_id"): "a receiver's own word",
    ("deliveries", "lane"): "any lane is possible",
    ("deliveries", "seq"): "any row of the journal is possible",
    ("deliveries", "tries"): "any number is possible",
    ("deliveries", "due_at_us"): "any time is possible",
    ("deliveries", "last_status"): "any status is possible",
}


def changed(value):
    """Return a value of the same type that differs as little as can be."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return bytes([value[0] ^ 1]) + value[1:] if value else b"\1"


def columns_of(folder):
    """Return every column of every table."""
    connection = opened(folder)
    columns = [
        (table, row[1])
        for table in sorted(tables_of(folder))
        for row in connection.execute(f"PRAGMA table_info({table})")
    ]
    connection.close()
    return columns


def test_audit_sees_any_value_of_any_column_change(data):
    """Each column of a row drawn at random is changed by the least step, one at a time."""
    connection = apsw.Connection(str(data / "ledger.db"))
    # Who edits the file does not let a trigger stop him.
    connection.execute(
        "DROP TRIGGER days_closed; DROP TRIGGER days_kept;"
        "DROP TRIGGER acts_fixed; DROP TRIGGER acts_kept"
    )
    missed = []
    for table, column in columns_of(data):
        keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
        names = ", ".join(keys)
        row = connection.execute(
            f"SELECT {column}, {names} FROM {table} ORDER BY random() LIMIT 1"
        ).fetchone()
        if row is None or (table, column) in UNBOUND:
            continue
        where = " AND ".join(f"{name} = ?" for name in keys)
        connection.execute("BEGIN")
        statement = f"UPDATE {table} SET {column} = ? WHERE {where}"
        try:
            connection.execute(statement, (changed(row[0]), *row[1:]))
        except apsw.ConstraintError:
            connection.execute("ROLLBACK")
            continue
        connection.execute("COMMIT")
        if not findings_of(data):
            missed.append((table, column, row))
        back = list(row[1:])
        if column in keys:
            back[keys.index(column)] = changed(row[0])
        connection.execute(statement, (row[0], *back))
    connection.close()
    assert missed == []
    assert findings_of(data) == []


@pytest.mark.parametrize("table", ["entries", "keys", "claims", "accounts", "transfers", "users"])
def test_audit_names_a_row_that_was_removed_or_added(data, table):
    """Missing and extra rows are told apart and named."""
    connection = apsw.Connection(str(data / "ledger.db"))
    connection.execute(f"CREATE TEMP TABLE one AS SELECT * FROM {table} ORDER BY random() LIMIT 1")
    key = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
    same = " AND ".join(f"{table}.{name} = one.{name}" for name in key)
    connection.execute(f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM one WHERE {same})")
    kinds = {(each.kind, each.table) for each in findings_of(data)}
    assert (FindingKind.ROW_MISSING, table) in kinds
    assert (FindingKind.ROW_EXTRA, table) not in kinds
    connection.execute(f"INSERT INTO {table} SELECT * FROM one")
    first = "x'00007777777777777777777777777777'"
    width = len(connection.execute(f"SELECT {key[0]} FROM one").fetchone()[0])
    connection.execute(f"UPDATE one SET {key[0]} = substr({first} || {first}, 1, {width})")
    if table == "users":
        connection.execute("UPDATE one SET external_mac = zeroblob(16)")
    connection.execute(f"INSERT INTO {table} SELECT * FROM one")
    connection.close()
    kinds = {(each.kind, each.table) for each in findings_of(data)}
    assert (FindingKind.ROW_EXTRA, table) in kinds
    assert (FindingKind.ROW_MISSING, table) not in kinds


@pytest.mark.parametrize("table", ["journal", "seals", "entries", "claims", "personal", "lanes"])
def test_audit_survives_values_of_another_type(data, table):
    """SQLite stores any type anywhere; garbage is found, never tripped over."""
    db = apsw.Connection(str(data / "ledger.db"))
    for column in [row[1] for row in db.execute(f"PRAGMA table_info({table})")]:
        value = secrets.choice(["X'C3'", "'word'", "1.5", "X''", "-1"])
        db.execute("BEGIN")
        try:
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = CAST({value} AS TEXT)")
        except apsw.MismatchError:
            db.execute("ROLLBACK")
            continue
        db.execute("COMMIT")
        assert findings_of(data), (table, column, value)
    db.close()


def test_audit_runs_beside_a_writer(tmp_path):
    """What is published after the snapshot was taken is no finding."""
    case = LedgerCase(tmp_path, lanes=2).live()
    connection = opened(tmp_path)
    found = []

    def go_on(rows):
        del rows
        case.step(case.transfer(5))

    audit(connection, heads=tmp_path / "heads.log", vault=case.vault, emit=found.append, tick=go_on)
    connection.close()
    case.close()
    assert found == []
