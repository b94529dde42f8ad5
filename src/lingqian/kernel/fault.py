"""Operating faults: the surroundings failed; nobody was refused (故障).

Fault
├── Unsent        nothing was written or sent; safe to try again
├── Unknown       a commit or a call may or may not have happened; only a read-back may end it
├── Rejected      a channel said an explicit no, with its code
├── BadSignature  an answer or a notice is not the channel's own
├── Fenced        another owner has taken this lane
├── Moved         the lane is with another process now; nothing was tried here
├── Accepted      a command is safely on its way, and nothing is known of it yet
├── Busy          the queue is full or a command waited too long
├── Stopping      the process is draining and takes nothing new
└── Damaged       stored bytes contradict each other; nothing goes on without a person
"""


class Fault(Exception):  # noqa: N818 - the word of the house; see the tree above
    """An operating fault."""


class Unsent(Fault):
    """Nothing was written; the same command may be sent again."""


class Unknown(Fault):
    """The outcome is not known yet; ask again with the same key."""


class Rejected(Fault):
    """A channel said no; `code` is its own word for why, `status` the HTTP status it came with."""

    def __init__(self, code: str, message: str = "", status: int = 0) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.status = status


class BadSignature(Fault):
    """Bytes that claim to come from a channel do not."""


class Fenced(Fault):
    """The lane has another owner."""


class Moved(Fault):
    """The lane is with another process; whoever routes looks again, and nobody is refused."""


class Accepted(Fault):
    """The command is on its way; the same key asks what became of it."""


class Busy(Fault):
    """The queue is full; come back after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Stopping(Fault):
    """The process is draining."""


class Damaged(Fault):
    """Stored bytes contradict each other."""
