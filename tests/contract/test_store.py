"""What every store promises the lane: one suite, run on each adapter (存储契约)."""

from contextlib import suppress

import pytest

from home import KINDS, opened
from home import home as home_of
from law import all_laws
from lingqian.flows.view import Policy, View, Wanted
from lingqian.kernel.bound import COMMIT_TRIES_MAX
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged, Fenced, Moved, Unknown, Unsent
from lingqian.ledger.chart import balance_account
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.lane import Submission
from lingqian.storage.port import Parked, Personal, Taken
from lingqian.storage.position import parked, position
from lingqian.storage.schema import APPENDED, TABLES
from lingqian.storage.sqlite import SqliteStore
from world import World, digest, open_seed

LANES = (1, 4)


@pytest.fixture(params=KINDS)
def home(request, tmp_path):
    """Each adapter, in a place of its own."""
    place = home_of(request.param, tmp_path)
    yield place
    place.done()


@pytest.fixture
def store(home):
    """An empty store."""
    with opened(home) as made:
        yield made


@pytest.fixture(params=LANES)
def world(request, store):
    """Four people with money over an empty store."""
    made = World(request.param, store=store)
    made.batch(*[made.register(name) for name in "abcd"])
    made.batch(*[made.fund(name, 1_000) for name in "abcd"])
    return made


class Cut:
    """A connection that fails when it is told a word: before the engine has done it, or after."""

    def __init__(self, connection, error, *, word="COMMIT", is_done=False, times=1):
        self._connection = connection
        self._error = error
        self._word = word
        self._is_done = is_done
        self._is_due = False
        self.times = times

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, text, *values):
        """Run a statement; the word fails, whatever became of it."""
        if text == self._word and self.times:
            self.times -= 1
            if self._is_done:
                self._connection.execute(text)
            raise self._error
        return self._connection.execute(text, *values)

    def say(self, text, *values):
        """Say a statement; when it is the word, what is heard next is that it failed."""
        if text == self._word and self.times:
            self.times -= 1
            self._is_due = True
        self._connection.say(text, *values)

    def hear(self):
        """Hear what became of everything that was said."""
        found = self._connection.hear()
        if self._is_due:
            self._is_due = False
            raise self._error
        return found


def dump(connection):
    """Return every row of every table, for comparing two moments."""
    names = [*APPENDED, *(table.name for table in TABLES)]
    return {
        name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in names
    }


def live(world):
    """Play some of everything, so that most tables have rows."""
    world.do(world.gather("family", "abc"))
    world.do(world.transfer("a", "b", 100))
    world.do(world.send("p", "a", PacketKind.EQUAL, 300, 3, conversation="family"))
    world.do(world.claim("p", "b"))
    world.do(world.claim("p", "c"))
    world.do(world.send("q", "b", PacketKind.PASSPHRASE, 100, 1, passphrase="spring"))
    world.do(world.claim("q", "c", "autumn"))
    world.do(world.send("r", "c", PacketKind.DRAW, 100, 2, draw_at_us=world.clock.us + 1_000_000))
    world.do(world.claim("r", "d"))
    world.do(world.claim("r", "a"))
    world.do(world.transfer("a", "b", 99_999))


# --- positions ------------------------------------------------------------------------------------


def test_lane_begins_at_one_with_an_empty_chain(store):
    """The first row is number one, and the first seal grows from nothing."""
    (row,) = store.take([7])
    assert (row.lane, row.next_seq, row.head, row.batch_id) == (7, 1, bytes(32), bytes(16))


def test_lane_taken_again_has_a_higher_epoch(store):
    """Taking a lane is what fences whoever had it before."""
    (first,), (second,) = store.take([0]), store.take([0])
    assert second.epoch == first.epoch + 1
    assert second[2:] == first[2:]


def test_lanes_are_taken_together_in_the_order_asked(store):
    """Rows that came back in another order would make one lane's chain go on in another."""
    rows = store.take([9, 2, 5])
    assert [row.lane for row in rows] == [9, 2, 5]
    again = store.take([5, 9])
    assert [(row.lane, row.epoch) for row in again] == [(5, 2), (9, 2)]
    assert store.take([]) == []


