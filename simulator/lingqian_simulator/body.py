"""The request bodies of every operation, as rows (请求参数).

Source: WeChat Pay APIv3, Body 参数 of each interface.
"""

from typing import Final

from lingqian_simulator.field import Field, required

ARRAY_MAX: Final = 1_000
_NUMBER: Final = r"[0-9A-Za-z_\-|*]+"
_URL: Final = r"https?://[^\s?#]+"

_GOODS: Final = (
    required("merchant_goods_id", "商户侧商品编码", "string", most=32),
    Field("wechatpay_goods_id", "微信支付商品编码", "string", most=32),
    Field("goods_name", "商品名称", "string", most=256),
    required("quantity", "商品数量", "integer", least=1),
    required("unit_price", "商品单价", "integer"),
)
_DETAIL: Final = Field(
    "detail", "优惠功能", "object",
    fields=(
        Field("cost_price", "订单原价", "integer"),
        Field("invoice_id", "商品小票ID", "string", most=32),
        Field("goods_detail", "单品列表", "array", most=6_000, fields=_GOODS),
    ),
)  # fmt: skip
_STORE: Final = Field(
    "store_info", "商户门店信息", "object",
    fields=(
        required("id", "门店编号", "string", most=32),
        Field("name", "门店名称", "string", most=256),
        Field("area_code", "地区编码", "string", most=32),
        Field("address", "详细地址", "string", most=512),
    ),
)  # fmt: skip
_H5: Final = required(
    "h5_info", "H5场景信息", "object",
    fields=(
        required("type", "场景类型", "string", most=32),
        Field("app_name", "应用名称", "string", most=64),
        Field("app_url", "网站URL", "string", most=128),
        Field("bundle_id", "iOS平台BundleID", "string", most=128),
        Field("package_name", "Android平台PackageName", "string", most=128),
    ),
)  # fmt: skip
_IP: Final = required("payer_client_ip", "用户终端IP", "string", most=45)
_DEVICE: Final = Field("device_id", "商户端设备号", "string", most=32)
_SCENE: Final = Field("scene_info", "场景信息", "object", fields=(_IP, _DEVICE, _STORE))
_SCENE_H5: Final = required("scene_info", "场景信息", "object", fields=(_IP, _DEVICE, _STORE, _H5))
_IDENTITY: Final = Field(
    "identity", "实名支付", "object",
    fields=(
        Field("type", "证件类型", "string", most=32),
        Field("number", "证件号", "string", most=2_048),
        Field("name", "证件姓名", "string", most=2_048),
    ),
)  # fmt: skip
_PAYER: Final = required(
    "payer", "支付者", "object",
    fields=(required("openid", "用户标识", "string", most=128), _IDENTITY),
)  # fmt: skip
_CURRENCY: Final = Field("currency", "货币类型", "string", most=16, pattern="CNY")
_ORDER: Final = (
    required("appid", "公众号ID", "string", most=32),
    required("mchid", "直连商户号", "string", most=32),
    required("description", "商品描述", "string", most=127),
    required("out_trade_no", "商户订单号", "string", least=6, most=32, pattern=_NUMBER),
    Field("time_expire", "交易结束时间", "string", most=64),
    Field("attach", "附加数据", "string", most=128),
    required("notify_url", "通知地址", "string", most=255, pattern=_URL),
    Field("goods_tag", "订单优惠标记", "string", most=256),
    Field("limit_pay", "指定支付方式", "array", most=8),
    Field("support_fapiao", "电子发票入口开放标识", "boolean"),
    required(
        "amount", "订单金额", "object",
        fields=(required("total", "总金额", "integer", least=1), _CURRENCY),
    ),
    _DETAIL,
    Field(
        "settle_info", "结算信息", "object",
        fields=(Field("profit_sharing", "是否指定分账", "boolean"),),
    ),
)  # fmt: skip

