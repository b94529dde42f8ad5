"""Acting for another: every operation that a person may do, tried on somebody else's things.

The table is that of the API itself, so an operation added later is tried before it is released:
what it names in its path needs a row in `OBJECTS`, whom it names in its body one in `SELVES` or
`OTHERS`. What is another's and what is nobody's must look alike, and nothing may move.
"""

import itertools
import re
from contextlib import closing
from functools import cache

import apsw
import pytest

import picture
from api.authenticator import Authenticator
from api.caller import wait_for
from api.phone import b64, phone_of
from api.till import ACCOUNT, OPENID, tilling
from lingqian.storage.sqlite import migrate
from lingqian.web.app import OPERATIONS

# Fields by which a body or a query names the person for whom something is asked.
SELVES = {"user_id", "sender_id", "source_id", "viewer_id"}
# Fields that name somebody or something else; they may be another's.
OTHERS = {"target_id", "streamer_id", "recipient_ids", "plan_id", "conversation_id", "packet_id"}
PARAMETER = re.compile(r"\{(\w+)\}")
NOBODY = "0" * 26
PERSONS = [row for row in OPERATIONS if row.by_person or row.is_personal]
_once = itertools.count()


def name_of(row):
    """Return how an operation is called."""
    return f"{row.method} {row.path}"


class Victim:
    """Somebody who has one of everything that a path can name."""

    def __init__(self, till):
        api = till.api
        self.phone = phone_of(api, api.rich(1_000_000))
        self.user_id = self.phone.user_id
        self.friend = api.user()
        mchid = till.platform.simulator.merchant.mchid
        till.platform.control("POST", f"/control/merchants/{mchid}/fund", {"amount_fen": 10**8})
        whose = {"user_id": self.user_id}
        bought = api.post("/v1/top-ups", {**whose, "plan_id": "coins-30", "pay_with": "balance"},
                          once=f"v{next(_once)}").body  # fmt: skip
        refund = api.post(f"/v1/top-ups/{bought['id']}/refunds", {"amount_fen": 100},
                          once=f"v{next(_once)}")  # fmt: skip
        gift = api.post("/v1/gifts", {**whose, "streamer_id": self.friend, "code": "rose"},
                        once=f"v{next(_once)}")  # fmt: skip
        payout = api.post("/v1/payouts", {**whose, "amount_fen": 100, "payee": {"openid": OPENID}},
                          once=f"v{next(_once)}")  # fmt: skip
        body = {"source_id": self.user_id, "target_id": self.friend, "amount_fen": 1}
        transfer = api.post("/v1/transfers", body, once=f"v{next(_once)}")
        assert {told.status for told in (refund, gift, payout, transfer)} == {201}
        self.objects = {
            "user_id": self.user_id,
            "order_id": till.top_up(self.user_id)["id"],
            "refund_id": refund.body["id"],
            "gift_id": gift.body["id"],
            "payout_id": payout.body["id"],
            "transfer_id": transfer.body["id"],
            "session_id": self.phone.session_id,
            "conversation_id": self.talk(api),
            "credential_id": self.passkey(),
            "cover_id": self.cover(),
        }
        self.objects["packet_id"] = self.hidden(api)
        # Nothing of it is under way any more: what moves in a test, the test has moved.
        self.rests(api, f"/v1/refunds/{refund.body['id']}", "success")
        self.rests(api, f"/v1/payouts/{payout.body['id']}", "waiting")

    def rests(self, api, path, stage):
        """Wait until something on its way has come as far as it comes without anybody."""
        wait_for(lambda: api.get(path).body["stage"] == stage, 20)

    def talk(self, api):
        """Make a talk of two."""
        room = f"talk-{next(_once)}"
        members = {"member_ids": [self.user_id, self.friend]}
        assert api.call("PUT", f"/v1/conversations/{room}/members", members).status == 200
        return room

    def hidden(self, api):
        """Send a packet into the talk of two."""
        return api.packet(self.user_id, conversation_id=self.objects["conversation_id"])

    def passkey(self):
        """Make a passkey of one's own."""
        device = Authenticator(origin=self.phone.origin)
        asked = self.phone.post("/v1/users/me/passkeys/options", {}).body["public_key"]
        assert self.phone.post("/v1/users/me/passkeys", device.create(asked)).status == 201
        return b64(device.credential_id)

    def cover(self):
        """Make a cover of one's own."""
        made = self.phone.call("POST", "/v1/users/me/covers", raw=picture.painted((9, 9, 90)),
                               headers={"Content-Type": picture.JPEG})  # fmt: skip
        assert made.status == 201, made
        return made.body["id"]


