"""Users, balances and conversations over HTTP."""

import pytest

from lingqian.identity.key import Scope


def test_a_user_is_registered_once_per_external_id(api):
    """A caller that lost the answer asks again and must not get a second wallet."""
    body = {"external_id": "twice", "nickname": "小明"}
    first, again = api.post("/v1/users", body), api.post("/v1/users", body)
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    assert first.body["id"].startswith("us_")
    assert first.body["account_class"] == 3


def test_a_user_is_found_by_id_and_by_external_id(api):
    """The app knows its own ids; support knows ours."""
    made = api.post("/v1/users", {"external_id": "find me", "nickname": "阿婆"}).body
    assert api.get(f"/v1/users/{made['id']}").body == made
    assert api.get("/v1/users?external_id=find%20me").body == made


@pytest.mark.parametrize("path", ["us_00000000000000000000000000", "rp_x", "x"])
def test_a_user_who_is_not_there_is_not_found(api, path):
    """An id that is none must not be told apart from one that is nobody's."""
    assert api.get(f"/v1/users/{path}").status == 404
    assert api.get(f"/v1/users/{path}/balances").status == 404


def test_a_user_unknown_by_external_id_is_not_found(api):
    """A search that finds nothing says so."""
    assert api.get("/v1/users?external_id=nobody").code == "user_unknown"


def test_a_user_is_changed_and_the_change_binds_at_once(api):
    """Freezing somebody who goes on paying would be no freezing."""
    user, other = api.rich(), api.user()
    told = api.call("PATCH", f"/v1/users/{user}", {"nickname": "新名字", "state": "frozen"})
    assert (told.status, told.body["nickname"], told.body["state"]) == (200, "新名字", "frozen")
    pay = {"source_id": user, "target_id": other, "amount_fen": 1}
    assert api.post("/v1/transfers", pay, once="frozen").code == "account_frozen"
    api.call("PATCH", f"/v1/users/{user}", {"state": "active", "account_class": 0})
    assert api.post("/v1/transfers", pay, once="frozen").code == "real_name_required"
    api.call("PATCH", f"/v1/users/{user}", {"account_class": 3})
    assert api.post("/v1/transfers", pay, once="frozen").status == 201


def test_class_and_state_need_the_scope_admin(house):
    """Whoever may rename people may not unfreeze them."""
    caller = house.caller(Scope.WRITE_USERS)
    user = caller.user()
    assert caller.call("PATCH", f"/v1/users/{user}", {"nickname": "a"}).status == 200
    for change in ({"state": "frozen"}, {"account_class": 1}):
        assert caller.call("PATCH", f"/v1/users/{user}", change).code == "scope_missing"


def test_a_balance_shows_what_is_held_and_what_is_left(api):
    """Four numbers that always explain each other."""
    user = api.rich(500)
    assert api.balance(user) == {
        "book": "balance",
        "currency": "CNY",
        "amount_fen": 500,
        "incoming_fen": 0,
        "held_fen": 0,
        "available_fen": 500,
    }


def test_funding_happens_once_per_key(api):
    """A doubled request must not double the money."""
    user = api.user()
    body = {"user_id": user, "amount_fen": 700}
    first = api.post("/v1/sandbox/funding", body, once="once")
    again = api.post("/v1/sandbox/funding", body, once="once")
    assert (first.status, again.status, first.body) == (201, 200, again.body)
    assert api.balance(user)["amount_fen"] == 700
    other = api.post("/v1/sandbox/funding", {**body, "amount_fen": 701}, once="once")
    assert (other.status, other.code, other.body["field"]) == (409, "key_reused", "amount_fen")


def test_funding_needs_a_key_and_a_user(api):
    """Without a key nobody could tell a repetition from a second payment."""
    body = {"user_id": api.user(), "amount_fen": 1}
    assert (api.post("/v1/sandbox/funding", body).status) == 400
    assert api.post("/v1/sandbox/funding", body).code == "key_required"
    nobody = {"user_id": "us_00000000000000000000000000", "amount_fen": 1}
    assert api.post("/v1/sandbox/funding", nobody, once="n").code == "user_unknown"


def test_keys_of_two_callers_do_not_meet(house):
    """Two apps may both count from one."""
    one, two = house.caller(), house.caller()
    for caller in (one, two):
        user = caller.user()
        told = caller.post("/v1/sandbox/funding", {"user_id": user, "amount_fen": 1}, once="1")
        assert told.status == 201


def test_members_of_a_conversation_are_set_and_replaced(api):
    """Who leaves a group does not open what is posted there later."""
    sender, stays, leaves = api.rich(), api.user(), api.user()
    path = "/v1/conversations/group-1/members"
    told = api.call("PUT", path, {"member_ids": [sender, stays, leaves]})
    assert (told.status, told.body) == (200, {"conversation_id": "group-1", "count": 3})
    packet = api.packet(sender, conversation_id="group-1", count=3)
    assert api.claim(packet, leaves).status == 201
    api.call("PUT", path, {"member_ids": [sender, stays]})
    later = api.packet(sender, conversation_id="group-1")
    assert api.claim(later, leaves).code == "not_a_recipient"
    assert api.claim(later, stays).status == 201


def test_thousands_of_members_fit_and_strangers_do_not(api):
    """The list is long for a reason: its bound is its own."""
    member = api.user()
    body = {"member_ids": [member] * 5_000}
    assert api.call("PUT", "/v1/conversations/big/members", body).body["count"] == 1
    nobody = {"member_ids": ["us_00000000000000000000000000"]}
    assert api.call("PUT", "/v1/conversations/big/members", nobody).code == "user_unknown"
