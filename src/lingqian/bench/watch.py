"""A store on a database server that counts what its thread spends in it (计时)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.store import MysqlStore
from lingqian.storage.port import Batch


class Watched(MysqlStore):
    """The store as always; what its thread takes of the processor for statements is added up."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.spent_s = 0.0

    @contextmanager
    def _watch(self) -> Iterator[None]:
        began_s = time.thread_time()
        try:
            yield
        finally:
            self.spent_s += time.thread_time() - began_s

    def read(self, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Read between batches, as loading does."""
        with self._watch():
            return super().read(work)

    def commit(self, batches: list[Batch]) -> None:
        """Write batches."""
        with self._watch():
            super().commit(batches)
