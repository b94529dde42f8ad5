"""Once: keys that are taken once, and names that one request at a time is busy with (一次性)."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from lingqian.kernel.bound import PROOFS_MAX


class UsedKeys:
    """The pages' keys that were taken, the newest kept: a recorded request seals nothing twice."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def take(self, point: bytes) -> bool:
        """Take a key; False when it was taken before."""
        digest = sha256(point).digest()
        if digest in self._known:
            return False
        if len(self._known) >= PROOFS_MAX:
            self._known.popitem(last=False)
        self._known[digest] = None
        return True


class Busy:
    """Names that a request of this process is busy with: another is told so at once.

    Between looking and doing somebody else may look as well; with the name held he may not.
    """

    def __init__(self) -> None:
        self._names: frozenset[bytes] = frozenset()

    @contextmanager
    def alone(self, names: Iterable[bytes]) -> Iterator[bool]:
        """Hold names while the block runs; say whether nobody else holds one of them."""
        own = frozenset(names)
        if own & self._names:
            yield False
            return
        self._names |= own
        try:
            yield True
        finally:
            self._names -= own
