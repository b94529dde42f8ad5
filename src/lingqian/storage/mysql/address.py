"""Where a database is and who we are there: `mysql://user:password@host:3306/name` (数据库地址)."""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

PORT = 3306


class Address(NamedTuple):
    """An address, taken apart; a server on this machine may be named by its socket instead."""

    user: str
    password: str
    host: str
    port: int
    name: str
    socket: str = ""

    def __repr__(self) -> str:
        """Leave the password out: this is what stands in messages."""
        where = self.socket or f"{self.host}:{self.port}"
        return f"mysql://{self.user}@{where}/{self.name}"


def parse(text: str) -> Address:
    """Read an address; `?socket=/path` names a socket.

    Raises: ValueError with words for the person who wrote it.
    """
    parts = urlsplit(text)
    name = parts.path.removeprefix("/")
    query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    if parts.scheme != "mysql" or not name or "/" in name or parts.fragment:
        raise ValueError("an address looks like mysql://user:password@host:3306/name")
    if query.keys() - {"socket"} or any(len(values) > 1 for values in query.values()):
        raise ValueError("after the question mark only socket=/path is known, once")
    socket = query.get("socket", [""])[0]
    if bool(socket) == bool(parts.hostname):
        raise ValueError("an address names a host or a socket, one of the two")
    return Address(
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.hostname or "",
        parts.port or PORT,
        unquote(name),
        socket,
    )
