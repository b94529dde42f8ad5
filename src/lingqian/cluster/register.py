"""The register: members and leases in the database that everybody shares (名册).

Law: time is the database's own, so clocks that differ do no harm. A lease changes hands by
comparing and setting its owner and epoch. One row is written to stay alive, however many leases
are held: they end with their holder's row.
"""

from typing import Any, Final

from lingqian.cluster.lease import Lease, Member, Picture
from lingqian.kernel.clock import SECOND_US
from lingqian.storage.port import SharedStore

# By universal time: hours that come twice, where the server's own zone has such, matter to nobody.
NOW: Final = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
SELECT_NOW: Final = f"SELECT {NOW}"
PUT_LEASE: Final = (
    "INSERT INTO leases (name, owner, epoch) VALUES (?, '', 0) "
    "ON DUPLICATE KEY UPDATE name = VALUES(name)"
)
PUT_MEMBER: Final = (
    "INSERT INTO members (member, address, roles, version, until_us) "  # noqa: S608 - a constant
    f"VALUES (?, ?, ?, ?, {NOW} + ?) ON DUPLICATE KEY UPDATE address = VALUES(address), "
    "roles = VALUES(roles), version = VALUES(version), until_us = VALUES(until_us)"
)
SELECT_MEMBERS: Final = (
    "SELECT member, address, roles, version, until_us FROM members ORDER BY member"
)
SELECT_LEASES: Final = "SELECT name, owner, epoch FROM leases ORDER BY name"
TAKE_LEASE: Final = (
    "UPDATE leases SET owner = ?, epoch = epoch + 1 WHERE name = ? AND owner = ? AND epoch = ?"
)
RELEASE_LEASE: Final = "UPDATE leases SET owner = '' WHERE name = ? AND owner = ?"
RELEASE_ALL: Final = "UPDATE leases SET owner = '' WHERE owner = ?"
DROP_MEMBER: Final = "DELETE FROM members WHERE member = ?"
SELECT_LONG_GONE: Final = f"SELECT member FROM members WHERE until_us < {NOW} - ?"  # noqa: S608 - a constant
_GONE_US: Final = 24 * 3_600 * SECOND_US


class Register:
    """Reads and writes the register; belongs to the one thread that its store belongs to.

    Every method raises Unsent, or Unknown when its commit was cut: all of them may be done again.
    """

    def __init__(self, store: SharedStore, life_s: float) -> None:
        self._store = store
        self._life_us = int(life_s * SECOND_US)

    def open(self, names: list[str]) -> None:
        """Make leases that are not there yet, and forget members that went long ago."""
        there = {lease.name for lease in self.look().leases}

        def write(connection: Any) -> None:  # noqa: ANN401 - the engine's own type
            # In the order in which they are taken: two who begin together only wait.
            for name in sorted({*names} - there):
                connection.execute(PUT_LEASE, (name,))
            gone = connection.execute(SELECT_LONG_GONE, (_GONE_US,)).fetchall()
            for (member,) in gone:
                connection.execute(RELEASE_ALL, (member,))
                connection.execute(DROP_MEMBER, (member,))

        self._store.write(write)

    def beat(self, me: Member) -> Picture:
        """Say that a member lives on; return the picture as it is then."""
        row = (me.name, me.address, " ".join(sorted(me.roles)), me.version, self._life_us)
        self._store.write(lambda connection: connection.execute(PUT_MEMBER, row))
        return self.look()

    def look(self) -> Picture:
        """Return the picture as it is now."""
        picture: Picture = self._store.read(_look)
        return picture

    def take(self, leases: tuple[Lease, ...], owner: str) -> list[Lease]:
        """Take leases as they were seen; return those that nobody else was quicker with."""

        def write(connection: Any) -> list[Lease]:  # noqa: ANN401 - the engine's own type
            taken: list[Lease] = []
            for name, before, epoch in leases:
                values = (owner, name, before, epoch)
                if connection.execute(TAKE_LEASE, values).rowcount == 1:
                    taken.append(Lease(name, owner, epoch + 1))
            return taken

        taken: list[Lease] = self._store.write(write)
        return taken

    def release(self, names: list[str], owner: str) -> None:
        """Let leases go, unless they are somebody else's by now."""

        def write(connection: Any) -> None:  # noqa: ANN401 - the engine's own type
            for name in names:
                connection.execute(RELEASE_LEASE, (name, owner))

        self._store.write(write)

    def leave(self, owner: str) -> None:
        """Let everything go and take part no more."""

        def write(connection: Any) -> None:  # noqa: ANN401 - the engine's own type
            connection.execute(RELEASE_ALL, (owner,))
            connection.execute(DROP_MEMBER, (owner,))

        self._store.write(write)

    def close(self) -> None:
        """Release the store."""
        self._store.close()


def _look(connection: Any) -> Picture:  # noqa: ANN401 - the engine's own type
    members = [
        Member(name, address, frozenset(roles.split()), version, until_us)
        for name, address, roles, version, until_us in connection.execute(SELECT_MEMBERS)
    ]
    leases = [Lease(*row) for row in connection.execute(SELECT_LEASES)]
    return Picture(connection.execute(SELECT_NOW).fetchone()[0], tuple(members), tuple(leases))
