"""Credentials over real sockets: who is let in, who is not, and what happens while time passes."""

import asyncio
import datetime as dt
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from lingqian.cluster.authority import AUTHORITY, AUTHORITY_KEY, CREDENTIAL, Wish, make_authority
from lingqian.cluster.authority import issue as issue_at
from lingqian.cluster.credential import Credential, check_answerer, check_caller, peer_of, read_own
from lingqian.cluster.role import OURS, RIGHTS, Call, Role
from lingqian.cluster.traffic import check_traffic
from lingqian.kernel.fault import Damaged
from tidy.text import ROOT

HERE = ("localhost", "127.0.0.1")
WAIT_S = 20
DAY = dt.timedelta(days=1)


def now():
    """Return the instant at which most of these credentials are made."""
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def authority(tmp_path):
    """An authority of this test's own."""
    make_authority(tmp_path / "authority", now())
    return tmp_path / "authority"


def issued(authority, folder, *roles, at=None, name="somebody", hosts=HERE):
    """Issue a credential and return its folder."""
    issue_at(authority, folder, Wish(name, roles, hosts), at or now())
    return folder


class Answering:
    """A server that answers every call of one kind with who asked, as a lane's owner would."""

    def __init__(self, context, call=Call.COMMAND):
        self.context, self.call = context, call
        self.refusals = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(WAIT_S)
        self.port = self.listening.getsockname()[1]

    def serve(self):
        """Answer one connection after the other until the socket is closed."""
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            plain.settimeout(WAIT_S)
            try:
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    peer = peer_of(connection)
                    check_caller(peer, self.call)
                    connection.sendall(f"hello {peer.name}".encode())
            except OSError as error:
                self.refusals.append(str(error))
            finally:
                plain.close()


@contextmanager
def answering(context, call=Call.COMMAND):
    """Run such a server beside the test."""
    server = Answering(context, call)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()
        thread.join(WAIT_S)


def ask(server, context, host="localhost"):
    """Ask once; return the answer and who gave it."""
    with (
        socket.create_connection(("127.0.0.1", server.port), WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        answer = connection.recv(100)
        if not answer:
            raise ConnectionError("hung up on")
        return answer.decode(), peer_of(connection)


def bare(authority, newest=None):
    """Return a client that trusts the authority and shows no certificate."""
    context = ssl.create_default_context(cafile=authority / AUTHORITY)
    if newest is not None:
        context.maximum_version = newest
    return context


def test_both_ends_know_each_other(authority, tmp_path):
    """The edge asks a lane: each knows the other's name and roles, over TLS 1.3."""
    lane = Credential(issued(authority, tmp_path / "lane", Role.LANE, name="lane-1"))
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE, name="edge-1"))
    assert (edge.own.name, edge.own.roles, edge.own.hosts) == ("edge-1", {Role.EDGE}, HERE)
    with answering(lane.server) as server:
        for host in HERE:
            answer, peer = ask(server, edge.client, host)
            assert (answer, peer.name) == ("hello edge-1", "lane-1")
        check_answerer(peer, Call.COMMAND)
        with pytest.raises(PermissionError, match="may not answer"):
            check_answerer(edge.own, Call.COMMAND)
    assert server.refusals == []
    assert edge.client.minimum_version == ssl.TLSVersion.TLSv1_3


def wrong_authority(authority, folder):
    """Return a client whose credential another authority has signed, though it trusts ours."""
    make_authority(folder / "theirs", now())
    own = issued(folder / "theirs", folder / "own", Role.EDGE)
    (own / AUTHORITY).write_bytes((authority / AUTHORITY).read_bytes())
    return Credential(own).client


REFUSED = {
    "another authority": (wrong_authority, "verify failed"),
    "ended": (
        lambda authority, folder: (
            Credential(issued(authority, folder, Role.EDGE, at=now() - 3 * DAY)).client
        ),
        "expired",
    ),
    "not yet good": (
        lambda authority, folder: (
            Credential(issued(authority, folder, Role.EDGE, at=now() + DAY)).client
        ),
        "not yet valid",
    ),
    "no certificate": (lambda authority, _: bare(authority), "did not return a certificate"),
    "an older TLS": (
        lambda authority, _: bare(authority, ssl.TLSVersion.TLSv1_2),
        "unsupported protocol|version",
    ),
    "another role": (
        lambda authority, folder: Credential(issued(authority, folder, Role.RELAY)).client,
        r"somebody \(relay\) may not ask for command",
    ),
    "no role": (
        lambda authority, folder: Credential(issued(authority, folder)).client,
        r"somebody \(no role\) may not ask for command",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_whoever_is_not_meant_gets_no_answer(authority, tmp_path, why):
    """Each hears nothing, and the log says which law it was."""
    make, words = REFUSED[why]
    lane = Credential(issued(authority, tmp_path / "lane", Role.LANE))
    with answering(lane.server) as server, pytest.raises(OSError, match=r"."):
        ask(server, make(authority, tmp_path / "caller"))
    (refusal,) = server.refusals
    assert pytest.raises(OSError, match=words).matches(OSError(refusal)), refusal


def test_a_client_knows_whom_it_wants(authority, tmp_path):
    """A lane that answers at another name than it was issued for is nobody."""
    lane = Credential(issued(authority, tmp_path / "lane", Role.LANE, hosts=("lane.internal",)))
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE))
    with (
        answering(lane.server) as server,
        pytest.raises(ssl.SSLCertVerificationError, match="mismatch"),
    ):
        ask(server, edge.client)


