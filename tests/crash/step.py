"""The steps of a life of money, by name, in their order; between any two of them it may be killed.

A step is what `striker.py` tells of and what that means to a person. `came` is before anything was
done, `wrote` durable and told to nobody, `asked` done at the channel and not yet known at home.
"""

from collections import Counter
from typing import NamedTuple

NOTICE = "/v1/channels/main/notices"
RELAY = "wrote DeliverRelay"


class Step(NamedTuple):
    """One step: what it is in words, how it is told, and the how-manieth of that name it is."""

    words: str
    told: str
    turn: int = 1

    @property
    def place(self):
        """Return the step as it is armed: once, or at its turn."""
        return f"{self.told} #{self.turn}"


def _pays(what, told):
    """Return the steps from a pay sheet to its money."""
    return [
        (f"{what}: number taken", "wrote BeginAttempt"),
        (f"{what}: pay sheet asked for", "asked prepay"),
        (f"{what}: pay sheet noted", "wrote NotePrepay"),
        (f"{what}: pay sheet shown", f"answered {told}"),
        (f"{what}: paid, notice come", f"came {NOTICE}"),
        (f"{what}: notice verified", "verified TRANSACTION"),
        (f"{what}: notice stored", "wrote ReceiveNotice TRANSACTION"),
        (f"{what}: notice answered", f"answered {NOTICE}"),
        (f"{what}: evidence and credit", "wrote Observe NOTICE PAID"),
    ]


def _returns(what):
    """Return the steps of a refund from when it is asked for."""
    return [
        (f"{what}: sent", "asked refund"),
        (f"{what}: answer noted", "wrote NoteRefund QUERY PROCESSING"),
        (f"{what}: arrived, notice come", f"came {NOTICE}"),
        (f"{what}: notice verified", "verified REFUND"),
        (f"{what}: notice stored", "wrote ReceiveNotice REFUND"),
        (f"{what}: notice answered", f"answered {NOTICE}"),
        (f"{what}: success noted", "wrote NoteRefund NOTICE SUCCESS"),
    ]


def _runs(what):
    """Return the steps from asking for a day to its bills."""
    return [
        (f"{what}: asked for", "came /v1/reconciliations"),
        (f"{what}: trade bill fetched", "asked fetch_bill"),
        (f"{what}: fund bill fetched", "asked fetch_bill"),
        (f"{what}: trade bill stored", "wrote RecordBill TRADE"),
        (f"{what}: fund bill stored", "wrote RecordBill FUND"),
    ]


def _closes(what):
    """Return the steps from a day that is compared to its answer."""
    return [
        (f"{what}: matched", "wrote RecordMatch"),
        (f"{what}: closed", "wrote CloseDay"),
        (f"{what}: answered", "answered /v1/reconciliations"),
    ]


def _numbered(rows):
    """Give each row its turn among those of its name."""
    turns = Counter()
    for words, told in rows:
        turns[told] += 1
        yield Step(words, told, turns[told])


STEPS = tuple(
    _numbered(
        [
            ("top-up: asked for", "came /v1/top-ups"),
            ("top-up: order opened", "wrote OpenOrder BALANCE"),
            *_pays("top-up", "/v1/top-ups"),
            ("coins: asked for", "came /v1/top-ups"),
            ("coins: order opened", "wrote OpenOrder COINS"),
            *_pays("coins", "/v1/top-ups"),
            ("gift: asked for", "came /v1/gifts"),
            ("gift: given", "wrote SendGift"),
            ("gift: answered", "answered /v1/gifts"),
            ("refund: request come", "came /v1/top-ups/refunds"),
            ("refund: asked for", "wrote AskRefund PERSON"),
            ("refund: answered", "answered /v1/top-ups/refunds"),
            *_returns("refund"),
            ("withdrawal: asked for", "came /v1/payouts"),
            ("withdrawal: frozen", "wrote AskPayout"),
            ("withdrawal: answered", "answered /v1/payouts"),
            ("withdrawal: begun", "wrote BeginPayout"),
            ("withdrawal: sent", "asked pay_out"),
            ("withdrawal: answer noted", "wrote NotePayout QUERY AWAITING_PERSON"),
            ("withdrawal: confirmed, notice come", f"came {NOTICE}"),
            ("withdrawal: notice verified", "verified MCHTRANSFER"),
            ("withdrawal: notice stored", "wrote ReceiveNotice MCHTRANSFER"),
            ("withdrawal: notice answered", f"answered {NOTICE}"),
            ("withdrawal: success noted", "wrote NotePayout NOTICE SUCCESS"),
            ("packet: asked for", "came /v1/packets"),
            ("packet: sent", "wrote SendPacket"),
            ("packet: order opened", "wrote OpenOrder PACKET"),
            *_pays("packet", "/v1/packets"),
            ("packet: claim come", "came /v1/packets/claims"),
            ("packet: claimed", "wrote ClaimPacket"),
            ("packet: share carried to the friend's lane", RELAY),
            ("packet: claim answered", "answered /v1/packets/claims"),
            ("packet: closed, rest refunded", "wrote ClosePacket"),
            *_returns("rest"),
            ("gift: income settled", "wrote SettleGift"),
            ("gift: income carried to the streamer's lane", RELAY),
            *_runs("eve"),
            ("eve: what was paid in found in the fund bill", "wrote RecordFlow"),
            *_closes("eve"),
            *_runs("day"),
            ("day: difference found", "wrote RecordDifference find"),
            ("day: repaired from the bill", "wrote Observe BILL PAID"),
            ("day: withdrawal found in the fund bill", "wrote RecordFlow"),
            ("day: difference owned", "wrote RecordDifference own"),
            *_closes("day"),
        ]
    )
)


def steps_of(lanes):
    """Return the steps there are with so many lanes: one lane carries nothing to another."""
    return [step for step in STEPS if lanes > 1 or step.told != RELAY]


# What may go by beside them: the clock and who asks again when a machine is slow.
BESIDE = (
    "came /v1/sandbox/clock",
    "answered /v1/sandbox/clock",
    "asked query",
    # What that question brings home when it comes before the notice.
    "wrote Observe QUERY PAID",
    "asked query_refund",
    "asked query_payout",
)
