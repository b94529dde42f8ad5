"""Transfers over HTTP."""

import pytest


def pay(api, source, target, amount_fen=100, once="pay", **more):
    """Ask for a transfer."""
    body = {"source_id": source, "target_id": target, "amount_fen": amount_fen, **more}
    return api.post("/v1/transfers", body, once=f"{once}-{source}")


def test_a_transfer_moves_money_once(api):
    """The same request again is the same transfer."""
    source, target = api.rich(1_000), api.user()
    first, again = (pay(api, source, target, note="午饭") for _ in range(2))
    assert (first.status, again.status, first.body) == (201, 200, again.body)
    assert first.body["state"] == "done"
    assert api.get(f"/v1/transfers/{first.body['id']}").body == first.body
    assert (api.balance(source)["amount_fen"], api.balance(target)["amount_fen"]) == (900, 100)


@pytest.mark.parametrize(("change", "field"), [
    ({"amount_fen": 101}, "amount_fen"),
    ({"note": "other"}, "note"),
])  # fmt: skip
def test_a_key_used_for_another_transfer_names_what_differs(api, change, field):
    """The caller's mistake is found, not guessed."""
    source, target = api.rich(1_000), api.user()
    pay(api, source, target)
    told = pay(api, source, target, **change)
    assert (told.status, told.code, told.body["field"]) == (409, "key_reused", field)
    assert told.body["retry"] == "new_key"


def test_a_key_used_for_another_operation_is_refused(api):
    """A key belongs to one request of its caller."""
    source = api.rich(1_000)
    api.post("/v1/sandbox/funding", {"user_id": source, "amount_fen": 5}, once=f"pay-{source}")
    told = pay(api, source, api.user())
    assert (told.code, told.body["field"]) == ("key_reused", "Idempotency-Key")


def test_transfers_that_may_not_be_are_refused(api):
    """Each for its own reason."""
    source, nobody = api.rich(1_000), "us_00000000000000000000000000"
    assert pay(api, source, source, once="self").code == "same_user"
    assert pay(api, source, nobody, once="to").code == "user_unknown"
    assert pay(api, nobody, source, once="from").code == "user_unknown"
    told = pay(api, source, api.user(), 1_001, once="poor")
    assert (told.status, told.code) == (409, "exceeds_available")
    assert pay(api, source, api.user(account_class=0), once="unnamed").code == "real_name_required"
    assert api.get("/v1/transfers/tr_00000000000000000000000000").status == 404


def test_a_transfer_without_a_key_is_refused(api):
    """A repetition could not be told from a second payment."""
    body = {"source_id": api.rich(), "target_id": api.user(), "amount_fen": 1}
    told = api.post("/v1/transfers", body)
    assert (told.status, told.code) == (400, "key_required")
    told = api.post("/v1/transfers", body, once="x" * 129)
    assert (told.status, told.body["field"]) == (422, "Idempotency-Key")
