"""Sessions: signed in by a link, bound to a device's key, renewed, ended; and attacked."""

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from api.caller import Caller, running
from api.phone import Key, Phone, link_of, phone_of
from lingqian.identity.key import Scope
from lingqian.kernel.id import show

SESSIONS = "/v1/sessions"


def clock_moved(monkeypatch, seconds):
    """Let the sessions' clock run ahead."""
    from lingqian.compose import real_us  # noqa: PLC0415 - the clock as it was
    from lingqian.web import person  # noqa: PLC0415 - where the clock is read
    from lingqian.web.route import session  # noqa: PLC0415 - as above

    def later():
        return real_us() + seconds * 1_000_000

    monkeypatch.setattr(session, "real_us", later)
    monkeypatch.setattr(person, "real_us", later)


def test_a_link_signs_one_device_in_once(api):
    """The app says who somebody is; the link is worth nothing afterwards."""
    user = api.user("小明")
    link = link_of(api, user, path="/packets")
    phone = Phone(api.port)
    told = phone.sign_in(link, "我的手机")
    assert (told.status, told.body["token_type"], told.body["expires_in_s"]) == (201, "DPoP", 600)
    assert (told.body["user_id"], told.body["path"]) == (user, "/packets")
    assert phone.get("/v1/users/me").body["nickname"] == "小明"
    assert Phone(api.port).sign_in(link).code == "link_invalid"
    assert Phone(api.port).sign_in("x" * 43).code == "link_invalid"


def test_a_lost_answer_to_signing_in_is_told_again(api):
    """The same device with the same link gets the same session, not another one."""
    link, phone = link_of(api, api.user()), Phone(api.port)
    first, again = phone.sign_in(link), phone.sign_in(link)
    assert first.body == again.body
    assert len(phone.get(SESSIONS).body["sessions"]) == 1


def test_a_link_runs_out(house, api, monkeypatch):
    """Whoever finds it in a history tomorrow finds nothing."""
    link = link_of(api, api.user())
    house.on_loop(lambda: clock_moved(monkeypatch, 121))
    phone = Phone(api.port)
    proof = phone.device.proof("POST", phone.origin + SESSIONS, iat=int(time.time()) + 121)
    told = Caller(api.port, "").post(SESSIONS, {"link": link}, headers={"DPoP": proof})
    assert told.code == "link_invalid"


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/../x", "/a?b", "x"])
def test_a_link_leads_nowhere_else(api, path):
    """No open redirect: a path is one of the wallet's own pages."""
    told = api.post("/v1/session-links", {"user_id": api.user(), "path": path})
    assert (told.status, told.body["field"]) == (422, "path")


def test_a_link_carries_the_talk_it_leads_to(api):
    """Any name an app gives its talks arrives as it is, and adds nothing else to the address."""
    for name in ("family", "邻居们 1号楼", "a&title=b#c/%2F"):
        body = {"user_id": api.user(), "conversation_id": name}
        said = urlsplit(api.post("/v1/session-links", body).body["url"]).fragment
        assert {key: value for key, (value,) in parse_qs(said).items() if key != "link"} == {
            "conversation": name
        }
    assert "conversation" not in api.post("/v1/session-links", {"user_id": api.user()}).body["url"]


def test_a_link_needs_the_scope_to_act(house, api):
    """A key that may read people may not become them."""
    caller = house.caller(Scope.READ_USERS, Scope.WRITE_USERS)
    assert caller.post("/v1/session-links", {"user_id": api.user()}).code == "scope_missing"
    unknown = {"user_id": show("us", bytes(16))}
    assert api.post("/v1/session-links", unknown).code == "user_unknown"


