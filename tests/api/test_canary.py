"""Canaries: words that must stand nowhere on the disk, in no log, trail or metric (金丝雀).

Names, ID numbers, faces, passwords, tokens, accounts with a channel, cards and addresses pass
through a whole life of a person and of his money; then every file of the folder, its backup, the
log and what the house tells of itself are searched, in every spelling that programs give a text.
"""

import base64
import json
import logging
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from api.authenticator import Authenticator
from api.caller import Caller, running, wait_for
from api.phone import Phone, link_of, phone_of
from api.register import Service, new_number, settings
from api.till import tilling

LINGQIAN = str(Path(sys.executable).with_name("lingqian"))
NAME, NICKNAME, DEVICE, GREETING = "欧阳金丝雀", "金丝雀昵称", "金丝雀的手机", "金丝雀祝福"
PASSWORD, WRONG = "846291", "918273"
FACE = base64.b64encode(b"\xff\xd8canary face" * 3).decode()
NEW_PASSWORD = "/v1/users/me/payment-password"


@pytest.fixture
def logged():
    """Everything that anybody logs, down to the finest."""
    found = []

    class Ear(logging.Handler):
        def emit(self, record):
            found.append(self.format(record) + repr(record.args))

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(ear)
    root.setLevel(before)


def lived(house, number):
    """Let a person live through everything; return what must be nowhere."""
    api = house.caller()
    link = link_of(api, api.rich(100_000, NICKNAME))
    phone = Phone(api.port)
    phone.sign_in(link, DEVICE)
    spent = [link, phone.access, phone.refresh_token]
    phone.refresh()
    body = {"name": NAME, "id_number": number, "face": FACE}
    assert phone.post("/v1/users/me/real-name", body).status == 200
    assert phone.call("PUT", NEW_PASSWORD, {"password": PASSWORD}).status == 200
    wrong = {"password": "274913", "old_password": WRONG}
    assert phone.call("PUT", NEW_PASSWORD, wrong).code == "wrong_password"
    packet = {"kind": "lucky", "total_fen": 20_000, "count": 1, "greeting": GREETING}
    told = phone.post("/v1/packets", packet, once="p")
    proof = {"challenge": told.body["challenge"], "password": PASSWORD}
    token = phone.post("/v1/users/me/payment-tokens", proof).body["payment_token"]
    headers = {"Payment-Factor": f"password {token}"}
    assert phone.post("/v1/packets", packet, once="p", headers=headers).status == 201
    for path in ("/v1/users", "/v1/sessions", "/v1/users/me/real-name"):
        phone.call("POST", path, raw=b'{"' + PASSWORD.encode() + b'": ' + NAME.encode())
    told = [phone.get(f"/v1/users/me{path}").body for path in ("", "/security", "/real-name")]
    assert number not in str(told)
    assert NAME not in str(told)
    metrics = Caller(api.port, "").get("/metrics").body
    assert not [word for word in (NAME, number, NICKNAME) if word.encode() in metrics]
    return [*spent, phone.access, phone.refresh_token, token, told[0]["id"] and number, api.key]


