"""The simulated disk: what a power cut may take, and what it may not."""

import random
import secrets

import apsw
import pytest

from lingqian.simulation.disk import Disk, File, Plan, Trouble, quiet


@pytest.fixture
def disk():
    """A healthy disk with chance of its own."""
    made = Disk(f"disk-{secrets.token_hex(8)}", random.Random(secrets.randbits(64)))
    yield made
    made.close()


def opened(disk, synchronous="FULL"):
    """Open the database of the disk as a new process does."""
    connection = apsw.Connection("some.db", vfs=disk.mount())
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    return connection


def numbers(disk):
    """Read what a new process finds."""
    with quiet():
        connection = opened(disk)
        found = [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]
        connection.close()
    return found


def test_file_keeps_after_a_power_cut_what_was_synced():
    """The law of the disk, below any engine: synced bytes are there, byte for byte."""
    for _ in range(300):
        chance, file = random.Random(secrets.randbits(64)), File()
        file.write(b"a" * 5000, 0)
        file.sync()
        file.write(b"b" * 100, 5000)
        file.resize(3000)
        file.write(b"c" * 10, 9000)
        file.lose(chance)
        assert file.content[:3000] == b"a" * 3000


def test_file_loses_tears_and_reorders_what_was_not_synced():
    """A disk that always kept everything would prove nothing: each fate has to occur."""
    fates = set()
    for _ in range(2000):
        chance, file = random.Random(secrets.randbits(64)), File()
        file.write(b"a" * 1024, 0)
        file.write(b"b" * 1024, 1024)
        file.lose(chance)
        first, second = bytes(file.content[:1024]), bytes(file.content[1024:])
        fates.add((first == b"a" * 1024, second == b"b" * 1024, second == b"b" * 512))
    assert {(True, True), (True, False), (False, True), (False, False)} == {f[:2] for f in fates}
    assert any(torn for _, _, torn in fates)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_disk_keeps_every_commit_that_was_answered(disk, trouble):
    """Whatever happens at whichever write point, what COMMIT returned for is there afterwards."""
    answered = []
    for point in range(1, 14):
        connection = opened(disk)
        disk.arm(Plan(trouble, point, point))
        with quiet():
            for number in range(len(answered), len(answered) + 3):
                try:
                    connection.execute("INSERT INTO t VALUES (?)", (point * 100 + number,))
                except apsw.Error:
                    break
                answered.append(point * 100 + number)
            disk.is_dead = True
            with pytest.raises(apsw.Error):
                connection.execute("INSERT INTO t VALUES (0)")
            with pytest.raises(apsw.Error):
                connection.close()
        disk.cut_power()
        assert set(answered) <= set(numbers(disk))


def test_disk_loses_an_answered_commit_when_nothing_is_synced(disk):
    """The control: with synchronous=OFF the same cut takes what was answered."""
    lost = 0
    for number in range(40):
        connection = opened(disk, synchronous="OFF")
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        disk.is_dead = True
        with quiet(), pytest.raises(apsw.Error):
            connection.close()
        disk.cut_power()
        try:
            lost += number not in numbers(disk)
        except apsw.Error:
            lost += 1
            disk.files.clear()
    assert lost > 0


def test_disk_leaves_a_killed_process_what_it_wrote(disk):
    """A kill is no power cut: the system still holds what was written, synced or not."""
    connection = opened(disk, synchronous="OFF")
    connection.execute("INSERT INTO t VALUES (7)")
    disk.is_dead = True
    with quiet(), pytest.raises(apsw.Error):
        connection.close()
    disk.kill()
    assert numbers(disk) == [7]


def test_disk_refuses_a_process_that_is_gone(disk):
    """Code that still runs after its process died must not reach the disk of the next one."""
    stale = opened(disk)
    stale.execute("INSERT INTO t VALUES (1)")
    disk.kill()
    files = {name: bytes(file.content) for name, file in disk.files.items()}
    with quiet(), pytest.raises(apsw.Error):
        stale.execute("INSERT INTO t VALUES (2)")
    with quiet(), pytest.raises(apsw.Error):
        stale.close()
    assert {name: bytes(file.content) for name, file in disk.files.items()} == files


def test_full_disk_refuses_growth_and_takes_it_again_later(disk):
    """A full disk is no dead disk: what was there is read, and room brings writes back."""
    connection = opened(disk)
    connection.execute("INSERT INTO t VALUES (1)")
    disk.arm(Plan(Trouble.FULL, 1, 1000))
    with pytest.raises(apsw.FullError):
        connection.execute("INSERT INTO t VALUES (2)")
    assert [n for (n,) in connection.execute("SELECT n FROM t")] == [1]
    disk.disarm()
    connection.execute("INSERT INTO t VALUES (3)")
    connection.close()
    assert numbers(disk) == [1, 3]
