"""A data directory with people and money in it, and commands to throw at it (场景)."""

import random
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lingqian.compose import DATABASE, KEYS, Config, policy
from lingqian.identity.user import Status
from lingqian.kernel.account_class import AccountClass
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.clock import BusinessClock
from lingqian.storage.desk import Desk, Wish, reveal_with
from lingqian.storage.lane import Answer, Shell, Submission, Writer
from lingqian.storage.sqlite import SqliteStore
from lingqian.storage.vault import open_vault

STATUS: Final = Status(1, AccountClass.CLASS_III, 1)
FUNDED_FEN: Final = 1_000_000
SHARE_FEN: Final = 20
BATCH: Final = 1_000
_SHARE_FEN_MAX: Final = 20_000


class World:
    """People with money in a fresh data directory, and a mint of commands for them."""

    def __init__(self, folder: Path, people: int) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.chance = random.Random()  # noqa: S311 - whom to pay in a benchmark, never anybody's luck
        self.vault = open_vault(folder / KEYS)
        self.desk = Desk(self.vault, 1)
        self._asked = 0
        writer = self.writer()
        people_made = [self.desk.register(f"person-{each}", "", 3) for each in range(people)]
        answers = push(writer, people_made, BATCH)
        self.people: list[bytes] = [answer.command.user_id for answer in answers]  # type: ignore[union-attr]  # answers to RegisterUser
        money = [self.desk.fund(each, FUNDED_FEN, self.key()) for each in self.people]
        push(writer, money, BATCH)
        writer.close()

    def key(self) -> str:
        """Return an idempotency key as a client would choose it, never twice."""
        self._asked += 1
        return f"order-{self._asked}"

    def writer(self, make: Callable[[Path], SqliteStore] = SqliteStore) -> Writer:
        """Open the lane over this world's file; `make` may be a store that also records."""
        shell = Shell(BusinessClock(), secrets.token_bytes, reveal_with(self.vault))
        return Writer(make(self.folder / DATABASE), [0], policy(Config()), shell)

    def copy(self, folder: Path, name: str = "copy") -> Path:
        """Copy the file, closed, so that a rival starts from the same pages."""
        path = folder / f"{name}.db"
        shutil.copyfile(self.folder / DATABASE, path)
        return path

    def pair(self, target_id: bytes | None = None) -> tuple[bytes, bytes]:
        """Choose who pays whom; all may pay the one."""
        source_id, other_id = self.chance.sample(self.people, 2)
        if target_id is None:
            target_id = other_id
        elif target_id == source_id:
            source_id = other_id
        return source_id, target_id

    def pay(self, source_id: bytes, target_id: bytes) -> Submission:
        """Make one transfer as the desk makes it for a caller."""
        return self.desk.transfer(
            source_id, target_id, amount_fen=1, target=STATUS, note="", caller_key=self.key()
        )

    def transfer(self, target_id: bytes | None = None) -> Submission:
        """Make one transfer between two people, or to the one everybody pays."""
        return self.pay(*self.pair(target_id))

    def transfers(self, count: int, target_id: bytes | None = None) -> list[Submission]:
        """Make transfers between random people, or all to one."""
        return [self.transfer(target_id) for _ in range(count)]

    def sends(self, packets: int, shares: int) -> list[Submission]:
        """Make lucky packets from random people."""
        return [
            self.desk.send(
                Wish(
                    self.chance.choice(self.people),
                    PacketKind.LUCKY,
                    shares * SHARE_FEN,
                    shares,
                    _SHARE_FEN_MAX,
                ),
                self.key(),
            )
            for _ in range(packets)
        ]

    def packets(self, writer: Writer, packets: int, shares: int) -> list[bytes]:
        """Send packets and return their ids."""
        answers = push(writer, self.sends(packets, shares), BATCH)
        return [answer.command.packet_id for answer in answers]  # type: ignore[union-attr]  # answers to SendPacket

    def claim(self, packet_id: bytes, user_id: bytes) -> Submission:
        """Make one person's claim."""
        return self.desk.claim(packet_id, user_id, STATUS)

    def claims(self, packets: Sequence[bytes], shares: int) -> list[Submission]:
        """Make enough claims to empty packets, in random order over all of them."""
        made = [
            self.claim(packet_id, user_id)
            for packet_id in packets
            for user_id in self.chance.sample(self.people, shares)
        ]
        self.chance.shuffle(made)
        return made


def push(writer: Writer, submissions: Sequence[Submission], size: int) -> list[Answer]:
    """Apply commands in batches; every one of them must succeed."""
    answers: list[Answer] = []
    for start in range(0, len(submissions), size):
        answers += writer.apply(submissions[start : start + size])
    assert not any(answer.code for answer in answers), "the benchmark's commands are all valid"
    return answers
