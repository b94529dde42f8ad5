"""What a store over the MySQL protocol promises beyond the port; on a MariaDB of the tests' own."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import apsw
import pytest
from pymysql.err import Error, OperationalError

import mariadb
from law import all_laws
from lingqian.flows.view import Policy, View, Wanted
from lingqian.kernel.fault import Damaged, Fenced, Unknown, Unsent
from lingqian.storage.lane import Submission
from lingqian.storage.mysql import durability, schema
from lingqian.storage.mysql import store as module
from lingqian.storage.mysql.engine import ENGINES, MARIADB
from lingqian.storage.mysql.link import STATEMENT_BYTES_MAX
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.store import MysqlStore
from lingqian.storage.port import Personal
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sql import ADVANCE_LANE, replacements
from lingqian.storage.sqlite import migrate
from world import World

pytestmark = pytest.mark.needs("mariadb")
# What the database has beside what the embedded engine has: who owns a lane, and through what.
BESIDE = {"lanes": ["owner", "connection", "connected_s"]}


@pytest.fixture
def address():
    """An empty database."""
    with mariadb.database() as place:
        yield place


@pytest.fixture
def store(address):
    """A store over it."""
    made = MysqlStore(address)
    yield made
    made.close()


@pytest.fixture
def world(store):
    """A person with money."""
    made = World(1, store=store)
    made.batch(made.register("a"))
    made.batch(made.fund("a", 1_000))
    return made


# --- the schema -----------------------------------------------------------------------------------


def embedded():
    """Return the embedded engine's newest schema, empty."""
    connection = apsw.Connection(":memory:")
    migrate(connection)
    return connection


def test_schema_has_the_columns_of_the_embedded_engine(store):
    """One lane code writes both; a column that is missing on one would be found by a customer."""
    ours = embedded()
    for name in ("lanes", "settings", *APPENDED, *(table.name for table in TABLES)):
        there = [row[1] for row in ours.execute(f'PRAGMA table_info("{name}")')]
        here = store.connection.execute(
            "SELECT column_name, is_nullable FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
            (name,),
        ).fetchall()
        assert [column for column, _ in here] == there + BESIDE.get(name, []), name
        assert {nullable for _, nullable in here} == {"NO"}, name
    ours.close()


def test_schema_keeps_the_keys_and_the_unique_laws(store):
    """One claim per person, one person per outside id, one closing per day."""
    ours = embedded()
    for name in (*APPENDED, *(table.name for table in TABLES)):
        theirs = set()
        for index in ours.execute(f'PRAGMA index_list("{name}")').fetchall():
            is_unique, is_partial = index[2], index[4]
            if is_unique and not is_partial:
                columns = ours.execute(f'PRAGMA index_info("{index[1]}")').fetchall()
                theirs.add(tuple(row[2] for row in columns))
        found = store.connection.execute(
            "SELECT index_name, group_concat(column_name ORDER BY seq_in_index) "
            "FROM information_schema.statistics WHERE table_schema = DATABASE() "
            "AND table_name = ? AND non_unique = 0 GROUP BY index_name",
            (name,),
        )
        assert {tuple(columns.split(",")) for _, columns in found} == theirs, name
    ours.close()


def checks(text):
    """Return the checks of a table as the parts of its definition, spelling apart."""
    found, start = set(), 0
    text = re.sub(r'[`"\s]', "", text).lower().replace("octet_length", "length")
    while (start := text.find("check(", start)) >= 0:
        depth, end = 1, start + 6
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.add(text[start + 6 : end - 1])
        start = end
    return {each.replace("(", "").replace(")", "") for each in found}


def test_schema_keeps_the_checks(store):
    """The database's own second look, for the day when ours is wrong."""
    ours = embedded()
    for table in TABLES:
        there = ours.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table.name,))
        here = store.connection.execute(f'SHOW CREATE TABLE "{table.name}"').fetchone()[1]
        assert checks(here) == checks(there.fetchone()[0]), table.name
    ours.close()


