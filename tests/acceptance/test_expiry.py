"""C5 and C6: the edge of expiry, and refunds that overlap, over real HTTP (过期退回).

The embedded engine has one process that refunds by schedule. The others of the acceptance text are
here people who refund by hand from other processes, and the schedule in the next life of a server
that was killed in between. Books are read from the file, not asked of the one on trial.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import law
from acceptance import people
from acceptance.check import Book, funded_is_claimed_and_returned
from acceptance.crew import Call
from acceptance.rival import overlapping
from acceptance.server import serving, sized
from lingqian.kernel.clock import from_rfc3339
from lingqian.kernel.id import parse
from lingqian.ledger.chart import balance_account, escrow_account

EDGE_S = 0.2
SHARES, TOTAL_FEN = 3, 1_000
PACKET_EVERY_S = 0.01
SELECT_PACKET = (
    "SELECT p.sender_id, p.total_fen, g.expires_at_us FROM packets p "
    "JOIN progress g ON g.packet_id = p.packet_id WHERE p.packet_id = ?"
)
SELECT_CLAIMS = "SELECT user_id, amount_fen, at_us FROM claims WHERE packet_id = ?"
# What went from the packet's own account to its sender's: the money, not what a state says of it.
SELECT_RETURNED = (
    "SELECT back.amount_fen FROM entries gone JOIN entries back "
    "ON back.account = ? AND back.seq = gone.seq AND back.leg = gone.leg "
    "WHERE gone.account = ? AND gone.amount_fen < 0"
)
SELECT_DUE = "SELECT due_at_us FROM progress WHERE packet_id = ?"


def our_book(connection, packet_id):
    """Return a packet's books from the ledger."""
    key = parse("rp", packet_id)
    sender, total_fen, expires_us = connection.execute(SELECT_PACKET, (key,)).fetchone()
    accounts = balance_account(sender), escrow_account(key)
    returned = [fen for (fen,) in connection.execute(SELECT_RETURNED, accounts)]
    claims = connection.execute(SELECT_CLAIMS, (key,)).fetchall()
    return Book(total_fen, claims, returned, expires_us)


def our_books(server, made):
    """Wait until nothing of these packets is due any more; return their books."""
    end = time.monotonic() + 30
    with server.reader() as connection:
        for each in made:
            while connection.execute(SELECT_DUE, (parse("rp", each["id"]),)).fetchone()[0]:
                assert time.monotonic() < end, "what was due has not been returned"
                time.sleep(0.05)
        law.conservation(connection)
        return [our_book(connection, each["id"]) for each in made]


def all_explained(books):
    """Hold every packet's books to the law."""
    for book in books:
        funded_is_claimed_and_returned(book)


def rival_books(crew, target, made):
    """Return the books a rival shows once its schedule has run."""
    time.sleep(0.5)
    shown = crew.good(target, [Call("GET", f"/v1/packets/{each['id']}") for each in made])
    names = ("total_fen", "claims", "returned", "expires_us")
    return [Book(*[each[name] for name in names]) for each in shown]


def short_lived(crew, target, sender, size, lifetime_s):
    """Send so many packets a little apart."""
    more = {"expires_in_s": lifetime_s}
    calls = [
        people.packet(next(sender), TOTAL_FEN, SHARES, at_s=place * PACKET_EVERY_S, **more)
        for place in range(size)
    ]
    return people.send(crew, target, calls)


def edge_s(each):
    """Return when a packet expires, in seconds since 1970."""
    return from_rfc3339(each["expires_at"]) / 1e6


def by_hand(each, from_s, to_s):
    """Return a refund by a person, so long before or after expiry."""
    clock_s = edge_s(each) + random.uniform(from_s, to_s)
    body = {"by": "operator"}
    path = f"/v1/packets/{each['id']}/invalidation"
    return Call("POST", path, body, clock_s=clock_s, patience_s=20)


def at_the_edge(made, users):
    """Return claims around each packet's expiry, and a refund by hand right behind it."""
    calls = []
    for each in made:
        for user in random.sample(users, SHARES):
            clock_s = edge_s(each) + random.uniform(-EDGE_S, EDGE_S)
            calls.append(people.claim(each["id"], user, clock_s=clock_s))
        calls.append(by_hand(each, 0.0, EDGE_S))
    return calls


@pytest.mark.timeout(300)
def test_c5_claims_and_refunds_meet_at_expiry(crew, server):
    """C5: a share is claimed or returned, never both, and never claimed after expiry."""
    size, lifetime_s = sized(100, 2_000), sized(3, 30)
    users = people.register(crew, server, 50)
    made = short_lived(crew, server, people.senders(crew, server, 4), size, lifetime_s)
    told = crew.ask(server, at_the_edge(made, users))
    statuses = {each.status for each in told}
    assert statuses <= {200, 201, 409}, statuses
    all_explained(our_books(server, made))
    codes = [each.body.get("code", "claimed") for each in told]
    assert codes.count("claimed") > size / 2, "the edge was missed: nobody was early"
    assert codes.count("packet_expired") > size / 4, "the edge was missed: nobody was late"


def test_c5_control_checking_before_the_round_trip_pays_twice(crew, rival):
    """Control: expiry checked before the pause, and a refund of what was read, overlap."""
    target = rival(overlapping)
    made = short_lived(crew, target, iter("s" * 100), 100, 2)
    crew.ask(target, at_the_edge(made, range(50)))
    with pytest.raises(AssertionError, match=r"returned twice|!= 1000|after expiry"):
        all_explained(rival_books(crew, target, made))


def refunds(made):
    """Return refunds by hand from several processes, over and over, while the schedule runs."""
    return [by_hand(each, 0.0, 2.0) for each in made for _ in range(3)]


@pytest.mark.timeout(600)
def test_c6_overlapping_refunds_return_the_rest_once(crew, tmp_path):
    """C6: the schedule, people, and a next life after kill −9 all refund: the rest returns once."""
    with serving(tmp_path / "data") as server, ThreadPoolExecutor(1) as beside:
        sender = people.senders(crew, server, 4)
        users = people.register(crew, server, 20)
        for _ in range(sized(1, 10)):
            made = short_lived(crew, server, sender, 100, 2)
            crew.good(server, [people.claim(each["id"], random.choice(users)) for each in made])
            asked = beside.submit(crew.ask, server, refunds(made))
            for _ in range(2):
                time.sleep(random.uniform(0.3, 1.2))
                server.kill()
                server.start()
            assert {each.status for each in asked.result()} <= {200, 409}
            books = our_books(server, made)
            all_explained(books)
            assert all(len(book.returned) == 1 for book in books), "the rest did not come back"
        with server.reader() as connection:
            law.all_laws(connection)


def test_c6_control_unchecked_rows_are_refunded_twice(crew, rival):
    """Control: a refund that does not ask how many rows it changed pays again."""
    target = rival(overlapping)
    made = short_lived(crew, target, iter("s" * 50), 50, 1)
    crew.ask(target, refunds(made))
    with pytest.raises(AssertionError, match="returned twice"):
        all_explained(rival_books(crew, target, made))
