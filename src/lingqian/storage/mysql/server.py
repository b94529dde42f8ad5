"""A database on a server, as a wallet and its commands open it (数据库服务器)."""

from contextlib import AbstractContextManager, closing
from typing import NamedTuple

from pymysql.err import Error  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.fault import Unsent
from lingqian.storage.ground import Ground
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.ground import is_there, snapshot
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.reader import Reader, Visitor
from lingqian.storage.mysql.schema import migrate
from lingqian.storage.mysql.store import MysqlStore
from lingqian.storage.port import Connection
from lingqian.storage.reach import Reach


class MysqlServer(NamedTuple):
    """Where a database is, how we behave towards it, and what its readers find."""

    address: Address
    options: Options = Options()
    reach: Reach | None = None

    def store(self) -> MysqlStore:
        """Open the writer's store, with the newest schema.

        Raises: Damaged, Unsent.
        """
        return MysqlStore(self.address, self.options)

    def reader(self) -> Reader:
        """Return a connection for reads, of the thread that asks; its first read opens it."""
        return Reader(self._read_only, self.reach)

    def visitor(self) -> Visitor:
        """Open a connection for small writes, with the newest schema.

        Raises: Damaged, Unsent.
        """
        self.store().close()
        return Visitor(lambda: connect(self.address, self.options)[0])

    @property
    def away_s(self) -> float:
        """How long no read has had an answer, where that is noted. Unit: seconds."""
        return 0.0 if self.reach is None else self.reach.away_s

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write it: they may."""
        return True

    def is_there(self) -> bool:
        """Say whether the database has steps of our schema.

        Raises: Unsent.
        """
        return is_there(self.address, self.options)

    def snapshot(self) -> AbstractContextManager[tuple[Connection, Ground]]:
        """Open the ledger for reading, beside whoever writes; close it.

        Raises: Damaged when there is none, or it is not of this program's schema; Unsent.
        """
        return snapshot(self.address, self.options)

    def migrate(self) -> list[str]:
        """Bring the database to the newest schema; return the files of steps that did something.

        Raises: Damaged when it is newer than this program; Unsent.
        """
        try:
            with closing(connect(self.address, self.options)[0]) as link:
                return migrate(link)
        except Error as error:
            raise Unsent(f"{self} cannot be migrated: {error}") from error

    def _read_only(self) -> Link:
        link, engine = connect(self.address, self.options)
        for statement in engine.read_only:
            link.execute(statement)
        return link

    def __str__(self) -> str:
        """Say where it is, without the password."""
        return repr(self.address)