def test_lanes_that_cannot_be_taken_are_all_left_as_they_were(home, store):
    """Half a hand-over would leave lanes that nobody counts as his."""
    store.take([0, 1])
    with home.cannot_begin(store), pytest.raises(Unsent):
        store.take([0, 1])
    assert [row.epoch for row in store.take([0, 1])] == [2, 2]


def test_commit_keeps_the_position_over_reopening(home):
    """What was answered is there after a restart; only memory forgets."""
    world = World(store=home.open())
    world.do(world.register("a"))
    world.do(world.fund("a", 1_000))
    before, rows = world.writer.lanes[0].row, dump(world.connection)
    keeper = home.open() if home.forgets else None
    world.close()
    again = home.open()
    (row,) = again.take([0])
    assert row[2:] == before[2:]
    assert dump(again.connection) == rows
    again.close()
    if keeper is not None:
        keeper.close()
        gone = home.open()
        assert gone.take([0])[0].next_seq == 1
        gone.close()


# --- loading --------------------------------------------------------------------------------------


def empty_view(lane):
    """Return a view that has loaded nothing."""
    return View(lane, Policy({}), open_seed)


def test_load_reads_back_every_table_as_it_was_written(world):
    """A writer that starts anew must see exactly what the last one had in memory."""
    live(world)
    for number, lane in world.writer.lanes.items():
        wanted, fresh = Wanted(is_gated=True), empty_view(number)
        for table in TABLES:
            known = getattr(lane.view, table.attribute).rows
            getattr(wanted, table.attribute).update(known)
        wanted.keys.update(lane.view.seen)
        world.store.load(fresh, wanted)
        for table in TABLES:
            values = table.values()
            have = getattr(lane.view, table.attribute).rows
            read = getattr(fresh, table.attribute).rows
            assert read.keys() == have.keys(), table.name
            for key, row in have.items():
                assert (row is None) == (read[key] is None), table.name
                assert row is None or values(row) == values(read[key]), table.name
        assert fresh.seen == lane.view.seen


def test_load_names_what_is_absent(store):
    """An absent row is known to be absent; a row nobody asked for is a bug, not an absence."""
    wanted, view = Wanted(is_gated=True), empty_view(0)
    wanted.users.add(bytes(16))
    wanted.claims.add(bytes(32))
    wanted.keys.add(bytes(16))
    wanted.tickets.add(bytes(16))
    store.load(view, wanted)
    assert view.users.get(bytes(16)) is None
    assert view.claims.get(bytes(32)) is None
    assert view.seen == {bytes(16): None}
    assert view.tickets == {bytes(16): []}
    with pytest.raises(KeyError):
        view.users.get(b"another one     ")


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65, 511, 512, 513, 1_100])
def test_load_reads_any_number_of_rows(store, count):
    """Statements come in a few sizes; no number of keys may fall between them."""
    world = World(store=store)
    names = [f"user {place}" for place in range(count)]
    world.batch(*[world.register(name) for name in names])
    wanted, view = Wanted(is_gated=False), empty_view(0)
    wanted.users.update(world.ids[name] for name in names)
    wanted.keys.update(world.key(0, f"register {name}") for name in names)
    store.load(view, wanted)
    assert sum(row is not None for row in view.users.rows.values()) == count
    assert sum(row is not None for row in view.seen.values()) == count


def test_load_does_not_touch_rows_the_view_has(world):
    """What is in memory is newer than what is stored, until the batch is committed."""
    lane = world.writer.lanes[world.lane_of("a")]
    row = lane.view.users.have(world.ids["a"])
    wanted = Wanted(is_gated=False)
    wanted.users.add(world.ids["a"])
    world.store.load(lane.view, wanted)
    assert lane.view.users.have(world.ids["a"]) is row


