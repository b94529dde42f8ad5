"""DER: the few shapes of ASN.1 that SM2 keys, signatures and certificates are made of.

Source: ITU-T X.690, distinguished encoding rules.
"""

from typing import Final, NamedTuple

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT: Final = 0x06
UTF8: Final = 0x0C
PRINTABLE: Final = 0x13
TIME: Final = 0x17  # UTCTime: two digits for the year, good until 2049
SEQUENCE: Final = 0x30
SET: Final = 0x31
_LONG: Final = 0x80


class Element(NamedTuple):
    """One element read: its tag, what is inside, and the whole of it."""

    tag: int
    content: bytes
    whole: bytes


def write(tag: int, *contents: bytes) -> bytes:
    """Write one element around its contents."""
    content = b"".join(contents)
    length = len(content)
    if length < _LONG:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, _LONG | size)) + length.to_bytes(size) + content


def integer(value: int) -> bytes:
    """Write an integer that is not negative."""
    assert value >= 0, "nothing negative is written here"
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def oid(text: str) -> bytes:
    """Write an object identifier."""
    first, second, *rest = (int(part) for part in text.split("."))
    out = bytes((first * 40 + second,))
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(_LONG | part & 0x7F)
        out += bytes(reversed(groups))
    return write(OBJECT, out)


def read(data: bytes) -> list[Element]:
    """Take elements apart, one after the other.

    Raises: ValueError when the bytes are no DER.
    """
    found = []
    place = 0
    while place < len(data):
        element = _read_one(data, place)
        found.append(element)
        place += len(element.whole)
    return found


def read_sequence(data: bytes) -> list[Element]:
    """Take one sequence apart, which is all of the bytes."""
    outer = read(data)
    if len(outer) != 1 or outer[0].tag != SEQUENCE:
        raise ValueError("not one sequence")
    return read(outer[0].content)


def _read_one(data: bytes, start: int) -> Element:
    if len(data) < start + 2:
        raise ValueError("cut off")
    tag, length = data[start], data[start + 1]
    place = start + 2
    if length & _LONG:
        size = length & 0x7F
        length = int.from_bytes(data[place : place + size])
        place += size
        if not 0 < size <= 4 or length < _LONG:
            raise ValueError("not the shortest length")
    end = place + length
    if end > len(data):
        raise ValueError("cut off")
    return Element(tag, data[place:end], data[start:end])
