"""Users and conversations: registered, changed, counted in or out."""

from typing import NamedTuple

from lingqian.flows.command import ChangeUser, RegisterUser, SetMembers
from lingqian.flows.decision import Decision, Record, refused
from lingqian.flows.view import Conversation, View, Wanted
from lingqian.identity.user import User, UserState
from lingqian.kernel.code import Code


class UserDone(NamedTuple):
    """A user was registered or changed; the version of the status after it."""

    version: int


class MembersDone(NamedTuple):
    """A conversation's members were set; how many there are now."""

    count: int  # type: ignore[assignment]  # hides tuple.count


def conversation_key(conversation_id: str) -> bytes:
    """Return the table key of a conversation: its id as bytes."""
    return conversation_id.encode()


def need_register(command: RegisterUser, wanted: Wanted) -> None:
    """Name the rows a registration touches."""
    wanted.users.add(command.user_id)


def decide_register(view: View, command: RegisterUser, at_us: int) -> Decision:
    """Register a user; the key has already found an earlier registration."""
    del at_us
    assert view.users.get(command.user_id) is None, "a minted id is new"
    # From here it must succeed.
    return Decision(Code.OK, UserDone(1))


def fold_register(view: View, record: Record) -> None:
    """Write the new user's row."""
    command = record.command
    assert isinstance(command, RegisterUser), "the journal names its kind"
    row = User(
        command.external_mac,
        command.nickname_mac,
        command.account_class,
        UserState.ACTIVE,
        1,
        record.at_us,
    )
    view.users.put(command.user_id, row)


def need_change(command: ChangeUser, wanted: Wanted) -> None:
    """Name the rows a change touches."""
    wanted.users.add(command.user_id)


def decide_change(view: View, command: ChangeUser, at_us: int) -> Decision:
    """Change class, state or nickname.

    Refuses: user_unknown.
    """
    del at_us
    user = view.users.get(command.user_id)
    if user is None:
        return refused(Code.USER_UNKNOWN)
    # From here it must succeed.
    return Decision(Code.OK, UserDone(user.version + 1))


def fold_change(view: View, record: Record) -> None:
    """Write the change and raise the version that travels with commands."""
    command = record.command
    assert isinstance(command, ChangeUser), "the journal names its kind"
    user = view.users.edit(command.user_id)
    user.account_class = command.account_class
    user.state = command.state
    user.nickname_mac = command.nickname_mac
    user.version += 1


def need_members(command: SetMembers, wanted: Wanted) -> None:
    """Name the conversation's row."""
    wanted.conversations.add(conversation_key(command.conversation_id))


def decide_members(view: View, command: SetMembers, at_us: int) -> Decision:
    """Set the members of a conversation."""
    del view, at_us
    return Decision(Code.OK, MembersDone(len(command.members) // 16))


def fold_members(view: View, record: Record) -> None:
    """Write the members."""
    command = record.command
    assert isinstance(command, SetMembers), "the journal names its kind"
    key = conversation_key(command.conversation_id)
    view.conversations.put(key, Conversation(command.members))
