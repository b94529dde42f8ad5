"""C8 and C9: memory lost in the middle of a rush, and a clock that is wrong (缓存与时钟).

What a server keeps in memory — finished packets, statuses, rows, sealed lists — is lost as a whole
when it is killed: that is the flush of every cache there is.
"""

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import law
from acceptance import people
from acceptance.check import all_shares_once, funded_is_claimed_and_returned
from acceptance.rival import ahead, stale
from acceptance.server import serving, sized
from acceptance.test_expiry import our_books, rival_books

COUNT, TOTAL_FEN, PATIENCE_S = 100, 50_000, 60
RUSH_S = 2.0
LIFETIME_S = 3
SELECT_EARLY = (
    "SELECT packet_id FROM progress WHERE returned_fen > 0 AND closed_at_us < expires_at_us"
)
SKEWED = str(Path(__file__).with_name("skewed.py"))


def patient(packet_id, users, spread_s):
    """Return claims spread over a time, each tried again while the server is away."""
    return [
        people.claim(packet_id, user, at_s=random.uniform(0, spread_s), patience_s=PATIENCE_S)
        for user in users
    ]


@pytest.mark.timeout(600)
def test_c8_losing_every_cache_in_a_rush_does_not_oversell(crew, tmp_path):
    """C8: slower is allowed; a share too many, or an answer that changes, is not."""
    with serving(tmp_path / "data") as server, ThreadPoolExecutor(1) as beside:
        sender = people.senders(crew, server, 1)
        users = people.register(crew, server, 200)
        for place in range(sized(2, 20)):
            (made,) = people.send(crew, server, [people.packet(next(sender), TOTAL_FEN, COUNT)])
            rush = beside.submit(crew.ask, server, patient(made["id"], users, RUSH_S))
            time.sleep(random.uniform(0.3, RUSH_S))
            (server.kill if place % 2 else server.stop)()
            server.start()
            told = rush.result()
            all_shares_once(told, count=COUNT, total_fen=TOTAL_FEN)
            again = crew.ask(server, [people.claim(made["id"], user) for user in users])
            assert [each.body for each in again] == [each.body for each in told]
        with server.reader() as connection:
            law.all_laws(connection)


def test_c8_control_the_same_check_sees_an_oversell(crew, rival):
    """Control: a rule that trusts what it read fails the very same check."""
    (made,) = people.send(crew, rival(stale), [people.packet("s", TOTAL_FEN, COUNT)])
    told = crew.ask(rival(stale), patient(made["id"], range(200), 0.1))
    with pytest.raises(AssertionError, match="shares were given of 100"):
        all_shares_once(told, count=COUNT, total_fen=TOTAL_FEN)


def takers(crew, server, packet_id, users):
    """Let people open a packet; return how many got a share now."""
    told = crew.ask(server, [people.claim(packet_id, user) for user in users])
    assert {each.status for each in told} <= {200, 201}, "somebody was turned away"
    return sum(each.status == 201 for each in told)


def step(server, skew, to_s, *, is_running):
    """Set the system clock wrong, in the middle of a life or between two."""
    if not is_running:
        server.stop()
    skew.write_text(str(to_s))
    if not is_running:
        server.start()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("from_s", "to_s", "is_running"), [(0, -5, True), (2, -2, False), (-2, 2, False)]
)
def test_c9_a_wrong_clock_neither_oversells_nor_refunds_early(
    crew, tmp_path, from_s, to_s, is_running
):
    """C9: backwards by five seconds while it runs, and lives of a server that are 4 s apart.

    The embedded engine has one process at a time, so skew between processes is skew between one
    life and the next on the same file.
    """
    skew = tmp_path / "skew"
    skew.write_text(str(from_s))
    with serving(tmp_path / "data", program=(sys.executable, SKEWED, str(skew))) as server:
        sender = people.senders(crew, server, 1)
        users = people.register(crew, server, 40)
        short = people.packet(next(sender), 1_000, 30, expires_in_s=LIFETIME_S)
        long = people.packet(next(sender), TOTAL_FEN, COUNT)
        began_s = time.monotonic()
        made = people.send(crew, server, [short, long])
        assert [takers(crew, server, each["id"], users[:10]) for each in made] == [10, 10]
        step(server, skew, to_s, is_running=is_running)
        assert takers(crew, server, made[1]["id"], users) == 30, "a share lost, or two for one"
        (book,) = our_books(server, made[:1])
        took_s = time.monotonic() - began_s
        funded_is_claimed_and_returned(book)
        assert took_s >= LIFETIME_S - max(0, to_s - from_s), "returned before its time"
        with server.reader() as connection:
            early = connection.execute(SELECT_EARLY).fetchall()
            assert early == [], "ledger time says it was returned before expiry"
            law.all_laws(connection)


def test_c9_control_two_clocks_apart_pay_twice(crew, rival):
    """Control: where claims and refunds go by clocks two seconds apart, the rest goes out twice."""
    target = rival(ahead)
    (made,) = people.send(crew, target, [people.packet("s", 1_000, 30, expires_in_s=3)])
    time.sleep(1.5)
    crew.ask(target, [people.claim(made["id"], user) for user in range(10)])
    (book,) = rival_books(crew, target, [made])
    with pytest.raises(AssertionError, match="!= 1000"):
        funded_is_claimed_and_returned(book)
