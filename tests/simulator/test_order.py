"""Orders, refunds and transfers as the service keeps them, on a clock that is moved."""

import threading

import pytest

from simulated import Client, wait_for


@pytest.fixture
def client(simulator):
    """A merchant whose refunds wait for a decision."""
    path = f"/control/merchants/{simulator.merchant.mchid}"
    simulator.control(path, {"refund_mode": "manual"})
    return Client(simulator)


def code(answer):
    """Return status and code of a refusal."""
    return answer.status, answer.json["code"]


def advance(client, seconds):
    """Move the business clock."""
    client.running.control("/control/clock", {"advance_s": seconds})


def state(client, number="TU_000001"):
    """Return the trade state by a query."""
    return client.query(number).json["trade_state"]


def test_an_identical_request_renews_and_another_is_refused(client):
    """The only safe repetition after a timeout, and the trap of a changed amount."""
    first = client.prepay().json["prepay_id"]
    second = client.prepay().json["prepay_id"]
    assert len(first) == len(second) == 36
    assert first != second
    for product, changes in [
        ("jsapi", {"total": 5001}),
        ("jsapi", {"description": "别的"}),
        ("jsapi", {"attach": "x"}),
        ("app", {"payer": None}),
    ]:
        wish = client.order(**changes)
        if wish["payer"] is None:
            del wish["payer"]
        answer = client.call("POST", f"/v3/pay/transactions/{product}", wish)
        assert code(answer) == (403, "OUT_TRADE_NO_USED")


def test_an_unpaid_order_tells_as_little_as_the_live_one(client):
    """Clients must take every other field as optional until it is paid."""
    client.prepay()
    assert client.query().json == {
        "amount": {"payer_currency": "CNY", "total": 5000},
        "appid": client.merchant.appid,
        "mchid": client.merchant.mchid,
        "out_trade_no": "TU_000001",
        "promotion_detail": [],
        "scene_info": {"device_id": ""},
        "trade_state": "NOTPAY",
        "trade_state_desc": "订单未支付",
    }


def test_close_is_repeatable_and_final(client):
    """204, signed over an empty body; then neither payment nor renewal."""
    client.prepay()
    for _ in range(2):
        answer = client.close_order()
        assert (answer.status, answer.body) == (204, b"")
        assert client.is_genuine(answer.headers, b"")
    assert state(client) == "CLOSED"
    assert code(client.prepay()) == (400, "ORDER_CLOSED")
    assert client.pay() == (409, {"error": "the order is CLOSED"})


def test_a_paid_order_is_neither_closed_nor_paid_twice(client):
    """Whoever closes at this moment learns that money came."""
    client.prepay()
    client.pay()
    assert code(client.close_order()) == (400, "ORDERPAID")
    assert code(client.prepay()) == (400, "ORDERPAID")
    assert client.pay()[0] == 409


def test_money_may_come_late_or_twice_when_it_is_asked_for(client):
    """The races that a merchant must survive, on demand."""
    client.prepay()
    client.close_order()
    assert client.pay(is_late=True)["state"] == "SUCCESS"
    first, second = client.pay(is_again=True)["payments"]
    assert first["transaction_id"] != second["transaction_id"]
    assert client.query().json["transaction_id"] == first["transaction_id"]


def test_prepay_sessions_and_orders_end_in_their_time(client):
    """Two hours for a session, five minutes for h5, seven days for an order; all renewable."""
    scene = {"payer_client_ip": "1.2.3.4", "h5_info": {"type": "Wap"}}
    wish = client.order("TU_h50001", scene_info=scene)
    del wish["payer"]
    client.prepay()
    assert client.call("POST", "/v3/pay/transactions/h5", wish).status == 200
    advance(client, 301)
    assert client.pay("TU_h50001") == (409, {"error": "the prepay session has expired"})
    advance(client, 7200)
    assert client.pay() == (409, {"error": "the prepay session has expired"})
    assert state(client) == "NOTPAY"
    client.prepay()
    assert client.running.control("/control/orders/TU_000001")["sheet"] == "open"
    advance(client, 7 * 86_400)
    assert state(client) == "CLOSED"


def test_an_order_ends_when_it_was_told_to_but_not_within_a_minute(client):
    """`time_expire` in the past is moved to one minute after the order."""
    client.prepay(time_expire="2020-01-01T00:00:00+08:00")
    advance(client, 55)
    assert state(client) == "NOTPAY"
    advance(client, 6)
    assert state(client) == "CLOSED"