OBJECTS = {
    "user_id": f"us_{NOBODY}",
    "order_id": f"tu_{NOBODY}",
    "refund_id": f"rf_{NOBODY}",
    "gift_id": f"gf_{NOBODY}",
    "payout_id": f"po_{NOBODY}",
    "transfer_id": f"tr_{NOBODY}",
    "session_id": f"se_{NOBODY}",
    "packet_id": f"rp_{NOBODY}",
    "credential_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "cover_id": f"cv_{NOBODY}",
    "conversation_id": "talk-of-nobody",
}


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and one platform for the file; the house has closed the day that was due."""
    with tilling(tmp_path_factory.mktemp("till")) as found:
        reconciler = found.house.door.reconciler
        wait_for(lambda: found.house.on_loop(lambda: reconciler.due(ACCOUNT)) is None, 20)
        yield found


@pytest.fixture(scope="module")
def victim(till):
    """Somebody who has everything."""
    return Victim(till)


@pytest.fixture
def me(till):
    """Somebody with money of his own, who wants more."""
    return phone_of(till.api, till.api.rich(1_000_000))


# What the house itself does meanwhile: it asks the channel about payments, and writes that down,
# and how often it has asked.
ASKED = {("attempts", "tries")}
ASIDE = {"journal", "seals", "lanes", "trails", "sessions", "devices", "session_links", "acts"}


@cache
def tables():
    """Return every table of the newest schema with its columns, but for times."""
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection)
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: [
                row[1]
                for row in connection.execute(f"PRAGMA table_info({name})")
                if not row[1].endswith("_us") and (name, row[1]) not in ASKED
            ]
            for (name,) in names.fetchall()
        }


def state(till):
    """Return all that anybody has: every row of every table, but for times of schedules."""
    reader = till.house.door.wallet.reader

    def read():
        return {
            name: reader.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            for name, columns in tables().items()
            if name not in ASIDE
        }

    return till.house.on_loop(read)


def asked(row, ids):
    """Return the path and body of an operation on these things."""
    path = PARAMETER.sub(lambda found: ids[found[1]], row.path)
    body = None if row.takes is None else dict(row.example)
    for name in SELVES & set(body or ()):
        del body[name]
    return path, body


def ask(me, row, ids):
    """Ask for an operation on these things; return status and body."""
    path, body = asked(row, ids)
    raw = b"\xff\xd8" if row.path.endswith("/covers") and row.method == "POST" else None
    headers = {"Content-Type": "image/jpeg"} if raw else {}
    told = me.call(row.method, path, body, raw=raw, headers=headers, once=f"m{next(_once)}")
    return told.status, told.body


NAMING = [row for row in PERSONS if "{" in row.path]


def test_every_thing_a_person_can_name_is_on_trial():
    """An operation added later brings its row, or this fails."""
    named = {name for row in PERSONS for name in PARAMETER.findall(row.path)}
    assert named == set(OBJECTS)
    fields = {
        name
        for row in PERSONS
        for shape in (row.takes, row.asks)
        if shape is not None
        for name in shape.__struct_fields__
        if re.search(r"_ids?$", name)
    }
    assert fields <= SELVES | OTHERS
    assert len(NAMING) > 35


@pytest.mark.parametrize("row", NAMING, ids=map(name_of, NAMING))
def test_what_is_anothers_is_not_there(till, victim, me, row):
    """Read, changed, ended: refused like what is nobody's, to the letter, and nothing moves."""
    before = state(till)
    own = victim.objects | ({"user_id": "me"} if len(PARAMETER.findall(row.path)) > 1 else {})
    theirs = ask(me, row, own)
    nobodys = ask(me, row, OBJECTS | ({"user_id": "me"} if "me" in own.values() else {}))
    assert theirs == nobodys
    assert (theirs[0], theirs[1]["code"]) in ((404, "not_found"), (404, "packet_unknown"))
    assert state(till) == before


