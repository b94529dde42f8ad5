"""The audit: every stored table against the journal, the laws and the published heads (审计).

Law: a table that nothing checks is a defect; `PASSES` names what each pass checks and a test walks
the schema. Runs beside a running wallet, on one snapshot, and streams what it finds. Laws, seals
and replay are the same on a file and on a server; what engines do not share is their `Ground`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from lingqian.kernel.fault import Unsent
from lingqian.storage.expectation import EXPECTATIONS, place_of, show_key
from lingqian.storage.finding import Finding, FindingKind
from lingqian.storage.ground import EMBEDDED, Ground
from lingqian.storage.head import NAME, Logs, absent, await_heads, check_lines, lane_rows, log_size
from lingqian.storage.law import LAW_TABLES, broken_laws
from lingqian.storage.operation import OPERATION_TABLES, operation_faults
from lingqian.storage.personal import personal_faults
from lingqian.storage.port import Connection
from lingqian.storage.replay import IMPOSSIBLE, Emit, Replay, Tick
from lingqian.storage.vault import Vault
from lingqian.storage.walk import Way, walk

FINDINGS_OF_A_KIND_MAX: Final = 1_000
COUNT_ERASED: Final = (
    "SELECT count(*) FROM users u WHERE NOT EXISTS "
    "(SELECT 1 FROM personal p WHERE p.owner_id = u.user_id AND p.field = 4)"
)


class Scope(NamedTuple):
    """What an audit is given: a connection inside one snapshot, and what lies outside it.

    `logs` are the logs of published heads with how long each was before the snapshot: heads
    published later belong to rows the snapshot does not have. `has_all` says that there are no
    other logs.
    """

    connection: Connection
    ground: Ground
    logs: tuple[tuple[Path, int], ...]
    has_all: bool
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


def _check_pages(scope: Scope) -> None:
    """Let the engine check its own pages and indexes."""
    for words in scope.ground.own_faults(scope.connection):
        scope.emit(Finding(FindingKind.FILE_UNREADABLE, "", 0, 0, "", words))


def _check_types(scope: Scope) -> None:
    """Find values of another type than their column's."""
    for table, key, words in scope.ground.odd_values(scope.connection):
        scope.emit(Finding(FindingKind.VALUE_TYPE, table, 0, 0, key, words))


def _check_heads(scope: Scope) -> None:
    paths = [path for path, _ in scope.logs]
    if paths and scope.has_all:
        await_heads(scope.connection, paths)
        for finding in absent(scope.connection, paths):
            scope.emit(finding)
    for path, bytes_max in scope.logs:
        for finding in check_lines(scope.connection, path, bytes_max):
            scope.emit(finding)


def _replay(scope: Scope) -> None:
    made: Counter[str] = Counter()
    for row in lane_rows(scope.connection):
        replay = Replay(scope.connection, row, scope.ground, vault=scope.vault, emit=scope.emit)
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
        (count,) = scope.connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 - names from the schema table
        if count != made[name]:
            suspects.add(name)
    if suspects:
        _name_extras(scope, suspects)


def _name_extras(scope: Scope, suspects: set[str]) -> None:
    """Replay once more, keep the keys of the tables in doubt, and look for rows without one."""
    kept: dict[str, set[tuple[Any, ...]]] = {name: set() for name in suspects}
    for row in lane_rows(scope.connection):
        replay = Replay(scope.connection, row, scope.ground, vault=None, emit=_drop)
        replay.kept = kept
        replay.run(_ignore)
    for name in sorted(suspects):
        expectation = EXPECTATIONS[name]
        width, known = len(expectation.key), kept[name]
        way = Way(name, expectation.key, expectation.columns[width:])
        for line in walk(scope.connection, way):
            if line[:width] not in known:
                lane, seq = place_of(expectation, line)
                key = show_key(line[:width])
                words = f"{name} has row {key}, which nothing in the journal makes"
                scope.emit(Finding(FindingKind.ROW_EXTRA, name, lane, seq, key, words))


def _drop(finding: Finding) -> None:
    del finding


