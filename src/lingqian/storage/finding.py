"""Findings: what an audit may say, as a closed table of kinds (审计发现).

A finding names the row it is about, as closely as the stored redundancy allows.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class FindingKind(StrEnum):
    """Every kind of finding; scripts may rely on these words."""

    FILE_UNREADABLE = "file_unreadable"
    VALUE_TYPE = "value_type"
    HEAD_ABSENT = "head_absent"
    HEAD_BEYOND = "head_beyond"
    HEAD_DIFFERS = "head_differs"
    HEAD_LINE = "head_line"
    SEQUENCE_GAP = "sequence_gap"
    TIME_ORDER = "time_order"
    JOURNAL_FORM = "journal_form"
    JOURNAL_FOLD = "journal_fold"
    SEAL_RANGE = "seal_range"
    SEAL_HEAD = "seal_head"
    SEAL_FIELD = "seal_field"
    LANE_ROW = "lane_row"
    POSTING_FORM = "posting_form"
    BALANCE_AFTER = "balance_after"
    BALANCE_FLOOR = "balance_floor"
    ROW_MISSING = "row_missing"
    ROW_DIFFERS = "row_differs"
    ROW_EXTRA = "row_extra"
    CLAIM_CHAIN = "claim_chain"
    CLAIM_SHARE = "claim_share"
    CLAIM_COUNT = "claim_count"
    PACKET_MONEY = "packet_money"
    PACKET_ESCROW = "packet_escrow"
    HOLD_PENDING = "hold_pending"
    COIN_LOTS = "coin_lots"
    COIN_VALUE = "coin_value"
    ORDER_MONEY = "order_money"
    ADVANCE_LINE = "advance_line"
    ADVANCE_DEBT = "advance_debt"
    PAYABLE_MONEY = "payable_money"
    INCOME_PENDING = "income_pending"
    RELAY_ITEM = "relay_item"
    RELAY_MARK = "relay_mark"
    DEBITS_CREDITS = "debits_credits"
    THREE_TIERS = "three_tiers"
    PERSONAL_OWNER = "personal_owner"
    PERSONAL_MAC = "personal_mac"
    OPERATION_ROW = "operation_row"


MEANING: Final[dict[FindingKind, str]] = {
    FindingKind.FILE_UNREADABLE: "the database file is damaged below the level of rows",
    FindingKind.VALUE_TYPE: "a value is stored under another type than its column's",
    FindingKind.HEAD_ABSENT: "the journal has rows, and no head of it was ever published",
    FindingKind.HEAD_BEYOND: "the journal is shorter than a published head: its tail is lost",
    FindingKind.HEAD_DIFFERS: "the journal has another head than the one published at that place",
    FindingKind.HEAD_LINE: "a line of heads.log was changed, cut or removed",
    FindingKind.SEQUENCE_GAP: "the journal's numbers have a gap or do not begin at 1",
    FindingKind.TIME_ORDER: "ledger time does not increase from row to row",
    FindingKind.JOURNAL_FORM: "the bytes of a journal row cannot be read",
    FindingKind.JOURNAL_FOLD: "a journal row cannot follow from the rows before it",
    FindingKind.SEAL_RANGE: "the seals do not cover the journal batch after batch",
    FindingKind.SEAL_HEAD: "a batch does not hash to the head stored with it",
    FindingKind.SEAL_FIELD: "a seal's epoch or time contradicts its neighbours",
    FindingKind.LANE_ROW: "a lane's row is not what its last seal says",
    FindingKind.POSTING_FORM: "a posting is not positive, or names an account that cannot be",
    FindingKind.BALANCE_AFTER: "the balance after a posting is not the sum of the postings",
    FindingKind.BALANCE_FLOOR: "an account is below zero, or below what is set aside from it",
    FindingKind.ROW_MISSING: "a row that the journal makes is not in its table",
    FindingKind.ROW_DIFFERS: "a row is not what the journal makes of it",
    FindingKind.ROW_EXTRA: "a table has a row that the journal does not make",
    FindingKind.CLAIM_CHAIN: "the chain of a packet's claims is broken",
    FindingKind.CLAIM_SHARE: "a claim's amount does not follow from the packet's sealed seed",
    FindingKind.CLAIM_COUNT: "a packet's claims are more than its shares, or share a share",
    FindingKind.PACKET_MONEY: "funded is not claimed plus remaining plus returned",
    FindingKind.PACKET_ESCROW: "a packet's escrow account does not hold what remains in it",
    FindingKind.HOLD_PENDING: "open holds are not what an account has pending",
    FindingKind.COIN_LOTS: "a person's coins are not what the grants have left",
    FindingKind.COIN_VALUE: "what coins cost and is not yet earned is not what is carried for them",
    FindingKind.ORDER_MONEY: "an order's money is not what its attempts have proven",
    FindingKind.ADVANCE_LINE: "a line's money is not its limit less what is out and lost",
    FindingKind.ADVANCE_DEBT: "what people owe of advances is not what was clawed back",
    FindingKind.PAYABLE_MONEY: "what waits to be paid out is not what refunds and payouts say",
    FindingKind.INCOME_PENDING: "what waits for streamers is not what their gifts have brought",
    FindingKind.RELAY_ITEM: "a relayed credit was not delivered as it was sent",
    FindingKind.RELAY_MARK: "a relay stream has a gap, or a mark beyond its head",
    FindingKind.DEBITS_CREDITS: "the debits of a currency are not its credits",
    FindingKind.THREE_TIERS: "what is owed to users is not what backs it",
    FindingKind.PERSONAL_OWNER: "personal data does not open under its owner",
    FindingKind.PERSONAL_MAC: "personal data is not what the journal keeps the digest of",
    FindingKind.OPERATION_ROW: "a row of operation contradicts another",
}
assert set(MEANING) == set(FindingKind), "every kind says what it means"


class Finding(NamedTuple):
    """One contradiction: its kind, table, lane and journal row (0: none), the key, and words."""

    kind: FindingKind
    table: str
    lane: int
    seq: int
    key: str
    words: str

    def record(self) -> dict[str, object]:
        """Return the finding as a JSON line holds it."""
        return {**self._asdict(), "kind": self.kind.value, "meaning": MEANING[self.kind]}
