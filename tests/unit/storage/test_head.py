"""Published heads: written durably, self-checking, and the judge of a file that lost its tail."""

import secrets
import threading

import apsw
import pytest

from ledger_case import LedgerCase, opened
from lingqian.storage.finding import FindingKind
from lingqian.storage.head import (
    HeadLog,
    await_heads,
    check_heads,
    check_tail,
    is_torn,
    last_heads,
    log_size,
    read_heads,
)
from lingqian.storage.port import LaneRow

AT_US = 1_772_337_600_000_000


def row(lane, seq):
    """Return a lane's row whose last batch ended at a sequence."""
    return LaneRow(lane, 1, seq + 1, bytes(16), secrets.token_bytes(32), AT_US)


@pytest.fixture
def path(tmp_path):
    """Where a log will be."""
    return tmp_path / "heads.log"


def faults(path):
    """Return the lines that do not check."""
    return [(line.number, line.fault) for line in read_heads(path, log_size(path)) if line.fault]


def test_head_log_writes_what_has_changed_and_nothing_else(path):
    """A quiet wallet writes nothing; a lane without rows has no head."""
    log = HeadLog(path)
    one, two, empty = row(0, 5), row(1, 7), LaneRow(2, 1, 1, bytes(16), bytes(32), 0)
    assert log.publish([one, two, empty], AT_US) == 2
    assert log.publish([one, two, empty], AT_US) == 0
    assert log.publish([one, two._replace(next_seq=9, head=bytes(32)), empty], AT_US) == 1
    assert [line.head.seq for line in read_heads(path, log_size(path))] == [5, 7, 8]
    assert path.read_text().startswith("v1 0 1 5 " + one.head.hex() + " 2026-03-01T04:00:00.000Z ")


def test_head_log_goes_on_after_a_restart(path):
    """The digests chain over restarts, and all lanes stand near the end again."""
    rows = [row(0, 5), row(1, 7)]
    HeadLog(path).publish(rows, AT_US)
    again = HeadLog(path)
    assert not again.was_torn
    assert again.publish(rows, AT_US) == 2
    assert faults(path) == []


def test_head_log_survives_a_torn_last_line(path):
    """A crash in the middle of a line: tolerated, said, and cut off, wherever it tore."""
    log = HeadLog(path)
    log.publish([row(0, 5)], AT_US)
    whole = path.read_bytes()
    log.publish([row(0, 6)], AT_US)
    longer = path.read_bytes()
    for end in range(len(whole) + 1, len(longer)):
        path.write_bytes(longer[:end])
        assert is_torn(path)
        assert faults(path) == []
        assert last_heads(path, [0])[0].seq == 5
        log = HeadLog(path)
        assert log.was_torn
        log.publish([row(0, 7)], AT_US)
        assert [line.head.seq for line in read_heads(path, log_size(path))] == [5, 7]
        assert faults(path) == []


def test_head_log_shows_every_changed_or_removed_line(path):
    """The digest of each line covers the line before it."""
    log = HeadLog(path)
    for seq in range(1, 6):
        log.publish([row(0, seq)], AT_US)
    whole = path.read_bytes()
    for place in range(len(whole)):
        if whole[place : place + 1] == b"\n" and place == len(whole) - 1:
            continue
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert faults(path), place
    lines = whole.splitlines(keepends=True)
    for number in range(4):
        path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        assert [line for line, _ in faults(path)] == [number + 1]


def test_last_heads_finds_an_idle_lane_far_back(path):
    """A lane that sleeps for days is still checked; blocks of the file may cut a line."""
    log = HeadLog(path)
    log.publish([row(7, 70)], AT_US)
    for seq in range(1, 1_200):
        log.publish([row(0, seq)], AT_US)
    heads = last_heads(path, [0, 7])
    assert (heads[0].seq, heads[7].seq) == (1_199, 70)


@pytest.fixture
def data(tmp_path):
    """A small ledger with its heads."""
    folder = tmp_path / "data"
    folder.mkdir()
    LedgerCase(folder, 2).live().close()
    return folder


def test_check_tail_is_silent_when_nothing_is_lost(data):
    """The control; and heads.log may be behind, after a crash before it was written."""
    connection = opened(data)
    assert check_tail(connection, data / "heads.log") == []
    lines = (data / "heads.log").read_bytes().splitlines(keepends=True)
    (data / "heads.log").write_bytes(b"".join(lines[:-3]))
    assert check_tail(connection, data / "heads.log") == []
    connection.close()


def test_check_tail_names_the_lost_range(data):
    """Rows that were published and are not there: from the first lost to the last published."""
    published = last_heads(data / "heads.log", [0, 1])
    db = apsw.Connection(str(data / "ledger.db"))
    ends = {}
    for lane in (0, 1):
        db.execute(
            "DELETE FROM seals WHERE lane = ? AND last_seq > "
            "(SELECT max(last_seq) FROM seals WHERE lane = ?) - 9",
            (lane, lane),
        )
        query = "SELECT max(last_seq) FROM seals WHERE lane = ?"
        ends[lane] = db.execute(query, (lane,)).fetchone()[0]
    db.close()
    connection = opened(data)
    log = data / "heads.log"
    for found in (check_tail(connection, log), [*check_heads(connection, log, log_size(log))]):
        assert {each.kind for each in found} == {FindingKind.HEAD_BEYOND}
        for each in found:
            lost = f"rows {ends[each.lane] + 1} to {published[each.lane].seq} are lost"
            assert lost in each.words
        assert {each.lane for each in found} == {0, 1}
    connection.close()


def test_check_tail_sees_an_empty_ledger_under_old_heads(data):
    """A database that was removed and made anew has lost everything, in every lane."""
    (data / "ledger.db").unlink()
    new = data / "new"
    new.mkdir()
    LedgerCase(new, 1).close()
    connection = opened(new)
    found = check_tail(connection, data / "heads.log")
    connection.close()
    assert {(each.kind, each.lane) for each in found} == {
        (FindingKind.HEAD_BEYOND, 0),
        (FindingKind.HEAD_BEYOND, 1),
    }


def test_check_tail_says_when_nothing_was_ever_published(data):
    """A log that was removed cannot be told from one that never was; that is said too."""
    (data / "heads.log").unlink()
    connection = opened(data)
    found = check_tail(connection, data / "heads.log")
    connection.close()
    assert {each.kind for each in found} == {FindingKind.HEAD_ABSENT}


def test_a_head_that_is_about_to_be_published_is_no_finding(data):
    """An audit beside a wallet that wrote its first rows a moment ago waits for their heads."""
    log = data / "heads.log"
    whole = log.read_bytes()
    log.unlink()
    soon = threading.Timer(0.2, log.write_bytes, [whole])
    connection = opened(data)
    soon.start()
    await_heads(connection, [log])
    assert check_tail(connection, log) == []
    soon.join()
    connection.close()
