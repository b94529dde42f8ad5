"""A ledger on a database server is judged as strictly as one in a file, by the same passes.

Every edit of the unit tests is made on the server's rows, in a transaction that the audit sees and
that is undone after it. A few in the ordinary test command; `LINGQIAN_ACCEPTANCE=full`: all.
"""

import itertools
import secrets
import shutil
import threading
import time
from contextlib import closing, contextmanager
from operator import lt

import pymysql
import pytest

import mariadb
from acceptance.server import sized
from ledger_case import LedgerCase
from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.view import Policy
from lingqian.identity.user import Status
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.kernel.id import lane_of
from lingqian.storage.audit import PASSES, audit
from lingqian.storage.desk import Desk, reveal_with
from lingqian.storage.finding import FindingKind as K
from lingqian.storage.head import HeadLog, Logs, lane_rows
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.mysql.ground import OWN_TABLES, snapshot
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.schema import PUT_STEP, steps
from lingqian.storage.mysql.store import MysqlStore
from lingqian.storage.rebuild import rebuild
from lingqian.storage.relay import waiting
from unit.storage.test_finding import EDITS

pytestmark = pytest.mark.needs("mariadb")
LANES = 4
AUDITS = sized(3, 40)
# A page of one file, and a value of another type: what a server's own tests below stand for.
OF_A_FILE = {K.FILE_UNREADABLE, K.VALUE_TYPE}
ALL = [(kind, edit) for kind, edit in EDITS if kind not in OF_A_FILE]
QUICK = {
    K.HEAD_BEYOND, K.SEAL_HEAD, K.BALANCE_AFTER, K.ROW_EXTRA, K.CLAIM_COUNT, K.RELAY_ITEM,
    K.THREE_TIERS, K.PERSONAL_OWNER,
}  # fmt: skip
CHOSEN = sized([next(each for each in ALL if each[0] == kind) for kind in sorted(QUICK)], ALL)


