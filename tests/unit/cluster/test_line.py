"""Two processes on a line: only who has the key is heard, and each command has its one answer."""

import asyncio
import datetime as dt
from contextlib import asynccontextmanager

import pytest

from lingqian.cluster.authority import Wish, issue, make_authority
from lingqian.cluster.credential import Credential
from lingqian.cluster.host import Host
from lingqian.cluster.line import FAULTS, Key, Line, Trust, Word, read_fault, write_fault
from lingqian.cluster.neighbour import Neighbour
from lingqian.cluster.role import Role
from lingqian.flows.command import DeliverRelay, Fund
from lingqian.kernel.bound import FRAME_BYTES_MAX
from lingqian.kernel.fault import Busy, Fault, Moved, Rejected, Unknown, Unsent
from lingqian.storage.lane import Answer, Submission
from lingqian.web.loop import new_loop
from sample import sample

OURS = Trust(Key(b"a key of thirty-two bytes or so."))
THEIRS = Trust(Key(b"another key, of somebody else..."))
PATIENCE_S = 20
ASKED = Submission(sample(Fund))


class Desk:
    """An intake that answers at once, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.heard = asyncio.Event()
        self.fault = None

    def ask(self, submission, within_s):
        """Answer, or fail as it was told to."""
        self.asked.append((submission, within_s))
        future = asyncio.get_running_loop().create_future()
        if self.fault is not None:
            future.set_exception(self.fault)
        else:
            future.set_result(Answer(0, submission.command, None, 5, len(self.asked), "", None))
        return future


class Silent(Desk):
    """An intake that never answers."""

    def ask(self, submission, within_s):
        """Hold the question."""
        self.asked.append((submission, within_s))
        self.heard.set()
        return asyncio.get_running_loop().create_future()


@asynccontextmanager
async def open_host(desk, trust=OURS, look=lambda: None):
    """Listen on loopback; yields the host and its address."""
    host = Host(desk, trust, look)
    port = await host.open("127.0.0.1", 0)
    try:
        yield host, f"127.0.0.1:{port}"
    finally:
        await host.close()


def run(work):
    """Run a coroutine with a bound, on the loop that the product runs on."""

    async def bounded():
        async with asyncio.timeout(PATIENCE_S):
            return await work()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(bounded())


def test_command_goes_over_and_its_answer_comes_back():
    """With what time its caller still has."""

    async def work():
        desk = Desk()
        async with open_host(desk) as (_, address):
            answer = await Neighbour(address, OURS).ask(ASKED, 5.0)
        assert answer == Answer(0, ASKED.command, None, 5, 1, "", None)
        ((submission, within_s),) = desk.asked
        assert submission == ASKED
        assert 4.5 < within_s <= 5.0

    run(work)


def test_many_are_under_way_on_one_connection():
    """They go out together, and each is told its own answer."""

    async def work():
        desk = Desk()
        async with open_host(desk) as (host, address):
            far = Neighbour(address, OURS)
            asked = [Submission(sample(Fund, str(number))) for number in range(200)]
            answers = await asyncio.gather(*[far.ask(each, 5.0) for each in asked])
            assert len(host.guests) == 1
        assert [answer.command for answer in answers] == [each.command for each in asked]

    run(work)


@pytest.mark.parametrize("fault", [Moved("gone"), Busy("full"), Unsent("no"), Unknown("cut")])
def test_fault_of_the_other_process_is_ours(fault):
    """The router goes by what it is."""

    async def work():
        desk = Desk()
        desk.fault = fault
        async with open_host(desk) as (_, address):
            with pytest.raises(type(fault), match=str(fault)):
                await Neighbour(address, OURS).ask(ASKED, 5.0)

    run(work)


@pytest.mark.parametrize(("caller", "called"), [(THEIRS, OURS), (OURS, THEIRS)])
def test_nobody_is_heard_without_the_key(caller, called):
    """Neither asks the other anything before both have proven it."""

    async def work():
        desk = Desk()
        async with open_host(desk, called) as (_, address):
            with pytest.raises(Unsent):
                await Neighbour(address, caller).ask(ASKED, 5.0)
        assert desk.asked == []

    run(work)


async def talk(address, data):
    """Send raw bytes to a host; return what it says until it ends the connection."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        (5).to_bytes(4, "big") + bytes((Word.ASK,)) + bytes(8) + b"hello",
        (5).to_bytes(4, "big") + bytes((Word.LOOK,)) + bytes(8) + b"hello",
        (48).to_bytes(4, "big") + bytes((Word.HELLO,)) + bytes(8) + bytes(48),
        (0).to_bytes(4, "big") + bytes((Word.HELLO,)) + bytes(8),
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big") + bytes((Word.HELLO,)) + bytes(8),
        bytes(13),
    ],
    ids=["http", "ask", "look", "wrong proof", "no proof", "too large", "no word"],
)
def test_stranger_is_not_listened_to(data):
    """Whoever finds the port hears a challenge and then nothing."""

    async def work():
        desk = Desk()
        looked = []
        async with open_host(desk, look=lambda: looked.append(1)) as (_, address):
            assert len(await talk(address, data)) in {0, 13 + 16}
        assert (desk.asked, looked) == ([], [])

    run(work)