def test_another_merchants_order_does_not_exist(client):
    """Not even by the channel's number."""
    wish = {"mchid": "1900000002", "appids": ["wx0000000000000002"], "mode": "certificate"}
    made = client.running.control("/control/merchants", wish)
    other = Client(client.running, type(client.merchant)(**made))
    client.prepay()
    paid = client.pay()["payments"][0]["transaction_id"]
    assert code(other.query()) == (404, "ORDER_NOT_EXIST")
    target = f"/v3/pay/transactions/id/{paid}?mchid=1900000002"
    assert code(other.call("GET", target)) == (404, "ORDER_NOT_EXIST")
    assert code(other.refund("R1", 1)) == (404, "RESOURCE_NOT_EXISTS")


def test_pay_and_close_at_once_have_one_winner(client):
    """Serial per order: never both 204 and money."""
    for round_number in range(8):
        number = f"TU_1{round_number:05d}"
        client.prepay(number)
        results = {}
        acts = {
            "close": lambda n=number, r=results: r.update(close=client.close_order(n).status),
            "pay": lambda n=number, r=results: r.update(pay=client.pay(n)),
        }
        threads = [threading.Thread(target=act) for act in acts.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        was_paid = isinstance(results["pay"], dict)
        assert was_paid == (results["close"] == 400)
        assert state(client, number) == ("SUCCESS" if was_paid else "CLOSED")


def test_refunds_never_exceed_the_payment(client):
    """Also not when two are asked for at once, or one is repeated."""
    client.prepay()
    assert code(client.refund("R0", 1)) == (404, "RESOURCE_NOT_EXISTS")
    client.pay()
    assert code(client.refund("R1", 3000, total=4999)) == (400, "INVALID_REQUEST")
    first = client.refund("R1", 3000)
    assert client.refund("R1", 3000).json == first.json
    assert code(client.refund("R1", 2999)) == (400, "INVALID_REQUEST")
    assert code(client.refund("R2", 1000)) == (400, "INVALID_REQUEST")  # within a minute
    advance(client, 61)
    statuses = []
    threads = [
        threading.Thread(target=lambda n=n: statuses.append(client.refund(f"R2{n}", 2000).status))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400, 400, 400]
    assert state(client) == "REFUND"


def test_a_refund_without_money_keeps_its_number(client):
    """403 NOT_ENOUGH changes nothing; with money the same request is accepted."""
    client.prepay()
    client.pay()
    path = f"/control/merchants/{client.merchant.mchid}/fund"
    assert client.running.control(path, {"amount_fen": -4900})["balance_fen"] == 70
    assert code(client.refund("R1", 1000)) == (403, "NOT_ENOUGH")
    target = "/v3/refund/domestic/refunds/R1"
    assert code(client.call("GET", target)) == (404, "RESOURCE_NOT_EXISTS")
    client.running.control(path, {"amount_fen": 4900})
    assert client.refund("R1", 1000).status == 200


def test_an_abnormal_refund_is_sent_to_a_card(client):
    """Account and name are encrypted under the platform's key, which the header names."""
    client.prepay()
    client.pay()
    refund_id = client.refund("R1", 1000).json["refund_id"]
    target = f"/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund"
    wish = {"out_refund_no": "R1", "type": "MERCHANT_BANK_CARD"}
    assert code(client.call("POST", target, wish)) == (400, "INVALID_REQUEST")
    assert client.running.control("/control/refunds/R1/abnormal", {})["state"] == "ABNORMAL"
    wish |= {"type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT", "bank_account": "AAAA"}
    wish |= {"real_name": "AAAA"}
    missing = client.call("POST", target, wish)
    assert "Wechatpay-Serial" in missing.json["message"]
    unknown = client.call("POST", target, wish, headers={"Wechatpay-Serial": "5ABC"})
    assert unknown.json["message"] == "平台证书序列号Wechatpay-Serial错误"
    serial = client.merchant.platform_public_key_id
    garbage = client.call("POST", target, wish, headers={"Wechatpay-Serial": serial})
    assert code(garbage) == (400, "PARAM_ERROR")
    wish = {"out_refund_no": "R1", "type": "MERCHANT_BANK_CARD"}
    assert client.call("POST", target, wish).json["channel"] == "OTHER_BANKCARD"
    assert client.running.control("/control/refunds/R1/succeed", {})["state"] == "SUCCESS"


def test_a_closed_refund_gives_the_money_back(client):
    """Its amount may be refunded again, under a new number."""
    client.prepay()
    client.pay()
    before = balance(client)
    client.refund("R1", 5000)
    assert balance(client) == 0
    client.running.control("/control/refunds/R1/close", {})
    assert balance(client) == before == 4970
    advance(client, 61)
    assert client.refund("R2", 5000).status == 200


def balance(client):
    """Return what the merchant has."""
    (merchant,) = client.running.control("/control/merchants")
    return merchant["balance_fen"]


TRANSFERS = "/v3/fund-app/mch-transfer/transfer-bills"


def transfer(client, number="WD1", amount=1000, **changes):
    """Ask for a transfer."""
    report = [("活动名称", "提现"), ("奖励说明", "提现")]
    wish = {
        "appid": client.merchant.appid,
        "out_bill_no": number,
        "openid": "o1",
        "transfer_amount": amount,
        "transfer_remark": "提现",
        "transfer_scene_id": "1000",
        "transfer_scene_report_infos": [
            {"info_type": kind, "info_content": words} for kind, words in report
        ],
    }
    return client.call("POST", TRANSFERS, wish | changes)


def test_a_transfer_waits_for_the_person_and_ends_once(client):
    """Confirmed, refused, cancelled or forgotten; the money leaves at once and may come back."""
    assert code(transfer(client)) == (403, "NOT_ENOUGH")
    client.running.control(f"/control/merchants/{client.merchant.mchid}/fund", {"amount_fen": 5000})
    first = transfer(client)
    assert first.json["state"] == "WAIT_USER_CONFIRM"
    assert transfer(client).json == first.json
    assert code(transfer(client, amount=1001)) == (400, "INVALID_REQUEST")
    assert balance(client) == 4000

    client.running.control("/control/transfers/WD1/confirm", {})
    target = f"{TRANSFERS}/out-bill-no/"
    wait_for(lambda: client.call("GET", f"{target}WD1").json["state"] == "SUCCESS")
    assert code(client.call("POST", f"{target}WD1/cancel")) == (400, "INVALID_REQUEST")

    transfer(client, "WD2")
    client.running.control("/control/transfers/WD2/refuse", {})
    found = client.call("GET", f"{target}WD2").json
    assert (found["state"], found["fail_reason"]) == ("FAIL", "MERCHANT_REJECT")

    transfer(client, "WD3")
    assert client.call("POST", f"{target}WD3/cancel").json["state"] == "CANCELING"
    wait_for(lambda: client.call("GET", f"{target}WD3").json["state"] == "CANCELLED")

    number = transfer(client, "WD4").json["transfer_bill_no"]
    advance(client, 86_401)
    found = client.call("GET", f"{TRANSFERS}/transfer-bill-no/{number}").json
    assert (found["state"], found["fail_reason"]) == ("FAIL", "OVERDUE_CLOSE")
    assert balance(client) == 4000
    assert code(client.call("GET", f"{target}none")) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_scene_id": "1011"},
        {"transfer_scene_report_infos": [{"info_type": "活动名称", "info_content": "x"}]},
        {"transfer_amount": 200_000},
        {"out_bill_no": "with-dash"},
        {"user_recv_style": {"type": "LOUD"}},
    ],
)
def test_a_transfer_outside_the_rules_is_refused(client, changes):
    """Scene, report, name and form are checked before money moves."""
    path = f"/control/merchants/{client.merchant.mchid}/fund"
    client.running.control(path, {"amount_fen": 500_000})
    assert transfer(client, **changes).status == 400
    assert balance(client) == 500_000


def test_a_restart_keeps_orders_money_and_notices(start, shop, tmp_path):
    """With a file the simulator is a service that may be stopped for the night."""
    data = tmp_path / "simulator.db"
    shop.answers = [500]
    running = start(data=data)
    client = Client(running)
    client.prepay(notify_url=shop.url)
    client.pay()
    shop.wait()
    wait_for(lambda: len(running.control("/control/notices")[0]["sendings"]) == 1)
    running.stop()

    again = start(data=data, notice_scale=0)
    assert again.merchant == client.merchant
    later = Client(again)
    assert later.query().json["trade_state"] == "SUCCESS"
    assert balance(later) == 4970
    assert code(later.prepay()) == (400, "ORDERPAID")
    again.control("/control/clock", {"advance_s": 60})
    assert shop.wait(2)[0][1] == shop.notices[1][1]