class Life:
    """A ledger on a server that has lived through everything, and its folder of keys and heads."""

    def __init__(self, address, folder):
        self.address = address
        self.folder = folder
        store = MysqlStore(address)
        self.case = LedgerCase(folder, LANES, store=store).live()
        self.case.log.publish(lane_rows(store.connection), self.case.us)
        store.close()

    def judged(self, link, ground, heads=None, vault=None):
        """Audit with everything an operator has; return what was found, and the notes."""
        found = []
        summary = audit(
            link,
            heads=heads or self.folder / "heads.log",
            vault=vault or self.case.vault,
            emit=found.append,
            ground=ground,
        )
        return found, summary.notes


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A ledger on a server; never to be changed for good."""
    with mariadb.database() as address:
        yield Life(address, tmp_path_factory.mktemp("life"))


@pytest.fixture
def spoilt(life):
    """A database on the same server, with the same rows, that a test may spoil."""
    address = mariadb.server().fresh()
    MysqlStore(address).close()
    names = mariadb.server().do(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{address.name}'"
    )
    copies = [
        f"INSERT INTO {address.name}.`{name}` SELECT * FROM {life.address.name}.`{name}`"
        for (name,) in names
        if name != "schema_steps"
    ]
    mariadb.server().do(*copies, "SELECT 1")
    return address


@contextmanager
def edited(life):
    """Open a connection in a transaction, and a ground that judges what is not yet committed."""
    link, _ = connect(life.address, Options(is_sandbox=True))
    with closing(link), snapshot(life.address) as (_, ground):
        link.execute("SET SESSION check_constraint_checks = 0")
        link.execute("START TRANSACTION")
        # The pages are looked at beside, where nothing of this is seen.
        yield link, ground._replace(begin="DO 0", own_faults=lambda _: iter(()))
        link.execute("ROLLBACK")


# --- what is clean ----------------------------------------------------------------------------


def test_ledger_that_has_lived_is_clean(life):
    """The control: everything a lane and a chore write is looked at, and nothing is found."""
    with snapshot(life.address) as (link, ground):
        assert life.judged(link, ground) == ([], ())


def test_rebuild_agrees_to_the_fen(life, tmp_path):
    """The journal on the server folds into a file of the embedded engine, table by table."""
    with snapshot(life.address) as (link, ground):
        checks = rebuild(link, tmp_path / "scratch.db", lambda _: None, ground)
    assert [each for each in checks if not each.is_equal] == []
    assert sum(each.rows for each in checks) > 1_000


def test_rebuild_names_the_row_that_differs(spoilt, tmp_path):
    """The control: one fen in one table of the server."""
    edit = "UPDATE accounts SET credits_posted = credits_posted + 1 ORDER BY account DESC LIMIT 1"
    mariadb.server().do(f"USE {spoilt.name}", edit)
    with snapshot(spoilt) as (link, ground):
        checks = rebuild(link, tmp_path / "scratch.db", lambda _: None, ground)
    assert {each.table: each.different for each in checks if not each.is_equal} == {"accounts": 1}


# --- what is found ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "edit"), CHOSEN, ids=[kind.value for kind, _ in CHOSEN])
def test_each_kind_of_finding_is_found_on_a_server(life, tmp_path, kind, edit):
    """The same edit as on a file, and the same finding."""
    shutil.copy(life.folder / "heads.log", tmp_path)
    with edited(life) as (link, ground):
        edit(link, tmp_path)
        found, _ = life.judged(link, ground, heads=tmp_path / "heads.log")
    assert kind in {each.kind for each in found}


def test_schema_that_is_not_ours_is_found(life, spoilt):
    """A server keeps a column to its type; so its type, or all of it, is what would be changed.

    What is gone stops the passes that need it, and they say so; the others go on.
    """
    changes = (
        "ALTER TABLE users MODIFY nickname_mac VARCHAR(64) CHARACTER SET latin1 NOT NULL",
        "ALTER TABLE users CHANGE external_mac other VARBINARY(32) NOT NULL",
        "ALTER TABLE endpoints MODIFY url TEXT COLLATE utf8mb4_general_ci NOT NULL",
        "DROP TABLE askers",
    )
    mariadb.server().do(f"USE {spoilt.name}", *changes)
    with snapshot(spoilt) as (link, ground):
        found, _ = life.judged(link, ground)
    odd = [each.words for each in found if each.kind == K.VALUE_TYPE]
    assert odd == [
        "column asker_key of askers is missing, not of kind BLOB",
        "column order_id of askers is missing, not of kind BLOB",
        "column url of endpoints compares by utf8mb4_general_ci",
        "column external_mac of users is missing, not of kind BLOB",
        "column nickname_mac of users is varchar, not of kind BLOB",
    ]
    stopped = [each.words for each in found if each.kind == K.FILE_UNREADABLE]
    assert {words.partition(":")[0] for words in stopped} == {
        "askers",
        "journal",
        "laws",
        "personal data",
    }


def test_every_table_of_a_server_is_looked_at(life):
    """A table that nothing checks is a defect; the steps of the schema are checked at opening."""
    names = mariadb.server().do(
        "SELECT table_name FROM information_schema.tables "
        f"WHERE table_schema = '{life.address.name}'"
    )
    checked = {name for each in PASSES for name in each.tables}
    assert {name for (name,) in names} == checked | set(OWN_TABLES) | {"schema_steps"}


@pytest.mark.parametrize(
    "edit",
    [
        "INSERT INTO leases VALUES ('lane/9', 'nobody', 3)",
        "INSERT INTO leases VALUES ('lane/9', 'a', 0)",
        "INSERT INTO members VALUES ('b', 'host:1', '', 1, 5)",
    ],
)
def test_odd_lease_or_member_is_found(life, edit):
    """Who does what is no money; yet a lease that nobody has is one that nobody can give back."""
    with edited(life) as (link, ground):
        link.execute("INSERT INTO members VALUES ('a', 'host:1', 'lane', 1, 5)")
        link.execute("INSERT INTO leases VALUES ('lane/8', 'a', 3), ('lane/7', '', 0)")
        assert list(ground.odd_rows(link)) == [], "the control"
        link.execute(edit)
        found, _ = life.judged(link, ground)
    assert [each.kind for each in found] == [K.OPERATION_ROW]


# --- published heads --------------------------------------------------------------------------


def other_log(life, folder, lanes):
    """Publish the heads of some lanes in a folder of another process."""
    with snapshot(life.address) as (link, _):
        rows = [row for row in lane_rows(link) if row.lane in lanes]
    HeadLog(folder / "heads.log").publish(rows, life.case.us)
    return folder / "heads.log"


def test_lane_of_another_process_is_a_note_until_its_log_is_named(life, tmp_path):
    """Each process publishes the lanes it owns: one log alone says nothing of the others."""
    (tmp_path / "other").mkdir()
    ours = other_log(life, tmp_path, {0, 1})
    theirs = other_log(life, tmp_path / "other", {2, 3})
    for paths, is_all, kinds, noted in (
        ((ours,), False, [], 1),
        ((ours,), True, [K.HEAD_ABSENT, K.HEAD_ABSENT], 0),
        ((ours, theirs), True, [], 0),
    ):
        with snapshot(life.address) as (link, ground):
            found, notes = life.judged(link, ground, heads=Logs(paths, is_all=is_all))
        assert ([each.kind for each in found], len(notes)) == (kinds, noted)


# --- what is judged while it lives ------------------------------------------------------------


class Writers:
    """Four writers at once, a thread and a store and a lane and a log each, until told to stop."""

    def __init__(self, case, address, folder):
        self._case = case
        self._address = address
        self._stop = threading.Event()
        self.logs = [folder / f"{lane}.log" for lane in range(LANES)]
        self.batches = [0] * LANES
        self.faults = []
        self._threads = [threading.Thread(target=self._run, args=(lane,)) for lane in range(LANES)]

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for each in self._threads:
            each.join(60)

    def await_batches(self):
        """Wait until every lane has committed once more than it has now."""
        goals = [count + 1 for count in self.batches]
        until = time.monotonic() + 60
        while any(map(lt, self.batches, goals)):
            assert self.faults == []
            assert time.monotonic() < until, "the writers write"
            time.sleep(0.01)

    def _run(self, lane):
        try:
            self._write(lane)
        except Exception as error:  # noqa: BLE001 - told by the test, in its own thread
            self.faults.append(error)

    def _write(self, lane):
        """Pay people of every lane, and take in what others pay to this one."""
        case = self._case
        store, desk = MysqlStore(self._address), Desk(case.vault, LANES)
        shell = Shell(case, secrets.token_bytes, reveal_with(case.vault))
        writer = Writer(store, [lane], Policy(caps(DEFAULT)), shell)
        log = HeadLog(self.logs[lane])
        (payer, *_) = [each for each in case.people if lane_of(each) == lane]
        others = [each for each in case.people if each != payer]
        for number in itertools.count():
            payments = [
                desk.transfer(
                    payer, each, amount_fen=1, target=Status(1, 3, 1), note="",
                    caller_key=f"{lane} pays {number}",
                )
                for each in others[number % len(others) :][:1]
            ]  # fmt: skip
            writer.apply(payments)
            arrived = [each for each in waiting(store.connection) if each.lane == lane]
            writer.apply([Submission(each) for each in arrived])
            log.publish([writer.lanes[lane].row], case.us)
            self.batches[lane] += 1
            if self._stop.is_set():
                break
        store.close()


def test_audit_beside_four_writers_never_finds_what_is_not_so(tmp_path):
    """One moment of all lanes: what lies between two of them is on its way or there, never both."""
    with mariadb.database() as address:
        case = LedgerCase(tmp_path, LANES, 7, MysqlStore(address))
        case.gather()
        case.store.close()
        rows = [0]
        with Writers(case, address, tmp_path) as writers:
            for _ in range(AUDITS):
                writers.await_batches()
                with snapshot(address) as (link, ground):
                    found = []
                    logs = Logs(tuple(writers.logs), is_all=True)
                    summary = audit(
                        link, heads=logs, vault=case.vault, emit=found.append, ground=ground
                    )
                    assert found == []
                    rows.append(summary.rows)
        assert writers.faults == []
        assert rows == sorted(set(rows)), "every audit was of a later moment"


def test_audit_that_loses_its_server_is_no_finding(life):
    """Half an audit is none: whoever runs it is told that it could not be run."""
    with snapshot(life.address) as (link, ground):
        (number,) = link.execute("SELECT CONNECTION_ID()").fetchone()

        def cut(_):
            mariadb.server().do(f"KILL {number}")
            return iter(())

        with pytest.raises(Unsent, match="cannot be asked"):
            life.judged(link, ground._replace(odd_values=cut))


# --- who may judge, and what ------------------------------------------------------------------


def test_somebody_who_may_only_read_can_judge(life):
    """An auditor's account needs SELECT and nothing else."""
    mariadb.server().do(
        "CREATE USER IF NOT EXISTS auditor@'%' IDENTIFIED BY 'look'",
        f"GRANT SELECT ON {life.address.name}.* TO auditor@'%'",
    )
    theirs = life.address._replace(user="auditor", password="look")
    with snapshot(theirs) as (link, ground):
        assert life.judged(link, ground) == ([], ())
        with pytest.raises(pymysql.err.Error):
            link.execute("DELETE FROM accounts")


def test_what_is_no_ledger_of_this_program_is_not_judged():
    """No tables, too few of them, or a later program's: each is said, and nothing is made."""
    address = mariadb.server().fresh()
    with pytest.raises(Damaged, match="there is no ledger at"), snapshot(address):
        pass
    assert not mariadb.server().do(f"SHOW TABLES FROM {address.name}")
    store = MysqlStore(address)
    last = steps()[-1]
    store.connection.execute("DELETE FROM schema_steps WHERE number = ?", (last.number,))
    with pytest.raises(Damaged, match="run `lingqian migrate`"), snapshot(address):
        pass
    store.connection.execute(PUT_STEP, (last.number + 1, 1, bytes(32)))
    with pytest.raises(Damaged, match="this program knows"), snapshot(address):
        pass
    store.close()


def test_server_that_does_not_answer_is_told():
    """Not a finding, and no trace of the driver."""
    nowhere = mariadb.server().address("x")._replace(port=mariadb.free_port())
    with pytest.raises(Unsent, match="cannot be read"), snapshot(nowhere):
        pass