def test_a_stolen_token_opens_nothing(api):
    """Without the device's key: by no scheme, with no proof, with a proof of another key."""
    victim, thief = phone_of(api, api.rich()), Phone(api.port)
    thief.access = victim.access
    told = thief.get("/v1/users/me/balances")
    assert (told.status, told.code) == (401, "proof_invalid")
    assert told.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    plain = Caller(api.port, victim.access)
    assert plain.get("/v1/users/me/balances").code == "unauthenticated"
    bare = {"Authorization": f"DPoP {victim.access}"}
    assert Caller(api.port, "").get("/v1/users/me", headers=bare).code == "proof_invalid"
    thief.refresh_token = victim.refresh_token
    assert thief.refresh().code == "session_ended"
    assert victim.get("/v1/users/me").status == 200


def test_a_proof_is_taken_once(api):
    """Whoever has recorded a request cannot send it again."""
    phone = phone_of(api, api.user())
    proof = phone.device.proof("GET", phone.origin + "/v1/users/me", phone.access)
    headers = {"Authorization": f"DPoP {phone.access}", "DPoP": proof}
    assert Caller(api.port, "").get("/v1/users/me", headers=headers).status == 200
    told = Caller(api.port, "").get("/v1/users/me", headers=headers)
    assert (told.code, told.body["detail"]) == ("proof_invalid", "this proof was used before")


