"""Over-posting: no body of any operation takes a field that is not in the document.

Every operation of the API's own table is tried, so that one added later is tried as well.
"""

import itertools
import re

import msgspec
import pytest

from api.phone import phone_of
from lingqian.web.app import OPERATIONS

# What somebody would like to say of himself, of others, and of how the house decides.
WISHES = {
    "sender_id": "us_" + "0" * 26,
    "user_id": "us_" + "0" * 26,
    "source_id": "us_" + "0" * 26,
    "id": "rp_" + "0" * 26,
    "factors": 15,
    "needs": [],
    "strength": "signed",
    "account_class": 3,
    "state": "active",
    "is_member": True,
    "is_credited": True,
    "is_reviewed": False,
    "balance_fen": 1_000_000,
    "paid_fen": 0,
    "seed": "00" * 32,
    "share_fen": 19_999,
    "verdict": "allow",
    "role": "administrator",
    "scopes": ["admin"],
    "created_at": "2020-01-01T00:00:00.000Z",
    "device_id": "dv_" + "0" * 26,
    "session_id": "se_" + "0" * 26,
    "idempotency_key": "x",
    "__proto__": {"admin": True},
}
TAKING = [row for row in OPERATIONS if row.takes is not None]
PARAMETER = re.compile(r"\{(\w+)\}")
PLACES = {"user_id": "me", "account": "main", "conversation_id": "c", "day": "2026-01-01"}
_once = itertools.count()


def name_of(row):
    """Return how an operation is called."""
    return f"{row.method} {row.path}"


def structs(shape):
    """Yield every struct that a type is made of."""
    seen, waiting = set(), [msgspec.inspect.type_info(shape)]
    while waiting:
        found = waiting.pop()
        if isinstance(found, msgspec.inspect.StructType):
            if found.cls in seen:
                continue
            seen.add(found.cls)
            yield found
            waiting += [each.type for each in found.fields]
        for part in ("item_type", "key_type", "value_type", "type"):
            inner = getattr(found, part, None)
            waiting += [inner] if isinstance(inner, msgspec.inspect.Type) else []
        waiting += list(getattr(found, "types", ()) or ())
        waiting += list(getattr(found, "item_types", ()) or ())


@pytest.mark.parametrize("row", TAKING, ids=map(name_of, TAKING))
def test_every_shape_that_is_taken_is_closed(row):
    """To the innermost: what is not understood is refused, not ignored."""
    found = list(structs(row.takes))
    assert found
    assert [each.cls.__name__ for each in found if not each.forbid_unknown_fields] == []


ASKING = [row for row in OPERATIONS if row.asks is not None]


@pytest.mark.parametrize("row", ASKING, ids=map(name_of, ASKING))
def test_every_query_is_closed_as_well(row):
    """A parameter that is not in the document may be a wish, too."""
    assert [each.cls.__name__ for each in structs(row.asks) if not each.forbid_unknown_fields] == []


@pytest.fixture(scope="module")
def me(house):
    """Somebody who would like to be more."""
    api = house.caller()
    return phone_of(api, api.user(account_class=1))


def state(house):
    """Return what there is of money and of people's status."""
    reader = house.door.wallet.reader
    return house.on_loop(
        lambda: [
            reader.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
            for name in ("journal", "keys", "packets", "orders", "passkeys", "users")
        ]
    )


PERSONS = [row for row in TAKING if row.by_person or row.is_personal or row.is_public]


@pytest.mark.parametrize("row", PERSONS, ids=map(name_of, PERSONS))
def test_no_wish_is_heard(house, me, row):
    """Each wish beside a body that is right: refused by its name, and nothing is done."""
    before = state(house)
    path = PARAMETER.sub(lambda found: PLACES.get(found[1], "x"), row.path)
    own = set(row.takes.__struct_fields__)
    for name, value in WISHES.items():
        if name in own:
            continue
        told = me.call(row.method, path, {**row.example, name: value}, once=f"o{next(_once)}")
        assert told.status in (404, 422), (name, told)
        if "x" not in path.split("/"):
            assert (told.code, told.body["field"]) == ("invalid_field", name), (name, told)
    assert state(house) == before