def test_a_renewed_credential_is_taken_up_by_a_running_process(authority, tmp_path):
    """Without a restart, at both ends; and an authority that is trusted no more ends at once."""
    lane_folder = issued(authority, tmp_path / "lane", Role.LANE, name="before")
    lane = Credential(lane_folder)
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE))
    with answering(lane.server) as server:
        assert ask(server, edge.client)[1].name == "before"
        issued(authority, lane_folder, Role.LANE, name="after")
        assert ask(server, edge.client)[1].name == "after"
        make_authority(tmp_path / "next", now())
        issued(tmp_path / "next", lane_folder, Role.LANE, name="moved")
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server, edge.client)
        (tmp_path / "edge" / AUTHORITY).write_bytes((tmp_path / "next" / AUTHORITY).read_bytes())
        with pytest.raises(OSError, match=r"."):
            ask(server, edge.client)
        issued(tmp_path / "next", tmp_path / "edge", Role.EDGE, name="edge-2")
        assert ask(server, edge.client)[0] == "hello edge-2"


def test_an_authority_is_changed_without_a_stop(authority, tmp_path):
    """The steps of the page: trust both, sign by the next, trust the next only."""
    lane_folder = issued(authority, tmp_path / "lane", Role.LANE)
    edge_folder = issued(authority, tmp_path / "edge", Role.EDGE)
    lane, edge = Credential(lane_folder), Credential(edge_folder)
    following = tmp_path / "next"
    make_authority(following, now())
    old, new = (authority / AUTHORITY).read_bytes(), (following / AUTHORITY).read_bytes()
    steps = [
        (authority, old + new),
        (following, new + old),
        (following, new),
    ]
    with answering(lane.server) as server:
        for signer, trusted in steps:
            (signer / AUTHORITY).write_bytes(trusted)
            for folder, role in ((edge_folder, Role.EDGE), (lane_folder, Role.LANE)):
                issued(signer, folder, role)
                assert ask(server, edge.client)[0] == "hello somebody"
        stale = Credential(issued(authority, tmp_path / "stale", Role.EDGE)).client
        with pytest.raises(OSError, match=r"."):
            ask(server, stale)


def test_nothing_that_is_half_there_replaces_what_works(authority, tmp_path, caplog):
    """A renewal that went wrong is told, once, and the one before goes on until it ends."""
    folder = issued(authority, tmp_path / "lane", Role.LANE, name="good")
    lane = Credential(folder)
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE))
    with answering(lane.server) as server:
        (folder / CREDENTIAL).write_text("-----BEGIN CERTIFICATE-----\n")
        for _ in range(2):
            assert ask(server, edge.client)[1].name == "good"
        assert len(caplog.records) == 1
        assert "the credential before it goes on" in caplog.text
        issued(authority, folder, Role.LANE, name="mended")
        assert ask(server, edge.client)[1].name == "mended"


def test_it_serves_inside_an_event_loop_as_well(authority, tmp_path):
    """There the handshake has no socket of its own; new files are taken up all the same."""
    folder = issued(authority, tmp_path / "lane", Role.LANE, name="before")
    lane = Credential(folder)
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE))

    async def answer(_, writer):
        peer = peer_of(writer.get_extra_info("ssl_object"))
        writer.write(f"hello {peer.name}\n".encode())
        writer.close()

    async def ask_once(port):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=edge.client)
        line = await reader.readline()
        peer = peer_of(writer.get_extra_info("ssl_object"))
        writer.close()
        return line.decode(), peer.name

    async def both():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=lane.server)
        async with asyncio.timeout(WAIT_S), server:
            port = server.sockets[0].getsockname()[1]
            first = await ask_once(port)
            issued(authority, folder, Role.LANE, name="after")
            return first, await ask_once(port)

    assert asyncio.run(both()) == (
        ("hello somebody\n", "before"),
        ("hello somebody\n", "after"),
    )