def test_step_that_ran_and_was_not_written_down_runs_again():
    """A crash between the two: tables cannot be taken back here, so every step may come twice."""
    place = mariadb.server().fresh()
    store = MysqlStore(place)
    store.connection.execute("DELETE FROM schema_steps")
    store.close()
    store = MysqlStore(place)
    assert len(store.connection.execute(schema.SELECT_STEPS).fetchall()) == len(schema.steps())
    store.close()


def test_step_that_says_it_was_done_before_is_written_down(store, monkeypatch):
    """A later step adds a column: after a crash it is there already, and that is no fault."""
    late = schema.Step(9_999, 1, "9999_planted.sql", "ALTER TABLE settings ADD COLUMN x BIGINT")
    known = [*schema.steps(), late]
    monkeypatch.setattr(schema, "steps", lambda: known)
    store.connection.execute(late.text)
    assert schema.migrate(store.connection) == [late.name]
    assert schema.migrate(store.connection) == []
    store.connection.execute("ALTER TABLE settings DROP COLUMN x")
    store.connection.execute("DELETE FROM schema_steps WHERE number = 9999")


def test_step_that_fails_otherwise_is_not_written_down(store, monkeypatch):
    """Else the next start would go on from a schema that is not there."""
    broken = schema.Step(9_999, 1, "9999_planted.sql", "ALTER TABLE nothing ADD COLUMN x BIGINT")
    known = [*schema.steps(), broken]
    monkeypatch.setattr(schema, "steps", lambda: known)
    with pytest.raises(Error):
        schema.migrate(store.connection)
    assert len(store.connection.execute(schema.SELECT_STEPS).fetchall()) == len(known) - 1


def test_step_that_was_another_when_it_ran_is_refused(store, address):
    """The text of a step that has run is history; changing it makes two kinds of database."""
    store.connection.execute("UPDATE schema_steps SET digest = x'00' WHERE place = 3")
    with pytest.raises(Damaged, match=r"step 3 of 0001_ledger\.sql"):
        MysqlStore(address)
    store.connection.execute("DELETE FROM schema_steps WHERE place = 3")
    MysqlStore(address).close()


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "it's", 'say "hi"', "back\\slash", "零钱🧧", "a\0b", "50%_?"])
def test_text_comes_back_as_it_was(store, text):
    """No character means anything to the server."""
    put = "INSERT INTO settings (name, value) VALUES (?, ?)"
    store.chore(lambda link: link.executemany(put, [("t", text)]))
    ours = "SELECT name FROM settings WHERE value = ? AND name = 't'"
    found = store.connection.execute(ours, (text,))
    assert found.fetchall() == [("t",)]


def test_bytes_come_back_as_they_were(world):
    """Sealed fields hold every byte there is."""
    cipher = bytes(range(256)) * 8
    row = Personal(world.ids["a"], 1, cipher, bytes(32))
    world.writer.apply([Submission(world.fund("a", 1), (row,))])
    assert world.connection.execute("SELECT cipher FROM personal").fetchone() == (cipher,)


def test_value_that_does_not_fit_is_refused_not_cut(world):
    """A server that cuts to fit would make two ids out of one."""
    row = Personal(world.ids["a"], 1, b"", bytes(33))
    with pytest.raises(Unsent):
        world.writer.apply([Submission(world.fund("a", 1), (row,))])


# --- what a server must promise -------------------------------------------------------------------


