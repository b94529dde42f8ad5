"""The port to whoever can say whether a name, an ID number and a face are one person's (实名核验).

Law: what is sent is kept nowhere on the way; an answer is one of these words and nothing else.
"""

from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What a verifier says."""

    MATCH = "match"
    MISMATCH = "mismatch"
    # No such document, or the name or number cannot be one.
    UNKNOWN_DOCUMENT = "unknown_document"
    # Too many questions about this document today.
    EXHAUSTED = "exhausted"


class Verifier(Protocol):
    """Two questions; each is paid for, so each is asked once."""

    async def match_name(self, name: str, number: str) -> Verdict:
        """Ask whether a name and an ID number belong together.

        Raises: Unsent, Unknown, Rejected.
        """
        ...

    async def match_face(self, name: str, number: str, face: str) -> Verdict:
        """Ask whether a face, as base64, is that of the document's owner.

        Raises: Unsent, Unknown, Rejected.
        """
        ...

    async def close(self) -> None:
        """End the connections."""
        ...
