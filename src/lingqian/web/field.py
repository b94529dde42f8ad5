"""Fields: the types that bodies are made of, with their bounds and an example each (字段)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, UnsetType

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
    PLAN_LENGTH_MAX,
    REASON_LENGTH_MAX,
    SCENE_LENGTH_MAX,
)

_ID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
USER_EXAMPLE: Final = "us_00006D3YKS8YZ1M6TQ5C4JX0AB"
OTHER_EXAMPLE: Final = "us_00006D3YKS91C7JX2R9WQ8ZKEF"
PACKET_EXAMPLE: Final = "rp_00006D3YKT4Q8XW1E2Z7M5N9CD"
TRANSFER_EXAMPLE: Final = "tr_00006D3YKT7H3V5B6P2Q8R4SGH"
CASE_EXAMPLE: Final = "cs_00006D3YKTAM9K2W4X7Y1Z3TJK"
ORDER_EXAMPLE: Final = "tu_00006D3YKTB2N4Q6S8V1X3Z5AC"
ATTEMPT_EXAMPLE: Final = "pa_00006D3YKTB7R9T2W4Y6A8C1EG"
REFUND_EXAMPLE: Final = "rf_00006D3YKTBC5E7G9J2M4P6R8T"
PAYOUT_EXAMPLE: Final = "po_00006D3YKTBH1K3N5Q7S9V2X4Z"
GIFT_EXAMPLE: Final = "gf_00006D3YKTBM6P8R1T3W5Y7A9C"
LINK_EXAMPLE: Final = "ln_00006D3YKTBR8S1V3X5Z7B9D2F"
SESSION_EXAMPLE: Final = "se_00006D3YKTBV2W4Y6A8C1E3G5J"
DEVICE_EXAMPLE: Final = "dv_00006D3YKTBY5Z7B9D2F4H6K8M"
CREDENTIAL_EXAMPLE: Final = "mZ5rTq0WfXbJYd3Gk2uVhQ"
COVER_EXAMPLE: Final = "cv_3V9ZK2M6T8X1B4D7F0H3J5N8QR"
MOMENT_EXAMPLE: Final = "2026-11-22T00:43:11.250Z"

UserId = Annotated[str, Meta(pattern=f"^us_{_ID}$", description="A person.")]
PacketId = Annotated[str, Meta(pattern=f"^rp_{_ID}$", description="A packet.")]
TransferId = Annotated[str, Meta(pattern=f"^tr_{_ID}$", description="A transfer.")]
FundingId = Annotated[str, Meta(pattern=f"^fu_{_ID}$", description="A funding.")]
CaseId = Annotated[str, Meta(pattern=f"^cs_{_ID}$", description="A case.")]
OrderId = Annotated[str, Meta(pattern=f"^tu_{_ID}$", description="A top-up order.")]
AttemptId = Annotated[
    str, Meta(pattern=f"^pa_{_ID}$", description="A payment attempt; the channel's out_trade_no.")
]
RefundId = Annotated[str, Meta(pattern=f"^rf_{_ID}$", description="A refund.")]
PayoutId = Annotated[str, Meta(pattern=f"^po_{_ID}$", description="A payout.")]
GiftId = Annotated[str, Meta(pattern=f"^gf_{_ID}$", description="A gift.")]
LinkId = Annotated[str, Meta(pattern=f"^ln_{_ID}$", description="A sign-in link.")]
SessionId = Annotated[str, Meta(pattern=f"^se_{_ID}$", description="A person on a device.")]
DeviceId = Annotated[str, Meta(pattern=f"^dv_{_ID}$", description="A device of a person.")]
CoverId = Annotated[
    str, Meta(pattern=f"^cv_{_ID}$", description="A picture of somebody's own, as a cover.")
]
OwnId = Annotated[UserId | UnsetType, Meta(description="A person who calls may leave it out.")]
AccountName = Annotated[str, Meta(max_length=64, description="A channel account, by its setting.")]
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
Cover = Annotated[
    str,
    Meta(
        max_length=COVER_LENGTH_MAX,
        description="`plum`, `wave`, `lantern`, a word of your own, or the id of a picture of the "
        "sender's.",
    ),
]
Passphrase = Annotated[str, Meta(max_length=PASSPHRASE_LENGTH_MAX)]
ConversationId = Annotated[str, Meta(max_length=CONVERSATION_LENGTH_MAX)]
AccountClassNumber = Annotated[
    int, Meta(ge=0, le=3, description="Payment account class: 1, 2, 3; 0 is nobody verified yet.")
]
LifetimeS = Annotated[int, Meta(ge=LIFETIME_S_MIN, le=LIFETIME_S_MAX, description="Seconds.")]
Scene = Annotated[str, Meta(max_length=SCENE_LENGTH_MAX)]
PlanId = Annotated[str, Meta(max_length=PLAN_LENGTH_MAX)]
OpenId = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[!-~]+$")]
ClientIp = Annotated[str, Meta(max_length=45, pattern="^[0-9a-fA-F:.]*$")]
Reason = Annotated[str, Meta(max_length=REASON_LENGTH_MAX)]
Moment = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds.")]
Person = Annotated[
    str, Meta(min_length=1, max_length=64, description="The person who decides, for the record.")
]


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a list."""

    cursor: Annotated[str, Meta(max_length=200, description="`next_cursor` of a page.")] = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
