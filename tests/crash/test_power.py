"""Power cuts at every single write point of a short history, with the control that must lose.

The disk drops, tears and reorders what was not synced. What was answered before the cut must be
answered the same after it; what was not is asked again, and the end is that of an uncut run.
"""

import random
import secrets

import apsw

from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import (
    ClaimPacket,
    ClosePacket,
    Fund,
    RegisterUser,
    SendPacket,
    Transfer,
)
from lingqian.flows.view import Policy
from lingqian.kernel.fault import Fault
from lingqian.kernel.id import mint
from lingqian.redpacket.commitment import commitment
from lingqian.redpacket.packet import PacketKind, terms
from lingqian.simulation.cut import CutStore
from lingqian.simulation.disk import Disk, Plan, Trouble, quiet
from lingqian.simulation.seed import Sealing
from lingqian.simulation.world import WorldClock
from lingqian.storage.lane import Shell, Submission, Writer

SEALING = Sealing(b"power".ljust(32))
USERS = [mint(0, 1, number) for number in range(4)]
PACKET = mint(0, 2, 0)
ACCOUNTS = "SELECT hex(account), credits_posted, debits_posted, debits_pending FROM accounts"
LAWS = (
    # Nothing twice, nothing missing: money is conserved and the journal is dense.
    "SELECT SUM(credits_posted - debits_posted) FROM accounts",
    "SELECT COUNT(*) - MAX(seq) FROM journal",
)


def key(number):
    """Return an idempotency key of lane 0."""
    return bytes(2) + number.to_bytes(14, "big")


def sent():
    """Return a lucky packet of three shares from the first user."""
    command = SendPacket(
        key=key(30), packet_id=PACKET, sender_id=USERS[0], kind=PacketKind.LUCKY, is_lucky=True,
        total_fen=600, count=3, share_fen_min=1, share_fen_max=20_000, spread=2,
        lifetime_us=10**9, draw_at_us=0, awaits_entropy=False, conversation_id="",
        recipients=b"", passphrase_mac=b"", greeting_mac=b"", cover="", commitment=b"",
        seed_sealed=b"",
    )  # fmt: skip
    seed = b"seed".ljust(32)
    return command._replace(
        commitment=commitment(terms(PACKET, command), seed),
        seed_sealed=SEALING.seal(PACKET, seed),
    )


HISTORY = (
    [RegisterUser(key(n), user, bytes((n,)) * 16, b"", 3) for n, user in enumerate(USERS)],
    [Fund(key(10 + n), mint(0, 3, n), user, 10_000) for n, user in enumerate(USERS)],
    [Transfer(key(20), mint(0, 4, 0), USERS[0], USERS[1], 700, b"", 3, 1)],
    [sent()],
    [ClaimPacket(PACKET, USERS[1], b"", 1, 3, 1, is_member=True)],
    [Transfer(key(21), mint(0, 4, 1), USERS[1], USERS[2], 99_999, b"", 3, 1)],
    [ClaimPacket(PACKET, USERS[2], b"", 1, 3, 1, is_member=True)],
    [ClosePacket(PACKET, is_invalidation=True, by="operator")],
)


class Run:
    """The history on a disk of its own, interrupted as often as the power fails."""

    def __init__(self, synchronous, seed=0):
        self.chance = chance = random.Random(seed)
        self.disk = Disk(f"power-{secrets.token_hex(8)}", chance)
        self.synchronous = synchronous
        self.told = {}
        self.writer = None

    def start(self):
        """Start a process; its log is folded after every batch."""
        store = CutStore(
            "ledger.db", self.disk.mount(), wal_pages_max=8, synchronous=self.synchronous
        )
        shell = Shell(WorldClock(10**15), self.chance.randbytes, SEALING.reveal)
        self.writer = Writer(store, [0], Policy(caps(DEFAULT)), shell)

    def ask_all(self):
        """Ask the history from its beginning; a repeat must be told what was told before."""
        for number, batch in enumerate(HISTORY):
            answers = self.writer.apply([Submission(command) for command in batch])
            for place, answer in enumerate(answers):
                told = said(answer)
                first = self.told.setdefault((number, place), told)
                assert first == told, f"told {first}, then {told}, to {batch[place]}"

    def until_the_cut(self, point):
        """Go on until the power fails at a write point; return whether it did."""
        self.disk.arm(Plan(Trouble.POWER_CUT, point, point))
        try:
            self.start()
            self.ask_all()
            self.writer.close()
        except (Fault, apsw.Error):
            assert self.disk.is_dead, "nothing else can fail here"
        if not self.disk.is_dead:
            return False
        if self.writer is not None:
            try:
                self.writer.store.connection.close()
            except apsw.Error:
                self.writer = None
        self.disk.cut_power()
        return True

    def end(self):
        """Ask everything again in calm, and return what the ledger holds."""
        self.start()
        self.ask_all()
        connection = self.writer.connection
        held = (
            sorted(connection.execute(ACCOUNTS)),
            [connection.execute(law).fetchone() for law in LAWS],
        )
        self.writer.close()
        self.disk.close()
        return held


def said(answer):
    """Return what a caller is told, the same for a first answer and its repeat."""
    name = type(answer.command).__name__
    if name == "ClaimPacket":
        share = answer.first or answer.outcome
        return (answer.code, share.share, share.amount_fen, share.chain)
    if name == "ClosePacket":
        return "closed"
    first = answer.first or answer
    return (first.code, first.outcome)


def cut_everywhere(synchronous):
    """Cut the power at every write point in turn; return the points and what each ended with."""
    ends, point = [], 0
    while True:
        point += 1
        run = Run(synchronous, point)
        with quiet():
            if not run.until_the_cut(point):
                return point - 1, ends
            ends.append(run.end())


def test_power_cut_at_every_write_point_loses_and_doubles_nothing():
    """The promise itself: durable before it is answered, at whichever byte the light goes out."""
    calm = Run("FULL")
    with quiet():
        right = calm.end()
        points, ends = cut_everywhere("FULL")
    assert right[1] == [(0,), (0,)]
    assert points > 150
    assert all(end == right for end in ends)


def test_power_cut_without_syncs_loses_an_answer():
    """The control: with synchronous=OFF the same cuts must take something that was answered."""
    calm = Run("OFF")
    with quiet():
        calm.end()
    last, lost = calm.disk.points, 0
    # The first points of a history are the making of its tables: nobody has been answered yet.
    for point in range(last - 120, last, 3):
        run = Run("OFF", point)
        with quiet():
            assert run.until_the_cut(point)
            try:
                run.end()
            except (AssertionError, Fault, apsw.Error):
                lost += 1
    assert lost > 5, f"{lost} of 40 cuts lost something"
