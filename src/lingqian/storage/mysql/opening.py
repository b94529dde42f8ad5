"""Opening: a connection with the settings that every session of ours has (建立连接)."""

import ssl
from collections.abc import Callable
from typing import Final, NamedTuple

import pymysql  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.bound import DATABASE_ANSWER_S_MAX, DATABASE_CONNECT_S_MAX
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.durability import check
from lingqian.storage.mysql.engine import Engine, engine_of
from lingqian.storage.mysql.link import Link, Talk

# A sum is a decimal there; ours are of whole numbers, and one that is not must not pass.
_DECIMALS: Final = (
    pymysql.constants.FIELD_TYPE.DECIMAL,
    pymysql.constants.FIELD_TYPE.NEWDECIMAL,
)
_DECODERS: Final = {**pymysql.converters.decoders, **dict.fromkeys(_DECIMALS, int)}


class Options(NamedTuple):
    """How a store behaves towards its server. Units: seconds.

    `is_optimistic`: a lane's commit takes no locks where the engine can do without. `tls`: what
    each new connection begins with; a server that does not speak it is then not spoken to.
    """

    is_sandbox: bool = False
    is_optimistic: bool = True
    answer_s: float = DATABASE_ANSWER_S_MAX
    connect_s: float = DATABASE_CONNECT_S_MAX
    tls: Callable[[], ssl.SSLContext] | None = None


def connect(address: Address, options: Options) -> tuple[Link, Engine]:
    """Open a connection; return it, and which engine answered.

    Raises: Unsent when the server promises too little; what the driver raises.
    """
    connection = Talk(
        host=address.host or None,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.name,
        unix_socket=address.socket or None,
        ssl=options.tls() if options.tls is not None else None,
        charset="utf8mb4",
        collation="utf8mb4_bin",
        conv=_DECODERS,
        autocommit=True,
        client_flag=pymysql.constants.CLIENT.FOUND_ROWS,
        connect_timeout=options.connect_s,
        read_timeout=options.answer_s,
        write_timeout=options.answer_s,
    )
    link = Link(connection)
    try:
        engine = engine_of(link.execute("SELECT VERSION()").fetchone()[0])
        for statement in engine.session:
            link.execute(statement)
        check(link, engine, is_sandbox=options.is_sandbox)
    except BaseException:
        link.close()
        raise
    return link, engine