def test_lost_connection_leaves_it_unknown():
    """It was sent and may have been done: whoever asked asks again with the same command."""

    async def work():
        desk = Silent()
        async with open_host(desk) as (host, address):
            far = Neighbour(address, OURS)
            asking = asyncio.create_task(far.ask(ASKED, 5.0))
            await desk.heard.wait()
            await host.close()
            with pytest.raises(Unknown, match="was lost"):
                await asking
            with pytest.raises(Unsent, match="cannot be reached"):
                await far.ask(ASKED, 5.0)

    run(work)


def test_answer_that_does_not_come_leaves_it_unknown():
    """A process that stands still keeps its connections open."""

    async def work():
        async with open_host(Silent()) as (_, address):
            with pytest.raises(Unknown, match="in time"):
                await Neighbour(address, OURS).ask(ASKED, 0.1)

    run(work)


def test_neighbour_that_came_back_is_asked_again():
    """A new connection for the next command, without anybody's doing."""

    async def work():
        desk = Desk()
        async with open_host(desk) as (host, address):
            far = Neighbour(address, OURS)
            await far.ask(ASKED, 5.0)
            for guest in tuple(host.guests):
                guest.close()
            answers = []
            while not answers:
                try:
                    answers.append(await far.ask(ASKED, 5.0))
                except (Unknown, Unsent):
                    continue

    run(work)


def test_neighbour_is_told_to_look():
    """So that a lease let go is taken at once; one that cannot be reached finds out by itself."""

    async def work():
        looked = asyncio.Event()
        async with open_host(Desk(), look=looked.set) as (_, address):
            await Neighbour(address, OURS).look()
            await looked.wait()
        await Neighbour(address, OURS).look()

    run(work)


@pytest.mark.parametrize(
    ("role", "command", "is_answered"),
    [
        (Role.EDGE, Fund, True),
        (Role.JOBS, Fund, True),
        (Role.RELAY, DeliverRelay, True),
        (Role.RELAY, Fund, False),
        (Role.EDGE, DeliverRelay, False),
        (Role.LANE, Fund, False),
    ],
)
def test_credential_says_what_may_be_asked(tmp_path, role, command, is_answered):
    """The key is all of ours; what a process of one role may do with it is not everything."""
    make_authority(tmp_path / "authority", dt.datetime.now(dt.UTC))
    trusts = []
    for name, own in (("caller", role), ("called", Role.LANE)):
        wish = Wish(name, (own,), ("127.0.0.1",))
        issue(tmp_path / "authority", tmp_path / name, wish, dt.datetime.now(dt.UTC))
        trusts.append(Trust(OURS.key, Credential(tmp_path / name)))

    async def work():
        desk = Desk()
        async with open_host(desk, trusts[1]) as (_, address):
            asking = Neighbour(address, trusts[0]).ask(Submission(sample(command)), 5.0)
            if is_answered:
                await asking
            else:
                with pytest.raises(Unknown):
                    await asking
        assert bool(desk.asked) == is_answered

    run(work)