NOW = int(time.time())
WRONG = {
    "another method": {"htm": "POST"},
    "another path": {"htu": "http://127.0.0.1/v1/users/me/balances"},
    "another host": {"htu": "http://evil.example/v1/users/me"},
    "no address": {"htu": "http://[::1"},
    "too old": {"iat": NOW - 3_600},
    "too new": {"iat": NOW + 3_600},
    "a time that is no integer": {"iat": NOW + 0.5},
    "a time that is true": {"iat": True},
    "no time": {"iat": None},
    "no name": {"jti": None},
    "an empty name": {"jti": ""},
    "a long name": {"jti": "x" * 129},
    "another token": {"ath": "x" * 43},
    "no token": {"ath": None},
    "an algorithm": {"head": {"alg": "none"}},
    "another algorithm": {"head": {"alg": "HS256"}},
    "another type": {"head": {"typ": "JWT"}},
    "something critical": {"head": {"crit": ["exp"]}},
    "a symmetric key": {"head": {"jwk": {"kty": "oct", "k": "AAAA"}}},
    "a key off the curve": {"head": {"jwk": {**Key().jwk, "y": "A" * 43}}},
    "a short key": {"head": {"jwk": {**Key().jwk, "x": "AAAA"}}},
    "a private key": {"head": {"jwk": {**Key().jwk, "d": "A" * 43}}},
    "another key": {"head": {"jwk": Key().jwk}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_proof_must_be_of_this_request(api, wrong):
    """RFC 9449 §4.3, check by check; each is refused as what it is and fails nothing else."""
    phone = phone_of(api, api.user())
    proof = phone.device.proof("GET", phone.origin + "/v1/users/me", phone.access, **wrong)
    headers = {"Authorization": f"DPoP {phone.access}", "DPoP": proof}
    told = Caller(api.port, "").get("/v1/users/me", headers=headers)
    assert (told.status, told.code) == (401, "proof_invalid")


JUNK = ["", "x", "a.b.c", "..", "eyJ9.eyJ9.AAAA", "a" * 5_000, "eyJhIjoxLCJhIjoyfQ.e30.AAAA",
        "é.é.é", "W10.W10.AAAA", "bnVsbA.bnVsbA.AAAA"]  # fmt: skip


@pytest.mark.parametrize("text", JUNK)
def test_what_is_no_proof_is_refused(api, text):
    """Bytes of strangers are read strictly and never fail the server."""
    headers = {"DPoP": text.encode("latin-1")}
    body = {"link": link_of(api, api.user())}
    told = Caller(api.port, "").post(SESSIONS, body, headers=headers)
    assert told.code == "proof_invalid"
    told = Caller(api.port, "").post(SESSIONS, {"link": "x"}, headers=headers)
    assert told.code == "link_invalid"


def test_a_name_that_is_no_text_is_a_proof_like_any_other(api):
    """JSON may escape half a character; the server must not stumble over it."""
    phone = phone_of(api, api.user())
    proof = phone.device.proof("GET", phone.origin + "/v1/users/me", phone.access, jti="\ud800")
    headers = {"Authorization": f"DPoP {phone.access}", "DPoP": proof}
    assert Caller(api.port, "").get("/v1/users/me", headers=headers).status == 200


def test_a_changed_token_is_nobodys(api):
    """Every byte of a token is under its digest; a generation cannot be guessed on."""
    phone = phone_of(api, api.user())
    raw = bytearray(base64.urlsafe_b64decode(phone.access[3:]))
    for place in (0, 15, 19, 35):
        raw[place] ^= 1
        forged = "la_" + base64.urlsafe_b64encode(raw).decode()
        raw[place] ^= 1
        other = Phone(api.port, phone.device)
        other.access = forged
        assert other.get("/v1/users/me").code == "unauthenticated"
    other = Phone(api.port, phone.device)
    other.access = phone.refresh_token
    assert other.get("/v1/users/me").code == "unauthenticated"


def test_tokens_are_renewed_and_the_old_ones_end(house, api, monkeypatch):
    """Ten minutes, then only the refresh token leads on."""
    phone = phone_of(api, api.user())
    old = phone.access
    told = phone.refresh()
    assert told.status == 200
    assert phone.access != old
    assert phone.get("/v1/users/me").status == 200
    house.on_loop(lambda: clock_moved(monkeypatch, 601))
    late = {"iat": int(time.time()) + 601}
    proof = phone.device.proof("GET", phone.origin + "/v1/users/me", phone.access, **late)
    headers = {"Authorization": f"DPoP {phone.access}", "DPoP": proof}
    told = Caller(api.port, "").get("/v1/users/me", headers=headers)
    assert (told.status, told.code) == (401, "token_expired")
    assert told.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


def test_the_lost_answer_to_a_renewal_is_told_again(api):
    """A train enters a tunnel: the phone asks with the old token and gets the same new ones."""
    phone = phone_of(api, api.user())
    old = phone.refresh_token
    first = phone.refresh(old).body
    assert phone.refresh(old).body == first
    assert phone.get("/v1/users/me").status == 200


def test_an_old_refresh_token_ends_the_session(house, api, monkeypatch):
    """Two who hold the same token: one of them is not the owner, and neither goes on."""
    phone = phone_of(api, api.user())
    old = phone.refresh_token
    phone.refresh()
    assert phone.get("/v1/users/me").status == 200  # the new tokens have arrived
    house.on_loop(lambda: clock_moved(monkeypatch, 31))
    assert phone.refresh(old).code == "session_ended"
    assert phone.refresh().code == "session_ended"
    assert phone.get("/v1/users/me").code == "session_ended"


def test_devices_are_listed_and_signed_out(api):
    """A lost phone is ended from another one, at once."""
    user = api.user()
    first, second = phone_of(api, user, "旧手机"), phone_of(api, user, "平板")
    found = second.get(SESSIONS).body["sessions"]
    assert [(each["device_name"], each["is_this"]) for each in found] == [
        ("平板", True), ("旧手机", False)
    ]  # fmt: skip
    assert second.call("DELETE", f"{SESSIONS}/{first.session_id}").status == 204
    told = first.get("/v1/users/me")
    assert (told.status, told.code) == (401, "session_ended")
    assert first.refresh().code == "session_ended"
    assert second.call("DELETE", f"{SESSIONS}/{first.session_id}").code == "not_found"
    assert len(api.get(f"/v1/users/{user}/sessions").body["sessions"]) == 1
    assert api.call("DELETE", f"/v1/users/{user}/sessions").body == {"ended_count": 1}
    assert second.get("/v1/users/me").code == "session_ended"


def test_nobody_signs_others_out(house, api):
    """A session of somebody else is not there to be seen; a key needs `admin`."""
    mine, other = phone_of(api, api.user()), phone_of(api, api.user())
    assert mine.call("DELETE", f"{SESSIONS}/{other.session_id}").code == "not_found"
    path = f"/v1/users/{other.user_id}/sessions"
    assert mine.call("DELETE", path).code == "not_found"
    weak = house.caller(*[each for each in Scope if each != Scope.ADMIN])
    assert weak.call("DELETE", path).code == "scope_missing"
    assert other.get("/v1/users/me").status == 200


def test_too_many_devices_make_room(api):
    """The one longest signed in ends; rows of one person stay few."""
    user = api.user()
    first = phone_of(api, user)
    rest = [phone_of(api, user) for _ in range(20)]
    assert first.get("/v1/users/me").code == "session_ended"
    assert len(rest[-1].get(SESSIONS).body["sessions"]) == 20


def test_a_person_pays_without_naming_himself(api):
    """The whole round of a packet with two phones, and not one id of one's own in a body."""
    sender, friend = phone_of(api, api.rich()), phone_of(api, api.user("阿婆"))
    body = {"kind": "lucky", "total_fen": 100, "count": 1}
    made = sender.post("/v1/packets", body, once="p")
    assert made.status == 201, made
    packet = f"/v1/packets/{made.body['id']}"
    assert friend.get(packet).body["viewer"]["status"] == "openable"
    opened = friend.post(f"{packet}/claims", {})
    assert (opened.status, opened.body["amount_fen"]) == (201, 100)
    assert friend.get(f"{packet}/claims").body["claims"][0]["nickname"] == "阿婆"
    assert friend.get("/v1/users/me/balances").body["balances"][0]["amount_fen"] == 100
    paid = friend.post("/v1/transfers", {"target_id": sender.user_id, "amount_fen": 40}, once="t")
    assert paid.body["source_id"] == friend.user_id
    assert friend.get(f"/v1/transfers/{paid.body['id']}").status == 200
    step = {"id": "s", "trace_id": "0f" * 16, "step": "plan_view", "at": paid.body["created_at"]}
    assert friend.post("/v1/behaviour-events", {"events": [step]}).status == 202
    assert len(friend.get("/v1/users/me/statement").body["lines"]) == 2


def test_nobody_acts_or_looks_for_another(api):
    """In a path it is not there; in a body it is not allowed; nothing moves."""
    me, other = phone_of(api, api.rich()), api.rich()
    target = api.user()
    for path in ("", "/balances", "/statement", "/statement.csv", "/packets?role=sent", "/top-ups",
                 "/coins", "/income", "/sessions"):  # fmt: skip
        assert me.get(f"/v1/users/{other}{path}").code == "not_found", path
    bodies = {
        "/v1/transfers": {"source_id": other, "target_id": target, "amount_fen": 1},
        "/v1/packets": {"sender_id": other, "kind": "lucky", "total_fen": 1, "count": 1},
        "/v1/top-ups": {"user_id": other, "amount_fen": 1, "pay_with": "balance"},
        "/v1/gifts": {"user_id": other, "streamer_id": target, "code": "rose"},
        "/v1/payouts": {"user_id": other, "amount_fen": 1, "payee": {"openid": "o"}},
    }
    for path, body in bodies.items():
        told = me.post(path, body, once="x")
        assert (told.status, told.code) == (403, "not_yourself"), path
    packet = api.packet(other)
    assert me.post(f"/v1/packets/{packet}/claims", {"user_id": other}).code == "not_yourself"
    assert me.get(f"/v1/packets/{packet}?viewer_id={other}").code == "not_yourself"
    assert me.post(f"/v1/packets/{packet}/entropy", {"hex": "0f" * 32}).code == "not_found"
    transfer = api.post(
        "/v1/transfers", {"source_id": other, "target_id": target, "amount_fen": 1}, once="theirs"
    )
    assert me.get(f"/v1/transfers/{transfer.body['id']}").code == "not_found"
    assert api.balance(other)["amount_fen"] == 100_000 - 1_000 - 1


HOUSE = [
    ("POST", "/v1/users", {"external_id": "me"}),
    ("POST", "/v1/sandbox/funding", {"user_id": "us_" + "0" * 26, "amount_fen": 1}),
    ("POST", "/v1/sandbox/clock", {"advance_s": 1}),
    ("POST", "/v1/session-links", {"user_id": "us_" + "0" * 26}),
    ("GET", "/v1/cases", None),
    ("GET", "/v1/webhook-endpoints", None),
    ("POST", "/v1/packets/rp_00000000000000000000000000/invalidation", {"by": "me"}),
    ("PUT", "/v1/conversations/family/members", {"member_ids": []}),
]


@pytest.mark.parametrize(("method", "path", "body"), HOUSE)
def test_a_person_is_no_operator(api, method, path, body):
    """What only the app or the house may do is no person's."""
    told = phone_of(api, api.user()).call(method, path, body, once="x")
    assert (told.status, told.code) == (403, "scope_missing")


def test_a_key_is_no_person(api):
    """What belongs to a session cannot be done with a key."""
    assert api.get(SESSIONS).code == "scope_missing"
    assert api.get("/v1/users/me").code == "not_found"
    told = api.post("/v1/transfers", {"target_id": api.user(), "amount_fen": 1}, once="x")
    assert (told.status, told.body["field"]) == (422, "source_id")


def test_a_person_cannot_promote_himself(api):
    """Over-posting: class, state and what is not in the document."""
    me = phone_of(api, api.user(account_class=1))
    for body in ({"account_class": 3}, {"state": "frozen"}, {"account_class": 3, "nickname": "x"}):
        assert me.call("PATCH", "/v1/users/me", body).code == "scope_missing"
    told = me.call("PATCH", "/v1/users/me", {"nickname": "新名字"})
    assert (told.status, told.body["nickname"], told.body["account_class"]) == (200, "新名字", 1)
    extra = {"target_id": api.user(), "amount_fen": 1, "account_class": 3}
    assert me.post("/v1/transfers", extra, once="x").code == "invalid_field"


def test_the_same_key_of_a_person_and_of_an_app_are_two(api):
    """A person cannot burn or read what an app has asked for under the same words."""
    user, target = api.rich(), api.user()
    me = phone_of(api, user)
    body = {"target_id": target, "amount_fen": 1}
    assert api.post("/v1/transfers", {"source_id": user, **body}, once="one").status == 201
    assert me.post("/v1/transfers", body, once="one").status == 201
    assert me.post("/v1/transfers", body, once="one").status == 200


def events_of(phone, query, wanted):
    """Read a person's stream from its beginning until an event of a type comes."""
    import http.client  # noqa: PLC0415 - only a stream is read so

    proof = phone.device.proof("GET", phone.origin + "/v1/events", phone.access)
    headers = {"Authorization": f"DPoP {phone.access}", "DPoP": proof}
    connection = http.client.HTTPConnection("127.0.0.1", phone.port, timeout=30)
    connection.request("GET", f"/v1/events?start=first{query}", headers=headers)
    answer = connection.getresponse()
    found = []
    while not found or found[-1]["type"] != wanted:
        line = answer.readline()
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    connection.close()
    return found


def test_a_stream_tells_a_person_what_is_his(api):
    """Nobody else's balance, not the sum of somebody else's packet, not the gate's reasons."""
    sender, me = phone_of(api, api.rich()), phone_of(api, api.user())
    packet = api.packet(sender.user_id, total_fen=1_000, count=2)
    api.claim(packet, api.user())
    me.post(f"/v1/packets/{packet}/claims", {})
    sender.post("/v1/transfers", {"target_id": me.user_id, "amount_fen": 1}, once="t")
    found = events_of(me, "", "transfer.done.v1")
    assert all(me.user_id in json.dumps(each) for each in found)
    assert {row["user_id"] for each in found for row in each["data"].get("balances", [])} == {
        me.user_id
    }
    along = events_of(me, f"&packet_id={packet}", "packet.finished.v1")
    assert sum(each["type"] == "packet.claimed.v1" for each in along) == 2
    assert not {"total_fen", "rule"} & {name for each in along for name in each["data"]}
    told = me.get(f"/v1/events?user_id={sender.user_id}")
    assert told.code == "not_yourself"
    whole = events_of(sender, f"&packet_id={packet}", "packet.finished.v1")
    assert whole[0]["data"]["total_fen"] == 1_000


def test_behind_a_public_name_only_that_name_counts(tmp_path):
    """A proof made for another site, or for the bare host, is not one for ours."""
    with running(tmp_path / "named", public_origin="https://pay.example") as house:
        api = house.caller()
        made = api.post("/v1/session-links", {"user_id": api.user()})
        assert made.body["url"].startswith("https://pay.example/wallet#link=")
        link = made.body["url"].partition("#link=")[2]
        phone = Phone(api.port)
        assert phone.sign_in(link).code == "proof_invalid"
        proof = phone.device.proof("POST", "https://pay.example:443/v1/sessions")
        told = Caller(api.port, "").post(SESSIONS, {"link": link}, headers={"DPoP": proof})
        assert told.status == 201


def test_strangers_leave_nothing_behind(house, api):
    """Without a link or a token of ours no proof is verified, remembered or written."""
    stranger = Phone(api.port)
    known = house.on_loop(lambda: len(house.door.spent._until_s))
    for _ in range(20):
        assert stranger.sign_in("x" * 43).code == "link_invalid"
        assert stranger.refresh("lr_" + "A" * 48).code == "session_ended"
        stranger.access = "la_" + "A" * 48
        assert stranger.get("/v1/users/me").code == "unauthenticated"
    assert house.on_loop(lambda: len(house.door.spent._until_s)) <= known


def test_what_is_not_there_and_what_is_not_mine_look_alike(api):
    """Enumeration: a person cannot find out which people, payments and packets there are."""
    me, other = phone_of(api, api.rich()), api.rich()
    nothing = "0" * 26
    body = {"source_id": other, "target_id": api.user(), "amount_fen": 1}
    transfer = api.post("/v1/transfers", body, once="theirs too").body["id"]
    friends = {"kind": "targeted", "total_fen": 10, "recipient_ids": [api.user()]}
    hidden = api.packet(other, conversation_id="theirs", **friends)
    members = {"member_ids": [other]}
    assert api.call("PUT", "/v1/conversations/theirs/members", members).status == 200
    for path in ("top-ups/tu", "refunds/rf", "gifts/gf", "payouts/po"):
        told = me.get(f"/v1/{path}_{nothing}")
        assert (told.status, told.code) == (404, "not_found"), path
    for path, absent in (
        (f"/v1/users/{other}", f"/v1/users/us_{nothing}"),
        (f"/v1/users/{other}/balances", f"/v1/users/us_{nothing}/balances"),
        (f"/v1/transfers/{transfer}", f"/v1/transfers/tr_{nothing}"),
        (f"/v1/packets/{hidden}", f"/v1/packets/rp_{nothing}"),
        (f"/v1/packets/{hidden}/claims", f"/v1/packets/rp_{nothing}/claims"),
    ):
        one, two = me.get(path), me.get(absent)
        assert (one.status, one.body) == (two.status, two.body) == (404, two.body), path


def test_proofs_from_before_the_start_are_refused(house, api):
    """The process before this one may have taken them."""
    phone = phone_of(api, api.user())
    began = house.door.spent._began_s
    house.door.spent._began_s = int(time.time()) + 30
    try:
        told = phone.get("/v1/users/me")
        assert (told.code, "new proof" in told.body["detail"]) == ("proof_invalid", True)
    finally:
        house.door.spent._began_s = began
