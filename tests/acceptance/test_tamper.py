"""The tamper drill: twelve kinds of edit by somebody who has the whole database and its program.

The attacker recomputes every hash he can. He has neither heads.log nor the keys. Each edit is made
on a fresh copy of a ledger that has lived; the untouched copy is the control.
"""

import shutil
from pathlib import Path

import apsw
import pytest

from ledger_case import LedgerCase, copied, opened
from lingqian.flows.command import Transfer
from lingqian.storage.audit import audit
from lingqian.storage.codec import Row, decode, encode, seal
from lingqian.storage.finding import FindingKind as K
from lingqian.storage.head import read_heads
from lingqian.storage.vault import open_vault


@pytest.fixture(scope="module", params=[1, 4], ids=["one lane", "four lanes"])
def life(request, tmp_path_factory):
    """A closed data directory, and the same one as it was some batches earlier."""
    folder = tmp_path_factory.mktemp("drill")
    (folder / "now").mkdir()
    case = LedgerCase(folder / "now", request.param).live()
    case.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (folder / "earlier").mkdir()
    shutil.copy(folder / "now" / "ledger.db", folder / "earlier" / "ledger.db")
    for _ in range(8):
        case.step(*[case.transfer(7) for _ in range(4)])
    case.close()
    return folder


@pytest.fixture
def data(life, tmp_path):
    """A fresh copy to edit."""
    return copied(life / "now", tmp_path / "data")


def findings_of(folder):
    """Audit a data directory with everything an operator has."""
    found = []
    connection = opened(folder)
    vault = open_vault(folder / "keys")
    audit(connection, heads=folder / "heads.log", vault=vault, emit=found.append)
    connection.close()
    return found


def reseal(db, lane):
    """Recompute a lane's whole chain over what its journal now says, and the lane's row."""
    head, last = bytes(32), None
    seals = db.execute(
        "SELECT first_seq, last_seq, batch_id, at_us FROM seals WHERE lane = ? ORDER BY last_seq",
        (lane,),
    ).fetchall()
    for first, end, batch_id, at_us in seals:
        rows = [
            Row(*row)
            for row in db.execute(
                "SELECT lane, seq, at_us, kind, code, body FROM journal "
                "WHERE lane = ? AND seq BETWEEN ? AND ? ORDER BY seq",
                (lane, first, end),
            )
        ]
        head = seal(head, batch_id, rows)
        db.execute("UPDATE seals SET head = ? WHERE lane = ? AND last_seq = ?", (head, lane, end))
        last = (end + 1, batch_id, head, at_us, lane)
    db.execute(
        "UPDATE lanes SET next_seq = ?, batch_id = ?, head = ?, at_us = ? WHERE lane = ?", last
    )


def paid(db):
    """Draw a transfer in the journal that was paid at once, with a batch mate after it."""
    rows = db.execute(
        "SELECT lane, seq, at_us, kind, code, body FROM journal WHERE kind = 5 AND code = 0 "
        "ORDER BY random()"
    ).fetchall()
    for line in rows:
        row = Row(*line)
        record, posted = decode(row)
        mate = db.execute(
            "SELECT 1 FROM seals WHERE lane = ? AND ? >= first_seq AND ? < last_seq",
            (row.lane, row.seq, row.seq),
        ).fetchone()
        if mate and record.outcome.opened is None:
            return row, record, posted
    raise AssertionError("the life has a paid transfer")


def put(db, row, command, record, posted):
    """Write a journal row's body anew."""
    body = encode(command, record.outcome, posted, record.credits)
    db.execute("UPDATE journal SET body = ? WHERE lane = ? AND seq = ?", (body, row.lane, row.seq))


def edit_journal_row(db):
    """Say in the journal, and in the typed table, that the money came from another person."""
    row, record, posted = paid(db)
    other = record.command._replace(note_mac=bytes(16))
    put(db, row, other, record, posted)
    db.execute(
        "UPDATE transfers SET note_mac = ? WHERE transfer_id = ?",
        (bytes(16), record.command.transfer_id),
    )
    reseal(db, row.lane)
    return {(K.HEAD_DIFFERS, "seals", published_after(db, row))}


def edit_amount(db):
    """Make a transfer ten times larger, wherever the row states it."""
    row, record, posted = paid(db)
    assert isinstance(record.command, Transfer)
    command = record.command._replace(amount_fen=record.command.amount_fen * 10)
    put(db, row, command, record, [posted[0]._replace(amount_fen=command.amount_fen)])
    reseal(db, row.lane)
    return {(K.BALANCE_AFTER, "journal", row.seq), (K.ROW_DIFFERS, "entries", row.seq)}


