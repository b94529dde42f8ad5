"""The table of commands: keys, home lanes, and what a key compares."""

import pytest

from lingqian.flows.command import SendPacket
from lingqian.flows.decision import Record
from lingqian.flows.kind import BY_NUMBER, KEYED, KINDS, burns, decide, home_lane, need
from lingqian.flows.view import Policy, View, Wanted
from lingqian.kernel.code import TABLE, Code
from lingqian.kernel.id import lane_of
from lingqian.redpacket.packet import Packet
from sample import other, sample

FIELDS = [(kind, name) for kind in KINDS.values() for name in kind.asked]


def keyed_view(command, code=Code.OK):
    """Return a view in which the command's key has been used for it."""
    view = View(0, Policy({}), None)
    kind = KINDS[type(command)]
    view.seen[command.key] = Record(7, 1, kind.number, code, command, None, (), ())
    return view


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda each: getattr(each, "number", each))
def test_key_reused_names_the_field_that_differs(kind, name):
    """Every field a caller chooses is compared; a forgotten one would answer for another wish."""
    command = sample(kind.command)
    changed = command._replace(**{name: other(getattr(command, name))})
    decision = decide(keyed_view(command), changed, 5)
    assert (decision.code, decision.field, decision.outcome) == (Code.KEY_REUSED, name, None)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.asked])
def test_key_given_again_has_the_first_answer(kind):
    """Whatever the shell drew anew, the same wishes have the same answer, refusals included."""
    command = sample(kind.command)
    drawn = set(command._fields) - set(kind.asked) - {"key"}
    again = command._replace(**{name: other(getattr(command, name)) for name in drawn})
    for code in (Code.OK, Code.EXCEEDS_AVAILABLE):
        view = keyed_view(command, code)
        decision = decide(view, again, 5)
        assert (decision.code, decision.first) == (code, view.seen[command.key])


def test_key_of_another_operation_is_refused():
    """One key, one request, across all kinds."""
    for kind in KINDS.values():
        for stranger in KINDS.values():
            if kind.asked and stranger.asked and kind is not stranger:
                view = keyed_view(sample(kind.command))
                command = sample(stranger.command)._replace(key=sample(kind.command).key)
                decision = decide(view, command, 5)
                assert (decision.code, decision.field) == (Code.KEY_REUSED, "operation")


def test_keyed_commands_are_those_with_a_key():
    """A key that is not compared would be a promise nobody keeps."""
    assert {kind.command for kind in KINDS.values() if "key" in kind.command._fields} == KEYED


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.command.__name__)
def test_home_lane_is_named_by_the_subject(kind):
    """The lane follows from the command alone, so that two routers agree."""
    command = sample(kind.command)
    subject = getattr(command, kind.subject)
    lane = subject if isinstance(subject, int) else lane_of(subject)
    assert home_lane(command) == lane


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.command.__name__)
def test_need_names_the_key(kind):
    """The first rung must never meet a key that was not looked up."""
    command, wanted = sample(kind.command), Wanted(is_gated=True)
    need(command, wanted)
    assert wanted.keys == ({command.key} if kind.asked else set())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.command.__name__)
@pytest.mark.parametrize("code", list(Code))
def test_key_is_burnt_by_success_and_by_codes_that_say_so(kind, code):
    """And never for commands that have no key."""
    expected = bool(kind.asked) and (code == Code.OK or TABLE[code].burns)
    assert burns(sample(kind.command), code) == expected


def test_numbers_are_unique_and_fit_a_byte():
    """They stand in the journal for ever."""
    assert len(BY_NUMBER) == len(KINDS)
    assert all(0 < number < 256 for number in BY_NUMBER)


def test_packet_is_the_command_that_sent_it():
    """The fold copies by place; a field added to one must be added to the other."""
    assert SendPacket._fields[3:-2] == Packet._fields[1:-2]
    assert SendPacket._fields[2] == Packet._fields[0] == "sender_id"
    assert Packet._fields[-2:] == ("created_at_us", "is_by_channel")
    assert SendPacket._fields[-2:] == ("is_by_channel", "factors")
