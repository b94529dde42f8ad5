"""Who sees what of a packet, before and after it is over (U1, U2, U5)."""

import json

import pytest

from api.caller import wait_for
from lingqian.kernel.id import parse

MONEY = {"total_fen", "remaining_fen", "count", "remaining_count", "claimed_fen"}
AFTER = {"best", "proof"}


class Group:
    """A conversation with a packet in it, and everybody who may look at it."""

    def __init__(self, api, **wish) -> None:
        self.api = api
        self.sender, self.claimer = api.rich(nickname="发送人"), api.user("领取人")
        self.member, self.stranger = api.user("成员"), api.user("路人")
        people = [self.sender, self.claimer, self.member]
        name = f"group-{self.sender}"
        api.call("PUT", f"/v1/conversations/{name}/members", {"member_ids": people})
        wish = {"total_fen": 1_000, "count": 3, **wish}
        self.packet = api.packet(self.sender, conversation_id=name, **wish)
        self.claim = api.claim(self.packet, self.claimer)

    def card(self, viewer=None):
        """Return the packet as somebody sees it."""
        query = f"?viewer_id={viewer}" if viewer else ""
        return self.api.get(f"/v1/packets/{self.packet}{query}")

    def claims(self, viewer=None):
        """Return the list of claims as somebody sees it."""
        query = f"?viewer_id={viewer}" if viewer else ""
        return self.api.get(f"/v1/packets/{self.packet}/claims{query}")

    def finish(self) -> None:
        """Let the sender and a member take what is left."""
        for each in (self.sender, self.api.user()):
            self.api.claim(self.packet, each)
        # The fourth person is not of the group: the last share goes to a member after all.
        last = self.api.user()
        people = [self.sender, self.claimer, self.member, last]
        name = f"group-{self.sender}"
        self.api.call("PUT", f"/v1/conversations/{name}/members", {"member_ids": people})
        assert self.api.claim(self.packet, last).status == 201
        assert self.card().body["state"] == "finished"


def test_before_the_finish_each_sees_what_the_matrix_says(api):
    """U2, left half: the total never stands on the card, an unopened amount nowhere."""
    group = Group(api)
    amount = group.claim.body["amount_fen"]
    sender, claimer = group.card(group.sender).body, group.card(group.claimer).body
    member, key = group.card(group.member).body, group.card().body
    assert set(sender) >= MONEY
    assert set(key) >= MONEY
    assert not MONEY & set(claimer)
    assert not MONEY & set(member)
    assert sender["remaining_fen"] == 1_000 - amount
    assert claimer["viewer"]["amount_fen"] == amount
    assert (member["greeting"], member["opened_count"]) == ("恭喜发财，大吉大利", 1)
    for card in (sender, claimer, member, key):
        assert not AFTER & set(card)
    for viewer in (group.sender, group.claimer, None):
        (line,) = group.claims(viewer).body["claims"]
        assert (line["nickname"], line["amount_fen"]) == ("领取人", amount)
        assert "is_best" not in line
    assert group.claims(group.member).status == 404


def test_after_the_finish_each_sees_what_the_matrix_says(api):
    """U2, right half: everybody of the group sees the whole list, the best luck and the proof."""
    group = Group(api)
    group.finish()
    for viewer in (group.sender, group.claimer, group.member, None):
        card = group.card(viewer).body
        assert set(card) >= AFTER, viewer
        lines = group.claims(viewer).body["claims"]
        assert len(lines) == 3
        assert sum(line["amount_fen"] for line in lines) == 1_000
        assert [line.get("is_best", False) for line in lines].count(True) == 1
        assert [line["at"] for line in lines] == sorted((x["at"] for x in lines), reverse=True)
    assert set(group.card(group.sender).body) >= MONEY
    assert not MONEY & set(group.card(group.member).body)


def test_a_stranger_sees_nothing(api):
    """U2: not even that there is a packet; only its proof, by its own link."""
    group = Group(api)
    nobody = "us_00000000000000000000000000"
    for viewer in (group.stranger, nobody):
        assert group.card(viewer).code == "not_found"
        assert group.claims(viewer).code == "not_found"
    group.finish()
    assert group.card(group.stranger).code == "not_found"
    assert group.claims(group.stranger).code == "not_found"
    told = api.call("GET", f"/v1/packets/{group.packet}/proof", headers={"Authorization": ""})
    assert told.status == 200


def test_somebody_a_targeted_packet_is_not_for_sees_whom_it_is_for(api):
    """U2: greeting and names of those who may open, before and after; nothing else."""
    sender, friend, other = api.rich(), api.user("朋友"), api.user()
    packet = api.packet(sender, kind="targeted", recipient_ids=[friend], greeting="生日快乐")
    for _ in range(2):
        card = api.get(f"/v1/packets/{packet}?viewer_id={other}").body
        assert (card["greeting"], card["recipients"]) == ("生日快乐", ["朋友"])
        assert card["viewer"]["status"] in ("not_for_you", "finished")
        assert not (MONEY | AFTER) & set(card)
        assert api.get(f"/v1/packets/{packet}/claims?viewer_id={other}").status == 404
        api.claim(packet, friend)