def test_load_brings_tickets_in_their_order(world):
    """Who wins a draw hangs on the order of entry, not on anybody's id."""
    world.do(world.send("r", "a", PacketKind.DRAW, 100, 2, draw_at_us=world.clock.us + 1_000_000))
    for name in "dbca":
        world.do(world.claim("r", name))
    wanted, view = Wanted(is_gated=False), empty_view(0)
    wanted.tickets.add(world.ids["r"])
    world.store.load(view, wanted)
    tickets = view.tickets[world.ids["r"]]
    assert [user for user, _ in tickets] == [world.ids[name] for name in "dbca"]
    assert [claim.ticket for _, claim in tickets] == [1, 2, 3, 4]


# --- committing -----------------------------------------------------------------------------------


def decided(world, *commands):
    """Decide commands in memory and return the batches that would be committed."""
    batches = []
    for lane in world.writer.lanes.values():
        mine = [
            Submission(each) for each in commands if int.from_bytes(each.key[:2]) == lane.row.lane
        ]
        _, batch = lane.decide(mine)
        if batch is not None:
            batches.append(batch)
    return batches


def test_commit_keeps_the_laws(world):
    """All there is to say about a good commit: the laws hold on what is stored."""
    live(world)
    all_laws(world.connection)


def test_commit_writes_all_lanes_or_none(world):
    """One transaction: a lane that was taken away in between takes the others with it."""
    batches = decided(world, *[world.fund(name, 1) for name in "abcd"])
    assert len(batches) == world.lane_count
    before = dump(world.connection)
    world.store.take([batches[-1].before.lane])
    with pytest.raises(Fenced):
        world.store.commit(batches)
    assert dump(world.connection) == before


def test_commit_of_a_fenced_owner_writes_nothing(world):
    """Two owners of one lane: the late one must notice at its next commit, whatever it believes."""
    older, newer = world.writer, world.open_writer()
    newer.apply([Submission(world.fund("a", 1))])
    before = dump(world.connection)
    with pytest.raises(Fenced):
        older.apply([Submission(world.fund("a", 2))])
    assert dump(world.connection) == before
    newer.apply([Submission(world.fund("a", 3))])
    assert world.balance("a") == 1_004
    all_laws(world.connection)


def test_commit_of_an_old_position_writes_nothing(world):
    """The same epoch at another sequence is fenced too: a batch can be written once only."""
    batches = decided(world, world.fund("a", 1))
    world.store.commit(batches)
    before = dump(world.connection)
    with pytest.raises(Fenced):
        world.store.commit(batches)
    assert dump(world.connection) == before


def test_commit_of_a_used_key_writes_nothing(world):
    """The key's own row is the last line of defence, behind the rung that reads it."""
    command = world.fund("a", 1, key="k")
    world.do(command)
    before = dump(world.connection)
    lane = world.writer.lanes[world.lane_of("a")]
    lane.view.seen[command.key] = None
    with pytest.raises(Unsent):
        world.batch(command)
    assert dump(world.connection) == before
    assert world.do(command).first is not None, "memory was thrown away with the batch"


def test_commit_of_a_row_that_another_key_has_writes_nothing(world):
    """One outside id is one person: a row must never replace another that a second law finds."""
    lane = world.writer.lanes[world.lane_of("a")]
    other = world.register("e")
    while world.lane_of("e") != world.lane_of("a"):
        world.ids.pop("e")
        other = world.register("e")
    batches = decided(world, other)
    lane.view.users.have(world.ids["e"]).external_mac = lane.view.users.have(
        world.ids["a"]
    ).external_mac
    before = dump(world.connection)
    with pytest.raises(Unsent):
        world.store.commit(batches)
    assert dump(world.connection) == before


def test_commit_of_a_negative_counter_writes_nothing(world):
    """The database has checks of its own, for the day when ours are wrong."""
    batches = decided(world, world.fund("a", 1))
    lane = world.writer.lanes[world.lane_of("a")]
    lane.view.accounts.have(balance_account(world.ids["a"])).debits_posted = -1
    before = dump(world.connection)
    with pytest.raises(Unsent):
        world.store.commit(batches)
    assert dump(world.connection) == before


