"""What simulation has found, each as the shortest history that showed it."""

import random
import secrets

import pytest

from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import Fund, RegisterUser, SettleCase, Transfer
from lingqian.flows.view import Policy
from lingqian.kernel.bound import CHALLENGE_DEADLINE_S
from lingqian.kernel.clock import SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Unsent
from lingqian.kernel.id import mint
from lingqian.risk.rule import Action, Rule, Verdict
from lingqian.simulation.disk import Disk, Plan, Trouble, quiet
from lingqian.simulation.seed import Sealing
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.sqlite import SqliteStore

PATH = "ledger.db"


@pytest.fixture
def disk():
    """A healthy disk."""
    made = Disk(f"finding-{secrets.token_hex(8)}", random.Random(1))
    yield made
    made.close()


def writer(disk, clock, rules=()):
    """Start a process over the disk."""
    store = SqliteStore(PATH, vfs=disk.mount(), is_alone=True)
    shell = Shell(clock, secrets.token_bytes, Sealing(bytes(32)).reveal)
    return Writer(store, [0], Policy(caps(DEFAULT), tuple(rules)), shell)


def people(count):
    """Return registrations with money for each, and their ids."""
    users = [mint(0, 1, number) for number in range(count)]
    commands = []
    for number, user in enumerate(users):
        mac = number.to_bytes(16, "big")
        commands.append(RegisterUser(bytes(2) + b"r" * 13 + bytes((number,)), user, mac, b"", 3))
        key = bytes(2) + b"f" * 13 + bytes((number,))
        commands.append(Fund(key, mint(0, 2, number), user, 100_00))
    return users, [Submission(command) for command in commands]


def test_challenge_that_lapsed_is_asked_again_under_other_rules(disk):
    """A rule that now says review met a lapsed challenge, and the fold had no such step."""
    clock = WorldClock(10**15)
    rule = Rule("pay", Action.TRANSFER, 1_00, Verdict.CHALLENGE)
    (source, target), start = people(2)
    payment = Submission(
        Transfer(bytes(2) + b"t" * 14, mint(0, 3, 0), source, target, 5_00, b"", 3, 1)
    )
    first = writer(disk, clock, [rule])
    first.apply(start)
    (asked,) = first.apply([payment])
    assert asked.code == Code.CHALLENGE_REQUIRED
    case_id = asked.outcome.opened.case_id
    clock.at_us += (CHALLENGE_DEADLINE_S + 1) * SECOND_US
    (lapsed,) = first.apply([Submission(SettleCase(case_id, "due", "clock"))])
    assert lapsed.code == Code.OK
    first.close()
    second = writer(disk, clock, [rule._replace(verdict=Verdict.REVIEW)])
    (again,) = second.apply([payment])
    assert (again.code, again.outcome.opened.verdict) == (Code.OK, Verdict.REVIEW)
    (passed,) = second.apply([Submission(SettleCase(case_id, "release", "reviewer"))])
    assert passed.code == Code.OK
    assert second.apply([payment])[0].code == Code.OK
    second.close()


@pytest.mark.parametrize("trouble", [Trouble.FULL, Trouble.LOST, Trouble.TORN])
def test_checkpoint_that_fails_leaves_the_answers_and_the_lane(disk, trouble, monkeypatch):
    """A full disk under a checkpoint came out of apply() behind a batch that was durable."""
    lane = writer(disk, WorldClock(10**15))
    _, start = people(3)
    lane.apply(start)
    monkeypatch.setattr("lingqian.storage.sqlite.WAL_PAGES_MAX", 1)
    disk.arm(Plan(trouble, 1, 1_000))
    with quiet():
        # All repeated: nothing is written but by the checkpoint behind the batch.
        answers = lane.apply(start)
    assert disk.struck > 0
    disk.disarm()
    assert [answer.code for answer in answers] == [Code.OK] * len(start)
    assert [answer.code for answer in lane.apply(start)] == [Code.OK] * len(start)
    lane.close()


def test_log_that_cannot_be_turned_on_is_refused(disk):
    """Without shared memory the engine keeps its old journal mode and says nothing about it."""
    with pytest.raises(Unsent, match="write-ahead log"):
        SqliteStore(PATH, vfs=disk.mount())
