"""Every answer the system can give, in order of precedence, as one table (结果码).

Law: a number is never reused; a code is named after the condition that is true when it is given.
"""

from enum import IntEnum
from typing import Final, NamedTuple


class Retry(IntEnum):
    """What a caller may do after a refusal."""

    NEVER = 0
    SAME_KEY = 1
    NEW_KEY = 2


class Code(IntEnum):
    """The outcome of a command; 0 is success, all others are refusals."""

    OK = 0
    # The door: refused before a command exists.
    MALFORMED_JSON = 1
    INVALID_FIELD = 2
    BODY_TOO_LARGE = 3
    UNAUTHENTICATED = 4
    SCOPE_MISSING = 5
    NOT_FOUND = 6
    METHOD_NOT_ALLOWED = 7
    UNSUPPORTED_MEDIA_TYPE = 8
    KEY_REQUIRED = 9
    SANDBOX_ONLY = 10
    BUSY = 11
    UNAVAILABLE = 12
    INTERNAL = 13
    TOKEN_EXPIRED = 14
    SESSION_ENDED = 15
    PROOF_INVALID = 16
    LINK_INVALID = 17
    NOT_YOURSELF = 18
    CHALLENGE_INVALID = 19
    # Who.
    KEY_REUSED = 20
    USER_UNKNOWN = 21
    SAME_USER = 22
    REAL_NAME_REQUIRED = 23
    ACCOUNT_FROZEN = 24
    FACTOR_NEEDED = 25
    PASSWORD_NOT_SET = 26
    PASSWORD_LOCKED = 27
    WRONG_PASSWORD = 28
    WEAK_PASSWORD = 29
    # What.
    PACKET_UNKNOWN = 30
    PACKET_INFEASIBLE = 31
    DRAW_TIME_INVALID = 32
    PACKET_INVALIDATED = 33
    PACKET_FINISHED = 34
    PACKET_EXPIRED = 35
    PACKET_NOT_OPEN = 36
    OWN_PACKET = 37
    NOT_A_RECIPIENT = 38
    PASSPHRASE_LOCKED = 39
    WRONG_PASSPHRASE = 40
    DRAW_FULL = 41
    ENTROPY_NOT_AWAITED = 42
    ENTROPY_TOO_LATE = 43
    NOT_DUE = 44
    ALREADY_SETTLED = 45
    PACKET_NOT_CLOSED = 46
    PROOF_WITHHELD = 47
    PACKET_NOT_FUNDED = 48
    # Limits.
    EXCEEDS_SHARE_MAX = 50
    EXCEEDS_PACKET_MAX = 51
    EXCEEDS_COUNT_MAX = 52
    EXCEEDS_DAY_COUNT = 53
    EXCEEDS_DAY = 54
    EXCEEDS_YEAR = 55
    EXCEEDS_LIFE = 56
    EXCEEDS_FACTORS = 57
    # Risk.
    BLOCKED = 60
    CHALLENGE_REQUIRED = 61
    CLAIM_HELD = 62
    CASE_UNKNOWN = 63
    CASE_CLOSED = 64
    SAME_PERSON = 65
    # Funds.
    EXCEEDS_AVAILABLE = 70
    EXCEEDS_BALANCE_MAX = 71
    # The relay between lanes.
    RELAY_GAP = 80
    # Top-up.
    ORDER_UNKNOWN = 90
    ORDER_INFEASIBLE = 91
    ORDER_PAID = 92
    ORDER_CLOSED = 93
    ATTEMPT_UNKNOWN = 94
    ATTEMPT_OPEN = 95
    ATTEMPTS_EXHAUSTED = 96
    EVIDENCE_INVALID = 97
    NOTICE_KNOWN = 98
    NOTHING_PARKED = 99
    NO_CHANNEL = 100
    PLAN_UNKNOWN = 101
    # Coins and gifts.
    EXCEEDS_COINS = 110
    GIFT_UNKNOWN = 111
    # Refunds.
    REFUND_UNKNOWN = 120
    NOT_REFUNDABLE = 121
    REFUND_TOO_LATE = 122
    EXCEEDS_REFUND_COUNT = 123
    EXCEEDS_REFUNDABLE = 124
    REFUND_TOO_SOON = 125
    REFUND_TAKES_ALL = 126
    REFUND_NOT_STUCK = 127
    # Payouts.
    PAYOUT_UNKNOWN = 130
    PAYOUT_UNDER_WAY = 131
    # Advances from the operator's own line.
    UNDER_AGE = 140
    ORDER_NOT_ADVANCEABLE = 141
    LINE_CLOSED = 142
    ADVANCE_OPEN = 143
    DEBT_OPEN = 144
    HISTORY_TOO_SHORT = 145
    EXCEEDS_ADVANCE_MAX = 146
    LINE_PACED = 147
    LINE_EXHAUSTED = 148
    ADVANCE_UNKNOWN = 149
    # Reconciliation.
    DAY_UNKNOWN = 150
    DAY_CLOSED = 151
    BILL_MISSING = 152
    DAY_NOT_MATCHED = 153
    DAY_BEFORE_OPEN = 154
    DIFFERENCE_OVERDUE = 155
    DAY_NOT_BALANCED = 156
    DIFFERENCE_UNKNOWN = 157
    DIFFERENCE_CLOSED = 158
    REMEDY_UNFIT = 159
    REMEDY_NOT_ASKED = 160
    # Who somebody really is.
    NO_VERIFIER = 170
    ID_NUMBER_INVALID = 171
    REAL_NAME_EXHAUSTED = 172
    REAL_NAME_KNOWN = 173
    REAL_NAME_MISMATCH = 174
    FACE_MISMATCH = 175
    REAL_NAME_TAKEN = 176
    PASSKEY_INVALID = 177
    # Operators.
    OPERATOR_CODE_NEEDED = 178
    WRONG_OPERATOR_CODE = 179
    OPERATOR_CODE_LOCKED = 180
    # Advances again, whose numbers are used up.
    ADVANCE_OPEN_HERE = 181
    # Covers.
    COVER_UNKNOWN = 190
    PICTURE_UNFIT = 191
    COVER_TRIES_EXHAUSTED = 192
    TOO_MANY_COVERS = 193
    COVER_WITHDRAWN = 194
    # On its way over a bus.
    ACCEPTED = 200