@pytest.fixture
def weak():
    """The server with a setting that forgets; put right again afterwards."""
    server = mariadb.server()
    server.do("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    yield server
    server.do("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


@pytest.mark.usefixtures("weak")
def test_server_that_may_forget_is_refused(address):
    """Durable before it answers: a power cut would take what a person was told."""
    with pytest.raises(Unsent, match=r"innodb_flush_log_at_trx_commit is 2, not 1 or 3"):
        MysqlStore(address)


@pytest.mark.usefixtures("weak")
def test_server_that_may_forget_will_do_for_the_sandbox(address):
    """There is no money in it."""
    MysqlStore(address, Options(is_sandbox=True)).close()


class Says:
    """A link to a server that answers what a test wants."""

    def __init__(self, settings):
        self._settings = settings

    def execute(self, text):
        """Answer a question for one setting."""
        name = text.removeprefix("SELECT @@GLOBAL.").removeprefix("SELECT @@SESSION.")
        return type("Row", (), {"fetchone": lambda _: (self._settings[name],)})()


def strong(engine):
    """Return settings that are strong enough for an engine."""
    settings = {demand.name: demand.accepted[0] for demand in engine.demands}
    settings |= {demand.when: 1 for demand in engine.demands if demand.when}
    settings |= {"max_allowed_packet": 2**24, "sql_mode": "ANSI_QUOTES,STRICT_ALL_TABLES"}
    return settings | {engine.isolation: "REPEATABLE-READ"}


@pytest.mark.parametrize(
    ("engine", "demand"),
    [(engine, demand) for engine in ENGINES for demand in engine.demands],
    ids=lambda row: row.name,
)
def test_every_demand_is_made(engine, demand):
    """Each weak setting by itself is enough to refuse a server, and none of the strong ones is."""
    durability.check(Says(strong(engine)), engine, is_sandbox=False)
    with pytest.raises(Unsent, match=f"{demand.name} is"):
        durability.check(Says(strong(engine) | {demand.name: "OTHER"}), engine, is_sandbox=False)


def test_demand_of_a_log_that_is_off_is_not_made():
    """What a server does not write need not be synced."""
    settings = strong(MARIADB) | {"log_bin": 0, "sync_binlog": 0}
    durability.check(Says(settings), MARIADB, is_sandbox=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_allowed_packet", STATEMENT_BYTES_MAX),
        ("sql_mode", "ANSI_QUOTES"),
        ("tx_isolation", "READ-COMMITTED"),
    ],
)
def test_demands_of_correctness_are_made_in_the_sandbox_too(name, value):
    """They are not about power cuts: without them rows would be cut, or read twice differently."""
    with pytest.raises(Unsent, match=name):
        durability.check(Says(strong(MARIADB) | {name: value}), MARIADB, is_sandbox=True)


def test_server_that_is_not_there_is_said_by_its_address(address):
    """Whoever reads it must know which server, and not its password."""
    port = mariadb.free_port()
    away = address._replace(port=port, password="secret")
    with pytest.raises(Unsent, match=f"127.0.0.1:{port}") as found:
        MysqlStore(away)
    assert "secret" not in str(found.value)


def unreachable():
    """Stand for a server that is not there."""
    raise OperationalError(2003, "away")


# --- owners ---------------------------------------------------------------------------------------


def decided(world, *commands):
    """Decide commands in memory and return the batch that would be committed."""
    _, batch = world.writer.lanes[0].decide([Submission(each) for each in commands])
    return [batch]


def test_lanes_are_taken_in_one_commit_however_many(address):
    """While they are taken nobody answers for any of them, and each commit is a disk's time."""
    store = MysqlStore(address)
    asked = "SHOW SESSION STATUS LIKE 'Com_commit'"
    before = int(store.connection.execute(asked).fetchone()[1])
    store.take(range(64))
    assert int(store.connection.execute(asked).fetchone()[1]) == before + 1
    store.close()


def test_lane_that_two_take_at_one_moment_is_the_later_ones(address, monkeypatch):
    """The earlier one must not read the later one's epoch as its own: both could commit by it."""
    earlier, later = MysqlStore(address), MysqlStore(address)
    read = earlier._taken
    monkeypatch.setattr(earlier, "_taken", lambda lanes: (later.take([1]), read(lanes))[1])
    with pytest.raises(Unsent, match="lane 1 was taken by somebody else"):
        earlier.take([0, 1])
    for store in (earlier, later):
        store.close()


def test_unknown_commit_of_a_lane_that_was_taken_is_left_to_its_new_owner(world, address):
    """Whoever has the lane now answers for it; raising the epoch again would throw him out."""
    batches = decided(world, world.fund("a", 1))
    other = MysqlStore(address)
    (taken,) = other.take([0])
    with pytest.raises(Fenced):
        world.store.resolve(batches)
    assert other.connection.execute("SELECT epoch FROM lanes").fetchone() == (taken.epoch,)
    other.close()


# --- what is said ahead ---------------------------------------------------------------------------


@pytest.fixture
def neighbour(address, store):  # noqa: ARG001 - the store makes the tables
    """Another client; of two who are in each other's way the one who wrote more goes on: he."""
    link, _ = connect(address, Options())
    link.execute("START TRANSACTION")
    rows = [(f"weight {each}", "") for each in range(2_000)]
    link.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", rows)
    yield link
    link.close()


def get_in_the_way(link, text):
    """Ask for something as soon as somebody waits for us.

    The server looks again when nobody has asked it for a tenth of a second.
    """
    waits = "SELECT count(*) FROM information_schema.innodb_lock_waits"
    until = time.monotonic() + 30
    while not link.execute(waits).fetchone()[0] and time.monotonic() < until:
        time.sleep(0.2)
    link.execute(text)


def test_nothing_stays_of_what_was_said_behind_a_deadlock(world, neighbour):
    """It is on its way before anybody hears that the transaction is gone, and it runs."""
    world.batch(world.register("b"))
    batches = decided(world, world.transfer("a", "b", 5))
    assert [name for name, _ in replacements(batches[0])][-2:] == ["accounts", "transfers"]
    neighbour.execute("UPDATE accounts SET seq = seq")
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(get_in_the_way, neighbour, "UPDATE lanes SET next_seq = next_seq")
        with pytest.raises(Unsent, match="1213"):
            world.store.commit(batches)
        blocked.result()
    neighbour.execute("ROLLBACK")
    assert world.connection.execute("SELECT count(*) FROM transfers").fetchone() == (0,)
    all_laws(world.connection)


def test_lane_that_somebody_holds_is_waited_for_once(world, neighbour, monkeypatch):
    """Each statement behind it would wait as long again, and everybody behind this batch."""
    said, say = [], world.connection.say

    def noted(text, *values):
        said.append(text)
        say(text, *values)

    monkeypatch.setattr(world.connection, "say", noted)
    world.connection.execute("SET SESSION innodb_lock_wait_timeout = 1")
    neighbour.execute("UPDATE lanes SET next_seq = next_seq")
    with pytest.raises(Unsent, match="1205"):
        world.store.commit(decided(world, world.fund("a", 1)))
    assert said == [module._TOGETHER, MARIADB.begin_lane, ADVANCE_LANE, module._EACH]


def test_row_that_stays_locked_is_no_unknown_commit(world, neighbour):
    """COMMIT was not said: the batch may go out again at once, and no epoch has to be raised."""
    world.connection.execute("SET SESSION innodb_lock_wait_timeout = 1")
    neighbour.execute("UPDATE accounts SET seq = seq")
    with pytest.raises(Unsent, match="1205"):
        world.store.commit(decided(world, world.fund("a", 1)))


@pytest.mark.parametrize("ends", ["committed", "fenced", "refused"])
def test_statement_commits_itself_again_behind_a_batch(world, neighbour, address, ends):
    """Else what is written next hangs on a transaction that nobody ends."""
    (batch,) = decided(world, world.fund("a", 1))
    if ends == "fenced":
        other = MysqlStore(address)
        other.take([0])
        other.close()
    if ends == "refused":
        batch = batch._replace(keys=[*batch.keys, *batch.keys])
    fails = {"fenced": pytest.raises(Fenced), "refused": pytest.raises(Unsent, match="1062")}
    with fails.get(ends, nullcontext()):
        world.store.commit([batch])
    neighbour.execute("ROLLBACK")
    world.connection.execute("INSERT INTO settings (name, value) VALUES ('after', '1')")
    found = neighbour.execute("SELECT value FROM settings WHERE name = 'after'").fetchall()
    assert found == [("1",)]


def test_answers_are_heard_in_order_and_to_the_end(store):
    """One that is left unread would be taken for that of whatever is asked next."""
    link, add = store.connection, "INSERT INTO settings (name, value) VALUES (?, ?)"
    link.say(add, ("a", "1"))
    link.say_many(add, [("b", "1"), ("c", "1")])
    assert link.hear() == [1, 2]
    link.say(add, ("a", "2"))
    link.say(add, ("d", "1"))
    link.say(add, ("b", "2"))
    with pytest.raises(Error, match="1062"):
        link.hear()
    link.say("UPDATE settings SET value = '3'")
    assert link.execute("SELECT value FROM settings WHERE name = 'd'").fetchone() == ("3",)
    link.say(add, ("a", "4"))
    with pytest.raises(Error, match="1062"):
        link.execute("SELECT 1")
    assert link.execute("SELECT 2").fetchone() == (2,)


def test_questions_are_answered_in_order(store):
    """All of them are said first; what was said before them has its answers read by then."""
    link = store.connection
    link.say("INSERT INTO settings (name, value) VALUES ('a', '1')")
    found = link.ask([("SELECT ?", (each,)) for each in (1, b"2")] + [("SELECT 3 WHERE 1 = 0", ())])
    assert [list(rows) for rows in found] == [[(1,)], [(b"2",)], []]
    with pytest.raises(Error, match="1146"):
        link.ask([("SELECT 1", ()), ("SELECT 2 FROM nowhere", ()), ("SELECT 3", ())])
    assert link.execute("SELECT value FROM settings").fetchall() == [("1",)]


def test_large_answers_are_heard_between_questions(address):
    """A server that cannot get rid of its answer does not read on: both would wait for good."""
    link, _ = connect(address, Options(answer_s=3))
    large = "y" * 200_000
    questions = [("SELECT repeat('x', 8000000)", ()), *[("SELECT ?", (large,))] * 40]
    first, *rest = link.ask(questions)
    assert len(first[0][0]) == 8_000_000
    assert [rows[0][0] for rows in rest] == [large] * 40
    link.close()


def test_answers_that_will_never_come_are_not_waited_for(store):
    """A connection that is ended in the middle of much that was said is lost once."""
    link, number = store.connection, store.connection.execute("SELECT CONNECTION_ID()").fetchone()
    link.say("SELECT sleep(30)")
    link.say("SELECT 1")
    mariadb.server().do(f"KILL {number[0]}")
    with pytest.raises(Error):
        link.hear()
    assert not link.is_open
    assert store.read(lambda link: link.execute("SELECT 2").fetchone()) == (2,)


def test_connection_is_mended_when_the_server_has_ended_it(world):
    """A server restarts, or grows tired of an idle session: nobody who asks should notice."""
    number = world.connection.execute("SELECT CONNECTION_ID()").fetchone()[0]
    mariadb.server().do(f"KILL {number}")
    assert world.do(world.fund("a", 5)).code == 0
    assert world.connection.execute("SELECT CONNECTION_ID()").fetchone()[0] != number
    held = world.connection.execute("SELECT connection, CONNECTION_ID() FROM lanes").fetchone()
    assert held[0] == held[1], "whoever takes the lane must know whom to end"
    all_laws(world.connection)


def test_reading_mends_the_connection_too(world):
    """The first thing a batch does is to read."""
    number = world.connection.execute("SELECT CONNECTION_ID()").fetchone()[0]
    mariadb.server().do(f"KILL {number}")
    assert world.do(world.register("b")).code == 0
    assert world.connection.execute("SELECT CONNECTION_ID()").fetchone()[0] != number


@pytest.mark.parametrize("what", ["users", "keys"])
def test_reading_that_failed_half_way_names_nobody_as_absent(world, monkeypatch, what):
    """A person who was not read and is taken for a stranger could register a second time."""
    wanted, view = Wanted(is_gated=False), View(0, Policy({}), None)
    key = {"users": world.ids["a"], "keys": world.key(0, "register a")}[what]
    getattr(wanted, what).add(key)
    monkeypatch.setattr(world.store, "_open", unreachable)
    mariadb.server().do(f"KILL {world.connection.execute('SELECT CONNECTION_ID()').fetchone()[0]}")
    with pytest.raises(Unsent):
        world.store.load(view, wanted)
    assert (view.users.rows, view.seen) == ({}, {})
    monkeypatch.undo()
    world.store.load(view, wanted)
    assert {**view.users.rows, **view.seen}[key] is not None


def test_number_of_a_connection_of_an_older_server_is_left_alone(store):
    """After a restart the server counts anew, and the number is somebody else's."""
    server = mariadb.server()
    stranger = server.admin()
    number = stranger.thread_id()
    store._end(store.connection, module._Holder(number, 1))
    stranger.ping(reconnect=False)
    now = store.connection.execute("SELECT UNIX_TIMESTAMP()").fetchone()[0]
    store._end(store.connection, module._Holder(number, now))
    with pytest.raises(Error):
        stranger.ping(reconnect=False)
    stranger.close()


def test_chore_whose_commit_was_cut_is_unknown(store, monkeypatch):
    """No seal proves what became of it; to say that nothing was written would be a lie."""
    execute = store.connection.execute

    def cut(text, *values):
        if text == "COMMIT":
            raise OperationalError(2013, "cut")
        return execute(text, *values)

    monkeypatch.setattr(store.connection, "execute", cut)
    put = "INSERT INTO settings (name, value) VALUES ('a', '1')"
    with pytest.raises(Unknown):
        store.chore(lambda link: link.execute(put))
    monkeypatch.undo()
    assert store.chore(lambda link: link.execute("SELECT 1").fetchone()) == (1,)


def test_pause_grows_and_ends(store, monkeypatch):
    """Neighbours that met once must not meet again at once; and nobody waits for long."""
    waits = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    for _ in range(20):
        store._pause()
    assert waits[0] < 0.01 < waits[-1] <= module.DATABASE_PAUSE_MS_MAX / 1_000
    store.chore(lambda link: link.execute("SELECT 1"))
    store._pause()
    assert waits[-1] < 0.01, "a commit that worked begins anew"


def test_answer_of_a_commit_comes_after_the_log_is_on_disk(store):
    """What the word durable rests on; a changed default must not go unseen."""
    row = store.connection.execute("SELECT @@innodb_flush_log_at_trx_commit").fetchone()
    assert row == (1,)


def test_transaction_that_stands_still_is_ended_by_the_server(store):
    """A process that was stopped must not hold a lane for ever."""
    assert store.connection.execute("SELECT @@SESSION.idle_transaction_timeout").fetchone()[0] > 0
    began = time.monotonic()
    store.connection.execute("SET SESSION idle_transaction_timeout = 1")
    store.connection.execute(store.engine.begin)
    store.connection.execute("UPDATE lanes SET epoch = epoch")
    time.sleep(1.5)
    with pytest.raises(Error):
        store.connection.execute("COMMIT")
    assert time.monotonic() - began < 30


def test_errors_are_counted_by_their_class(world, monkeypatch):
    """What an engineer on call sees of a server that cuts, conflicts or is full."""
    number = world.connection.execute("SELECT CONNECTION_ID()").fetchone()[0]
    mariadb.server().do(f"KILL {number}")
    assert world.store.read(lambda link: link.execute("SELECT 1").fetchone()) == (1,)
    assert world.store.errors == {"lost": 1}

    def conflict(*_):
        raise OperationalError(1213, "deadlock")

    monkeypatch.setattr(world.store, "_advance", conflict)
    with pytest.raises(Unsent):
        world.batch(world.fund("a", 1))
    assert world.store.errors == {"lost": 1, "rolled back": world.writer.outcomes["unsent"]}
    assert world.store.errors["rolled back"] > 1