def test_personal_data_is_replaced_and_stays_out_of_the_journal(world):
    """It must be erasable while the ledger stays whole."""
    for cipher in (b"one", b"two"):
        row = Personal(world.ids["a"], 1, cipher, b"mac")
        world.writer.apply([Submission(world.fund("a", 1), (row,))])
    stored = world.connection.execute("SELECT cipher FROM personal").fetchall()
    assert stored == [(b"two",)]
    for (body,) in world.connection.execute("SELECT body FROM journal"):
        assert b"two" not in body


# --- what may go wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["begin", "commit"])
@pytest.mark.parametrize("times", [1, COMMIT_TRIES_MAX - 1])
def test_unsent_commit_is_tried_again(home, world, monkeypatch, where, times):
    """Nothing was written, so the same batch may go out again, and then once only."""
    word = home.begin_lane if where == "begin" else "COMMIT"
    busy = Cut(world.store._connection, home.busy, word=word, times=times)
    monkeypatch.setattr(world.store, "_connection", busy)
    answer = world.batch(world.fund("a", 5, key="k"))[0]
    assert (answer.code, busy.times) == (Code.OK, 0)
    assert world.balance("a") == 1_005
    all_laws(world.connection)


def test_unsent_commit_is_given_up_after_a_bound_and_leaves_nothing(home, world, monkeypatch):
    """The caller is told that nothing happened, and asking again with the same key works."""
    before = dump(world.connection)
    busy = Cut(world.store._connection, home.busy, times=COMMIT_TRIES_MAX)
    monkeypatch.setattr(world.store, "_connection", busy)
    command = world.fund("a", 5, key="k")
    with pytest.raises(Unsent):
        world.batch(command)
    assert dump(world.connection) == before
    answer = world.do(command)
    assert (answer.code, answer.first) == (Code.OK, None)
    assert world.balance("a") == 1_005
    all_laws(world.connection)


def test_unknown_commit_that_happened_is_answered(home, world):
    """The batch id read back says that it was committed: the answer is the truth, not an error."""
    epochs = [lane.row.epoch for lane in world.writer.lanes.values()]
    world.store._connection = Cut(world.store._connection, home.cut, is_done=True)
    commands = [world.fund(name, 5, key=f"k {name}") for name in "abcd"]
    answers = world.batch(*commands)
    assert [answer.code for answer in answers] == [Code.OK] * 4
    assert [lane.row.epoch for lane in world.writer.lanes.values()] == [e + 1 for e in epochs]
    assert [world.balance(name) for name in "abcd"] == [1_005] * 4
    assert [world.do(each).first is not None for each in commands] == [True] * 4
    all_laws(world.connection)


def test_unknown_commit_that_did_not_happen_is_not_answered(home, world):
    """Read back, it is unknown no longer: nothing was written, and the same key does it once."""
    before = dump(world.connection)
    world.store._connection = Cut(world.store._connection, home.cut)
    command = world.fund("a", 5, key="k")
    with pytest.raises(Unsent):
        world.batch(command)
    assert dump(world.connection) == before
    answer = world.do(command)
    assert (answer.code, answer.first) == (Code.OK, None)
    assert world.balance("a") == 1_005
    all_laws(world.connection)


@pytest.mark.parametrize("is_done", [True, False])
def test_unknown_commit_waits_until_the_database_can_be_asked(home, world, monkeypatch, is_done):
    """While nobody knows, nothing else may be decided on top of it."""
    command = world.fund("a", 5, key="k")
    world.store._connection = Cut(world.store._connection, home.cut, is_done=is_done)

    def unreachable():
        raise home.away

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "_open", unreachable)
        for _ in range(2):
            with pytest.raises(Unknown):
                world.batch(command)
        with pytest.raises(Unknown):
            world.batch(world.fund("b", 7))
    answer = world.do(command)
    assert answer.code == Code.OK
    assert (answer.first is not None) == is_done
    assert [world.balance(name) for name in "ab"] == [1_005, 1_000]
    all_laws(world.connection)


