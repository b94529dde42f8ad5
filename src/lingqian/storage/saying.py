"""Sayings: why money that belongs to no order stands where it does, and what happens next (说明).

Law: every stage of a payout, every state of a gift and every fate of a stranger's payment has
exactly one sentence. Orders have theirs in topup/sentence.py.
"""

from typing import Final

from lingqian.gift.gift import Gift, GiftState
from lingqian.kernel.clock import rfc3339
from lingqian.topup.evidence import Payment, Reason
from lingqian.topup.payout import Payout, PayoutStage
from lingqian.topup.sentence import Sentence, yuan

Words = tuple[str, str]

PAYOUT_WORDS: Final[dict[PayoutStage, Words]] = {
    PayoutStage.ASKED: (
        "未付出：{amount} 元已从余额划出，等待放行；放行后提交渠道。",
        (
            "Not paid out: {amount} yuan have left the balance and wait to be let through; "
            "then they go to the channel."
        ),
    ),
    PayoutStage.HELD: (
        "未付出：{amount} 元已从余额划出，等待人工审核；放行即提交渠道，拒绝则退回余额。",
        (
            "Not paid out: {amount} yuan have left the balance and wait for a review; released "
            "they go to the channel, refused they return to the balance."
        ),
    ),
    PayoutStage.APPROVED: (
        "未付出：{amount} 元即将提交渠道；提交之前仍可撤回。",
        (
            "Not paid out: {amount} yuan are about to go to the channel; until then they can be "
            "taken back."
        ),
    ),
    PayoutStage.SUBMITTED: (
        "未付出：{amount} 元已提交渠道，结果未知；以同一单号继续查询，查明之前不会退回也不会重付。",
        (
            "Not paid out yet: {amount} yuan were sent to the channel and its answer is not known; "
            "it is asked under the same number, and nothing is returned or sent again before."
        ),
    ),
    PayoutStage.PROCESSING: (
        "未付出：渠道正在处理 {amount} 元；系统会继续查询，无需操作。",
        "Not paid out yet: the channel is working on {amount} yuan and is asked again by itself.",
    ),
    PayoutStage.WAITING: (
        "未付出：等待用户在手机上确认收款 {amount} 元；一天内不确认，渠道退回，余额随之恢复。",
        (
            "Not paid out yet: the person must confirm {amount} yuan on the phone; unconfirmed for "
            "a day they come back to the balance."
        ),
    ),
    PayoutStage.SUCCESS: (
        "已付出：渠道证实 {amount} 元已到用户账上，无需再做什么。",
        "Paid out: the channel has proven that {amount} yuan arrived; nothing more is to be done.",
    ),
    PayoutStage.FAILED: (
        "未付出：渠道证实没有付成，{amount} 元已退回余额，可以重新提现。",
        (
            "Not paid out: the channel has proven that it failed, {amount} yuan are in the balance "
            "again; a new payout may be asked for."
        ),
    ),
    PayoutStage.CANCELLED: (
        "未付出：已撤回，{amount} 元已退回余额，此单已了结。",
        "Not paid out: taken back, {amount} yuan are in the balance again; this payout is settled.",
    ),
    PayoutStage.REFUSED: (
        "未付出：审核拒绝，{amount} 元已退回余额，此单已了结。",
        (
            "Not paid out: refused by a review, {amount} yuan are in the balance again; this "
            "payout is settled."
        ),
    ),
}
GIFT_WORDS: Final[dict[GiftState, Words]] = {
    GiftState.GIVEN: (
        "已送出：价值 {value} 元的金币已消费，主播分得 {streamer} 元，收入正在登记。",
        "Given: coins worth {value} yuan are spent, {streamer} yuan of them the streamer's.",
    ),
    GiftState.PENDING: (
        "已送出：价值 {value} 元的金币已消费，主播分得 {streamer} 元，{due} 起结算到主播余额。",
        (
            "Given: coins worth {value} yuan are spent; {streamer} yuan of them are the streamer's "
            "and reach the streamer's balance from {due} on."
        ),
    ),
    GiftState.SETTLED: (
        "已送出并结算：主播分得 {streamer} 元，已进入主播余额，可以提现。",
        "Given and settled: {streamer} yuan are in the streamer's balance and can be withdrawn.",
    ),
}
_PARKED: Final = Sentence(
    "parked",
    is_credited=False,
    zh="未到账：渠道证实收到 {amount} 元，但{why_zh}，已挂账；由人工决定退回付款人或入账给用户。",
    en="Not credited: the channel has proven {amount} yuan, but {why_en}; the money is kept apart "
    "until a person sends it back or credits it to somebody.",
)
_PLACED: Final = Sentence(
    "placed",
    is_credited=True,
    zh="已处理：渠道收到的 {amount} 元曾挂账，已由人工退回付款人或入账给用户，见下面的记录。",
    en="Placed: {amount} yuan of the channel were kept apart, and a person has sent them back or "
    "credited them, as told below.",
)
ONLY_BILLED: Final = Sentence(
    "only_billed",
    is_credited=False,
    zh="未到账：只有渠道账单里有这个号码，我方账上没有；对账已记为差错，由负责人查明，见下面。",
    en="Not credited: only a bill of the channel knows this number, our books do not; reconciling "
    "has noted the difference and its owner must explain it, as told below.",
)
WHY_PARKED: Final[dict[Reason, Words]] = {
    Reason.NONE: ("没有对应的订单", "no order fits it"),
    Reason.UNKNOWN_ORDER: ("单号不是我方的", "its number is none of ours"),
    Reason.WRONG_AMOUNT: ("金额与订单不符", "it is another amount than was asked for"),
    Reason.OTHER_ACCOUNT: ("进了另一个渠道账户", "it came to another account"),
    Reason.TWO_PAYMENTS: ("同一单号付了两次", "its number was paid twice"),
    Reason.TRANSACTION_TAKEN: ("交易号已属另一单", "its transaction pays another number"),
}
# A test walks these: a stage without words would be told as nothing.
for _words, _of in ((PAYOUT_WORDS, PayoutStage), (GIFT_WORDS, GiftState), (WHY_PARKED, Reason)):
    assert set(_words) == set(_of), "everything that is told has its words"


def of_payout(row: Payout) -> Sentence:
    """Say why a payout is, or is not, paid out."""
    stage = PayoutStage(row.stage)
    zh, en = PAYOUT_WORDS[stage]
    amount = yuan(row.amount_fen)
    is_there = stage == PayoutStage.SUCCESS
    return Sentence(
        stage.name.lower(), is_there, zh.format(amount=amount), en.format(amount=amount)
    )


def of_gift(row: Gift) -> Sentence:
    """Say where the income of a gift stands."""
    state = GiftState(row.state)
    facts = {
        "value": yuan(row.value_fen),
        "streamer": yuan(row.streamer_fen),
        "due": rfc3339(row.settles_at_us),
    }
    zh, en = (words.format(**facts) for words in GIFT_WORDS[state])
    return Sentence(state.name.lower(), state == GiftState.SETTLED, zh, en)


def of_stranger(row: Payment) -> Sentence:
    """Say what becomes of a channel's payment that no order of ours takes."""
    why_zh, why_en = WHY_PARKED[Reason(row.reason)]
    found = _PARKED if row.parked_fen else _PLACED
    facts = {"amount": yuan(row.amount_fen), "why_zh": why_zh, "why_en": why_en}
    return found._replace(zh=found.zh.format(**facts), en=found.en.format(**facts))