# The answer of every rung that lets a command pass: reached here without the enum's own look-up,
# which costs more than the rung (0.1 µs on Python 3.11).
OK: Final = Code.OK


class Row(NamedTuple):
    """How a code is told to a caller and whether it burns an idempotency key."""

    status: int
    burns: bool
    retry: Retry
    zh: str
    en: str


def _row(status: int, retry: Retry, zh: str, en: str, *, burns: bool = False) -> Row:
    return Row(status, burns, retry, zh, en)


_NEVER, _SAME, _NEW = Retry.NEVER, Retry.SAME_KEY, Retry.NEW_KEY

TABLE: Final[dict[Code, Row]] = {
    Code.OK: _row(200, _NEVER, "成功。", "Done."),
    Code.MALFORMED_JSON: _row(400, _NEVER, "请求不是合法的 JSON。", "The body is not valid JSON."),
    Code.INVALID_FIELD: _row(
        422, _NEVER, "字段无效或不认识。", "A field is invalid or not known here."
    ),
    Code.BODY_TOO_LARGE: _row(413, _NEVER, "请求体过大。", "The body is larger than allowed."),
    Code.UNAUTHENTICATED: _row(
        401, _NEVER, "缺少有效的密钥或登录凭证。", "A valid key or token is missing."
    ),
    Code.SCOPE_MISSING: _row(
        403, _NEVER, "此密钥没有这项权限。", "This key does not carry the needed scope."
    ),
    Code.NOT_FOUND: _row(
        404, _NEVER, "没有找到，或无权查看。", "Nothing here, or not yours to see."
    ),
    Code.METHOD_NOT_ALLOWED: _row(
        405, _NEVER, "此地址不支持该方法。", "This address does not take that method."
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: _row(
        415, _NEVER, "请求体必须是 application/json。", "The body must be application/json."
    ),
    Code.KEY_REQUIRED: _row(
        400, _NEVER, "缺少 Idempotency-Key。", "The Idempotency-Key header is required."
    ),
    Code.SANDBOX_ONLY: _row(
        403, _NEVER, "仅沙箱可用。", "Only an installation in sandbox profile does this."
    ),
    Code.BUSY: _row(429, _SAME, "系统繁忙，请稍后重试。", "Too busy now; try again shortly."),
    Code.UNAVAILABLE: _row(
        503, _SAME, "暂时无法处理，请用同一幂等键重试。", "Unavailable; retry with the same key."
    ),
    # Not 202: that is an answer of some operations, and this is none yet.
    Code.ACCEPTED: _row(
        503, _SAME, "已受理，请用同一幂等键再问结果。", "On its way; ask again with the same key."
    ),
    Code.INTERNAL: _row(
        500, _SAME, "系统内部错误，请用同一幂等键重试。", "Our mistake; retry with the same key."
    ),
    Code.TOKEN_EXPIRED: _row(
        401, _SAME, "登录凭证已过期，请刷新。", "The access token has run out; refresh it."
    ),
    Code.SESSION_ENDED: _row(
        401, _NEVER, "此设备的登录已失效，请重新登录。", "The session has ended; sign in again."
    ),
    Code.PROOF_INVALID: _row(
        401, _SAME, "设备证明无效。", "The proof of the device's key does not hold."
    ),
    Code.LINK_INVALID: _row(
        403,
        _NEVER,
        "登录链接无效、已使用或已过期。",
        "The sign-in link is unknown, used or too old.",
    ),
    Code.NOT_YOURSELF: _row(
        403, _NEVER, "只能操作自己的账户。", "A person may act only for themselves."
    ),
    Code.CHALLENGE_INVALID: _row(
        403,
        _SAME,
        "验证凭证无效或已过期，请重新验证。",
        "The challenge or payment token is not for this payment, or has run out.",
    ),
    Code.FACTOR_NEEDED: _row(
        403, _SAME, "请验证支付密码或通行密钥。", "Prove this payment by password or passkey."
    ),
    Code.PASSWORD_NOT_SET: _row(
        409, _SAME, "请先设置支付密码。", "No payment password has been set."
    ),
    Code.PASSWORD_LOCKED: _row(
        429, _SAME, "支付密码已锁定，请稍后再试。", "The payment password is locked for a while."
    ),
    Code.WRONG_PASSWORD: _row(403, _SAME, "支付密码不对。", "That is not the payment password."),
    Code.WEAK_PASSWORD: _row(
        422, _NEVER, "支付密码过于简单。", "These digits are among the first anybody would try."
    ),
    Code.KEY_REUSED: _row(
        409, _NEW, "幂等键已用于另一个请求。", "The idempotency key belongs to another request."
    ),
    Code.USER_UNKNOWN: _row(404, _NEW, "用户不存在。", "No such user."),
    Code.SAME_USER: _row(
        422, _NEW, "不能转给自己。", "Sender and receiver are the same.", burns=True
    ),
    Code.REAL_NAME_REQUIRED: _row(403, _SAME, "请先完成实名认证。", "Verify your real name first."),
    Code.ACCOUNT_FROZEN: _row(403, _SAME, "账户已被冻结。", "The account is frozen."),
    Code.PACKET_UNKNOWN: _row(404, _NEVER, "红包不存在。", "No such packet."),
    Code.PACKET_INFEASIBLE: _row(
        422,
        _NEW,
        "总额无法按份数和每份上下限拆分。",
        "The total cannot be split into that many shares within the bounds.",
        burns=True,
    ),
    Code.DRAW_TIME_INVALID: _row(
        422,
        _NEW,
        "开奖时间必须在现在之后、到期之前。",
        "The draw must lie after now and before expiry.",
        burns=True,
    ),
    Code.PACKET_INVALIDATED: _row(409, _NEVER, "红包已失效。", "The packet is no longer valid."),
    Code.PACKET_FINISHED: _row(
        409, _NEVER, "手慢了，红包派完了。", "Too late: every share has been taken."
    ),
    Code.PACKET_EXPIRED: _row(
        409, _NEVER, "该红包已过期。", "The packet has expired; the rest goes back to its sender."
    ),
    Code.PACKET_NOT_OPEN: _row(
        409, _SAME, "红包尚未开启，请稍候。", "The packet is not open yet; try again shortly."
    ),
    Code.OWN_PACKET: _row(
        403, _NEVER, "不能领取自己发的专属红包。", "You cannot open a packet you sent to others."
    ),
    Code.NOT_A_RECIPIENT: _row(
        403, _NEVER, "这个红包不是发给你的。", "This packet is meant for others."
    ),
    Code.PASSPHRASE_LOCKED: _row(
        403, _NEVER, "口令错误次数过多。", "Too many wrong passphrases for this packet."
    ),
    Code.WRONG_PASSPHRASE: _row(403, _SAME, "口令不对。", "That is not the passphrase."),
    Code.DRAW_FULL: _row(
        409, _NEVER, "参与人数已满。", "The draw has as many entries as it can take."
    ),
    Code.ENTROPY_NOT_AWAITED: _row(
        409, _NEVER, "此红包不等待随机数。", "This packet does not wait for entropy."
    ),
    Code.ENTROPY_TOO_LATE: _row(
        409, _NEVER, "等待随机数的时间已过。", "The time for entropy has passed."
    ),
    Code.NOT_DUE: _row(409, _SAME, "时间未到。", "It is not time yet."),
    Code.ALREADY_SETTLED: _row(409, _NEVER, "已经结清。", "Already settled."),
    Code.PACKET_NOT_CLOSED: _row(
        409,
        _SAME,
        "红包尚未结束，证明还不能公布。",
        "The proof is shown when the packet has closed.",
    ),
    Code.PROOF_WITHHELD: _row(
        503,
        _SAME,
        "证明应已公布，却无法给出；请视为承诺未兑现。",
        "The proof is due and cannot be given: treat the promise as not kept.",
    ),
    Code.PACKET_NOT_FUNDED: _row(
        409, _SAME, "红包尚未付款，请稍候。", "The packet is not paid for yet; try again shortly."
    ),
    Code.EXCEEDS_SHARE_MAX: _row(
        409, _NEW, "超过每份上限。", "More than one share may hold.", burns=True
    ),
    Code.EXCEEDS_PACKET_MAX: _row(
        409, _NEW, "超过单笔上限。", "More than one payment may move.", burns=True
    ),
    Code.EXCEEDS_COUNT_MAX: _row(
        409, _NEW, "超过份数上限。", "More shares than one packet may have.", burns=True
    ),
    Code.EXCEEDS_DAY_COUNT: _row(
        409, _NEW, "超过今日笔数上限。", "More payments than allowed today.", burns=True
    ),
    Code.EXCEEDS_DAY: _row(
        409, _NEW, "超过今日限额。", "More than this account may pay today.", burns=True
    ),
    Code.EXCEEDS_YEAR: _row(
        409, _NEW, "超过年度限额。", "More than this account may pay this year.", burns=True
    ),
    Code.EXCEEDS_LIFE: _row(
        409, _NEW, "超过账户终身限额。", "More than this account may ever pay.", burns=True
    ),
    Code.EXCEEDS_FACTORS: _row(
        409,
        _NEW,
        "超过此验证方式的今日限额。",
        "More than this way of proving may pay today.",
        burns=True,
    ),
    Code.BLOCKED: _row(
        403, _NEW, "交易被风控拦截。", "The payment was stopped by risk control.", burns=True
    ),
    Code.CHALLENGE_REQUIRED: _row(
        403, _SAME, "需要加强验证。", "One more verification is needed first."
    ),
    Code.CLAIM_HELD: _row(
        403,
        _SAME,
        "领取暂缓，等待审核；份额未占用。",
        "The claim waits for review; no share has been taken.",
    ),
    Code.CASE_UNKNOWN: _row(404, _NEVER, "审核单不存在。", "No such case."),
    Code.CASE_CLOSED: _row(409, _NEVER, "审核单已结。", "The case is already closed."),
    Code.SAME_PERSON: _row(
        403, _NEVER, "申请人不能审核自己的申请。", "Who asked for it cannot also decide about it."
    ),
    Code.EXCEEDS_AVAILABLE: _row(
        409, _NEW, "可用余额不足。", "The available balance is too small.", burns=True
    ),
    Code.EXCEEDS_BALANCE_MAX: _row(
        409, _NEW, "超过账户余额上限。", "The account cannot hold that much.", burns=True
    ),
    Code.UNDER_AGE: _row(
        403, _NEVER, "未满 18 周岁，不提供垫付。", "Nothing is advanced to people under eighteen."
    ),
    Code.ORDER_NOT_ADVANCEABLE: _row(
        409,
        _NEVER,
        "此订单不能垫付：不是待付款的虚拟币订单。",
        "Only an order for coins whose money can still come may be advanced.",
    ),
    Code.LINE_CLOSED: _row(
        409, _SAME, "支付渠道正常，不提供垫付。", "The channel works; nothing is advanced now."
    ),
    Code.ADVANCE_OPEN: _row(
        409, _SAME, "还有一笔垫付未结清。", "An earlier advance has not ended yet."
    ),
    Code.DEBT_OPEN: _row(409, _SAME, "还有欠款未还。", "Something is still owed."),
    Code.HISTORY_TOO_SHORT: _row(
        403,
        _SAME,
        "充值记录不足，暂不能垫付。",
        "Advances need three credited top-ups over thirty days.",
    ),
    Code.EXCEEDS_ADVANCE_MAX: _row(
        409, _NEVER, "超过可垫付金额。", "More than this person may be advanced."
    ),
    Code.LINE_PACED: _row(
        429, _SAME, "本分钟垫付额度已用完，请稍候。", "The line has given its share of this minute."
    ),
    Code.LINE_EXHAUSTED: _row(409, _SAME, "垫付额度已用完。", "The line for advances is used up."),
    Code.ADVANCE_UNKNOWN: _row(404, _NEVER, "没有这笔垫付。", "No such advance."),
    Code.RELAY_GAP: _row(
        503, _SAME, "跨通道转账次序有缺口。", "A relay item is missing before this one."
    ),
    Code.ORDER_UNKNOWN: _row(404, _NEVER, "充值订单不存在。", "No such top-up order."),
    Code.ORDER_INFEASIBLE: _row(
        422,
        _NEW,
        "订单金额、币数或有效期不成立。",
        "The amount, the coins or the lifetime of the order cannot be.",
        burns=True,
    ),
    Code.ORDER_PAID: _row(409, _NEVER, "订单已支付。", "The order is paid already."),
    Code.ORDER_CLOSED: _row(
        409, _NEVER, "订单已关闭，请重新下单。", "The order is closed; open another one."
    ),
    Code.ATTEMPT_UNKNOWN: _row(404, _NEVER, "支付单号不存在。", "No such payment attempt."),
    Code.ATTEMPT_OPEN: _row(
        409,
        _SAME,
        "上一次支付尚未结束，请继续支付或先取消。",
        "An earlier attempt can still be paid; go on with it or let it be closed first.",
    ),
    Code.ATTEMPTS_EXHAUSTED: _row(
        409, _NEVER, "支付尝试次数过多，请重新下单。", "Too many attempts; open another order."
    ),
    Code.EVIDENCE_INVALID: _row(
        422, _NEVER, "支付凭证不完整。", "The evidence lacks what a booking needs."
    ),
    Code.NOTICE_KNOWN: _row(409, _NEVER, "通知已收过。", "This notice is known already."),
    Code.NO_CHANNEL: _row(
        409,
        _SAME,
        "暂时没有可用的支付渠道，请稍后再试。",
        "No channel account can take this payment now; try again shortly.",
    ),
    Code.PLAN_UNKNOWN: _row(404, _NEVER, "没有这个充值档位。", "No such plan is on offer."),
    Code.NOTHING_PARKED: _row(
        409, _NEVER, "没有可处理的挂账金额。", "No unallocated money waits there."
    ),
    Code.EXCEEDS_COINS: _row(
        409, _NEW, "虚拟币不足。", "There are not enough coins that may be spent here.", burns=True
    ),
    Code.GIFT_UNKNOWN: _row(404, _NEVER, "礼物记录不存在。", "No such gift."),
    Code.REFUND_UNKNOWN: _row(404, _NEVER, "退款单不存在。", "No such refund."),
    Code.NOT_REFUNDABLE: _row(
        409,
        _NEW,
        "该订单没有可退的款项。",
        "The order has nothing that can be asked back.",
        burns=True,
    ),
    Code.REFUND_TOO_LATE: _row(
        409,
        _NEW,
        "支付已超过一年，无法原路退款。",
        "Paid more than a year ago: its way back is closed.",
        burns=True,
    ),
    Code.EXCEEDS_REFUND_COUNT: _row(
        409, _NEW, "退款次数已达上限。", "The payment has been refunded too many times.", burns=True
    ),
    Code.EXCEEDS_REFUNDABLE: _row(
        409, _NEW, "超过可退金额。", "More than can still be refunded.", burns=True
    ),
    Code.REFUND_TOO_SOON: _row(
        409,
        _SAME,
        "同一订单两次退款须间隔一分钟。",
        "Refunds of one payment are at least a minute apart; try again shortly.",
    ),
    Code.REFUND_TAKES_ALL: _row(
        409,
        _NEW,
        "该金额会用尽全部虚拟币，请按剩余全额退款。",
        "That amount would take every coin and leave money; ask for all that is left.",
        burns=True,
    ),
    Code.REFUND_NOT_STUCK: _row(
        409,
        _NEVER,
        "只有退款异常才能改道，这笔退款不是。",
        "Only a refund that is stuck at its channel is sent another way.",
    ),
    Code.PAYOUT_UNKNOWN: _row(404, _NEVER, "提现单不存在。", "No such payout."),
    Code.PAYOUT_UNDER_WAY: _row(
        409,
        _SAME,
        "提现处理中，不能在此取消。",
        "The payout is under way; only its channel or its case can end it.",
    ),
    Code.DAY_UNKNOWN: _row(
        404, _NEVER, "这一天还没有对账。", "That day has not been reconciled yet."
    ),
    Code.DAY_CLOSED: _row(
        409, _NEVER, "该日已日结，不能再改。", "The day is closed and cannot be changed."
    ),
    Code.BILL_MISSING: _row(
        409, _SAME, "账单尚未齐全。", "A bill of that day has not been fetched yet."
    ),
    Code.DAY_NOT_MATCHED: _row(
        409, _SAME, "该日尚未勾对。", "The day has not been compared, or was compared anew."
    ),
    Code.DAY_BEFORE_OPEN: _row(
        409, _SAME, "前一日尚未日结。", "The day before has to be closed first."
    ),
    Code.DIFFERENCE_OVERDUE: _row(
        409, _SAME, "有差错结转过久或无人负责。", "A difference has been carried too long."
    ),
    Code.DAY_NOT_BALANCED: _row(
        409, _SAME, "账目不平，不能日结。", "The sums of the day do not hold."
    ),
    Code.DIFFERENCE_UNKNOWN: _row(404, _NEVER, "差错不存在。", "No such difference."),
    Code.DIFFERENCE_CLOSED: _row(
        409, _NEVER, "该差错不在处理中。", "Nobody has to end this difference."
    ),
    Code.REMEDY_UNFIT: _row(
        409, _NEVER, "这种处理不适用于该差错。", "That remedy does not fit the difference."
    ),
    Code.REMEDY_NOT_ASKED: _row(
        409, _NEVER, "还没有人提出这种处理。", "Nobody has asked for that remedy."
    ),
    Code.NO_VERIFIER: _row(
        409, _NEVER, "尚未接入实名核验。", "Nobody who could verify a real name is connected here."
    ),
    Code.ID_NUMBER_INVALID: _row(
        422, _NEVER, "身份证号码有误。", "That cannot be an ID number; a digit may be wrong."
    ),
    Code.REAL_NAME_EXHAUSTED: _row(
        429, _SAME, "今日实名核验次数已用完。", "No more tries at a real name today."
    ),
    Code.REAL_NAME_KNOWN: _row(
        409, _NEVER, "此账户已实名为另一人。", "This account is verified as somebody else."
    ),
    Code.REAL_NAME_MISMATCH: _row(
        403, _SAME, "姓名与身份证号码不一致。", "The name and the ID number do not belong together."
    ),
    Code.FACE_MISMATCH: _row(
        403, _SAME, "人脸与证件不一致。", "The face is not that of the document's owner."
    ),
    Code.REAL_NAME_TAKEN: _row(
        409, _NEVER, "此身份已有账户。", "This identity has an account already."
    ),
    Code.OPERATOR_CODE_NEEDED: _row(
        403,
        _SAME,
        "请输入动态口令，或使用通行密钥。",
        "An operator's act needs a code of the authenticator, or a passkey.",
    ),
    Code.WRONG_OPERATOR_CODE: _row(
        403, _SAME, "动态口令不对或已使用。", "That is not a fresh code of the authenticator."
    ),
    Code.OPERATOR_CODE_LOCKED: _row(
        429, _SAME, "动态口令错误次数过多，请稍后再试。", "Too many wrong codes; try again later."
    ),
    Code.PASSKEY_INVALID: _row(
        403, _SAME, "通行密钥验证失败。", "The passkey proves nothing here."
    ),
    Code.ADVANCE_OPEN_HERE: _row(
        409,
        _SAME,
        "此设备或网络上还有一笔垫付未结清。",
        "An advance asked for from this device or network has not ended yet.",
    ),
    Code.COVER_UNKNOWN: _row(
        422, _NEW, "没有这个封面，请换一个。", "You have no such cover; choose another."
    ),
    Code.PICTURE_UNFIT: _row(
        422, _NEVER, "这张图片不能用作封面。", "This picture cannot become a cover."
    ),
    Code.COVER_TRIES_EXHAUSTED: _row(
        429, _SAME, "今日上传封面次数已用完。", "No more covers can be uploaded today."
    ),
    Code.TOO_MANY_COVERS: _row(
        409,
        _SAME,
        "封面已满，请先删除一个。",
        "You have as many covers as can be kept; remove one.",
    ),
    Code.COVER_WITHDRAWN: _row(
        409, _NEVER, "这张图片已被下架。", "This picture was withdrawn by the house."
    ),
}

assert set(TABLE) == set(Code), "every code has its row"