def spellings(word):
    """Return the bytes a text may have become: plain, escaped as JSON and in addresses, encoded."""
    plain = word.encode()
    yield plain
    yield json.dumps(word)[1:-1].encode()
    yield quote(word).encode()
    yield plain.hex().encode()
    yield word.encode("utf-16-le")
    # Base64 has three ways to begin; what does not depend on its neighbours is looked for.
    for lead in range(3):
        whole = base64.b64encode(bytes(lead) + plain)
        yield whole[-(-lead * 4 // 3) + bool(lead) : len(whole) // 4 * 4 - 4]


def found_in(texts, canaries):
    """Return where a canary was found, and which."""
    sought = [(word, each) for word in canaries for each in spellings(word) if len(each) > 5]
    return [(name, word) for name, text in texts.items() for word, each in sought if each in text]


def files_of(folder, *more):
    """Return every file a house has written, but for its keys."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return {
        file.name: file.read_bytes()
        for file in [*found, *more]
        if file.parent.name not in ("keys", "wechatpay")
    }


def backed_up(folder, target):
    """Back the ledger up as an operator would."""
    line = [LINGQIAN, "backup", str(target), "--data", str(folder), "--plain"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_no_canary_is_found_outside_its_cage(tmp_path, logged):
    """The control: what is plain in the files, as the name of a table is, the search does find."""
    service = Service()
    folder, number = tmp_path / "house", new_number()
    try:
        row = settings(service, folder)
        with running(folder, real_name=row, default_account_class=0) as house:
            secrets = lived(house, number)
            plain = house.on_loop(lambda: house.door.wallet.config.real_name.secret_id)
    finally:
        service.close()
    assert plain
    words = backed_up(folder, tmp_path / "ledger.backup")
    canaries = [*secrets, number, number[6:14] + number[14:], NAME, NICKNAME, DEVICE, GREETING,
                PASSWORD, WRONG, FACE]  # fmt: skip
    texts = {"log": "\n".join(logged).encode(), "words": words.encode()}
    texts |= files_of(folder, *tmp_path.glob("*.backup*"))
    assert found_in(texts, canaries) == []
    for name in ("ledger.db", "ledger.backup"):
        assert b"session_links" in texts[name], name
    assert len(texts["log"]) > 0


PAYER, TAKER = "oCanaryPayer00000000000000001", "oCanaryTaker00000000000000002"
ADDRESS, CARD, HOLDER = "203.0.113.77", "6222029999991234567", "持卡金丝雀"
NOTE, REASON, PHRASE, TAKES = "附言金丝雀", "理由金丝雀", "口令金丝雀", "收款金丝雀"
EXTERNAL, FINGER, THUMB = "canary-outside-77", "指纹金丝雀", "拇指金丝雀"
OF_MONEY = [PAYER, TAKER, ADDRESS, CARD, HOLDER, NOTE, REASON, PHRASE, TAKES, EXTERNAL, FINGER,
            THUMB]  # fmt: skip


def passkeys_of(till, user):
    """Give a person and an operator a passkey each, by names of theirs."""
    for caller, path, name in (
        (phone_of(till.api, user), "/v1/users/me/passkeys", FINGER),
        (till.house.caller(), "/v1/operators/me/passkeys", THUMB),
    ):
        device = Authenticator(origin=f"http://127.0.0.1:{till.port}")
        asked = caller.post(f"{path}/options", {}).body["public_key"]
        assert caller.post(path, {**device.create(asked), "name": name}).status == 201


def paid(till):
    """Let somebody's money live: in, around, out, and back by another way; return the order."""
    api = till.api
    user = api.user(external_id=EXTERNAL)
    order = till.top_up(user, payer={"openid": PAYER})
    till.platform.pay(till.number(order))
    wait_for(lambda: till.order(order["id"])["is_credited"])
    till.top_up(user, product="h5", client_ip=ADDRESS)
    passkeys_of(till, user)
    pay = {"source_id": user, "target_id": api.user(), "amount_fen": 1, "note": NOTE}
    assert api.post("/v1/transfers", pay, once="pay").status == 201
    packet = api.packet(user, kind="passphrase", passphrase=PHRASE, total_fen=100)
    api.claim(packet, api.user(), passphrase=f"{PHRASE}?")
    body = {"user_id": user, "amount_fen": 100, "payee": {"openid": TAKER}, "real_name": TAKES}
    api.post("/v1/payouts", {**body, "note": NOTE}, once="out")
    path = f"/v1/top-ups/{order['id']}/refunds"
    refund = api.post(path, {"amount_fen": 100, "reason": REASON}, once="back").body["id"]
    wait_for(lambda: [each for each in till.platform.control("GET", "/control/refunds")
                      if each["out_refund_no"] == refund])  # fmt: skip
    till.platform.control("POST", f"/control/refunds/{refund}/abnormal", {})
    wait_for(lambda: api.get(f"/v1/refunds/{refund}").body["stage"] == "abnormal")
    card = {"bank_type": "ICBC_DEBIT", "bank_account": CARD, "real_name": HOLDER}
    told = api.post(f"/v1/refunds/{refund}/redirection", {"to": "card", "card": card}, once="card")
    assert told.status in (200, 201, 202), told
    return order


def told_of(till, order):
    """Return what the house tells of an order, of itself and of its operators."""
    paths = (f"/v1/trails/{order['id']}", f"/v1/top-ups/{order['id']}/trail", "/v1/acts",
             "/v1/refunds", "/v1/cases", "/metrics", "/v1/channels")  # fmt: skip
    answers = {path: till.api.get(path) for path in paths}
    assert {told.status for told in answers.values()} == {200}
    return {
        path: told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
        for path, told in answers.items()
    }


def test_no_canary_of_money_is_found_outside_its_cage(tmp_path, logged):
    """Accounts with the channel, cards, addresses, notes: on their way only, or sealed."""
    folder = tmp_path / "house"
    with tilling(folder) as till:
        merchant = f"/control/merchants/{till.platform.simulator.merchant.mchid}"
        till.platform.control("POST", f"{merchant}/fund", {"amount_fen": 10**6})
        till.platform.control("POST", merchant, {"refund_mode": "manual"})
        told = told_of(till, paid(till))
    words = backed_up(folder, tmp_path / "ledger.backup")
    texts = told | {"log": "\n".join(logged).encode(), "words": words.encode()}
    texts |= files_of(folder, *tmp_path.glob("*.backup*"))
    assert found_in(texts, OF_MONEY) == []
    assert b"payouts" in texts["ledger.db"], "the control: what is plain there is found"


def test_the_search_finds_every_spelling():
    """The control: a canary in any of its dresses, and none where there is none."""
    word = "金丝雀"
    for text in (word.encode(), json.dumps({"a": word}).encode(), quote(f"x{word}").encode(),
                 word.encode().hex().encode(), *(base64.b64encode(b"x" * lead + word.encode() * 2)
                                                 for lead in range(3))):  # fmt: skip
        assert found_in({"file": text}, [word]) != [], text
    assert found_in({"file": b"no bird at all"}, [word]) == []
