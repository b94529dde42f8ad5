"""Order: rows sorted in pieces, so that one thread's long list holds up no other (分段排序).

Law: the result is that of `sorted`. Sorting in one go is a single step of the interpreter; a merge
of short runs is many.
"""

from collections.abc import Callable, Iterable
from heapq import merge
from itertools import islice
from typing import Any, Final, TypeVar

Row = TypeVar("Row")

RUN_ROWS_MAX: Final = 2_048


def ordered(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[Row]:
    """Sort rows by a key, equal ones in the order they came."""
    runs: list[list[Row]] = []
    ahead = iter(rows)
    while run := list(islice(ahead, RUN_ROWS_MAX)):
        run.sort(key=key)
        runs.append(run)
    return runs[0] if len(runs) == 1 else list(merge(*runs, key=key))