def edit_order(db):
    """Let two neighbouring rows change places."""
    row, *_ = paid(db)
    lines = db.execute(
        "SELECT kind, code, body FROM journal WHERE lane = ? AND seq IN (?, ?) ORDER BY seq",
        (row.lane, row.seq, row.seq + 1),
    ).fetchall()
    for line, seq in zip(lines, (row.seq + 1, row.seq), strict=True):
        db.execute(
            "UPDATE journal SET kind = ?, code = ?, body = ? WHERE lane = ? AND seq = ?",
            (*line, row.lane, seq),
        )
    reseal(db, row.lane)
    return {(K.ROW_DIFFERS, "keys", row.seq), (K.ROW_DIFFERS, "keys", row.seq + 1)}


def cut_middle(db):
    """Take a whole batch out of the middle, with its seal."""
    lane, first, last = db.execute(
        "SELECT lane, first_seq, last_seq FROM seals WHERE first_seq > 1 AND last_seq < "
        "(SELECT max(last_seq) FROM seals m WHERE m.lane = seals.lane) ORDER BY random() LIMIT 1"
    ).fetchone()
    db.execute("DELETE FROM journal WHERE lane = ? AND seq BETWEEN ? AND ?", (lane, first, last))
    db.execute("DELETE FROM seals WHERE lane = ? AND last_seq = ?", (lane, last))
    reseal(db, lane)
    return {(K.SEQUENCE_GAP, "journal", first)}


def edit_balance(db):
    """Give a person a fen, in the account and in the newest entry of its history."""
    account, seq, leg = db.execute(
        "SELECT account, seq, leg FROM entries e WHERE seq = (SELECT max(seq) FROM entries m "
        "WHERE m.account = e.account) AND substr(account, 17, 1) = x'01' ORDER BY random() LIMIT 1"
    ).fetchone()
    db.execute(
        "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE account = ?", (account,)
    )
    db.execute(
        "UPDATE entries SET balance_after_fen = balance_after_fen + 1, amount_fen = amount_fen + 1 "
        "WHERE account = ? AND seq = ? AND leg = ?",
        (account, seq, leg),
    )
    return {
        (K.ROW_DIFFERS, "accounts", account.hex()),
        (K.ROW_DIFFERS, "entries", seq),
        (K.DEBITS_CREDITS, "accounts", "01"),
        (K.THREE_TIERS, "accounts", "01"),
    }


def edit_claim(db):
    """Move a fen from one person's claim to another's of the same packet."""
    packet_id, one, two = db.execute(
        "SELECT packet_id, min(user_id), max(user_id) FROM claims WHERE share > 0 "
        "GROUP BY packet_id HAVING count(*) > 1 ORDER BY random() LIMIT 1"
    ).fetchone()
    for user_id, step in ((one, -1), (two, 1)):
        db.execute(
            "UPDATE claims SET amount_fen = amount_fen + ? WHERE packet_id = ? AND user_id = ?",
            (step, packet_id, user_id),
        )
    return {(K.ROW_DIFFERS, "claims", f"{packet_id.hex()}/{each.hex()}") for each in (one, two)}


def edit_counter(db):
    """Say that one more share was claimed of a packet."""
    (packet_id,) = db.execute(
        "SELECT packet_id FROM progress WHERE state = 3 ORDER BY random() LIMIT 1"
    ).fetchone()
    db.execute(
        "UPDATE progress SET claimed_count = claimed_count + 1 WHERE packet_id = ?", (packet_id,)
    )
    return {
        (K.ROW_DIFFERS, "progress", packet_id.hex()),
        (K.CLAIM_COUNT, "packets", packet_id.hex()),
    }


def edit_seal(db):
    """Write another head into a seal in the middle of the chain."""
    lane, seq = db.execute(
        "SELECT lane, last_seq FROM seals WHERE first_seq > 1 AND last_seq < "
        "(SELECT max(last_seq) FROM seals m WHERE m.lane = seals.lane) ORDER BY random() LIMIT 1"
    ).fetchone()
    db.execute(
        "UPDATE seals SET head = randomblob(32) WHERE lane = ? AND last_seq = ?", (lane, seq)
    )
    return {(K.SEAL_HEAD, "seals", seq)}