def test_no_answer_before_the_close_gives_an_amount_away(api):
    """Neither the seed nor an unopened amount may stand anywhere."""
    group = Group(api)
    for viewer in (group.sender, group.claimer, group.member, None):
        text = json.dumps([group.card(viewer).body, group.claims(viewer).body])
        assert "seed" not in text
        assert "shares" not in text


def test_the_best_luck_of_equals_is_the_earlier(api):
    """U5: a tie goes to who was first, whatever the ids say."""
    packet = api.packet(api.rich(), total_fen=2, count=2)
    first, second = api.user("先"), api.user("后")
    api.claim(packet, first)
    api.claim(packet, second)
    best = api.get(f"/v1/packets/{packet}").body["best"]
    assert (best["user_id"], best["amount_fen"]) == (first, 1)
    assert second != best["user_id"]


def test_the_best_luck_survives_that_a_person_is_erased(house, api):
    """U5: names may be deleted, results may not change."""
    packet = api.packet(api.rich(), total_fen=2, count=2)
    first = api.user("要删除")
    for user in (first, api.user()):
        api.claim(packet, user)
    wallet = house.door.wallet
    erase, whose = "DELETE FROM personal WHERE owner_id = ?", (parse("us", first),)
    wallet.intake.chore(lambda connection: connection.execute(erase, whose)).result(10)
    best = api.get(f"/v1/packets/{packet}").body["best"]
    assert (best["user_id"], best["nickname"]) == (first, "")


def viewer_of(api, packet, user):
    """Return what the packet is to somebody."""
    told = api.get(f"/v1/packets/{packet}?viewer_id={user}")
    assert told.status == 200
    return told.body["viewer"]


def test_every_state_a_claimer_can_meet_is_told(api):
    """U1: the card says beforehand what opening would answer, in both languages."""
    sender, user = api.rich(), api.user()
    packet = api.packet(sender)
    assert viewer_of(api, packet, user)["status"] == "openable"
    api.claim(packet, user)
    mine = viewer_of(api, packet, user)
    assert (mine["status"], mine["message_zh"]) == ("claimed", "已存入零钱。")
    api.claim(packet, api.user())
    late = viewer_of(api, packet, api.user())
    assert (late["status"], late["message_zh"]) == ("finished", "手慢了，红包派完了。")
    unnamed = api.user(account_class=0)
    held = viewer_of(api, api.packet(sender), unnamed)
    assert (held["status"], held["message_zh"]) == ("held", "请先完成实名认证。")


def test_expired_is_told_before_any_job_has_run(api):
    """U1: whether or not the money is back yet, nobody is told that it is open."""
    packet, user = api.packet(api.rich(), expires_in_s=30), api.user()
    api.advance(30)
    shown = viewer_of(api, packet, user)
    assert (shown["status"], shown["message_zh"]) == ("expired", "该红包已过期。")
    told = api.claim(packet, user)
    assert (told.status, told.body["message_zh"]) == (409, "该红包已过期。")


def test_the_other_states_are_told_too(api):
    """U1: own, not for you, not open yet, invalidated."""
    sender, friend, user = api.rich(), api.user(), api.user()
    targeted = api.packet(sender, kind="targeted", recipient_ids=[friend])
    assert viewer_of(api, targeted, sender)["status"] == "own"
    assert viewer_of(api, targeted, user)["status"] == "not_for_you"
    assert viewer_of(api, targeted, friend)["status"] == "openable"
    waiting = api.packet(sender, await_entropy=True)
    assert viewer_of(api, waiting, user)["status"] == "not_open"
    stopped = api.packet(sender)
    api.post(f"/v1/packets/{stopped}/invalidation", {"by": "x"})
    assert viewer_of(api, stopped, user)["status"] == "invalidated"


def test_claims_come_in_pages_that_do_not_move(api):
    """What is claimed between two pages stands on the first, not twice or nowhere."""
    packet = api.packet(api.rich(), total_fen=1_000, count=7)
    for _ in range(5):
        api.claim(packet, api.user())
    first = api.get(f"/v1/packets/{packet}/claims?limit=3").body
    api.claim(packet, api.user())
    rest = api.get(f"/v1/packets/{packet}/claims?limit=3&cursor={first['next_cursor']}").body
    users = [line["user_id"] for page in (first, rest) for line in page["claims"]]
    assert len(users) == len(set(users)) == 5
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=!", "cursor=cAAA",
                                   "page=2", "viewer_id=x", "limit=1&limit=2"])  # fmt: skip
def test_a_page_that_cannot_be_meant_is_refused(api, query):
    """Not answered with some other page."""
    told = api.get(f"/v1/packets/{api.packet(api.rich())}/claims?{query}")
    assert (told.status, told.code) == (422, "invalid_field")
    assert told.body["field"]


def test_the_sweep_returns_what_a_sender_looks_for(api):
    """U4: how much came back, where to, and when, on the sender's own list."""
    sender = api.rich(1_000)
    packet = api.packet(sender, total_fen=1_000, expires_in_s=30)
    api.advance(31)
    wait_for(lambda: api.balance(sender)["amount_fen"] == 1_000)
    (line,) = api.get(f"/v1/users/{sender}/packets?role=sent").body["packets"]
    assert line["id"] == packet
    assert line["returned"]["amount_fen"] == 1_000
