"""An existing ledger goes on: its rows are kept, its journal is read, its cases are guarded."""

import apsw
import msgspec
import pytest

from ledger_case import lived
from lingqian.flows.advance import AdvanceDone
from lingqian.flows.close import CloseDone, DrawDone
from lingqian.flows.command import (
    AskAdvance,
    ClosePacket,
    DrawPacket,
    SendGift,
    SendPacket,
    SettleCase,
    Transfer,
)
from lingqian.flows.gift import GiftDone
from lingqian.flows.packet import SendDone
from lingqian.flows.settle import SettleDone
from lingqian.flows.transfer import TransferDone
from lingqian.storage.codec import Row, decode, encode
from lingqian.storage.sqlite import connect, migrate, migrations
from sample import sample

BEFORE_TOP_UP = 2


@pytest.fixture
def database():
    """A database as the program made it before there were orders, with a case and a packet."""
    connection = apsw.Connection(":memory:")
    for number, _, text in migrations()[:BEFORE_TOP_UP]:
        connection.execute(f"BEGIN; {text}; PRAGMA user_version = {number}; COMMIT")
    case = (b"c" * 16, 2, 500, "amy", 9, b"t" * 16, 3, "risk", "large", 5, b"u" * 16, 3)
    connection.execute(f"INSERT INTO cases VALUES ({', '.join('?' * 12)})", case)
    names = [row[1:3] for row in connection.execute("PRAGMA table_info(packets)")]
    values = [{"BLOB": b"p" * 16, "INTEGER": 7, "TEXT": "x"}[kind] for _, kind in names]
    connection.execute(f"INSERT INTO packets VALUES ({', '.join('?' * len(names))})", values)
    yield connection
    connection.close()


def test_rows_of_an_existing_ledger_are_kept(database):
    """Nobody decided by whom an old case was asked for; the balance paid for every old packet."""
    assert migrate(database)[0] == "0003_topup.sql"
    case = database.execute("SELECT * FROM cases").fetchall()
    assert case == [(b"c" * 16, 2, 500, "amy", 9, b"t" * 16, 3, "risk", "", "large", 5,
                     b"u" * 16, 3)]  # fmt: skip
    packets = database.execute("SELECT packet_id, created_at_us, is_by_channel FROM packets")
    assert packets.fetchall() == [(b"p" * 16, 7, 0)]
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    indexes = {name for (name,) in database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'cases'")}  # fmt: skip
    assert {"cases_by_due", "cases_by_object"} <= indexes


def test_who_asked_cannot_decide_even_for_a_program_gone_mad(database):
    """Four eyes are the database's own law, not only the program's."""
    migrate(database)
    database.execute("UPDATE cases SET requested_by = 'shop'")
    database.execute("UPDATE cases SET decided_by = 'bob'")
    with pytest.raises(apsw.ConstraintError):
        database.execute("UPDATE cases SET decided_by = 'shop'")
    with pytest.raises(apsw.ConstraintError):
        database.execute("UPDATE cases SET requested_by = 'bob'")


# Kind, command, outcome, and how many fields each has gained since.
OLDER = (
    (5, sample(Transfer)._replace(factors=0), TransferDone(1, None), (1, 0)),
    (
        6, sample(SendPacket)._replace(is_by_channel=False, factors=0),
        SendDone(3, 0, 5, None), (2, 0),
    ),
    (6, sample(SendPacket)._replace(factors=0), SendDone(3, 0, 5, None), (1, 0)),
    (
        29, sample(AskAdvance)._replace(is_minor=False, device=b"", address=b"", factors=0),
        AdvanceDone(9, 5), (4, 0),
    ),
    (
        29, sample(AskAdvance)._replace(device=b"", address=b"", factors=0),
        AdvanceDone(9, 5), (3, 0),
    ),
    (29, sample(AskAdvance)._replace(factors=0), AdvanceDone(9, 5), (1, 0)),
    # Before a day counted gifts, no gift was counted.
    (23, sample(SendGift)._replace(factors=0), GiftDone(9, 3, 2, ()), (1, 1)),
    (9, sample(DrawPacket), DrawDone((1, 0), (5, 6), 7), (0, 1)),
    (10, sample(ClosePacket), CloseDone(7), (0, 1)),
    (11, sample(SettleCase), SettleDone(5, 0, 9), (0, 2)),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "command", "outcome", "gained"), OLDER)
def test_older_journal_rows_are_read(kind, command, outcome, gained):
    """Fields are only ever appended, each with a value that says what was true before it."""
    parts = (
        tuple(command)[: len(command) - gained[0]],
        tuple(outcome)[: len(outcome) - gained[1]],
        [],
        (),
    )
    body = encode(command, outcome, [], ())[:2] + msgspec.msgpack.encode(parts)
    record = decode(Row(1, 1, 1, kind, 0, body)).record
    assert (record.command, record.outcome) == (command, outcome)


def test_what_older_payments_settled_is_found_in_their_entries(tmp_path):
    """Refunds of old payments return the fee of what was settled: coupons, strangers, surpluses."""
    lived(tmp_path / "old", lanes=4)
    (text,) = [each for _, name, each in migrations() if name == "0008_way.sql"]
    connection = connect(str(tmp_path / "old" / "ledger.db"))
    select = "SELECT transaction_key, settle_fen FROM transactions ORDER BY 1"
    folded = connection.execute(select).fetchall()
    assert len({fen for _, fen in folded}) > 3
    connection.execute("UPDATE transactions SET settle_fen = 0")
    update = text[text.index("WITH channels") :]
    connection.execute(update[: update.index(";")])
    assert connection.execute(select).fetchall() == folded
    connection.close()
