"""Heads on a disk that is full: nothing half written, and publishing goes on afterwards (链头)."""

import errno
import os
import time

import pytest

from lingqian.storage import head
from lingqian.storage.clock import BusinessClock
from lingqian.storage.head import HeadLog, log_size, read_heads
from lingqian.storage.port import LaneRow
from lingqian.storage.publisher import Publisher


def row(seq):
    """Return a lane's row after so many rows of its journal."""
    return LaneRow(0, 1, seq + 1, bytes(16), bytes([seq]) * 32, seq)


def full(handle, data):
    """Write a little, and then say that the disk is full."""
    WRITE(handle, data[:10])
    raise OSError(errno.ENOSPC, "No space left on device")


WRITE = os.write


def published(path):
    """Return what the log says: the row of each line, and what is wrong with it."""
    return [(line.head.seq, line.fault) for line in read_heads(path, log_size(path))]


def test_head_that_could_not_be_written_leaves_no_trace(tmp_path, monkeypatch):
    """Later lines follow the last one that stands, or an audit would call the log forged."""
    log = HeadLog(tmp_path / head.NAME)
    log.publish([row(1)], 1)
    with monkeypatch.context() as patch:
        patch.setattr(head.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            log.publish([row(2)], 2)
    assert published(log.path) == [(1, "")]
    assert log.publish([row(2)], 3) == 1, "it was not published and must be tried again"
    log.publish([row(3)], 4)
    assert published(log.path) == [(1, ""), (2, ""), (3, "")]


def test_publisher_survives_a_full_disk(tmp_path, monkeypatch):
    """A thread that dies without a word would publish nothing until the next start."""
    log = HeadLog(tmp_path / head.NAME)
    publisher = Publisher(log, lambda: [row(1)], BusinessClock())
    with monkeypatch.context() as patch:
        patch.setattr(head.os, "write", full)
        publisher.start()
        time.sleep(0.7)
    end = time.monotonic() + 5
    while not published(log.path):
        assert time.monotonic() < end, "nothing is published any more"
        time.sleep(0.05)
    publisher.stop()
    assert published(log.path) == [(1, "")]
