"""Codes that several operations may answer, named once for the documents (结果码)."""

from typing import Final

from lingqian.kernel.code import Code

LIMITS: Final = (
    Code.EXCEEDS_PACKET_MAX,
    Code.EXCEEDS_DAY_COUNT,
    Code.EXCEEDS_DAY,
    Code.EXCEEDS_YEAR,
    Code.EXCEEDS_LIFE,
    Code.EXCEEDS_FACTORS,
)
PAYMENT: Final = (
    Code.REAL_NAME_REQUIRED,
    Code.ACCOUNT_FROZEN,
    *LIMITS,
    Code.BLOCKED,
    Code.CHALLENGE_REQUIRED,
    Code.EXCEEDS_AVAILABLE,
)
# What a person may be answered before a payment is decided.
FACTOR: Final = (Code.FACTOR_NEEDED, Code.PASSWORD_NOT_SET, Code.CHALLENGE_INVALID)
OVER: Final = (Code.PACKET_INVALIDATED, Code.PACKET_FINISHED, Code.PACKET_EXPIRED)
