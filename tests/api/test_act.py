"""Acts: whoever acts for the house is written down, before and after, for good."""

import apsw
import pytest

from api.phone import phone_of
from lingqian.compose import DATABASE
from lingqian.identity.key import Scope
from lingqian.storage.act import Deed, add_act, broken_acts
from lingqian.storage.keyring import open_beside


def acts_of(api, name):
    """Return what a key did, the oldest first."""
    found = [each for each in api.get("/v1/acts?limit=200").body["acts"] if each["actor"] == name]
    return [(each["operation"], each["subject"], each["status"]) for each in reversed(found)]


def name_of(house, caller):
    """Return the name of a caller's key."""
    return house.on_loop(lambda: house.door.keys.caller(caller.key).name)


def test_an_act_is_written_before_and_after(house, api):
    """Who, what, when, and how it ended; refused ones too."""
    operator, user = house.caller(), api.user()
    path = f"/v1/users/{user}/sessions"
    assert operator.call("DELETE", path).status == 200
    assert operator.call("DELETE", "/v1/users/us_00000000000000000000000000/sessions").status == 404
    name = name_of(house, operator)
    row = "DELETE /v1/users/{user_id}/sessions"
    other = "/v1/users/us_00000000000000000000000000/sessions"
    assert acts_of(api, name) == [(row, path, 0), (row, path, 200), (row, other, 0),
                                  (row, other, 404)]  # fmt: skip


def test_what_is_no_act_for_the_house_is_not_written(house, api):
    """Payments stand in the journal; looking at a list is no act; a person is no operator."""
    caller = house.caller()
    sender, phone = caller.rich(), phone_of(api, api.user())
    caller.claim(caller.packet(sender), phone.user_id)
    caller.get("/v1/cases")
    phone.call("DELETE", "/v1/users/me/sessions")
    assert acts_of(api, name_of(house, caller)) == []
    assert acts_of(api, phone.user_id) == []


def test_who_may_not_act_leaves_no_act(house, api):
    """A key without the scope is refused before anything is written."""
    weak = house.caller(Scope.READ_USERS)
    assert weak.call("DELETE", f"/v1/users/{api.user()}/sessions").code == "scope_missing"
    assert weak.get("/v1/acts").code == "scope_missing"
    assert acts_of(api, name_of(house, weak)) == []


def test_acts_come_in_pages(api):
    """The newest first, each once."""
    user = api.user()
    for _ in range(3):
        api.call("DELETE", f"/v1/users/{user}/sessions")
    first = api.get("/v1/acts?limit=2").body
    rest = api.get(f"/v1/acts?limit=2&cursor={first['next_cursor']}").body
    numbers = [each["number"] for page in (first, rest) for each in page["acts"]]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == 4


def test_the_database_itself_keeps_acts(house):
    """No program of ours changes or removes one, not even one gone mad; a gap is found."""
    vault = house.door.wallet.vault
    connection = open_beside(house.folder / "apart" / DATABASE)
    for number in range(3):
        deed = Deed(5 + number, "wang.li", "POST /v1/cases/{case_id}/release", "/x", 200)
        assert add_act(connection, vault, deed) == number + 1
    for text in ("UPDATE acts SET actor = 'x'", "DELETE FROM acts", "DELETE FROM acts WHERE 0 = 0"):
        with pytest.raises(apsw.ConstraintError, match="act cannot be"):
            connection.execute(text)
    assert list(broken_acts(connection, vault)) == []
    connection.execute("DROP TRIGGER acts_kept; DELETE FROM acts WHERE number = 2")
    assert [number for number, _ in broken_acts(connection, None)] == [3]
    connection.close()
