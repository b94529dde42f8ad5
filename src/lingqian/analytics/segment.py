"""Segments: what kind of user somebody is on one day (用户分群).

Law: one segment per person and day, a function of that day's steps; the rules have a version, and a
figure says by which one it was made.   Source: top-up reference §14.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

RULES_VERSION: Final = 1


class Segment(IntEnum):
    """The kinds of users that are told apart."""

    ORDINARY = 1
    FAN = 2
    SHOPPER = 3


# A scene says where the person was: in a live room, in a shop; everywhere else is ordinary.
BY_SCENE: Final = {"live": Segment.FAN, "shop": Segment.SHOPPER}
# With as many steps in one scene as in another, the one that says more about the person.
_RANK: Final = (Segment.FAN, Segment.SHOPPER, Segment.ORDINARY)


def segment_of(scenes: Iterable[str]) -> Segment:
    """Return the segment of a person by the scenes of a day's steps; of none: ordinary."""
    counts = dict.fromkeys(_RANK, 0)
    for scene in scenes:
        counts[BY_SCENE.get(scene, Segment.ORDINARY)] += 1
    if not any(counts.values()):
        return Segment.ORDINARY
    return max(_RANK, key=lambda each: counts[each])
