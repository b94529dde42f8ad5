"""A database on a server, as a wallet opens it: the writer's store, and readers (数据库服务器)."""

from typing import NamedTuple

from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.opening import Options, connect
from lingqian.storage.mysql.reader import Reader, Visitor
from lingqian.storage.mysql.store import MysqlStore


class MysqlServer(NamedTuple):
    """Where a database is, and how we behave towards it."""

    address: Address
    options: Options = Options()

    def store(self) -> MysqlStore:
        """Open the writer's store, with the newest schema.

        Raises: Damaged, Unsent.
        """
        return MysqlStore(self.address, self.options)

    def reader(self) -> Reader:
        """Return a connection for reads, of the thread that asks; its first read opens it."""
        return Reader(self._read_only)

    def visitor(self) -> Visitor:
        """Open a connection for small writes, with the newest schema.

        Raises: Damaged, Unsent.
        """
        self.store().close()
        return Visitor(lambda: connect(self.address, self.options)[0])

    def _read_only(self) -> Link:
        link, engine = connect(self.address, self.options)
        for statement in engine.read_only:
            link.execute(statement)
        return link

    def __str__(self) -> str:
        """Say where it is, without the password."""
        return repr(self.address)
