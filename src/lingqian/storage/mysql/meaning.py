"""What an error of the MySQL protocol means for a lane, as one table (错误分类).

Law: at COMMIT only an error that proves a rollback may be called unsent; every other one, known or
not, is unknown, and the epoch decides. Before COMMIT nothing was written, whatever went wrong: the
transaction is ended, or its connection is.
Source: each engine's own list of errors; what TiDB says of 8001 to 9008, read 2026-11.
"""

from typing import Final, NamedTuple

from pymysql.err import Error  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.fault import Damaged, Fault, Unknown, Unsent


class Meaning(NamedTuple):
    """One class of errors: what a lane is told before COMMIT and at it, and what is done first.

    `ends_link`: the connection is not used again. `pauses`: a moment passes before whoever asked
    is told, because asking again at once would meet the same neighbour.
    """

    name: str
    codes: tuple[int, ...]
    before: type[Fault]
    at_commit: type[Fault]
    ends_link: bool
    pauses: bool
    words: str


ROLLED_BACK: Final = Meaning(
    "rolled back", (1213, 8002, 8005, 8022, 8028, 8055, 8147, 8229, 9006, 9007),
    Unsent, Unsent, ends_link=False, pauses=True,
    words="the engine has undone the transaction: a conflict, a deadlock, or it was too old",
)  # fmt: skip
STILL_OPEN: Final = Meaning(
    "still open", (1020, 1205, 3572),
    Unsent, Unknown, ends_link=False, pauses=True,
    words="a statement failed and the transaction may go on: it is rolled back by name",
)  # fmt: skip
OVERLOADED: Final = Meaning(
    "overloaded",
    (1021, 1026, 1030, 1037, 1038, 1041, 1047, 1114, 1297, 8001, 8027, 8120, 8175, 8252, 8256,
     9001, 9002, 9003, 9004, 9005, 9008),
    Unsent, Unknown, ends_link=False, pauses=True,
    words="no room, no memory, or a part of the cluster that does not answer",
)  # fmt: skip
LOST: Final = Meaning(
    "lost",
    (0, 1053, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 2002, 2003, 2006,
     2013, 2014, 2027, 2055, 3024, 4031),
    Unsent, Unknown, ends_link=True, pauses=False,
    words="the connection was cut, timed out or was ended from outside",
)  # fmt: skip
TURNED_AWAY: Final = Meaning(
    "turned away", (1040, 1044, 1045, 1049, 1129, 1130, 1142, 1203, 1226, 1227, 1290, 1792, 1836),
    Unsent, Unknown, ends_link=True, pauses=True,
    words="the server does not let us in or does not let us write: rights, limits, a replica",
)  # fmt: skip
REFUSED: Final = Meaning(
    "refused",
    (1048, 1054, 1062, 1064, 1136, 1146, 1153, 1264, 1364, 1366, 1406, 3819, 4025, 8004, 8025),
    Unsent, Unsent, ends_link=False, pauses=False,
    words="the rows break a law of the schema: a mistake of ours, and nothing of it was written",
)  # fmt: skip
DAMAGED: Final = Meaning(
    "damaged", (1034, 1035, 1194, 1195, 1712, 1877, 8003, 8133, 8134, 8138, 8139, 8140, 8141, 8223),
    Damaged, Unknown, ends_link=True, pauses=False,
    words="the engine says of itself that what it stores contradicts itself",
)  # fmt: skip
# What nobody has placed yet is treated as the worst that it could be.
UNPLACED: Final = Meaning(
    "unplaced", (), Unsent, Unknown, ends_link=True, pauses=True,
    words="an error that is in no row of this table",
)  # fmt: skip

MEANINGS: Final = (
    ROLLED_BACK, STILL_OPEN, OVERLOADED, LOST, TURNED_AWAY, REFUSED, DAMAGED, UNPLACED,
)  # fmt: skip
_BY_CODE: Final = {code: meaning for meaning in MEANINGS for code in meaning.codes}


def code_of(error: Error) -> int:
    """Return an error's number; 0, as of a lost connection, where the driver gives words only."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def meaning_of(error: Error) -> Meaning:
    """Return the class of an error."""
    return _BY_CODE.get(code_of(error), UNPLACED)