def test_unknown_commit_cannot_land_after_it_was_resolved(world):
    """The epoch is raised before the reading, so a commit still under way comes too late."""
    batches = decided(world, world.fund("a", 5))
    rows = world.store.resolve(batches)
    assert [row.batch_id for row in rows] == [batch.before.batch_id for batch in batches]
    with pytest.raises(Fenced):
        world.store.commit(batches)
    assert world.balance("a") == 1_000


# --- how far a stream was read --------------------------------------------------------------------

TOPIC = b"a topic's own id"


def read_to(world, name, place, *words):
    """Return how far a person's lane has read its commands, and what it passed over there."""
    passed = tuple(
        Parked(digest(word)[:16], at, world.clock.us, word, bytes(16), bytes(29))
        for at, word in enumerate(words)
    )
    return Taken(world.lane_of(name), "commands", TOPIC, place, passed)


def stands(world, name):
    """Return how far a person's lane has read its commands, as stored."""
    return position(world.connection, world.lane_of(name), "commands")


def test_a_lane_that_has_read_nothing_says_so(world):
    """Then a stream is read from its begin."""
    assert stands(world, "a") == (b"", 0)


def test_what_was_done_and_how_far_it_was_read_are_one(world):
    """Read again it would be done twice, were it not for the keys; passed over it would be lost."""
    world.writer.apply([Submission(world.fund("a", 5))], [read_to(world, "a", 7)])
    assert (stands(world, "a"), world.balance("a")) == ((TOPIC, 7), 1_005)
    world.writer.apply([Submission(world.fund("a", 5))], [read_to(world, "a", 8)])
    assert (stands(world, "a"), world.balance("a")) == ((TOPIC, 8), 1_010)
    all_laws(world.connection)


def test_a_batch_of_refusals_moves_on_all_the_same(world):
    """Nothing is written for them, and they must not be read for ever."""
    before = dump(world.connection)
    stranger = world.fund("a", 5)._replace(user_id=world.ids["a"][:2] + bytes(14))
    answers = world.writer.apply([Submission(stranger)], [read_to(world, "a", 3)])
    assert [answer.seq for answer in answers] == [0]
    assert stands(world, "a") == (TOPIC, 3)
    assert dump(world.connection) == before
    world.do(world.fund("a", 1))
    all_laws(world.connection)


def test_what_is_no_command_is_kept_once(world):
    """It is passed over in the open; a stream read again finds it kept already."""
    for _ in range(2):
        world.writer.apply([], [read_to(world, "a", 2, "noise", "more noise")])
    found = parked(world.connection, 10)
    assert {(each.place, each.reason) for each in found} == {(0, "noise"), (1, "more noise")}
    assert {each.topic for each in found} == {TOPIC}
    assert stands(world, "a") == (TOPIC, 2)


def test_a_fenced_owner_does_not_say_how_far_it_has_read(world):
    """Two owners read the same lane for a while; the late one must not move the other's place."""
    older, newer = world.writer, world.open_writer()
    newer.apply([], [read_to(world, "a", 9)])
    with pytest.raises(Fenced):
        older.apply([], [read_to(world, "a", 4, "noise")])
    assert stands(world, "a") == (TOPIC, 9)
    assert parked(world.connection, 10) == []


def test_a_lane_of_others_is_not_read(world):
    """Who lost a lane has no word on it any more."""
    world.writer.give([world.lane_of("a")])
    with pytest.raises(Moved):
        world.writer.apply([], [read_to(world, "a", 4)])


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("amount_fen", [0, 5])
def test_a_cut_commit_keeps_both_or_neither(home, world, is_done, amount_fen):
    """Whatever the writer comes to know, the store says one thing: done and read, or neither."""
    world.store._connection = Cut(world.store._connection, home.cut, is_done=is_done)
    wanted = [Submission(world.fund("a", amount_fen))] if amount_fen else []
    with suppress(Unsent):
        world.writer.apply(wanted, [read_to(world, "a", 7, "noise")])
    assert stands(world, "a") == ((TOPIC, 7) if is_done else (b"", 0))
    assert world.balance("a") == 1_000 + (amount_fen if is_done else 0)
    assert len(parked(world.connection, 10)) == is_done
    world.writer.apply([], [read_to(world, "a", 8)])
    assert stands(world, "a") == (TOPIC, 8)
    all_laws(world.connection)


