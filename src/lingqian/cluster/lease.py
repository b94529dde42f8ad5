"""Leases: each piece of work has one holder, and everybody alive an equal share of it (租约).

Law: a lease is about life alone, never about safety. Two who both believe that they hold a lane
harm nobody: its epoch lets one of them commit. Whoever reads the same picture decides the same.
"""

from collections.abc import Iterable
from typing import NamedTuple

from lingqian.cluster.role import OURS, Role


class Member(NamedTuple):
    """A process that takes part, while it says so again and again; gone at `until_us`.

    `version` is the newest form of frames that it reads. Units: µs by the database's clock.
    """

    name: str
    address: str
    roles: frozenset[str]
    version: int
    until_us: int


class Lease(NamedTuple):
    """A piece of work and who does it; free when nobody does. Its name begins with its role."""

    name: str
    owner: str
    epoch: int

    @property
    def role(self) -> str:
        """Return the role that may hold it."""
        return self.name.partition("/")[0]


class Picture(NamedTuple):
    """Everything that is known of a cluster at one moment of the database's clock."""

    now_us: int
    members: tuple[Member, ...]
    leases: tuple[Lease, ...]

    def living(self) -> dict[str, Member]:
        """Return the members whose time is not over."""
        return {each.name: each for each in self.members if each.until_us > self.now_us}


class Gift(NamedTuple):
    """A lease to be handed over, and who is to have it; nobody, when none is left who can."""

    lease: Lease
    to: Member | None


class Moves(NamedTuple):
    """What one member has to do now: leases to take, and leases to hand over."""

    take: tuple[Lease, ...]
    give: tuple[Gift, ...]


def lane_lease(lane: int) -> str:
    """Return the name of a lane's lease; names sort as lanes do."""
    return f"{Role.LANE}/{lane:05d}"


def lane_of_lease(name: str) -> int | None:
    """Return the lane that a lease is about; None when it is about something else."""
    role, _, rest = name.partition("/")
    return int(rest) if role == Role.LANE else None


def spread(me: str, picture: Picture) -> Moves:
    """Say what a member takes and what it hands over, so that everybody has an equal share.

    A lease of somebody who lives is taken only after he has let it go.
    """
    living = picture.living()
    shares = _shares(picture, living)
    take: list[Lease] = []
    give: list[Gift] = []
    for lease in picture.leases:
        heir = shares.get(lease.name)
        if lease.owner == me != heir:
            give.append(Gift(lease, living[heir] if heir else None))
        elif heir == me != lease.owner and lease.owner not in living:
            take.append(lease)
    return Moves(tuple(take), tuple(give))


def _shares(picture: Picture, living: dict[str, Member]) -> dict[str, str]:
    """Return who is to hold each lease; what nobody can hold is left out."""
    found: dict[str, str] = {}
    for role in OURS:
        able = sorted(each.name for each in living.values() if role in each.roles)
        if able:
            leases = [each for each in picture.leases if each.role == role]
            for name, held in level(leases, able).items():
                found |= dict.fromkeys(held, name)
    return found


def level(leases: Iterable[Lease], able: list[str]) -> dict[str, list[str]]:
    """Share leases out so that no two differ by more than one, and as few as can be move."""
    held: dict[str, list[str]] = {name: [] for name in able}
    homeless: list[str] = []
    for lease in sorted(leases):
        held.get(lease.owner, homeless).append(lease.name)
    for lease_name in homeless:
        held[_fewest(held)].append(lease_name)
    while len(held[most := _most(held)]) - len(held[fewest := _fewest(held)]) > 1:
        held[fewest].append(held[most].pop())
    return held


def _fewest(held: dict[str, list[str]]) -> str:
    return min(held, key=lambda name: (len(held[name]), name))


def _most(held: dict[str, list[str]]) -> str:
    return max(held, key=lambda name: (len(held[name]), name))
