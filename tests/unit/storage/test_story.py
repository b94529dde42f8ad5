"""A story has words for every kind of row that can be part of one."""

import inspect

import pytest

from lingqian.flows.kind import KINDS
from lingqian.storage.story import WORDS, Blank


def leaves_a_trail(kind):
    """Say whether a kind's fold may write a trail: its module, or what it calls, names one."""
    module = inspect.getmodule(kind.fold)
    return "trail(" in inspect.getsource(module)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.command.__name__)
def test_every_kind_that_leaves_a_trail_has_words(kind):
    """Support reads these; a row without a name is one more question."""
    assert kind.command.__name__ in WORDS or not leaves_a_trail(kind)


def test_words_can_be_said_without_facts():
    """A row may say less than its sentence has places for."""
    for words in WORDS.values():
        assert "{" not in words.zh.format_map(Blank()) + words.en.format_map(Blank())