def edit_chain_head(db):
    """Write another head into a lane's own row."""
    lane, seq = db.execute(
        "SELECT lane, next_seq - 1 FROM lanes ORDER BY random() LIMIT 1"
    ).fetchone()
    db.execute("UPDATE lanes SET head = randomblob(32) WHERE lane = ?", (lane,))
    return {(K.LANE_ROW, "lanes", seq)}


def swap_personal(db):
    """Let two people change their names, cipher and digest together."""
    (one, *first), (two, *second) = db.execute(
        "SELECT owner_id, cipher, mac FROM personal WHERE field = 1 ORDER BY random() LIMIT 2"
    ).fetchall()
    for owner_id, values in ((one, second), (two, first)):
        db.execute(
            "UPDATE personal SET cipher = ?, mac = ? WHERE owner_id = ? AND field = 1",
            (*values, owner_id),
        )
    return {
        (kind, "personal", f"{owner.hex()}/1")
        for kind in (K.PERSONAL_MAC, K.PERSONAL_OWNER)
        for owner in (one, two)
    }


def gap_sequence(db):
    """Take one row out and seal the rest as if it had never been."""
    row, record, _ = paid(db)
    db.execute("DELETE FROM journal WHERE lane = ? AND seq = ?", (row.lane, row.seq))
    db.execute("DELETE FROM keys WHERE key = ?", (record.command.key,))
    db.execute("DELETE FROM transfers WHERE transfer_id = ?", (record.command.transfer_id,))
    db.execute(
        "DELETE FROM entries WHERE seq = ? AND substr(account, 1, 2) = ?",
        (row.seq, row.lane.to_bytes(2, "big")),
    )
    reseal(db, row.lane)
    return {(K.SEQUENCE_GAP, "journal", row.seq)}


def published_after(db, row):
    """Return the first published place at or after a row: a changed row is located to it."""
    heads = [line.head for line in read_heads(Path(db.filename).parent / "heads.log", 1 << 30)]
    return min(head.seq for head in heads if head.lane == row.lane and head.seq >= row.seq)


EDITS = (
    edit_journal_row,
    edit_amount,
    edit_order,
    cut_middle,
    edit_balance,
    edit_claim,
    edit_counter,
    edit_seal,
    edit_chain_head,
    swap_personal,
    gap_sequence,
)


@pytest.mark.parametrize("edit", EDITS)
def test_tamper_drill_finds_and_locates(data, edit):
    """Every edit is found, and named where it was made."""
    db = apsw.Connection(str(data / "ledger.db"))
    db.execute("BEGIN")
    expected = edit(db)
    db.execute("COMMIT")
    db.close()
    found = findings_of(data)
    places = {(each.kind, each.table, place) for each in found for place in (each.seq, each.key)}
    assert expected <= places, [each.record() for each in found]


def test_tamper_drill_finds_a_tail_that_was_cut(life, data):
    """The file as it was some batches ago is whole in itself; only the published heads know."""
    shutil.copy(life / "earlier" / "ledger.db", data / "ledger.db")
    connection = opened(data)
    ends = dict(connection.execute("SELECT lane, next_seq FROM lanes").fetchall())
    connection.close()
    now = opened(life / "now")
    rows = now.execute("SELECT lane, next_seq FROM lanes").fetchall()
    lost = {lane for lane, end in rows if end > ends[lane]}
    now.close()
    found = findings_of(data)
    assert {each.kind for each in found} == {K.HEAD_BEYOND}
    assert {(each.lane, each.seq) for each in found} == {(lane, ends[lane]) for lane in lost}


def test_tamper_drill_control_finds_nothing(data):
    """The untouched copy: what the drill finds is the edit and nothing else."""
    assert findings_of(data) == []


def test_tamper_drill_needs_the_published_heads(data):
    """The control of heads.log: a rewritten journal row is consistent in all that he holds."""
    db = apsw.Connection(str(data / "ledger.db"))
    edit_journal_row(db)
    db.close()
    personal = apsw.Connection(str(data / "ledger.db"))
    personal.execute(
        "DELETE FROM personal WHERE field = 3 AND mac <> "
        "(SELECT note_mac FROM transfers WHERE transfer_id = owner_id)"
    )
    personal.close()
    connection = opened(data)
    found = []
    audit(connection, heads=None, vault=open_vault(data / "keys"), emit=found.append)
    connection.close()
    assert found == []
    assert {each.kind for each in findings_of(data)} == {K.HEAD_DIFFERS}
