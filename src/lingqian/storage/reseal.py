"""Resealing: what is told of people brought under the newest key and the chosen cipher (重新加密).

Law: a row is opened and sealed again in one transaction, under its own owner; digests do not
change, so nothing of the journal does. A row that does not open is left as it is and counted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from lingqian.kernel.fault import Damaged
from lingqian.storage.port import Connection
from lingqian.storage.real_name import NAME, NUMBER
from lingqian.storage.vault import Vault

_ROWS_AT_ONCE: Final = 500
Tick = Callable[[int], None]


class Place(NamedTuple):
    """Where sealed bytes stand: table, key, column, purpose; they are bound to key and `end`."""

    table: str
    key: tuple[str, ...]
    column: str
    purpose: str
    end: bytes = b""


PLACES: Final = (
    Place("personal", ("owner_id", "field"), "cipher", "personal"),
    Place("parked_messages", ("message_id",), "sealed", "personal"),
    Place("devices", ("device_id",), "name_sealed", "identity"),
    Place("passkeys", ("credential_id",), "name_sealed", "identity"),
    Place("covers", ("cover_id",), "image_sealed", "identity"),
    Place("operator_passkeys", ("credential_id",), "name_sealed", "identity"),
    Place("authenticators", ("key_id",), "secret_sealed", "identity"),
    Place("real_names", ("user_id",), "name_sealed", "identity", NAME),
    Place("real_names", ("user_id",), "number_sealed", "identity", NUMBER),
)


class Resealed(NamedTuple):
    """How many rows were sealed anew, were fresh already, and do not open."""

    resealed: int
    fresh: int
    damaged: int


def _bound(place: Place, key: tuple[Any, ...]) -> bytes:
    first, *rest = key
    whose = first.encode() if isinstance(first, str) else bytes(first)
    return whose + b"".join([bytes((part,)) for part in rest]) + place.end


def reseal(connection: Connection, vault: Vault, tick: Tick) -> Resealed:
    """Seal every row anew that is not fresh; `tick` is told how many were looked at."""
    total = Resealed(0, 0, 0)
    for place in PLACES:
        query = f"SELECT {', '.join(place.key)} FROM {place.table} WHERE {place.column} <> x''"  # noqa: S608 - names from the table above
        # Only keys are held together: what is sealed may be pictures.
        keys = list(connection.execute(query))
        for at in range(0, len(keys), _ROWS_AT_ONCE):
            part = keys[at : at + _ROWS_AT_ONCE]
            with _whole(connection):
                found = _reseal_part(connection, vault, place, part)
            total = Resealed(*[one + two for one, two in zip(total, found, strict=True)])
            tick(len(part))
    return total


@contextmanager
def _whole(connection: Connection) -> Iterator[None]:
    """Write a part or nothing of it."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _reseal_part(connection: Connection, vault: Vault, place: Place, keys: list[Any]) -> Resealed:
    where = " AND ".join(f"{name} = ?" for name in place.key)
    select = f"SELECT {place.column} FROM {place.table} WHERE {where}"  # noqa: S608 - names from the table above
    update = f"UPDATE {place.table} SET {place.column} = ? WHERE {where}"  # noqa: S608 - names from the table above
    done = fresh = damaged = 0
    for key in keys:
        (sealed,) = next(connection.execute(select, key))
        if vault.is_fresh(place.purpose, sealed):
            fresh += 1
            continue
        bound = _bound(place, key)
        try:
            plain = vault.open(place.purpose, bound, sealed)
        except Damaged:
            damaged += 1
            continue
        connection.execute(update, (vault.seal(place.purpose, bound, plain), *key))
        done += 1
    return Resealed(done, fresh, damaged)
