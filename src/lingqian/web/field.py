"""Fields: the types that bodies are made of, with their bounds and an example each (字段)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lingqian.kernel.bound import (
    AMOUNT_FEN_MAX,
    CONVERSATION_LENGTH_MAX,
    COVER_LENGTH_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    GREETING_LENGTH_MAX,
    LIFETIME_S_MAX,
    LIFETIME_S_MIN,
    NICKNAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    PAGE_ROWS_DEFAULT,
    PAGE_ROWS_MAX,
    PASSPHRASE_LENGTH_MAX,
)

_ID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
USER_EXAMPLE: Final = "us_00006D3YKS8YZ1M6TQ5C4JX0AB"
OTHER_EXAMPLE: Final = "us_00006D3YKS91C7JX2R9WQ8ZKEF"
PACKET_EXAMPLE: Final = "rp_00006D3YKT4Q8XW1E2Z7M5N9CD"
TRANSFER_EXAMPLE: Final = "tr_00006D3YKT7H3V5B6P2Q8R4SGH"
CASE_EXAMPLE: Final = "cs_00006D3YKTAM9K2W4X7Y1Z3TJK"
MOMENT_EXAMPLE: Final = "2026-11-22T00:43:11.250Z"

UserId = Annotated[str, Meta(pattern=f"^us_{_ID}$", description="A person.")]
PacketId = Annotated[str, Meta(pattern=f"^rp_{_ID}$", description="A packet.")]
TransferId = Annotated[str, Meta(pattern=f"^tr_{_ID}$", description="A transfer.")]
FundingId = Annotated[str, Meta(pattern=f"^fu_{_ID}$", description="A funding.")]
CaseId = Annotated[str, Meta(pattern=f"^cs_{_ID}$", description="A case.")]
AmountFen = Annotated[
    int,
    Meta(
        ge=1,
        le=AMOUNT_FEN_MAX,
        description="Fen (分), an integer as JSON writes integers: 1.0 and 1e2 are refused.",
    ),
]
Fen = Annotated[int, Meta(description="Fen (分).")]
ExternalId = Annotated[str, Meta(min_length=1, max_length=EXTERNAL_ID_LENGTH_MAX)]
Nickname = Annotated[str, Meta(max_length=NICKNAME_LENGTH_MAX)]
Greeting = Annotated[str, Meta(max_length=GREETING_LENGTH_MAX)]
Note = Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)]
Cover = Annotated[str, Meta(max_length=COVER_LENGTH_MAX)]
Passphrase = Annotated[str, Meta(max_length=PASSPHRASE_LENGTH_MAX)]
ConversationId = Annotated[str, Meta(max_length=CONVERSATION_LENGTH_MAX)]
AccountClassNumber = Annotated[
    int, Meta(ge=0, le=3, description="Payment account class: 1, 2, 3; 0 is nobody verified yet.")
]
LifetimeS = Annotated[int, Meta(ge=LIFETIME_S_MIN, le=LIFETIME_S_MAX, description="Seconds.")]
Moment = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds.")]
Person = Annotated[
    str, Meta(min_length=1, max_length=64, description="The person who decides, for the record.")
]


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a list."""

    cursor: Annotated[str, Meta(max_length=200, description="`next_cursor` of a page.")] = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
