"""Sealed parameters: the cashier's call, opened by an independent pen and nobody else (加密)."""

import base64
import itertools
import json

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.caller import UNENCRYPTED, wait_for
from api.phone import b64, phone_of
from api.till import OPENID, tilling

SHEET = {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
_names = itertools.count()


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and one platform for the file."""
    with tilling(tmp_path_factory.mktemp("till")) as found:
        yield found


class Page:
    """A page with an ephemeral key."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        self.point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def open(self, order_id, sealed):
        """Return what was sealed to this page for an order."""
        raw = {name: base64.urlsafe_b64decode(text + "===") for name, text in sealed.items()}
        server = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw["key"])
        shared = self._key.exchange(ec.ECDH(), server)
        salt = self.point + raw["key"]
        key = HKDF(SHA256(), 16, salt=salt, info=b"lingqian cashier v1").derive(shared)
        body, tag = raw["text"][:-16], raw["text"][-16:]
        work = Cipher(algorithms.SM4(key), modes.GCM(raw["nonce"], tag)).decryptor()
        work.authenticate_additional_data(order_id.encode())
        return json.loads(work.update(body) + work.finalize())


def ask(till, user, point, path="/v1/top-ups", **body):
    """Ask for a pay sheet, sealed to a key."""
    told = {"product": "jsapi", "payer": {"openid": OPENID}, **body}
    if path == "/v1/top-ups":
        told |= {"user_id": user, "amount_fen": 5_000}
    headers = {"Sealed-To": point}
    return till.api.post(path, told, once=f"s{next(_names)}", headers=headers)


def test_only_the_page_that_asked_reads_the_parameters(till):
    """All of the sheet is in it, none of it beside it; another page or order opens nothing."""
    user, page = till.api.user(), Page()
    told = ask(till, user, b64(page.point))
    assert told.status == 201, told
    order_id, sealed = told.body["id"], told.body["sealed_invocation"]
    assert "invocation" not in told.body
    assert set(page.open(order_id, sealed)) == SHEET
    for other, order in ((Page(), order_id), (page, "tu_" + "0" * 26)):
        with pytest.raises(InvalidTag):
            other.open(order, sealed)
    again = ask(till, user, b64(Page().point), f"/v1/top-ups/{order_id}/attempts")
    assert (again.status, "sealed_invocation" in again.body) == (200, True)


def test_a_recorded_request_seals_nothing_twice(till):
    """A page's key is taken once, by whichever request."""
    user, point = till.api.user(), b64(Page().point)
    assert ask(till, user, point).status == 201
    told = ask(till, user, point)
    assert (told.status, told.body["field"]) == (422, "Sealed-To")
    assert "used before" in told.body["detail"]


@pytest.mark.parametrize("point", ["x", "AAAA", b64(b"\x04" + bytes(64)), b64(b"\x02" + bytes(32)),
                                   b64(bytes(65))])  # fmt: skip
def test_what_is_no_key_is_refused(till, point):
    """Off the curve, compressed, too short: no sheet is opened at all."""
    told = ask(till, till.api.user(), point)
    assert (told.status, told.body["field"]) == (422, "Sealed-To")


def test_who_asks_for_no_seal_gets_none(till):
    """An app's server over TLS reads the parameters as before."""
    assert set(till.top_up(till.api.user())["invocation"]) == SHEET


def test_a_packet_paid_by_a_channel_is_sealed_as_well(till):
    """The sheet that pays for a packet comes with the packet; nothing of it in the clear."""
    page, user = Page(), till.api.user()
    body = {"sender_id": user, "kind": "lucky", "total_fen": 500, "count": 2,
            "pay_with": "channel", "product": "jsapi", "payer": {"openid": OPENID}}  # fmt: skip
    headers = {"Sealed-To": b64(page.point)}
    told = till.api.post("/v1/packets", body, once=f"s{next(_names)}", headers=headers)
    assert told.status == 201, told
    order = told.body["top_up"]
    assert "invocation" not in order
    assert set(page.open(order["id"], order["sealed_invocation"])) == SHEET
    again = till.api.post("/v1/packets", body, once=f"s{next(_names)}", headers=headers)
    assert again.body["field"] == "Sealed-To", "a page's key is taken once, whatever it is for"


@pytest.mark.parametrize("place", range(0, 130, 7))
def test_a_changed_answer_opens_nothing(till, place):
    """Every byte is under the tag: key, nonce and text."""
    page = Page()
    told = ask(till, till.api.user(), b64(page.point)).body
    for name, text in told["sealed_invocation"].items():
        raw = bytearray(base64.urlsafe_b64decode(text + "==="))
        raw[place % len(raw)] ^= 1
        changed = told["sealed_invocation"] | {name: b64(bytes(raw))}
        with pytest.raises((InvalidTag, ValueError)):
            page.open(told["id"], changed)


