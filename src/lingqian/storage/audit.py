"""The audit: every stored table against the journal, the laws and the published heads (审计).

Law: a table that nothing checks is a defect; `PASSES` names what each pass checks and a test walks
the schema. Runs beside a running wallet, on one snapshot, and streams what it finds.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from lingqian.kernel.fault import Damaged
from lingqian.storage.expectation import EXPECTATIONS, place_of, show_key
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.head import NAME, await_heads, check_heads, lane_rows, log_size
from lingqian.storage.law import LAW_TABLES, broken_laws
from lingqian.storage.operation import OPERATION_TABLES, operation_faults
from lingqian.storage.personal import personal_faults
from lingqian.storage.replay import IMPOSSIBLE, Emit, Replay, Tick
from lingqian.storage.sqlite import connect, migrations
from lingqian.storage.vault import Vault

FINDINGS_OF_A_KIND_MAX: Final = 1_000
SELECT_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
COUNT_ERASED: Final = (
    "SELECT count(*) FROM users u WHERE NOT EXISTS "
    "(SELECT 1 FROM personal p WHERE p.owner_id = u.user_id AND p.field = 4)"
)
TABLE_INFO: Final = "SELECT * FROM pragma_table_info(?)"


class Scope(NamedTuple):
    """What an audit is given: a connection inside one snapshot, and what lies outside it.

    `heads_bytes` is how long heads.log was before the snapshot: heads published later belong to
    rows the snapshot does not have.
    """

    connection: apsw.Connection
    heads: Path | None
    heads_bytes: int
    vault: Vault | None
    emit: Emit
    tick: Tick


class Pass(NamedTuple):
    """One pass: a name for people, the tables it checks, and the work."""

    name: str
    tables: frozenset[str]
    run: Callable[[Scope], None]


class Summary(NamedTuple):
    """What an audit did: journal rows replayed, findings by kind, and what it could not look at."""

    rows: int
    findings: dict[str, int]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def _check_file(scope: Scope) -> None:
    """Let the engine check its own pages and indexes."""
    for (words,) in scope.connection.execute("PRAGMA integrity_check(100)"):
        if words != "ok":
            scope.emit(Finding(FindingKind.FILE_UNREADABLE, "", 0, 0, "", str(words)))


def _check_types(scope: Scope) -> None:
    """Find values of another type than their column's: the engine itself would keep any."""
    names = [str(name) for (name,) in scope.connection.execute(SELECT_TABLES).fetchall()]
    for name in names:
        columns = [
            (row[1], row[2], row[5]) for row in scope.connection.execute(TABLE_INFO, (name,))
        ]
        wrong = [f"typeof({column}) <> '{kind.lower()}'" for column, kind, _ in columns]
        key = " || '/' || ".join(f"hex({column})" for column, _, place in columns if place)
        query = f"SELECT {key} FROM {name} WHERE {' OR '.join(wrong)}"  # noqa: S608 - names from the schema
        for (shown,) in scope.connection.execute(query):
            words = f"{name} has a value of another type in row {shown}"
            scope.emit(Finding(FindingKind.VALUE_TYPE, name, 0, 0, str(shown), words))


def _check_heads(scope: Scope) -> None:
    if scope.heads is not None:
        await_heads(scope.connection, scope.heads)
        for finding in check_heads(scope.connection, scope.heads, scope.heads_bytes):
            scope.emit(finding)


def _replay(scope: Scope) -> None:
    made: Counter[str] = Counter()
    for row in lane_rows(scope.connection):
        replay = Replay(scope.connection, row, vault=scope.vault, emit=scope.emit)
        replay.run(scope.tick)
        made.update(replay.made)
    _check_strays(scope)
    _check_extras(scope, made)


def _check_strays(scope: Scope) -> None:
    """Find journal rows and seals of lanes that have no row."""
    for table in ("journal", "seals"):
        column = "seq" if table == "journal" else "last_seq"
        query = (
            f"SELECT lane, count(*), min({column}) FROM {table} "  # noqa: S608 - names from this function
            "WHERE lane NOT IN (SELECT lane FROM lanes) GROUP BY lane"
        )
        for lane, count, seq in scope.connection.execute(query):
            words = f"{count} rows of lane {lane}, which the lanes table does not have"
            scope.emit(Finding(FindingKind.LANE_ROW, table, lane, seq, "", words))


def _check_extras(scope: Scope, made: Counter[str]) -> None:
    """Compare how many rows each table has and how many the journal makes; name the extra ones."""
    suspects = set()
    for name in EXPECTATIONS:
        (count,) = next(scope.connection.execute(f"SELECT count(*) FROM {name}"))  # noqa: S608 - names from the schema table
        if count != made[name]:
            suspects.add(name)
    if suspects:
        _name_extras(scope, suspects)