def test_command_is_not_sent_to_who_may_not_decide_it(tmp_path):
    """Whoever stands at a lane's address with an edge's credential hears of no money."""
    make_authority(tmp_path / "authority", dt.datetime.now(dt.UTC))
    wish = Wish("edge", (Role.EDGE,), ("127.0.0.1",))
    issue(tmp_path / "authority", tmp_path / "edge", wish, dt.datetime.now(dt.UTC))
    trust = Trust(OURS.key, Credential(tmp_path / "edge"))

    async def work():
        desk = Desk()
        async with open_host(desk, trust) as (_, address):
            with pytest.raises(Unsent, match=r"edge \(edge\) may not answer command"):
                await Neighbour(address, trust).ask(ASKED, 5.0)
        assert desk.asked == []

    run(work)


def test_process_without_a_credential_is_not_heard_where_others_have_one(tmp_path):
    """Nor does it get far enough to say that it has the key."""
    make_authority(tmp_path / "authority", dt.datetime.now(dt.UTC))
    wish = Wish("called", (Role.LANE,), ("127.0.0.1",))
    issue(tmp_path / "authority", tmp_path / "called", wish, dt.datetime.now(dt.UTC))
    sealed = Trust(OURS.key, Credential(tmp_path / "called"))

    async def work():
        desk = Desk()
        async with open_host(desk, sealed) as (_, address):
            with pytest.raises(Unsent):
                await Neighbour(address, OURS).ask(ASKED, 5.0)
        async with open_host(desk) as (_, address):
            with pytest.raises(Unsent):
                await Neighbour(address, sealed).ask(ASKED, 5.0)
        assert desk.asked == []

    run(work)


def test_frames_are_cut_wherever_the_network_cuts():
    """Byte by byte, or all in one."""

    async def work():
        frames = []
        for step in (1, 2, 7, 10_000):
            heard = []
            line = Line(lambda _, *frame, heard=heard: heard.append(frame), lambda _: None)
            data = b"".join(
                len(body).to_bytes(4, "big") + bytes((word,)) + number.to_bytes(8, "big") + body
                for word, number, body in ((Word.ASK, 7, b"hello"), (Word.LOOK, 0, b""))
            )
            for start in range(0, len(data), step):
                line.data_received(data[start : start + step])
            frames.append(heard)
        assert frames == [[(Word.ASK, 7, b"hello"), (Word.LOOK, 0, b"")]] * 4

    run(work)


def test_every_fault_has_its_number():
    """A number is a place and never given anew; what has none is unknown, which is always true."""
    for kind in FAULTS:
        read = read_fault(write_fault(kind("because")))
        assert (type(read), str(read)) == (kind, "because")
    assert set(FAULTS) <= set(Fault.__subclasses__())
    assert type(read_fault(write_fault(Rejected("no")))) is Unknown
    for body in (b"", b"\xffx"):
        assert type(read_fault(body)) is Unknown


def test_proof_is_of_one_connection():
    """What was heard on one proves nothing on another; nor is a hello a welcome."""
    key = OURS.key
    hello = key.hello(b"c" * 16, b"n" * 16)
    welcome = key.welcome(b"c" * 16, hello)
    assert key.is_welcome(b"c" * 16, b"n" * 16, welcome)
    assert key.welcome(b"d" * 16, hello) is None
    assert not key.is_welcome(b"c" * 16, b"m" * 16, welcome)
    assert not key.is_welcome(b"c" * 16, b"n" * 16, hello[16:])
    assert key.nonce() != key.nonce()