TAKEN_WITH = {"mchId", "appId", "package"}


def payout_of(who, once, headers=None, **more):
    """Ask for a payout to the person's own wallet."""
    body = {"amount_fen": 3_000, "payee": {"openid": OPENID}, **more}
    return who.post("/v1/payouts", body, once=once, headers=headers or {})


def top_up(till, user):
    """Bring money in: the channel pays out only what it has of ours."""
    till.platform.pay(till.number(till.top_up(user)))
    wait_for(lambda: till.fen(user) == 5_000)


def waiting(till, payout_id):
    """Wait until the channel waits for the person."""
    wait_for(lambda: till.api.get(f"/v1/payouts/{payout_id}").body["stage"] == "waiting", 20)


def test_what_takes_a_payout_is_sealed_as_well(till):
    """Only the page that asked can open WeChat's sheet; a look with nothing to seal uses no key."""
    user, page = till.api.user(), Page()
    top_up(till, user)
    own = {"Sealed-To": b64(page.point)}
    asked = payout_of(till.api, f"p{user}", own, user_id=user)
    assert asked.status == 201, asked
    path = f"/v1/payouts/{asked.body['id']}"
    waiting(till, asked.body["id"])
    assert set(till.api.get(path).body["confirmation"]) >= TAKEN_WITH, "the control: in the clear"
    other = Page()
    told = till.api.get(path, headers={"Sealed-To": b64(other.point)}).body
    assert "confirmation" not in told
    sealed = told["sealed_confirmation"]
    assert set(other.open(told["id"], sealed)) >= TAKEN_WITH
    for who, subject in ((page, told["id"]), (other, "po_" + "0" * 26)):
        with pytest.raises(InvalidTag):
            who.open(subject, sealed)
    again = till.api.get(path, headers={"Sealed-To": b64(other.point)})
    assert (again.status, again.body["field"]) == (422, "Sealed-To")


def test_outside_the_sandbox_a_payout_is_taken_by_a_sealed_sheet_alone(tmp_path):
    """Before money is set aside the page says where to; a look without it is refused too."""
    with tilling(tmp_path / "till", profile="closed_loop", **UNENCRYPTED) as till:
        api = till.api
        phone = phone_of(api, api.user())
        top_up(till, phone.user_id)
        bare = payout_of(phone, "one")
        assert bare.code == "password_not_set", "who pays is proven first"
        phone.call("PUT", "/v1/users/me/payment-password", {"password": "274913"})
        challenge = payout_of(phone, "one").body["challenge"]
        answer = {"challenge": challenge, "password": "274913"}
        token = phone.post("/v1/users/me/payment-tokens", answer).body["payment_token"]
        proof = {"Payment-Factor": f"password {token}"}
        assert payout_of(phone, "one", proof).body["field"] == "Sealed-To"
        assert till.fen(phone.user_id) == 5_000
        made = payout_of(phone, "one", proof | {"Sealed-To": b64(Page().point)})
        assert made.status == 201, made
        waiting(till, made.body["id"])
        path, page = f"/v1/payouts/{made.body['id']}", Page()
        assert phone.get(path).body["field"] == "Sealed-To"
        told = phone.get(path, headers={"Sealed-To": b64(page.point)}).body
        assert set(page.open(told["id"], told["sealed_confirmation"])) >= TAKEN_WITH


def test_outside_the_sandbox_a_page_gets_no_sheet_in_the_clear(tmp_path):
    """Downgrade: the header stripped on its way is a refusal, before anything was opened."""
    with tilling(tmp_path / "till", profile="closed_loop", **UNENCRYPTED) as till:
        api, page = till.api, Page()
        phone = phone_of(api, api.user())
        body = {"amount_fen": 5_000, "product": "jsapi", "payer": {"openid": OPENID}}
        told = phone.post("/v1/top-ups", body, once="one")
        assert (told.status, told.body["field"]) == (422, "Sealed-To")
        assert phone.get("/v1/users/me/top-ups").body["top_ups"] == []
        headers = {"Sealed-To": b64(page.point)}
        made = phone.post("/v1/top-ups", body, once="one", headers=headers)
        assert made.status == 201, made
        assert set(page.open(made.body["id"], made.body["sealed_invocation"])) == SHEET
        path = f"/v1/top-ups/{made.body['id']}/attempts"
        sheet = {"product": "jsapi", "payer": {"openid": OPENID}}
        assert phone.post(path, sheet).body["field"] == "Sealed-To"
        packet = {"kind": "lucky", "total_fen": 500, "count": 2, "pay_with": "channel", **sheet}
        assert phone.post("/v1/packets", packet, once="two").body["field"] == "Sealed-To"
        assert set(till.top_up(phone.user_id)["invocation"]) == SHEET, "an app's server may read"
