"""Submissions and answers as bytes, for what lies between processes: calls and topics (线上字节).

Law: what is read back equals what was written, types too; bytes of a form this program does not
know are Damaged, never guessed at. A frame is its version, its form and the kind of its command,
then MessagePack as in the journal (storage/codec.py).
"""

import struct
from functools import cache, lru_cache
from typing import Any, Final

import msgspec

from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER, KINDS, Kind
from lingqian.kernel.fault import Damaged
from lingqian.ledger.posting import Posting
from lingqian.redpacket.packet import Claim
from lingqian.storage.codec import NO_OUTCOME
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Personal
from lingqian.topup.attempt import Attempt

VERSION: Final = 1
_SUBMISSION: Final = 1
_ANSWER: Final = 2
_HEAD: Final = struct.Struct(">BBH")
# An answer's head goes on: its outcome's place, its first answer's form and that one's outcome's.
_PLACES: Final = struct.Struct(">BBB")
# What a first answer may be. A number is a form's place here, and places are never given anew.
FIRSTS: Final[tuple[type, ...]] = (type(None), Record, Claim, Attempt)

_encode = msgspec.msgpack.Encoder().encode


def write_submission(submission: Submission) -> bytes:
    """Return a submission's bytes."""
    number = KINDS[type(submission.command)].number
    return _HEAD.pack(VERSION, _SUBMISSION, number) + _encode(submission)


def read_submission(data: bytes) -> Submission:
    """Read a submission.

    Raises: Damaged when the bytes are not what this version writes.
    """
    kind = _kind(data, _SUBMISSION, _HEAD.size)
    command, personal = _read(_submissions(kind.number), data[_HEAD.size :])
    return Submission(command, personal)


def write_answer(answer: Answer) -> bytes:
    """Return an answer's bytes."""
    kind = KINDS[type(answer.command)]
    first = answer.first
    places = _PLACES.pack(
        _place(kind, answer.outcome),
        FIRSTS.index(type(first)),
        _place(kind, first.outcome if isinstance(first, Record) else None),
    )
    return _HEAD.pack(VERSION, _ANSWER, kind.number) + places + _encode(answer)


def read_answer(data: bytes) -> Answer:
    """Read an answer.

    Raises: Damaged when the bytes are not what this version writes.
    """
    size = _HEAD.size + _PLACES.size
    kind = _kind(data, _ANSWER, size)
    places = _PLACES.unpack_from(data, _HEAD.size)
    answer = Answer(*_read(_answers(kind.number, *places), data[size:]))
    if FIRSTS[places[1]] is Record:
        return answer._replace(first=Record(*answer.first))  # type: ignore[misc]  # its own shape
    return answer


def _place(kind: Kind, outcome: object) -> int:
    return NO_OUTCOME if outcome is None else kind.outcomes.index(type(outcome))


def _kind(data: bytes, form: int, size: int) -> Kind:
    if len(data) >= size:
        version, found, number = _HEAD.unpack_from(data)
        if (version, found) == (VERSION, form) and number in BY_NUMBER:
            return BY_NUMBER[number]
    raise Damaged(f"a frame begins with {data[:size].hex()}: its form is not known here")


def _read(decoder: Any, body: bytes) -> Any:  # noqa: ANN401 - of a type made at run time
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"a frame cannot be read: {error}") from error


def _shape(*parts: Any) -> Any:  # noqa: ANN401 - types, and the type of one of each in order
    return tuple.__class_getitem__(parts)


@cache
def _submissions(number: int) -> Any:  # noqa: ANN401 - of a type made at run time
    shape = _shape(BY_NUMBER[number].command, tuple[Personal, ...])
    return msgspec.msgpack.Decoder(shape)


def _outcome(kind: Kind, place: int) -> type | None:
    if place == NO_OUTCOME:
        return None
    if place >= len(kind.outcomes):
        raise Damaged(f"a frame has outcome {place} of kind {kind.number}: it is not known here")
    return kind.outcomes[place]


def _first(kind: Kind, form: int, place: int) -> Any:  # noqa: ANN401 - a type
    if form >= len(FIRSTS):
        raise Damaged(f"a frame has a first answer of form {form}: it is not known here")
    if FIRSTS[form] is not Record:
        return FIRSTS[form]
    what = (kind.command, _outcome(kind, place))
    return _shape(int, int, int, int, *what, tuple[Posting, ...], tuple[tuple[bytes, int], ...])


@lru_cache(maxsize=1_024)
def _answers(number: int, place: int, form: int, first_place: int) -> Any:  # noqa: ANN401 - as above
    kind = BY_NUMBER[number]
    first = _first(kind, form, first_place)
    shape = _shape(int, kind.command, _outcome(kind, place), int, int, str, first)
    return msgspec.msgpack.Decoder(shape)