def _ignore(rows: int) -> None:
    del rows


def _check_operation(scope: Scope) -> None:
    for finding in operation_faults(scope.connection, scope.vault):
        scope.emit(finding)
    for table, key, words in scope.ground.odd_rows(scope.connection):
        scope.emit(Finding(FindingKind.OPERATION_ROW, table, 0, 0, key, words))


def _check_personal(scope: Scope) -> None:
    for finding in personal_faults(scope.connection, scope.vault):
        scope.emit(finding)


def _check_laws(scope: Scope) -> None:
    for finding in broken_laws(scope.connection):
        scope.emit(finding)


PASSES: Final[tuple[Pass, ...]] = (
    Pass("pages and indexes", frozenset(), _check_pages),
    Pass("types of values", frozenset(), _check_types),
    Pass("published heads", frozenset({"seals", "lanes"}), _check_heads),
    Pass("journal", frozenset({"journal", "seals", "lanes", *EXPECTATIONS}), _replay),
    Pass("laws", LAW_TABLES, _check_laws),
    Pass("personal data", frozenset({"personal"}), _check_personal),
    Pass("operation", OPERATION_TABLES, _check_operation),
)


def row_count(connection: Connection) -> int:
    """Return how many journal rows an audit will replay, for progress."""
    return sum(row.next_seq - 1 for row in lane_rows(connection))


def audit(  # noqa: PLR0913 - what an audit must be told, by name
    connection: Connection,
    *,
    heads: Path | Logs | None,
    vault: Vault | None,
    emit: Emit,
    tick: Tick = _ignore,
    ground: Ground = EMBEDDED,
) -> Summary:
    """Check everything in one snapshot; findings go to `emit` as they are made, rows to `tick`.

    Of each kind only the first thousand are emitted; the summary counts all.
    Raises: Unsent when the engine can no longer be asked: half an audit is none.
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

    logs = _logs(heads)
    sizes = tuple((path, log_size(path)) for path in logs.paths)
    connection.execute(ground.begin)
    try:
        scope = Scope(connection, ground, sizes, logs.is_all, vault, count, advance)
        for each in PASSES:
            _run_pass(each, scope)
        return Summary(rows, dict(counts), tuple(_notes(scope)))
    finally:
        with suppress(ground.errors):
            connection.execute("ROLLBACK")


def _logs(heads: Path | Logs | None) -> Logs:
    """Take one log for all there are."""
    if isinstance(heads, Logs):
        return heads
    return Logs(() if heads is None else (heads,), is_all=True)


def _run_pass(each: Pass, scope: Scope) -> None:
    """Run a pass; garbage may stop it, and the audit says so and goes on with the next."""
    ground = scope.ground
    try:
        each.run(scope)
    except (ground.errors, *IMPOSSIBLE) as error:
        if isinstance(error, ground.errors) and not ground.is_damage(error):
            raise Unsent(f"{each.name}: the database cannot be asked: {error}") from error
        words = f"{each.name}: stopped by {type(error).__name__}: {error}"
        scope.emit(Finding(FindingKind.FILE_UNREADABLE, "", 0, 0, "", words))


def _notes(scope: Scope) -> Iterator[str]:
    """Say what this audit could not look at."""
    try:
        yield from _notes_on_heads(scope)
        if scope.vault is None:
            yield "no keys were given: sealed seeds and personal data were not opened"
        (erased,) = scope.connection.execute(COUNT_ERASED).fetchone()
        if erased:
            yield f"{erased} users have no personal data: erased, or never kept"
    except scope.ground.errors:
        # The passes have said that the ledger cannot be read.
        return


def _notes_on_heads(scope: Scope) -> Iterator[str]:
    paths = [path for path, _ in scope.logs]
    if not paths:
        yield f"{NAME} was not given: a tail that was cut cannot be seen"
    elif not scope.has_all:
        lanes = [str(each.lane) for each in absent(scope.connection, paths)]
        if lanes:
            yield f"no head of lanes {', '.join(lanes)} is here; name the log of their process too"