UNDER = [row for row in NAMING if "{user_id}" in row.path]


@pytest.mark.parametrize("row", UNDER, ids=map(name_of, UNDER))
def test_what_is_anothers_is_not_reached_by_his_name(victim, me, row):
    """His id in the path, with his own thing behind it: refused before the thing is looked for."""
    status, body = ask(me, row, victim.objects)
    assert (status, body["code"]) == (404, "not_found")


SAYING = [
    (row, name)
    for row in PERSONS
    for name in sorted(SELVES & set(getattr(row.takes, "__struct_fields__", ())))
]


@pytest.mark.parametrize(("row", "name"), SAYING, ids=[f"{name_of(r)} {n}" for r, n in SAYING])
def test_nobody_speaks_for_another(till, victim, me, row, name):
    """His name in the body: not allowed, whatever else it says, and nothing moves."""
    before = state(till)
    path, body = asked(row, victim.objects)
    told = me.call(row.method, path, body | {name: victim.user_id}, once=f"m{next(_once)}")
    assert (told.status, told.code) == (403, "not_yourself"), told
    assert told.body["field"] == name
    assert state(till) == before


LOOKING = [
    (row, name)
    for row in PERSONS
    for name in sorted(SELVES & set(getattr(row.asks, "__struct_fields__", ())))
]


@pytest.mark.parametrize(("row", "name"), LOOKING, ids=[f"{name_of(r)} {n}" for r, n in LOOKING])
def test_nobody_looks_with_anothers_eyes(victim, me, row, name):
    """His name in the query."""
    path, _ = asked(row, victim.objects)
    told = me.get(f"{path}?{name}={victim.user_id}")
    assert (told.status, told.code) == (403, "not_yourself"), told


HOUSES = [row for row in OPERATIONS if not (row.by_person or row.is_personal or row.is_public)]


@pytest.mark.parametrize("row", HOUSES, ids=map(name_of, HOUSES))
def test_what_the_app_and_the_house_may_no_person_may(till, me, row):
    """Every other operation there is, by a person: refused before anything of it is read."""
    before = state(till)
    path = PARAMETER.sub(lambda found: OBJECTS.get(found[1], "x"), row.path)
    told = me.call(row.method, path, row.example, once=f"m{next(_once)}")
    assert (told.status, told.code) == (403, "scope_missing")
    assert state(till) == before


WORK = [row for row in NAMING if row.method == "GET"]


@pytest.mark.parametrize("row", WORK, ids=map(name_of, WORK))
def test_what_is_anothers_costs_what_is_nobodys_costs(till, victim, me, row):
    """Enumeration by the clock: what is there costs two rows more at most.

    The least of several counts: what goes on beside the requests asks the database as well.
    """
    reader = till.house.door.wallet.reader
    heard = []

    def trace(_, text, __):
        if "sessions" not in text and "users" not in text.lower():
            heard.append(text)
        return True

    def count(ids):
        found = []
        for _ in range(5):
            heard.clear()
            ask(me, row, ids)
            found.append(len(heard))
        return min(found)

    till.house.on_loop(lambda: setattr(reader, "exec_trace", trace))
    try:
        theirs, nobodys = count(victim.objects), count(OBJECTS)
    finally:
        till.house.on_loop(lambda: setattr(reader, "exec_trace", None))
    assert 0 <= theirs - nobodys <= 2


def test_who_has_opened_keeps_his_answer(till, me):
    """Who has left the talk still has his share; who never was in it learns nothing, even after."""
    api = till.api
    sender, friend = api.rich(), phone_of(api, api.user())
    path = "/v1/conversations/leaving/members"
    assert api.call("PUT", path, {"member_ids": [sender, friend.user_id]}).status == 200
    packet = f"/v1/packets/{api.packet(sender, conversation_id='leaving', count=1)}/claims"
    absent = me.post(f"/v1/packets/rp_{NOBODY}/claims", {})
    assert me.post(packet, {}).body == absent.body
    first = friend.post(packet, {})
    assert first.status == 201, first
    assert api.call("PUT", path, {"member_ids": [sender]}).status == 200
    assert friend.post(packet, {}).body == first.body
    assert me.post(packet, {}).body == absent.body, "finished, and still not there"
