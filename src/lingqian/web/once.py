"""Once: what strangers send that is taken once, remembered while there is room (一次性)."""

from collections import OrderedDict
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