ORDERS: Final = {
    "jsapi": (*_ORDER, _PAYER, _SCENE),
    "app": (*_ORDER, _SCENE),
    "h5": (*_ORDER, _SCENE_H5),
    "native": (*_ORDER, _SCENE),
}
CLOSE: Final = (required("mchid", "直连商户号", "string", most=32),)

_REFUND_GOODS: Final = (
    required("merchant_goods_id", "商户侧商品编码", "string", most=32),
    Field("wechatpay_goods_id", "微信支付商品编码", "string", most=32),
    Field("goods_name", "商品名称", "string", most=256),
    required("unit_price", "商品单价", "integer"),
    required("refund_amount", "商品退款金额", "integer"),
    required("refund_quantity", "商品退货数量", "integer", least=1),
)
_FROM: Final = (
    required("account", "出资账户类型", "string", pattern="AVAILABLE|UNAVAILABLE"),
    required("amount", "出资金额", "integer", least=1),
)
REFUND: Final = (
    Field("transaction_id", "微信支付订单号", "string", most=32),
    Field("out_trade_no", "商户订单号", "string", least=6, most=32, pattern=_NUMBER),
    required("out_refund_no", "商户退款单号", "string", most=64, pattern=r"[0-9A-Za-z_\-|*@]+"),
    Field("reason", "退款原因", "string", most=80),
    Field("notify_url", "退款结果回调url", "string", most=256, pattern=_URL),
    Field("funds_account", "退款资金来源", "string", pattern="AVAILABLE|UNSETTLED"),
    required(
        "amount", "金额信息", "object",
        fields=(
            required("refund", "退款金额", "integer", least=1),
            required("total", "原订单金额", "integer", least=1),
            required("currency", "退款币种", "string", most=16, pattern="CNY"),
            Field("from", "退款出资账户及金额", "array", most=8, fields=_FROM),
        ),
    ),
    Field("goods_detail", "退款商品", "array", most=ARRAY_MAX, fields=_REFUND_GOODS),
)  # fmt: skip
ABNORMAL: Final = (
    required("out_refund_no", "商户退款单号", "string", most=64),
    required(
        "type", "异常退款处理方式", "string", most=32,
        pattern="USER_BANK_CARD|MERCHANT_BANK_CARD",
    ),
    Field("bank_type", "开户银行", "string", most=16),
    Field("bank_account", "收款银行卡号", "string", most=1_024),
    Field("real_name", "收款用户姓名", "string", most=1_024),
)  # fmt: skip

_REPORT: Final = (
    required("info_type", "信息类型", "string", most=15, is_counted_in_characters=True),
    required("info_content", "信息内容", "string", most=32, is_counted_in_characters=True),
)
TRANSFER: Final = (
    required("appid", "商户AppID", "string", most=32),
    required("out_bill_no", "商户单号", "string", most=32, pattern="[0-9A-Za-z]+"),
    required("transfer_scene_id", "转账场景ID", "string", most=36),
    required("openid", "收款用户OpenID", "string", most=64),
    Field("user_name", "收款用户姓名", "string", most=1_024),
    required("transfer_amount", "转账金额", "integer", least=1),
    required("transfer_remark", "转账备注", "string", most=32, is_counted_in_characters=True),
    Field("notify_url", "通知地址", "string", most=256, pattern=_URL),
    Field("user_recv_perception", "用户收款感知", "string", most=64),
    Field(
        "user_recv_style", "用户收款样式", "object",
        fields=(Field("type", "样式", "string", pattern="CONFIRM_PAGE|RED_PACKET"),),
    ),
    required(
        "transfer_scene_report_infos", "转账场景报备信息", "array", most=10, fields=_REPORT
    ),
)  # fmt: skip
ECHO: Final = (
    required("echo_message", "回显信息", "string", most=1_024),
    Field("encrypted_echo_message", "加密回显信息", "string", most=1_024),
    Field("notify_url", "通知地址", "string", most=256, pattern=_URL),
)