# --- readers, chores, the schema ------------------------------------------------------------------


def test_reader_sees_only_what_is_committed(home, store):
    """An answer to a reader must never be taken back."""
    world = World(store=store)
    world.do(world.register("a"))
    reader = home.reader(store)
    if reader is store.connection:
        assert home.is_single, "one connection sees its own work by nature"
        return
    count = "SELECT count(*) FROM settings WHERE name <> 'turn'"
    assert reader.execute(count).fetchone() == (0,)
    home.impatient(reader)
    store.connection.execute(home.begin)
    store.connection.execute("INSERT INTO settings VALUES ('a', '1')")
    # A store in memory may turn the reader away; what it may not do is show the row.
    with suppress(home.errors):
        assert reader.execute(count).fetchone() == (0,)
    store.connection.execute("COMMIT")
    assert reader.execute(count).fetchone() == (1,)
    reader.close()


def test_reader_cannot_write(home, store):
    """Reads have connections of their own so that a mistake in one cannot move money."""
    reader = home.reader(store)
    if reader is store.connection:
        return
    if not home.binds_readers:
        pytest.skip(f"{home.kind} binds readers by the rights of their user alone")
    with pytest.raises(home.errors, match=r"(?i)read.?only"):
        reader.execute("DELETE FROM journal")
    reader.close()


def test_read_that_cannot_be_done_says_so(home, store):
    """The relay reads between batches; what it cannot read now must not stop the lane."""

    def away(connection):
        del connection
        raise home.away

    assert store.read(lambda connection: connection.execute("SELECT 7").fetchall()) == [(7,)]
    with pytest.raises(Unsent):
        store.read(away)
    assert store.take([0])[0].next_seq == 1, "and nothing is broken by it"


def test_chore_is_done_whole_or_not_at_all(store):
    """Keys and endpoints are no money, and still nothing may be half written."""
    insert = "INSERT INTO settings (name, value) VALUES (?, ?)"
    returned = store.chore(lambda connection: connection.execute(insert, ("a", "1")) and 7)
    assert returned == 7

    def broken(connection):
        connection.execute(insert, ("b", "2"))
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        store.chore(broken)
    # On a server whose turn it is stands there, too.
    names = store.connection.execute("SELECT name FROM settings WHERE name <> 'turn'").fetchall()
    assert names == [("a",)]


def test_chore_that_cannot_begin_says_that_nothing_was_written(home, store):
    """The caller may try again without asking what became of it."""
    with home.cannot_begin(store), pytest.raises(Unsent):
        store.chore(lambda connection: connection)


def test_schema_is_brought_up_from_nothing_in_numbered_steps(home, store):
    """A gap in the numbers would let a database stop between two programs."""
    numbers, reached = home.schema(store)
    assert numbers == list(range(1, len(numbers) + 1))
    assert reached == numbers[-1]


def test_schema_that_is_newer_than_the_program_is_refused(home, store):
    """An old program must not guess what a newer one meant."""
    home.outgrow(store)
    with pytest.raises(Damaged, match="schema"):
        home.open()


def test_checkpoint_changes_nothing_that_anybody_can_see(world, monkeypatch):
    """Housekeeping between batches; the next batch goes on where the last one ended."""
    live(world)
    before = dump(world.connection)
    monkeypatch.setattr("lingqian.storage.sqlite.WAL_PAGES_MAX", 0)
    world.store.checkpoint()
    assert dump(world.connection) == before
    world.do(world.fund("a", 1))
    all_laws(world.connection)


def test_file_store_is_durable_before_it_answers(tmp_path):
    """FULL and WAL are what the word durable rests on; a changed default must not go unseen."""
    store = SqliteStore(tmp_path / "ledger.db")
    assert store.connection.pragma("synchronous") == 2
    assert store.connection.pragma("journal_mode") == "wal"
    assert store.connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    store.close()
