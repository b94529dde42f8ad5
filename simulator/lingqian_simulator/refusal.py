"""Refusals: every code the API answers with, its status and its words (错误码).

Source: WeChat Pay APIv3, common and per-interface error codes. Where two official pages differ, the
choice is listed in docs/reference/simulator.md.
"""

from typing import Any, Final, NamedTuple

# Only these carry `detail`.
DETAILED: Final = frozenset({"PARAM_ERROR", "INVALID_REQUEST", "SIGN_ERROR"})


class Reason(NamedTuple):
    """One way to be refused: status, code, words, and the number at the end of Request-ID."""

    status: int
    code: str
    message: str
    number: int = 268_435_456


class Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The request is answered with a reason, and nothing has changed."""

    def __init__(self, reason: Reason, message: str = "", detail: Any = None) -> None:  # noqa: ANN401 - any JSON
        super().__init__(message or reason.message)
        self.reason = reason
        self.message = message or reason.message
        self.detail = detail


PARAM_ERROR: Final = Reason(400, "PARAM_ERROR", "参数错误", 268_435_461)
EXTRA_FIELD: Final = Reason(400, "PARAM_ERROR", "参数中含有非法的额外参数", 270_924_358)
MCHID_DIFFERS: Final = Reason(
    400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配", 268_447_843
)
INVALID_REQUEST: Final = Reason(400, "INVALID_REQUEST", "无效请求", 268_435_464)
NO_AGENT: Final = Reason(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")
NO_PLATFORM_SERIAL: Final = Reason(
    400, "PARAM_ERROR", "HTTP header缺少微信支付平台证书序列号(Wechatpay-Serial)"
)
UNKNOWN_PLATFORM_SERIAL: Final = Reason(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")
APPID_DIFFERS: Final = Reason(
    400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试", 268_445_527
)
ORDER_CLOSED: Final = Reason(400, "ORDER_CLOSED", "该订单已关闭", 268_447_914)
ORDER_PAID: Final = Reason(400, "ORDERPAID", "该订单已支付", 268_449_538)
NO_STATEMENT: Final = Reason(400, "NO_STATEMENT_EXIST", "账单文件不存在")
STATEMENT_CREATING: Final = Reason(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
REFUND_DIFFERS: Final = Reason(400, "INVALID_REQUEST", "您的请求参数与订单信息不一致")
REFUND_EXCEEDS: Final = Reason(400, "INVALID_REQUEST", "申请退款金额大于订单可退金额")
REFUND_TOO_SOON: Final = Reason(400, "INVALID_REQUEST", "同一笔订单的退款需间隔1分钟以上")
REFUND_TOO_MANY: Final = Reason(400, "INVALID_REQUEST", "同一笔订单最多支持50次部分退款")
REFUND_TOO_LATE: Final = Reason(400, "TRADE_OVERDUE", "订单已超过可退款的最大期限")
REFUND_NOT_ABNORMAL: Final = Reason(400, "INVALID_REQUEST", "退款单状态不是退款异常")
NO_SCENE: Final = Reason(400, "INVALID_REQUEST", "你尚未获取该转账场景")
SCENE_REPORT: Final = Reason(400, "INVALID_REQUEST", "转账场景报备信息与场景要求不一致")
BILL_DIFFERS: Final = Reason(400, "INVALID_REQUEST", "商户单号重入时参数与首次请求不一致")
BILL_NOT_CANCELLABLE: Final = Reason(400, "INVALID_REQUEST", "转账单状态不允许撤销")

HEADER_FORM: Final = Reason(
    401, "SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
)
HEADER_FORM_PAY: Final = Reason(401, "SIGN_ERROR", "签名信息错误，验签失败")
SCHEME: Final = Reason(401, "SIGN_ERROR", "Http头Authorization认证类型不正确")
TIMESTAMP: Final = Reason(
    401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
)
UNKNOWN_MERCHANT: Final = Reason(401, "SIGN_ERROR", "签名错误", 268_443_699)
SERIAL: Final = Reason(
    401, "SIGN_ERROR", "商户证书序列号有误。请使用签名私钥匹配的证书序列号", 268_443_699
)
NO_API_KEY: Final = Reason(401, "SIGN_ERROR", "商户未设置APIv3密钥。")
SIGNATURE: Final = Reason(401, "SIGN_ERROR", "错误的签名，验签失败", 268_443_699)

NUMBER_USED: Final = Reason(403, "OUT_TRADE_NO_USED", "商户订单号重复", 268_498_688)
NOT_ENOUGH: Final = Reason(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
NO_AUTH: Final = Reason(403, "NO_AUTH", "商户无权限")
ORDER_UNKNOWN: Final = Reason(404, "ORDER_NOT_EXIST", "订单不存在", 268_512_771)
REFUND_UNKNOWN: Final = Reason(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
REFUND_NO_ORDER: Final = Reason(404, "RESOURCE_NOT_EXISTS", "订单不存在或未支付")
NO_CERTIFICATE: Final = Reason(
    404,
    "RESOURCE_NOT_EXISTS",
    "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。",
)
BILL_UNKNOWN: Final = Reason(404, "NOT_FOUND", "记录不存在")

LIMITED: Final = Reason(429, "FREQUENCY_LIMITED", "频率超限，请降低请求频率后重试", 268_447_840)
SYSTEM: Final = Reason(500, "SYSTEM_ERROR", "系统错误，请用相同参数重新调用")
