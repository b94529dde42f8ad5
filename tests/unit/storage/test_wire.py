"""Bytes between processes: everything a lane is asked or says comes through unchanged."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqian.flows.decision import Record
from lingqian.flows.kind import KINDS
from lingqian.kernel.fault import Damaged
from lingqian.ledger.posting import Posting
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Personal
from lingqian.storage.wire import (
    FIRSTS,
    VERSION,
    read_answer,
    read_submission,
    write_answer,
    write_submission,
)
from sample import sample

PERSONAL = (sample(Personal, "one"), sample(Personal, "two"))
SUBMISSIONS = [
    Submission(sample(kind.command), personal)
    for kind in KINDS.values()
    for personal in ((), PERSONAL)
]


def record(kind, outcome):
    """Return what a kind answered before, as a lane has it."""
    made = None if outcome is None else sample(outcome)
    postings = (sample(Posting, "one"), sample(Posting, "two"))
    return Record(7, 8, kind.number, 0, sample(kind.command), made, postings, ((b"a" * 18, 300),))


def row(of):
    """Return a row of a table with a sample in every column."""
    return of(*[sample(of.__annotations__[name], name) for name in of.__slots__])


def answers():
    """Yield an answer of every kind with every outcome, and with everything it may repeat."""
    for kind in KINDS.values():
        command = sample(kind.command)
        for outcome in (None, *kind.outcomes):
            made = None if outcome is None else sample(outcome)
            yield Answer(0, command, made, 5, 6, "", None)
            yield Answer(0, command, None, 5, 0, "", record(kind, outcome))
        yield Answer(20, command, None, 5, 0, "amount_fen", None)
        for of in FIRSTS[2:]:
            yield Answer(0, command, None, 5, 0, "", row(of))


ANSWERS = list(answers())


def test_submission_of_every_kind_is_read_back():
    """With its personal rows and without; types too, or a lane would decide something else."""
    for each in SUBMISSIONS:
        read = read_submission(write_submission(each))
        assert read == each
        assert type(read.command) is type(each.command)
        assert [type(row) for row in read.personal] == [type(row) for row in each.personal]


def test_answer_of_every_kind_outcome_and_first_answer_is_read_back():
    """Whoever asks from afar is told exactly what whoever asks here is told."""
    for each in ANSWERS:
        read = read_answer(write_answer(each))
        assert read == each
        for was, now in zip(each, read, strict=True):
            assert type(was) is type(now)
        if isinstance(each.first, Record):
            assert type(read.first.command) is type(each.first.command)
            assert type(read.first.outcome) is type(each.first.outcome)
            assert {type(posting) for posting in read.first.postings} == {Posting}


def test_every_first_answer_of_the_flows_has_a_form():
    """What a flow hands back as known before must be a row of FIRSTS."""
    assert FIRSTS[:2] == (type(None), Record)
    assert {of.__name__ for of in FIRSTS[2:]} == {"Claim", "Attempt"}


def test_frame_begins_with_its_version():
    """So that a later form can be told apart before anything is read."""
    frames = [write_submission(each) for each in SUBMISSIONS]
    frames += [write_answer(each) for each in ANSWERS]
    assert {frame[0] for frame in frames} == {VERSION}


def test_frame_of_another_form_is_damaged():
    """An answer is no submission, and a later version is not guessed at."""
    submission, answer = write_submission(SUBMISSIONS[0]), write_answer(ANSWERS[0])
    for read, frames in (
        (read_submission, (answer, b"", bytes((VERSION + 1,)) + submission[1:])),
        (read_answer, (submission, b"", bytes((VERSION + 1,)) + answer[1:])),
        (read_submission, (submission[:2] + b"\xff\xff" + submission[4:],)),
    ):
        for frame in frames:
            with pytest.raises(Damaged, match="not known here"):
                read(frame)
    for place in (4, 5):
        changed = bytearray(answer)
        changed[place] = 77
        with pytest.raises(Damaged, match="not known here"):
            read_answer(bytes(changed))


def test_frame_cut_anywhere_is_damaged():
    """Never half a command."""
    for read, frame in (
        (read_submission, write_submission(SUBMISSIONS[1])),
        (read_answer, write_answer(ANSWERS[1])),
    ):
        for end in range(len(frame)):
            with pytest.raises(Damaged):
                read(frame[:end])
        with pytest.raises(Damaged):
            read(frame + b"\0")


def test_frame_with_flipped_bits_is_damaged_or_another_frame():
    """A reader may refuse or read something else, and never fail in another way."""
    chance = random.Random(5)
    frames = [(read_submission, write_submission(each)) for each in SUBMISSIONS]
    frames += [(read_answer, write_answer(each)) for each in ANSWERS]
    for _ in range(3_000):
        read, frame = chance.choice(frames)
        flipped = bytearray(frame)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        try:
            read(bytes(flipped))
        except Damaged:
            continue


@given(st.binary(max_size=200))
def test_garbage_is_damaged(data):
    """Whoever speaks to the port, the answer is a fault and not a traceback."""
    for read, frame in (
        (read_submission, write_submission(SUBMISSIONS[0])),
        (read_answer, write_answer(ANSWERS[0])),
    ):
        for candidate in (data, frame[:7] + data):
            try:
                read(candidate)
            except Damaged:
                continue
