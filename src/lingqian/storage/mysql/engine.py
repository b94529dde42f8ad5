"""The engines that speak the MySQL protocol, as rows: what each says in its own way (引擎).

Law: a lane's commit is the only transaction that two may not want at once, so where an engine has
optimistic transactions the lane uses them; everything else locks as it goes.
"""

from typing import Final, NamedTuple

from lingqian.kernel.fault import Unsent

# A statement waits for a row this long; a transaction that stands still is ended after so long.
LOCK_WAIT_S: Final = 2
IDLE_TRANSACTION_S: Final = 10
# Whoever judges a ledger stands on one moment of it, and thinks between two pages.
IDLE_JUDGE_S: Final = 600
# Names may be quoted, two bars join texts, no sign escapes, and nothing is cut to fit.
_MODES: Final = (
    "ANSI_QUOTES,ERROR_FOR_DIVISION_BY_ZERO,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,"
    "PIPES_AS_CONCAT,STRICT_ALL_TABLES,STRICT_TRANS_TABLES"
)
_SESSION: Final = (
    f"SET SESSION sql_mode = '{_MODES}'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}",
)


class Demand(NamedTuple):
    """A setting of the server without which an answer may be lost: accepted values, and why.

    `when` names a setting that must be on for this one to matter.
    """

    name: str
    accepted: tuple[str, ...]
    why: str
    when: str = ""


class Engine(NamedTuple):
    """One engine: how it is recognised, the oldest that will do, and its own ways.

    `mark` stands in its version; `kill` ends another connection by its number, and
    `reuses_numbers` says that a restarted server begins counting them anew; `read_only` binds a
    session to reading, and is empty where only the rights of a user can; `patient` lets a reader
    think; `check_table` lets the engine look at its own pages.
    """

    name: str
    mark: str
    oldest: tuple[int, int, int]
    session: tuple[str, ...]
    read_only: tuple[str, ...]
    patient: tuple[str, ...]
    check_table: str
    begin: str
    begin_lane: str
    begin_chore: tuple[str, ...]
    kill: str
    reuses_numbers: bool
    isolation: str
    demands: tuple[Demand, ...]


_READ_ONLY: Final = ("SET SESSION TRANSACTION READ ONLY",)
_INNODB: Final = (
    Demand("sync_binlog", ("1",), "the binary log is on disk at every commit", when="log_bin"),
    Demand("innodb_doublewrite", ("1", "ON", "DETECT_AND_RECOVER"), "a torn page can be mended"),
    Demand(
        "innodb_flush_method", ("FSYNC", "O_DSYNC", "O_DIRECT"), "what is written reaches the disk"
    ),
)
MARIADB: Final = Engine(
    name="MariaDB",
    mark="MariaDB",
    oldest=(10, 6, 0),
    session=(*_SESSION, f"SET SESSION idle_transaction_timeout = {IDLE_TRANSACTION_S}"),
    read_only=_READ_ONLY,
    patient=(f"SET SESSION idle_transaction_timeout = {IDLE_JUDGE_S}",),
    check_table='CHECK TABLE "{0}"',
    begin="START TRANSACTION",
    begin_lane="START TRANSACTION",
    begin_chore=("START TRANSACTION",),
    kill="KILL CONNECTION {0:d}",
    reuses_numbers=True,
    isolation="tx_isolation",
    demands=(
        Demand("innodb_flush_log_at_trx_commit", ("1", "3"), "the log is on disk at every commit"),
        *_INNODB,
        Demand("check_constraint_checks", ("1", "ON"), "checks of columns are made"),
    ),
)
MYSQL: Final = Engine(
    name="MySQL",
    mark="",
    oldest=(8, 0, 16),
    session=_SESSION,
    read_only=_READ_ONLY,
    patient=(),
    check_table='CHECK TABLE "{0}"',
    begin="START TRANSACTION",
    begin_lane="START TRANSACTION",
    begin_chore=("START TRANSACTION",),
    kill="KILL CONNECTION {0:d}",
    reuses_numbers=True,
    isolation="transaction_isolation",
    demands=(
        Demand("innodb_flush_log_at_trx_commit", ("1",), "the log is on disk at every commit"),
        *_INNODB,
    ),
)
TIDB: Final = Engine(
    name="TiDB",
    mark="TiDB",
    oldest=(8, 1, 0),
    session=(
        *_SESSION,
        f"SET SESSION tidb_idle_transaction_timeout = {IDLE_TRANSACTION_S}",
        # Bulk writing may call a commit failed that succeeded.
        "SET SESSION tidb_dml_type = 'standard'",
    ),
    # It takes the word and does not keep it.
    read_only=(),
    patient=(f"SET SESSION tidb_idle_transaction_timeout = {IDLE_JUDGE_S}",),
    check_table='ADMIN CHECK TABLE "{0}"',
    begin="BEGIN PESSIMISTIC",
    begin_lane="BEGIN OPTIMISTIC",
    # What a transaction sees there is fixed when it begins, before its turn has come.
    begin_chore=("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN PESSIMISTIC"),
    kill="KILL TIDB {0:d}",
    reuses_numbers=False,
    isolation="transaction_isolation",
    demands=(
        Demand("tidb_guarantee_linearizability", ("1", "ON"), "the next commit sees this one"),
        Demand("tidb_enable_check_constraint", ("1", "ON"), "checks of columns are made"),
    ),
)
ENGINES: Final = (TIDB, MARIADB, MYSQL)


def engine_of(version: str) -> Engine:
    """Recognise an engine by what it says of its version.

    Raises: Unsent when it is older than what we know to work.
    """
    engine = next(each for each in ENGINES if each.mark in version)
    number = version.partition("TiDB-v")[2] if engine is TIDB else version
    words = number.partition("-")[0].split(".")
    have = tuple(int(word) for word in words if word.isdecimal())
    if have < engine.oldest:
        oldest = ".".join(map(str, engine.oldest))
        raise Unsent(f"{engine.name} {number} is too old: {oldest} or newer is needed")
    return engine
