"""What a decision hands back to the lane: an outcome and its postings, or a refusal and nothing."""

from typing import NamedTuple

from lingqian.kernel.code import Code
from lingqian.ledger.posting import Posting


class Decision(NamedTuple):
    """A code; for a success or a counted refusal also what the fold needs.

    `outcome` is None for a plain refusal. `credits` are (account, fen) of other lanes, to go by
    the relay. `field` names what differs when a key is reused; `first` is what was
    answered then: a Record, or for a claim its Claim.
    """

    code: int
    outcome: object = None
    postings: tuple[Posting, ...] = ()
    credits: tuple[tuple[bytes, int], ...] = ()
    field: str = ""
    first: object = None


class Record(NamedTuple):
    """One journal row as a fold reads it."""

    seq: int
    at_us: int
    kind: int
    code: int
    command: object
    outcome: object
    postings: tuple[Posting, ...]
    credits: tuple[tuple[bytes, int], ...]


def refused(code: Code) -> Decision:
    """Refuse with a code and change nothing."""
    return _REFUSED[code]


_REFUSED = {code: Decision(code) for code in Code}