def _name_extras(scope: Scope, suspects: set[str]) -> None:
    """Replay once more, keep the keys of the tables in doubt, and look for rows without one."""
    kept: dict[str, set[tuple[Any, ...]]] = {name: set() for name in suspects}
    for row in lane_rows(scope.connection):
        replay = Replay(scope.connection, row, vault=None, emit=_drop)
        replay.kept = kept
        replay.run(_ignore)
    for name in sorted(suspects):
        expectation = EXPECTATIONS[name]
        width, known = len(expectation.key), kept[name]
        query = f"SELECT {', '.join(expectation.columns)} FROM {name}"  # noqa: S608 - names from the schema table
        for line in scope.connection.execute(query):
            if line[:width] not in known:
                lane, seq = place_of(expectation, line)
                key = show_key(line[:width])
                words = f"{name} has row {key}, which nothing in the journal makes"
                scope.emit(Finding(FindingKind.ROW_EXTRA, name, lane, seq, key, words))


def _drop(finding: Finding) -> None:
    del finding


def _ignore(rows: int) -> None:
    del rows


def _run_each(
    faults: Callable[[apsw.Connection, Vault | None], Iterator[Finding]],
) -> Callable[[Scope], None]:
    def run(scope: Scope) -> None:
        for finding in faults(scope.connection, scope.vault):
            scope.emit(finding)

    return run


def _check_laws(scope: Scope) -> None:
    for finding in broken_laws(scope.connection):
        scope.emit(finding)


PASSES: Final[tuple[Pass, ...]] = (
    Pass("pages and indexes", frozenset(), _check_file),
    Pass("types of values", frozenset(), _check_types),
    Pass("published heads", frozenset({"seals", "lanes"}), _check_heads),
    Pass("journal", frozenset({"journal", "seals", "lanes", *EXPECTATIONS}), _replay),
    Pass("laws", LAW_TABLES, _check_laws),
    Pass("personal data", frozenset({"personal"}), _run_each(personal_faults)),
    Pass("operation", OPERATION_TABLES, _run_each(operation_faults)),
)


def row_count(connection: apsw.Connection) -> int:
    """Return how many journal rows an audit will replay, for progress."""
    return sum(row.next_seq - 1 for row in lane_rows(connection))


def audit(
    connection: apsw.Connection,
    *,
    heads: Path | None,
    vault: Vault | None,
    emit: Emit,
    tick: Tick = _ignore,
) -> Summary:
    """Check everything in one snapshot; findings go to `emit` as they are made, rows to `tick`.

    Of each kind only the first thousand are emitted; the summary counts all.
    """
    counts: Counter[str] = Counter()
    rows = 0

    def count(finding: Finding) -> None:
        counts[finding.kind] += 1
        if counts[finding.kind] <= FINDINGS_OF_A_KIND_MAX:
            emit(finding)

    def advance(done: int) -> None:
        nonlocal rows
        rows += done
        tick(done)

    heads_bytes = 0 if heads is None else log_size(heads)
    connection.execute("BEGIN")
    try:
        scope = Scope(connection, heads, heads_bytes, vault, count, advance)
        for each in PASSES:
            _run_pass(each, scope)
        return Summary(rows, dict(counts), _notes(connection, heads, vault))
    finally:
        connection.execute("ROLLBACK")


def _run_pass(each: Pass, scope: Scope) -> None:
    """Run a pass; garbage may stop it, and the audit says so and goes on with the next."""
    try:
        each.run(scope)
    except (apsw.Error, *IMPOSSIBLE) as error:
        words = f"{each.name}: stopped by {type(error).__name__}: {error}"
        scope.emit(Finding(FindingKind.FILE_UNREADABLE, "", 0, 0, "", words))


def _notes(connection: apsw.Connection, heads: Path | None, vault: Vault | None) -> tuple[str, ...]:
    notes = []
    if heads is None:
        notes.append(f"{NAME} was not given: a tail that was cut cannot be seen")
    if vault is None:
        notes.append("no keys were given: sealed seeds and personal data were not opened")
    erased = _erased(connection)
    if erased:
        notes.append(f"{erased} users have no personal data: erased, or never kept")
    return tuple(notes)


def _erased(connection: apsw.Connection) -> int:
    try:
        return int(str(next(connection.execute(COUNT_ERASED))[0]))
    except apsw.Error:
        # The passes have said that the file cannot be read.
        return 0


@contextmanager
def snapshot(database: Path) -> Iterator[apsw.Connection]:
    """Open a ledger for reading, beside whoever writes; close it.

    Raises: Damaged when there is none, or it is no database of this program's schema.
    """
    if not database.exists():
        raise Damaged(f"there is no ledger at {database}")
    try:
        connection = connect(str(database), readonly=True)
        version, newest = connection.pragma("user_version"), migrations()[-1][0]
    except apsw.Error as error:
        raise Damaged(f"{database} cannot be opened: {error}") from error
    try:
        if version != newest:
            words = f"{database} has schema {version}, this program knows {newest}"
            raise Damaged(f"{words}; run `lingqian migrate`")
        yield connection
    except apsw.CorruptError as error:
        raise Damaged(f"{database} is damaged: {error}") from error
    finally:
        connection.close(force=True)
