"""The packets of a conversation: for those on its list, and nobody learns of one from outside."""

import apsw
import pytest

from api.caller import running
from api.phone import phone_of
from lingqian.compose import RuleRow
from lingqian.identity.key import Scope
from lingqian.kernel.id import lane_of, parse
from lingqian.storage.query import SELECT_POSTED


def grouped(api, name, *people):
    """Say who belongs to a conversation."""
    path = f"/v1/conversations/{name}/members"
    assert api.call("PUT", path, {"member_ids": list(people)}).status == 200


def listed(caller, name, **asked):
    """Read a conversation's packets."""
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    return caller.get(f"/v1/conversations/{name}/packets?{query}")


@pytest.fixture
def group(api):
    """A conversation of two, with a packet of the first."""
    sender, member = api.rich(nickname="发送人"), api.user("成员")
    name = f"talk-{sender}"
    grouped(api, name, sender, member)
    return name, sender, member, api.packet(sender, conversation_id=name)


def test_a_member_sees_what_was_posted_before_she_looked(api, group):
    """She neither sent nor opened any of it; each card is what the matrix says for her."""
    name, _, member, packet = group
    told = listed(phone_of(api, member), name)
    assert told.status == 200, told
    (card,) = told.body["packets"]
    assert card == api.get(f"/v1/packets/{packet}?viewer_id={member}").body
    assert (card["viewer"]["status"], "total_fen" in card) == ("openable", False)


def test_a_stranger_gets_the_answer_of_a_conversation_that_is_not(api, group):
    """Guessing names finds nothing, whether there is a list, no list, or nothing at all."""
    name, sender, _, _ = group
    api.packet(sender, conversation_id=f"{name}-unlisted")
    stranger = phone_of(api, api.user())
    told = [listed(stranger, each) for each in (name, f"{name}-unlisted", "nothing", "x" * 65)]
    assert {(each.status, each.code) for each in told} == {(404, "not_found")}
    assert len({str(each.body) for each in told}) == 1
    assert listed(phone_of(api, sender), f"{name}-unlisted").status == 404


def test_whoever_leaves_sees_it_no_more(api, group):
    """The list of now decides; who comes in later sees the packets from before."""
    name, sender, member, packet = group
    phone, late = phone_of(api, member), api.user("后来的人")
    assert listed(phone, name).status == 200
    grouped(api, name, sender, late)
    assert listed(phone, name).status == 404
    (card,) = listed(phone_of(api, late), name).body["packets"]
    assert card["id"] == packet


def test_the_app_asks_for_a_person_or_for_itself(house, api, group):
    """Without a viewer everything the app may see; a person may not look through another's eyes."""
    name, sender, member, _ = group
    app = house.caller(Scope.READ_PACKETS)
    assert "total_fen" in listed(app, name).body["packets"][0]
    assert "total_fen" not in listed(app, name, viewer_id=member).body["packets"][0]
    assert listed(app, name, viewer_id=api.user()).status == 404
    assert listed(phone_of(api, member), name, viewer_id=sender).code == "not_yourself"
    assert listed(app, "nothing").body == {"packets": [], "next_cursor": None}
    assert listed(house.caller(Scope.READ_USERS), name).code == "scope_missing"


def test_a_packet_that_waits_for_a_review_is_its_senders_only(tmp_path):
    """Held and refused packets are hidden one by one; the page goes on behind them."""
    rule = RuleRow("large", "send", "review", amount_fen_min=5_000)
    with running(tmp_path / "house", rules=(rule,)) as house:
        shop = house.caller()
        sender, member = shop.rich(), shop.user()
        grouped(shop, "talk", sender, member)
        shown = shop.packet(sender, conversation_id="talk")
        held = shop.packet(sender, conversation_id="talk", total_fen=6_000)
        ids = [each["id"] for each in listed(phone_of(shop, sender), "talk").body["packets"]]
        assert ids == [held, shown]
        page = listed(phone_of(shop, member), "talk", limit=1).body
        assert page["packets"] == []
        page = listed(phone_of(shop, member), "talk", limit=1, cursor=page["next_cursor"]).body
        assert [each["id"] for each in page["packets"]] == [shown]


def test_the_pages_hold_every_packet_once_over_lanes(tmp_path):
    """Packets live in their senders' lanes; the talk is one, the newest first."""
    with running(tmp_path / "house", lanes=4) as house:
        shop = house.caller()
        people = [shop.rich() for _ in range(5)]
        grouped(shop, "talk", *people)
        sent = [shop.packet(people[number % 5], conversation_id="talk") for number in range(12)]
        shop.packet(people[0], conversation_id="another")
        found, cursor = [], ""
        while cursor is not None:
            page = listed(shop, "talk", limit=5, cursor=cursor).body
            found += [each["id"] for each in page["packets"]]
            cursor = page["next_cursor"]
        assert found == sent[::-1]
        assert len({lane_of(parse("rp", packet)) for packet in sent}) > 1, (
            "the control: more than one lane"
        )
        assert listed(shop, "talk", cursor="zz").status == 422


def test_a_talk_is_found_by_its_index(house):
    """A house with ten million packets must not read them all for one talk."""
    connection = apsw.Connection(str(house.folder / "ledger.db"), apsw.SQLITE_OPEN_READONLY)
    plan = str(
        connection.execute(f"EXPLAIN QUERY PLAN {SELECT_POSTED}", ("a", b"", b"z", 5)).fetchall()
    )
    connection.close()
    assert "packets_by_conversation (conversation_id=? AND packet_id>? AND packet_id<?)" in plan, (
        plan
    )
