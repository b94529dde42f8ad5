"""What only an index or a trigger of the embedded engine says is a law of the audit as well.

A server has neither partial indexes nor our triggers (decision 0021), so there the audit is all
there is. Each is taken away here, the row that it forbids is written, and the audit must say so.
"""

import apsw
import pytest

from ledger_case import copied, lived
from lingqian.storage.law import broken_laws
from lingqian.storage.operation import operation_faults
from lingqian.storage.sqlite import migrate

SELECT_GUARDS = (
    "SELECT name FROM sqlite_schema "
    "WHERE type = 'trigger' OR (sql LIKE 'CREATE UNIQUE INDEX%WHERE%')"
)
SAME = f"x'{'07' * 16}'"
# The index, an edit that it forbids, and what the audit says of it.
INDEXES = {
    "api_keys_by_name": (
        """
        INSERT INTO api_keys
        SELECT 'k2', name, secret_digest, scopes, created_at_us, 0 FROM api_keys
        """,
        "2 good keys have this name",
    ),
    "real_names_by_number": (
        f"UPDATE real_names SET number_mac = {SAME} WHERE checks > 0",
        "2 people have verified this number",
    ),
}
# A law of the lane alone, since an index would mind what a batch does on its way (migration 0019).
BESIDE = {
    "one advance": (
        f"UPDATE advances SET state = 1, user_id = {SAME}",
        "advances are open at once",
    )
}
# What keeps a row from being changed: every change of it is found by the edits of test_finding.
TRIGGERS = {
    "days_closed": "the days are what the journal folds to",
    "days_kept": "the days are what the journal folds to",
    "days_rewritten": "a fold never writes over a closed day, so such a row cannot be folded",
    "acts_fixed": "each act carries a keyed digest over itself and the one before it",
    "acts_kept": "acts are numbered without gaps, and the chain goes through all of them",
}


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A closed data directory; never to be changed."""
    return lived(tmp_path_factory.mktemp("life") / "data", 2)


@pytest.fixture
def db(life, tmp_path):
    """A copy of its database, open for edits."""
    connection = apsw.Connection(str(copied(life, tmp_path / "data") / "ledger.db"))
    yield connection
    connection.close()


def test_every_guard_of_the_embedded_engine_is_here():
    """A partial index or a trigger added later must have its law before a server needs it."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    guards = {name for (name,) in connection.execute(SELECT_GUARDS)}
    connection.close()
    assert guards == {*INDEXES, *TRIGGERS}


def said(db):
    """Return the words of every finding of the laws and of operation."""
    return [each.words for each in (*broken_laws(db), *operation_faults(db, None))]


@pytest.mark.parametrize("name", [*INDEXES, *BESIDE])
def test_rows_that_an_index_forbids_are_found_without_it(db, name):
    """The control: before the edit nobody says so."""
    edit, words = (INDEXES | BESIDE)[name]
    assert not any(words in each for each in said(db))
    if name in INDEXES:
        db.execute(f"DROP INDEX {name}")
    db.execute(edit)
    assert db.changes(), edit
    assert any(words in each for each in said(db))