def test_a_session_is_never_resumed(authority, tmp_path):
    """Whoever resumed one would not be asked whether the certificate has ended."""
    lane = Credential(issued(authority, tmp_path / "lane", Role.LANE))
    edge = Credential(issued(authority, tmp_path / "edge", Role.EDGE))
    with (
        answering(lane.server) as server,
        socket.create_connection(("127.0.0.1", server.port), WAIT_S) as plain,
        edge.client.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.recv(100)
        assert not connection.session.has_ticket


@pytest.mark.parametrize("damage", ["missing", "open to others", "of another key", "no authority"])
def test_files_that_cannot_be_used_stop_the_start(authority, tmp_path, damage):
    """The words name the file."""
    folder = issued(authority, tmp_path / "lane", Role.LANE)
    if damage == "missing":
        (folder / CREDENTIAL).unlink()
    elif damage == "open to others":
        (folder / CREDENTIAL).chmod(0o640)
    elif damage == "of another key":
        other = issued(authority, tmp_path / "other", Role.LANE) / CREDENTIAL
        mixed = other.read_text().split("-----BEGIN CERTIFICATE")[0]
        own = (folder / CREDENTIAL).read_text().split("-----BEGIN CERTIFICATE")[1]
        (folder / CREDENTIAL).write_text(f"{mixed}-----BEGIN CERTIFICATE{own}")
    else:
        (folder / AUTHORITY).write_text("")
    with pytest.raises(Damaged, match=str(folder)):
        Credential(folder)


def test_an_authority_is_made_once_and_kept_to_itself(authority, tmp_path):
    """Its key is its owner's; it does not sign what would outlive it, nor with others' keys."""
    assert (authority / AUTHORITY_KEY).stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError, match="already"):
        make_authority(authority, now())
    folder = issued(authority, tmp_path / "lane", Role.LANE)
    assert (folder / CREDENTIAL).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder.iterdir()) == [AUTHORITY, CREDENTIAL]
    make_authority(tmp_path / "short", now(), days=1)
    with pytest.raises(Damaged, match="ends"):
        issue_at(tmp_path / "short", folder, Wish("x", (), (), hours=25), now())
    (authority / AUTHORITY_KEY).write_bytes((tmp_path / "short" / AUTHORITY_KEY).read_bytes())
    with pytest.raises(Damaged, match="belong together"):
        issued(authority, folder, Role.LANE)
    with pytest.raises(Damaged, match="holds no authority"):
        issued(tmp_path / "nowhere", folder, Role.LANE)


def test_a_credential_ends_when_it_says(authority, tmp_path):
    """A day, and a little before now, because clocks differ."""
    own = read_own(issued(authority, tmp_path / "lane", *OURS))
    assert own.roles == set(OURS)
    assert own.until_s - time.time() == pytest.approx(24 * 3_600, abs=60)
    assert time.time() - own.since_s == pytest.approx(5 * 60, abs=60)


def test_nobody_but_the_named_roles_may_make_a_call():
    """The table is walked: each role, each call, both directions."""
    asked = {(call, role) for call in Call for role in Role if role in RIGHTS[call].callers}
    assert asked == {
        *[(Call.GREET, role) for role in OURS],
        (Call.COMMAND, Role.EDGE),
        (Call.COMMAND, Role.JOBS),
        (Call.DELIVER, Role.RELAY),
        *[(Call.HAND_OVER, role) for role in (Role.LANE, Role.RELAY, Role.JOBS)],
    }
    money = [RIGHTS[call].answerers for call in (Call.COMMAND, Call.DELIVER)]
    assert money == [{Role.LANE}] * 2
    assert not any({Role.DATABASE, Role.BROKER} & right.callers for right in RIGHTS.values())


def test_the_page_tells_the_table_as_it_is():
    """An operator who reads it decides by it where a process may stand."""
    page = (ROOT / "docs" / "operating" / "credentials.md").read_text("utf-8")
    for call, right in RIGHTS.items():
        sides = [", ".join(sorted(each)) for each in (right.callers, right.answerers)]
        assert f"| `{call}` | {sides[0]} | {sides[1]} | {right.words} |" in page


def test_nobody_known_is_nobody():
    """A connection without TLS, or without a certificate, has no name to be let in by."""
    with pytest.raises(PermissionError, match="has not shown"):
        peer_of(None)


def test_money_does_not_travel_in_the_clear_without_a_reason():
    """The sandbox does not ask; elsewhere it takes TLS, a socket of this machine, or words."""
    where = "mysql://wallet@db:3306/lingqian"
    check_traffic("sandbox", "", where, is_sealed=False)
    check_traffic("licensed", "", where, is_sealed=True)
    check_traffic("licensed", "the mesh between both machines seals it", where, is_sealed=False)
    with pytest.raises(Damaged, match="unencrypted_traffic_because") as caught:
        check_traffic("closed_loop", "", where, is_sealed=False)
    assert str(caught.value).startswith(where)
