"""A ledger with people and money in it, and commands to throw at it (场景)."""

import random
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from lingqian.compose import DATABASE, KEYS, Config, policy
from lingqian.identity.user import Status
from lingqian.kernel.account_class import AccountClass
from lingqian.redpacket.packet import PacketKind
from lingqian.storage.clock import BusinessClock
from lingqian.storage.desk import Desk, Wish, reveal_with
from lingqian.storage.lane import Answer, Shell, Submission, Writer
from lingqian.storage.mysql.address import Address
from lingqian.storage.port import Store
from lingqian.storage.sqlite import SqliteStore
from lingqian.storage.vault import Vault, open_vault

STATUS: Final = Status(1, AccountClass.CLASS_III, 1)
FUNDED_FEN: Final = 1_000_000
SHARE_FEN: Final = 20
BATCH: Final = 1_000
_SHARE_FEN_MAX: Final = 20_000


class Place(NamedTuple):
    """Where a ledger lies: the folder of its keys, how many lanes it has, and whose database.

    Without an address the database is the file in the folder.
    """

    folder: Path
    lanes: int = 1
    address: Address | None = None

    def open_store(self) -> Store:
        """Open the database for the lanes of one thread."""
        if self.address is None:
            return SqliteStore(self.folder / DATABASE)
        from lingqian.storage.mysql.store import MysqlStore  # noqa: PLC0415 - only with a driver

        return MysqlStore(self.address)

    def open_writer(self, vault: Vault, lanes: Sequence[int], store: Store | None = None) -> Writer:
        """Take some of the lanes, through a store of one's own or one that is given."""
        shell = Shell(BusinessClock(), secrets.token_bytes, reveal_with(vault))
        return Writer(store or self.open_store(), lanes, policy(Config()), shell)


class Mint:
    """Makes commands for people who are there, as the desk makes them for callers."""

    def __init__(self, desk: Desk, people: Sequence[bytes]) -> None:
        self.desk = desk
        self.people = people
        self.chance = random.Random()  # noqa: S311 - whom to pay in a benchmark, never anybody's luck
        self._name = secrets.token_hex(4)
        self._asked = 0

    def key(self) -> str:
        """Return an idempotency key as a client would choose it, never twice."""
        self._asked += 1
        return f"order-{self._name}-{self._asked}"

    def among(self, people: Sequence[bytes]) -> "Mint":
        """Return a mint for some of the people."""
        return Mint(self.desk, people)

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


class World(Mint):
    """People with money in a fresh folder, and in a database that has nothing yet."""

    def __init__(self, folder: Path, people: int, place: Place | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.place = place or Place(folder)
        self.vault = open_vault(folder / KEYS)
        super().__init__(Desk(self.vault, self.place.lanes), [])
        writer = self.writer()
        people_made = [self.desk.register(f"person-{each}", "", 3) for each in range(people)]
        answers = push(writer, people_made, BATCH)
        self.people = [answer.command.user_id for answer in answers]  # type: ignore[union-attr]  # answers to RegisterUser
        money = [self.desk.fund(each, FUNDED_FEN, self.key()) for each in self.people]
        push(writer, money, BATCH)
        writer.close()

    def writer(self, make: Callable[[Path], Store] | None = None) -> Writer:
        """Open all lanes; `make` may be a store over the world's file that also records."""
        store = make(self.folder / DATABASE) if make else None
        return self.place.open_writer(self.vault, range(self.place.lanes), store)

    def copy(self, folder: Path, name: str = "copy") -> Path:
        """Copy the file, closed, so that a rival starts from the same pages."""
        path = folder / f"{name}.db"
        shutil.copyfile(self.folder / DATABASE, path)
        return path

    def packets(self, writer: Writer, packets: int, shares: int) -> list[bytes]:
        """Send packets and return their ids."""
        answers = push(writer, self.sends(packets, shares), BATCH)
        return [answer.command.packet_id for answer in answers]  # type: ignore[union-attr]  # answers to SendPacket


def push(writer: Writer, submissions: Sequence[Submission], size: int) -> list[Answer]:
    """Apply commands in batches; every one of them must succeed."""
    answers: list[Answer] = []
    for start in range(0, len(submissions), size):
        answers += writer.apply(submissions[start : start + size])
    assert not any(answer.code for answer in answers), "the benchmark's commands are all valid"
    return answers
