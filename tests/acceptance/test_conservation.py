"""C10: at a thousand instants under load, all money there is is the money that came in (守恒).

A reader of our own looks at the live file while four processes send, claim, transfer and let
packets expire. What came in is what this test has paid in, not what the ledger says of it.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from acceptance import people
from acceptance.crew import Call
from acceptance.server import serving, sized
from lingqian.storage.sqlite import connect

SAMPLES = 1_000
PEOPLE, EACH_FEN = 60, 1_000_000
# The books of users, packets and money between lanes: everything that is owed to people.
SELECT_OWED = (
    "SELECT sum(credits_posted - debits_posted), max(seq) FROM accounts "
    "WHERE substr(account, 17, 1) IN (x'01', x'02', x'03')"
)


def sample(path, until, *, size=SAMPLES):
    """Look at random instants until enough was seen and the load is over; return (owed, seq)."""
    seen = []
    connection = connect(str(path), readonly=True)
    try:
        while len(seen) < size or not until.is_set():
            time.sleep(random.uniform(0, 0.01))
            seen.append(connection.execute(SELECT_OWED).fetchone())
    finally:
        connection.close()
    return seen


def nothing_made_or_lost(seen, paid_in_fen):
    """Every instant shows exactly the money that came in, and the ledger moved meanwhile."""
    wrong = [owed for owed, _ in seen if owed != paid_in_fen]
    assert not wrong, f"{len(wrong)} of {len(seen)} instants: {wrong[0]} is not {paid_in_fen}"
    assert len({seq for _, seq in seen}) > len(seen) / 20, "nothing happened meanwhile"


def load(crew, server, ids, span_s):
    """Return a mix of transfers, packets and claims on what was sent before, over a time."""
    more = {"expires_in_s": 1}
    made = people.send(crew, server, [people.packet(each, 600, 5, **more) for each in ids])
    calls = [people.claim(each["id"], user) for each in made for user in random.sample(ids, 6)]
    for _ in range(len(calls)):
        source, target = random.sample(ids, 2)
        body = {"source_id": source, "target_id": target, "amount_fen": random.randint(1, 5_000)}
        calls.append(Call("POST", "/v1/transfers", body))
    return [each._replace(at_s=random.uniform(0, span_s)) for each in calls]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("lanes", [1, 4])
def test_c10_money_is_conserved_at_every_instant(crew, tmp_path, lanes):
    """C10: between any two commits a person may look, and must see every fen."""
    over = threading.Event()
    settings = f"lanes = {lanes}\n"
    with serving(tmp_path / "data", settings=settings) as server, ThreadPoolExecutor(1) as beside:
        ids = people.register(crew, server, PEOPLE)
        people.fund(crew, server, ids, EACH_FEN)
        seen = beside.submit(sample, server.folder / "ledger.db", over)
        for _ in range(sized(2, 20)):
            told = crew.ask(server, load(crew, server, ids, 1.5))
            assert {each.status for each in told} <= {200, 201, 409}
        over.set()
        nothing_made_or_lost(seen.result(), PEOPLE * EACH_FEN)
        held = sum(people.balance_fen(server, each) for each in ids)
        assert held <= PEOPLE * EACH_FEN, "people have more than was paid in"


def two_commits(path, over):
    """Move money as two statements of their own, as somebody without transactions does."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    seq = 0
    change = "UPDATE accounts SET credits_posted = credits_posted + ?, seq = ? WHERE account = ?"
    while not over.is_set():
        seq += 1
        for account, fen in ((0, -1), (1, 1)):
            connection.execute(change, (fen, seq, bytes(15) + bytes((account, 1, 1))))
    connection.close()


def test_c10_control_two_commits_lose_money_for_an_instant(tmp_path):
    """Control: debit and credit in two commits, and the sampler catches money that is nowhere."""
    path, over = tmp_path / "rival.db", threading.Event()
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE accounts (account BLOB PRIMARY KEY, credits_posted, debits_posted, seq)"
    )
    for account in (0, 1):
        row = (bytes(15) + bytes((account, 1, 1)), EACH_FEN)
        connection.execute("INSERT INTO accounts VALUES (?, ?, 0, 0)", row)
    connection.close()
    with ThreadPoolExecutor(1) as beside:
        moving = beside.submit(two_commits, path, over)
        stop = threading.Timer(2, over.set)
        stop.start()
        seen = sample(path, over, size=200)
        over.set()
        moving.result()
        stop.join()
    with pytest.raises(AssertionError, match="is not 2000000"):
        nothing_made_or_lost(seen, 2 * EACH_FEN)
