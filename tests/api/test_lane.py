"""Several lanes behind one door: ids of lanes there are not, and money on its way."""

from contextlib import closing

import pytest

from api.caller import running, wait_for
from lingqian.kernel.id import show
from lingqian.ledger.chart import balance_account
from lingqian.storage import query
from lingqian.storage.sqlite import connect, migrate


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A server with four lanes."""
    with running(tmp_path_factory.mktemp("wide"), lanes=4) as house:
        yield house.caller()


def test_an_id_of_a_lane_there_is_not_is_unknown_and_stops_nothing(wide):
    """A made-up id names any lane it likes; the writer must not fall over it."""
    far = b"\x7f\xff" + bytes(14)
    packet, case = show("rp", far), show("cs", far)
    user = wide.user()
    assert wide.claim(packet, user).code == "packet_unknown"
    assert wide.post(f"/v1/packets/{packet}/entropy", {"hex": "00" * 32}).code == "packet_unknown"
    told = wide.post(f"/v1/packets/{packet}/invalidation", {"by": "x"})
    assert told.code == "packet_unknown"
    assert wide.post(f"/v1/cases/{case}/release", {"by": "x"}).code == "case_unknown"
    assert wide.claim(packet, show("us", far)).code == "user_unknown"
    assert wide.get("/readyz").status == 200
    assert wide.user()


def test_incoming_is_what_was_let_go_and_not_yet_taken():
    """What has arrived is in the amount; counted again it would be money from nowhere."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)
        user = b"\0\1" + bytes(14)
        lanes = (b"\0\0", b"\0\1")
        connection.execute("INSERT INTO relay_heads VALUES (?, ?, 3)", lanes)
        connection.execute("INSERT INTO relay_marks VALUES (?, ?, 2)", lanes[::-1])
        for number, account in ((1, user), (2, user), (3, user), (4, bytes(16))):
            row = (*lanes, number, balance_account(account), 10**number, number)
            connection.execute("INSERT INTO relays VALUES (?, ?, ?, ?, ?, ?)", row)
        assert query.balance(connection, user).incoming_fen == 1_000


def test_amount_and_incoming_are_exact_from_the_moment_of_the_answer(wide):
    """What was shown to somebody stands in the balance at once, in one column or the other."""
    senders = [wide.rich(10_000) for _ in range(4)]
    for sender in senders:
        packet = wide.packet(sender, total_fen=900, count=8)
        for user in [wide.user() for _ in range(8)]:
            amount = wide.claim(packet, user).body["amount_fen"]
            balance = wide.balance(user)
            assert balance["amount_fen"] + balance["incoming_fen"] == amount
            wait_for(lambda user=user: wide.balance(user)["incoming_fen"] == 0)
