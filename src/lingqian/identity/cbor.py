"""CBOR, as far as authenticators write it: definite lengths, shortest forms, nothing else (编码).

Law: what is not exactly that is refused; reading takes time in proportion to the bytes given.
Source: RFC 8949; CTAP2 canonical form.
"""

from typing import Any, Final

_DEPTH_MAX: Final = 4
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _, _SIMPLE = range(8)
_CONSTANTS: Final = {20: False, 21: True, 22: None}


class Reader:
    """Reads values one after another from bytes of a stranger."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def take(self, count: int) -> bytes:
        """Take bytes.

        Raises: ValueError when there are not so many.
        """
        found = self._raw[self.at : self.at + count]
        if len(found) != count:
            raise ValueError("the bytes end too early")
        self.at += count
        return found

    def value(self, depth: int = 0) -> Any:  # noqa: ANN401 - any value of CBOR
        """Read one value.

        Raises: ValueError for what no authenticator writes.
        """
        if depth > _DEPTH_MAX:
            raise ValueError("too deep")
        first = self.take(1)[0]
        major, size = first >> 5, self._size(first & 31)
        if major in (_BYTES, _TEXT):
            raw = self.take(size)
            return raw if major == _BYTES else raw.decode()
        if major == _ARRAY:
            return [self.value(depth + 1) for _ in range(size)]
        if major == _MAP:
            return self._map(size, depth)
        return _number(major, size)

    def _size(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise ValueError("no definite length")
        width = 1 << (low - 24)
        found = int.from_bytes(self.take(width), "big")
        if found < (24 if width == 1 else 1 << (4 * width)):
            raise ValueError("not the shortest form")
        return found

    def _map(self, size: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            if not isinstance(key, int | str) or key in found:
                raise ValueError("a key that is none, or comes twice")
            found[key] = self.value(depth + 1)
        return found


def _number(major: int, size: int) -> Any:  # noqa: ANN401 - an integer or a constant
    if major == _UNSIGNED:
        return size
    if major == _NEGATIVE:
        return -1 - size
    if major == _SIMPLE and size in _CONSTANTS:
        return _CONSTANTS[size]
    raise ValueError("a tag or a float")
