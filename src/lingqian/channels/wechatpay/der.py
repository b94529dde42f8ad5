"""DER: the few shapes that SM2 keys and signatures are written in (ASN.1 编码).

Law: only the one right encoding is read; anything else is refused, never guessed at.
Source: ITU-T X.690 §8, §10; GB/T 35276 for the shapes.
"""

from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_ID: Final = 0x06
SEQUENCE: Final = 0x30
CONTEXT_0: Final = 0xA0
_LONG: Final = 0x80
_LENGTH_BYTES_MAX: Final = 4


def write(tag: int, content: bytes) -> bytes:
    """Write one element."""
    length = len(content)
    if length < _LONG:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(size))) + size + content


def write_integer(value: int) -> bytes:
    """Write a number that is not negative."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def read(data: bytes) -> list[tuple[int, bytes]]:
    """Read all elements of a content, in order.

    Raises: ValueError.
    """
    found = []
    while data:
        tag, content, data = _take(data)
        found.append((tag, content))
    return found


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    if len(data) < 2:
        raise ValueError("an element is cut short")
    tag, length, start = data[0], data[1], 2
    if length >= _LONG:
        size = length - _LONG
        start += size
        length = int.from_bytes(data[2:start], "big")
        if not 0 < size <= _LENGTH_BYTES_MAX or length < _LONG or data[2:3] == b"\0":
            raise ValueError("a length is not written in the one right way")
    if len(data) < start + length:
        raise ValueError("an element is cut short")
    return tag, data[start : start + length], data[start + length :]


def read_sequence(data: bytes, *tags: int) -> list[bytes]:
    """Read one whole sequence whose elements have exactly these tags.

    Raises: ValueError.
    """
    outer = read(data)
    if len(outer) != 1 or outer[0][0] != SEQUENCE:
        raise ValueError("not one sequence")
    inner = read(outer[0][1])
    if tuple(tag for tag, _ in inner) != tags:
        raise ValueError("a sequence of other elements")
    return [content for _, content in inner]


def read_integer(content: bytes) -> int:
    """Read a number that is not negative and is written as short as it can be.

    Raises: ValueError.
    """
    is_padded = len(content) > 1 and content[0] == 0 and content[1] < _LONG
    if not content or content[0] >= _LONG or is_padded:
        raise ValueError("a number is negative or padded")
    return int.from_bytes(content, "big")
