"""What a server must promise before it may keep money: checked whenever we connect (持久性检查).

Law: outside the sandbox a server that may forget what it has confirmed is refused by name, setting
by setting. It is read from the server itself; what its configuration file says is not asked.
"""

from collections.abc import Iterator
from typing import Final

from lingqian.kernel.fault import Unsent
from lingqian.storage.mysql.engine import Demand, Engine
from lingqian.storage.mysql.link import Link

# A sealed picture or a day's bill is one value, and twice as long in a statement.
PACKET_BYTES_MIN: Final = 16 * 1_024 * 1_024


def check(link: Link, engine: Engine, *, is_sandbox: bool) -> None:
    """Refuse a server whose settings are too weak.

    Raises: Unsent with a line for every such setting.
    """
    weak = [*_too_small(link), *_too_lax(link, engine)]
    if not is_sandbox:
        weak += [line for demand in engine.demands for line in _unmet(link, demand)]
    if weak:
        raise Unsent(f"{engine.name} may lose or refuse what it is given: {'; '.join(weak)}")


def _setting(link: Link, name: str) -> str:
    return str(link.execute(f"SELECT @@GLOBAL.{name}").fetchone()[0]).upper()


def _unmet(link: Link, demand: Demand) -> Iterator[str]:
    if demand.when and _setting(link, demand.when) in {"0", "OFF"}:
        return
    value = _setting(link, demand.name)
    if value not in demand.accepted:
        yield f"{demand.name} is {value}, not {' or '.join(demand.accepted)} ({demand.why})"


def _too_small(link: Link) -> Iterator[str]:
    have = int(_setting(link, "max_allowed_packet"))
    if have < PACKET_BYTES_MIN:
        yield f"max_allowed_packet is {have}, and must be {PACKET_BYTES_MIN} or more"


def _too_lax(link: Link, engine: Engine) -> Iterator[str]:
    """Read back what this session has asked for: a server or a proxy may have its own will."""
    for name, word in (("sql_mode", "STRICT_ALL_TABLES"), (engine.isolation, "REPEATABLE-READ")):
        value = link.execute(f"SELECT @@SESSION.{name}").fetchone()[0]
        if word not in value:
            yield f"{name} of our own session is {value}, without {word}"
