"""The event stream: everything once, in order, resumed where it was cut."""

import http.client
import json

import pytest

from api.caller import Caller, moment, running, wait_for
from lingqian.events import bridged, incoming, outgoing, reconciled
from lingqian.events.envelope import TYPES
from lingqian.identity.key import Scope

opened = []


class Stream:
    """Reads server-sent events, one frame after the other."""

    def __init__(self, api, query="", resume="") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
        headers = {"Authorization": f"Bearer {api.key}"}
        if resume:
            headers["Last-Event-ID"] = resume
        self.connection.request("GET", f"/v1/events{query}", headers=headers)
        self.answer = self.connection.getresponse()
        self.resume = resume
        opened.append(self)
        assert self.answer.status == 200, self.answer.read()

    def next(self):
        """Return the next event, or None at the end; sets the resume id."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
                continue
            self.resume = fields.get("id", self.resume)
            if "data" in fields:
                event = json.loads(fields["data"])
                assert event["type"] == fields["event"]
                return event
            fields = {}

    def begin(self):
        """Return the resume id that the stream says before anything happens."""
        fields = {}
        while (line := self.answer.readline().decode()) != "\n":
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        return fields["id"]

    def until(self, kind):
        """Return all events up to the first of a type."""
        found = [self.next()]
        while found[-1]["type"] != kind:
            found.append(self.next())
        return found

    def close(self) -> None:
        """Go away."""
        self.answer.close()
        self.connection.close()


@pytest.fixture(autouse=True)
def leave():
    """Close every stream a test has opened."""
    opened.clear()
    yield
    for stream in opened:
        stream.close()


@pytest.fixture
def own(tmp_path):
    """A server whose events are all ours."""
    with running(tmp_path) as house:
        yield house


def play(api):
    """Send, open twice, and finish; return who and what."""
    sender, one, two = api.rich(1_000), api.user(), api.user()
    packet = api.packet(sender, total_fen=1_000, greeting="私密的话")
    for user in (one, two):
        api.claim(packet, user)
    return sender, packet


def test_the_stream_tells_what_happens_as_it_happens(own):
    """In the order of the journal, with balances as of the event."""
    api = own.caller()
    stream = Stream(api)
    sender, packet = play(api)
    events = stream.until("packet.finished.v1")
    assert [event["type"] for event in events] == [
        "user.registered.v1", "funding.done.v1", "user.registered.v1", "user.registered.v1",
        "packet.sent.v1", "packet.claimed.v1", "packet.claimed.v1", "packet.finished.v1",
    ]  # fmt: skip
    sent, claimed = events[4], events[5]
    assert (sent["specversion"], sent["subject"]) == ("1.0", packet)
    assert sent["data"]["balances"] == [{"user_id": sender, "amount_fen": 0}]
    assert claimed["data"]["remaining_count"] == 1
    assert claimed["data"]["balances"][0]["amount_fen"] == claimed["data"]["amount_fen"]
    assert "私密" not in json.dumps(events, ensure_ascii=False)
    assert "seed" not in json.dumps(events)
    assert len({event["id"] for event in events}) == len(events)


def test_a_cut_stream_goes_on_where_it_was_cut(own):
    """Nothing twice and nothing left out, wherever the cut falls; also inside one journal row."""
    api = own.caller()
    play(api)
    whole = Stream(api, "?start=first")
    events = whole.until("packet.finished.v1")
    for cut in range(1, len(events)):
        first = Stream(api, "?start=first")
        seen = [first.next() for _ in range(cut)]
        first.close()
        rest = Stream(api, resume=first.resume)
        seen += [rest.next() for _ in range(len(events) - cut)]
        rest.close()
        assert seen == events, cut


def test_events_have_the_same_ids_after_a_restart(tmp_path):
    """A receiver that drops what it has seen must be able to trust the ids."""
    with running(tmp_path) as house:
        play(house.caller())
        before = Stream(house.caller(), "?start=first").until("packet.finished.v1")
    with running(tmp_path) as house:
        after = Stream(house.caller(), "?start=first").until("packet.finished.v1")
    assert before == after


def test_a_stream_can_be_narrowed(own):
    """By type, by person, by packet."""
    api = own.caller()
    play(api)
    sender, packet = play(api)
    by_packet = Stream(api, f"?start=first&packet_id={packet}").until("packet.finished.v1")
    assert {event["subject"] for event in by_packet} == {packet}
    by_user = Stream(api, f"?start=first&user_id={sender}").until("packet.finished.v1")
    assert by_user[0]["data"]["user_id"] == sender
    by_type = Stream(api, "?start=first&types=packet.sent.v1,packet.finished.v1")
    kinds = [by_type.next()["type"] for _ in range(4)]
    assert kinds == ["packet.sent.v1", "packet.finished.v1"] * 2


@pytest.mark.parametrize("query", ["?types=packet.lost.v1", "?user_id=x", "?start=later", "?a=b"])
def test_a_stream_that_cannot_be_meant_is_refused(api, query):
    """Before it opens, as a problem like any other."""
    told = api.get(f"/v1/events{query}")
    assert (told.status, told.code) == (422, "invalid_field")


@pytest.mark.parametrize("resume", ["x", "AAAA", "kQ", "_" * 9_000, "kpMAAAD" * 3])
def test_a_resume_id_that_is_not_ours_is_refused(api, resume):
    """Silently starting elsewhere would lose events."""
    told = api.get("/v1/events", headers={"Last-Event-ID": resume})
    assert (told.status, told.body["field"]) == (422, "Last-Event-ID")


def test_a_stream_ends_when_its_key_is_revoked_or_lacks_the_scope(own):
    """Who may not read any more does not go on reading."""
    assert own.caller(Scope.READ_USERS).get("/v1/events").code == "scope_missing"
    api, reader = own.caller(), own.caller(Scope.EVENTS_READ)
    stream = Stream(reader)
    api.user()
    assert stream.next()["type"] == "user.registered.v1"
    revoke = "UPDATE api_keys SET revoked_at_us = 1 WHERE key_id = ?"
    key_id = reader.key.split("_")[1]
    own.door.wallet.intake.chore(lambda each: each.execute(revoke, (key_id,))).result(10)
    wait_for(lambda: reader.get("/v1/limits").status == 401)
    api.user()
    assert stream.next() is None


def test_streams_end_when_the_server_drains(tmp_path):
    """A stream must not hold up a stop, and its reader knows where to go on."""
    with running(tmp_path) as house:
        stream = Stream(house.caller())
        house.caller().user()
        assert stream.next() is not None
        house.stop()
        assert stream.next() is None
        assert stream.resume


# Told by the tests of these names in tests/unit/events, from their scenarios.
MONEY_IN = {
    *incoming.TYPES,
    *outgoing.TYPES,
    *bridged.TYPES,
    *reconciled.TYPES,
    "packet.funding.v1",
}


def test_every_type_is_told_by_something(tmp_path):
    """A type that nothing tells is a promise to nobody; one untold by this list has no name."""
    from lingqian.compose import RuleRow  # noqa: PLC0415 - beside its only use

    rules = (RuleRow("r", "transfer", "review", 500), RuleRow("s", "send", "review", 5_000))
    with running(tmp_path, rules=rules, lanes=4) as house:
        api = house.caller()
        everything(api)
        stream = Stream(api, "?start=first")
        seen = set()
        while seen != set(TYPES) - MONEY_IN:
            seen.add(stream.next()["type"])


def everything(api: Caller) -> None:
    """Do one of everything, among enough people that some live in other lanes."""
    users = [api.rich(20_000) for _ in range(6)]
    api.call("PATCH", f"/v1/users/{users[0]}", {"nickname": "x"})
    api.call("PUT", "/v1/conversations/all/members", {"member_ids": users})
    for target in users[1:]:
        body = {"source_id": users[0], "target_id": target, "amount_fen": 1}
        api.post("/v1/transfers", body, once=f"t-{target}")
    for word in ("release", "refusal"):
        body = {"source_id": users[1], "target_id": users[2], "amount_fen": 600}
        held = api.post("/v1/transfers", body, once=f"h-{word}").body
        api.post(f"/v1/cases/{held['case_id']}/{word}", {"by": "x"})
        wish = {"sender_id": users[1], "kind": "lucky", "total_fen": 6_000, "count": 2}
        held = api.post("/v1/packets", wish, once=f"p-{word}").body
        api.post(f"/v1/cases/{held['case_id']}/{word}", {"by": "x"})
    awaiting = api.packet(users[3], await_entropy=True)
    api.post(f"/v1/packets/{awaiting}/entropy", {"hex": "00" * 32})
    api.post(f"/v1/packets/{awaiting}/invalidation", {"by": "x"})
    finished = api.packet(users[3])
    for user in users[:2]:
        api.claim(finished, user)
    draw = api.packet(users[4], kind="draw", draw_at=moment(api, 30))
    for user in users:
        api.claim(draw, user)
    api.packet(users[5], expires_in_s=60)
    api.advance(61)


def test_a_stream_cut_before_its_first_event_has_lost_none(own):
    """Where a stream begins is said at once: what happens after the cut is not before the next."""
    api = own.caller()
    play(api)
    first = Stream(api)
    resume = first.begin()
    first.close()
    sender, packet = play(api)
    events = Stream(api, resume=resume).until("packet.finished.v1")
    assert events[0]["data"]["user_id"] == sender
    assert events[-1]["subject"] == packet
