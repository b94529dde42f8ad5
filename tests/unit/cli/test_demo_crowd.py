"""The crowd: what people ask of the API, and that they go on after a refusal."""

import asyncio
import secrets
from random import Random
from types import SimpleNamespace

import pytest

from lingqian.cli.demo.api import Event, Reply
from lingqian.cli.demo.cast import GROUPS, OFFICE, PEOPLE, STARS
from lingqian.cli.demo.crowd import PLANS, Crowd


class Server:
    """Answers like the API and remembers what was asked."""

    def __init__(self, packet=None, refuses=""):
        self.asked = []
        self.packet = packet or {}
        self.refuses = refuses

    async def post(self, path, fields, key=""):
        """Take a command."""
        self.asked.append((path, fields, key))
        if path == self.refuses:
            return Reply(409, {"code": "exceeds_available"})
        return Reply(201, {"id": f"id-of-{fields.get('external_id', path)}"})

    async def put(self, path, fields, key):
        """Take a group's members."""
        self.asked.append((path, fields, key))
        return Reply(200, {})

    async def get(self, path):
        """Show the packet."""
        assert path == f"packets/{self.packet['id']}"
        return Reply(200, self.packet)

    def of(self, path):
        """Return what was asked of a path."""
        return [fields for asked, fields, _ in self.asked if asked == path]


def settled(server):
    """Return a crowd that has moved in; what that asked is forgotten."""
    crowd = Crowd(server, Random(secrets.randbits(64)))
    asyncio.run(crowd.settle())
    return crowd


def test_everybody_moves_in_once_and_with_the_same_keys():
    """A second start of the same world must change nothing."""
    first, again = Server(), Server()
    settled(first)
    settled(again)
    assert sorted(map(str, first.asked)) == sorted(map(str, again.asked))
    assert len(first.of("users")) == len(first.of("sandbox/funding")) == len(PEOPLE)
    assert len({key for _, _, key in first.asked}) == len(first.asked)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.kind}-{plan.is_short}")
def test_a_packet_is_sent_by_a_member_who_is_no_star(plan):
    """The visitor's people act for nobody but the visitor, whatever chance says."""
    crowd = settled(Server())
    stars = set(crowd.star_ids())
    for group in GROUPS:
        members = {f"id-of-{each}" for each in group.members} - stars
        for _ in range(20):
            fields = crowd._packet(group.conversation_id, plan)
            assert fields["sender_id"] in members
            assert set(fields.get("recipient_ids", members)) <= members
            assert ("total_fen" in fields) != ("each_fen" in fields)


def test_whoever_has_no_money_left_is_given_more_under_a_new_key():
    """A demo that runs all night must not fall silent."""
    server = Server(refuses="packets")
    crowd = settled(server)
    server.asked.clear()
    asyncio.run(crowd._send())
    (sent, funded) = server.asked
    assert sent[1]["sender_id"] == funded[1]["user_id"]
    assert sent[2] != funded[2]


def opened(packet):
    """Return who tries to open a packet, and with what, when nobody has to wait."""
    server = Server(packet)
    crowd = settled(server)
    server.asked.clear()

    async def run():
        crowd.see(Event("packet.sent", {"packet_id": packet["id"]}))
        while crowd.tasks:
            await asyncio.gather(*crowd.tasks)

    hurried = SimpleNamespace(**{**vars(asyncio), "sleep": lambda _: asyncio.sleep(0)})
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr("lingqian.cli.demo.crowd.asyncio", hurried)
        asyncio.run(run())
    return crowd, server.of(f"packets/{packet['id']}/claims")


def test_a_packet_for_fifty_is_tried_by_everybody_but_the_stars():
    """Fifty shares find fifty people even when the visitor's three stay away."""
    star = f"id-of-{STARS[0].external_id}"
    packet = {"id": "rp_1", "kind": "lucky", "conversation_id": OFFICE, "sender_id": star}
    crowd, claims = opened(packet)
    tried = {fields["user_id"] for fields in claims}
    assert len(tried) == len(claims) >= 50
    assert tried.isdisjoint(crowd.star_ids())


def test_a_packet_of_a_stranger_s_room_is_left_alone():
    """Somebody tries the API by hand beside the demo."""
    packet = {"id": "rp_1", "kind": "lucky", "conversation_id": "elsewhere", "sender_id": "x"}
    assert opened(packet)[1] == []


def test_a_passphrase_is_read_off_the_card():
    """People type what they see; who mistypes tries again with the right words."""
    packet = {
        "id": "rp_1",
        "kind": "passphrase",
        "greeting": "年年有余",
        "conversation_id": OFFICE,
        "sender_id": "x",
    }
    last = {fields["user_id"]: fields["passphrase"] for fields in opened(packet)[1]}
    assert set(last.values()) == {"年年有余"}
