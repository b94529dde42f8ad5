"""Packets of every kind over HTTP: sent, opened, finished, returned, proven."""

import json
import threading

import pytest

from api.caller import moment, wait_for
from lingqian.redpacket import proof


def test_a_lucky_packet_is_split_among_those_who_open_it(api):
    """The path everything else is about."""
    sender, one, two = api.rich(1_000), api.user(), api.user()
    packet = api.packet(sender, total_fen=888, greeting="恭喜")
    first, second = api.claim(packet, one), api.claim(packet, two)
    assert (first.status, second.status) == (201, 201)
    assert first.body["status"] == "claimed"
    assert (first.body["index"], second.body["index"]) == (1, 2)
    assert first.body["amount_fen"] + second.body["amount_fen"] == 888
    assert api.balance(one)["amount_fen"] == first.body["amount_fen"]
    assert api.balance(sender)["amount_fen"] == 112


def test_a_claim_that_comes_again_gets_the_first_answer(api):
    """A phone that lost the answer must see the same amount, for ever."""
    packet, user = api.packet(api.rich()), api.user()
    first, again = api.claim(packet, user), api.claim(packet, user)
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    api.claim(packet, api.user())
    assert api.claim(packet, api.user()).code == "packet_finished"  # now answered from memory
    assert api.claim(packet, user).body == first.body


def test_fifty_taps_at_once_are_one_claim(api):
    """A double click must not open two shares."""
    packet, user = api.packet(api.rich(), count=100, total_fen=1_000), api.user()
    told = []
    threads = [
        threading.Thread(target=lambda: told.append(api.claim(packet, user))) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.status for each in told) == [200] * 49 + [201]
    assert len({json.dumps(each.body, sort_keys=True) for each in told}) == 1


def test_a_packet_is_sent_once_per_key(api):
    """A sender whose connection was cut sends again and pays once."""
    sender = api.rich(1_000)
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 600, "count": 3}
    first = api.post("/v1/packets", body, once="send-once")
    again = api.post("/v1/packets", body, once="send-once")
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    assert api.balance(sender)["amount_fen"] == 400
    other = api.post("/v1/packets", {**body, "greeting": "other"}, once="send-once")
    assert (other.status, other.code, other.body["field"]) == (409, "key_reused", "greeting")


def test_the_answer_to_a_send_says_what_was_promised(api):
    """The commitment is worth something only before the first claim."""
    sender = api.rich()
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 600, "count": 3}
    made = api.post("/v1/packets", body, once="promise").body
    assert made["state"] == "open"
    assert made["remaining_count"] == 3
    assert len(bytes.fromhex(made["commitment"])) == 32
    assert made["expires_at"] > made["created_at"]
    card = api.get(f"/v1/packets/{made['id']}?viewer_id={api.user()}").body
    assert card["commitment"] == made["commitment"]


@pytest.mark.parametrize(("more", "amounts"), [
    ({"total_fen": 100}, [34, 33, 33]),
    ({"each_fen": 50}, [50, 50, 50]),
])  # fmt: skip
def test_an_equal_packet_gives_everybody_the_same(api, more, amounts):
    """Shares differ by one fen at most, and only when they must."""
    packet = api.packet(api.rich(), kind="equal", count=3, **more)
    assert [api.claim(packet, api.user()).body["amount_fen"] for _ in amounts] == amounts


def test_a_targeted_packet_is_for_those_it_names(api):
    """Others are told so, and the sender is told that it is his own."""
    sender, friend, other = api.rich(), api.user("朋友"), api.user()
    packet = api.packet(sender, kind="targeted", recipient_ids=[friend], total_fen=520)
    refused = api.claim(packet, other)
    assert (refused.status, refused.code) == (403, "not_a_recipient")
    assert api.claim(packet, sender).code == "own_packet"
    assert api.claim(packet, friend).body["amount_fen"] == 520


def test_a_passphrase_opens_in_any_width_case_and_spacing(api):
    """U6: what was said aloud is typed in many ways."""
    packet = api.packet(api.rich(), kind="passphrase", passphrase="Happy 新年 2026", count=3)
    assert api.claim(packet, api.user(), passphrase="ｈａｐｐｙ新年２０２６").status == 201
    assert api.claim(packet, api.user(), passphrase=" HAPPY  新年\t2026 ").status == 201
    assert api.claim(packet, api.user()).code == "wrong_passphrase"


def test_guessing_a_passphrase_is_limited(api):
    """U6: five tries, then even the right word is refused; others are not hindered."""
    packet = api.packet(api.rich(), kind="passphrase", passphrase="苹果")
    guesser = api.user()
    for guess in "一二三四五":
        assert api.claim(packet, guesser, passphrase=guess).code == "wrong_passphrase"
    locked = api.claim(packet, guesser, passphrase="苹果")
    assert (locked.status, locked.code) == (403, "passphrase_locked")
    assert api.claim(packet, api.user(), passphrase="苹果").status == 201


def test_a_draw_is_entered_then_drawn(api):
    """Being quick must not help: everybody who entered has the same chance."""
    sender, users = api.rich(), [api.user() for _ in range(4)]
    wish = {"sender_id": sender, "kind": "draw", "total_fen": 300, "count": 2}
    late = api.post("/v1/packets", {**wish, "draw_at": moment(api, -1)}, once=f"late-{sender}")
    assert (late.status, late.code) == (422, "draw_time_invalid")
    packet = api.packet(**wish, draw_at=moment(api, 120))
    told = [api.claim(packet, user) for user in users]
    assert [(each.status, each.body["status"]) for each in told] == [(202, "entered")] * 4
    assert api.claim(packet, users[0]).body == told[0].body
    card = api.get(f"/v1/packets/{packet}?viewer_id={users[0]}").body
    assert card["viewer"]["status"] == "entered"
    api.advance(180)
    wait_for(lambda: api.get(f"/v1/packets/{packet}").body["state"] == "finished")
    cards = [api.get(f"/v1/packets/{packet}?viewer_id={user}").body["viewer"] for user in users]
    won = [card for card in cards if card["status"] == "claimed"]
    assert len(won) == 2
    assert sum(card["amount_fen"] for card in won) == 300
    assert [card["status"] for card in cards].count("not_won") == 2
    assert proof_of(api, packet)["level"] == 1


def proof_of(api, packet):
    """Return a packet's proof after checking every line of it."""
    told = api.get(f"/v1/packets/{packet}/proof")
    assert told.status == 200, told
    findings = proof.verify(told.body)
    assert all(finding.ok for finding in findings), findings
    return told.body


def test_the_proof_comes_after_the_close_and_needs_no_key(house, api):
    """Anybody who has its link may check; nobody may before it is over."""
    packet = api.packet(api.rich())
    early = api.get(f"/v1/packets/{packet}/proof")
    assert (early.status, early.code) == (409, "packet_not_closed")
    users = [api.user("不可见") for _ in range(2)]
    for user in users:
        api.claim(packet, user)
    document = proof_of(api, packet)
    stranger = type(api)(house.port, "")
    assert stranger.get(f"/v1/packets/{packet}/proof").body == document
    text = json.dumps(document, ensure_ascii=False)
    assert "不可见" not in text
    assert not any(user in text for user in users)


def test_the_receipt_stands_in_the_proof(api):
    """Else a claim could be left out, and its claimer could not show it."""
    packet = api.packet(api.rich())
    receipts = [api.claim(packet, api.user()).body["receipt"] for _ in range(2)]
    document = proof_of(api, packet)
    shown = [(row["sequence"], row["pseudonym"], row["head"]) for row in document["claims"]]
    assert shown == [(row["ticket"], row["pseudonym"], row["chain"]) for row in receipts]


def test_entropy_raises_the_level_of_the_proof(api):
    """With the sender's own bytes, the operator alone cannot have chosen the luck."""
    packet = api.packet(api.rich(), await_entropy=True)
    user = api.user()
    assert api.claim(packet, user).code == "packet_not_open"
    told = api.post(f"/v1/packets/{packet}/entropy", {"hex": "ab" * 32})
    assert (told.status, told.body["state"]) == (200, "open")
    assert api.post(f"/v1/packets/{packet}/entropy", {"hex": "ab" * 32}).status == 200
    assert api.post(f"/v1/packets/{packet}/entropy", {"hex": "cd" * 32}).status == 409
    for each in (user, api.user()):
        assert api.claim(packet, each).status == 201
    assert proof_of(api, packet)["level"] == 2


def test_entropy_that_nobody_waits_for_is_refused(api):
    """A packet that is open has its shares already."""
    packet = api.packet(api.rich())
    told = api.post(f"/v1/packets/{packet}/entropy", {"hex": "ab" * 32})
    assert (told.status, told.code) == (409, "entropy_not_awaited")


def test_what_nobody_took_comes_back(api):
    """The refusal does not wait for the sweep, and the money comes back once."""
    sender = api.rich(1_000)
    packet = api.packet(sender, total_fen=1_000, expires_in_s=60)
    taken = api.claim(packet, api.user()).body["amount_fen"]
    api.advance(61)
    refused = api.claim(packet, api.user())
    assert (refused.status, refused.code) == (409, "packet_expired")
    wait_for(lambda: api.balance(sender)["amount_fen"] == 1_000 - taken)
    shown = api.get(f"/v1/packets/{packet}?viewer_id={sender}").body
    assert shown["state"] == "expired"
    assert shown["returned"]["amount_fen"] == 1_000 - taken
    assert shown["returned"]["to"] == "balance"
    assert proof_of(api, packet)["refund_fen"] == 1_000 - taken


def test_an_invalidated_packet_gives_its_money_back(api):
    """A platform that must stop a packet may not keep what is in it."""
    sender, late = api.rich(1_000), api.user()
    packet = api.packet(sender, total_fen=1_000)
    told = api.post(f"/v1/packets/{packet}/invalidation", {"by": "wang.li"})
    assert (told.status, told.body["state"]) == (200, "invalidated")
    assert api.balance(sender)["amount_fen"] == 1_000
    assert api.claim(packet, late).code == "packet_invalidated"
    again = api.post(f"/v1/packets/{packet}/invalidation", {"by": "wang.li"})
    assert (again.status, again.code) == (409, "already_settled")


WRONG = [
    ({"total_fen": None}, "total_fen"),
    ({"total_fen": 5, "each_fen": 5}, "each_fen"),
    ({"each_fen": 5, "total_fen": None}, "each_fen"),
    ({"count": None}, "count"),
    ({"count": 0}, "count"),
    ({"count": 5_001}, "count"),
    ({"kind": "roulette"}, "kind"),
    ({"recipient_ids": ["SENDER"]}, "recipient_ids"),
    ({"kind": "targeted"}, "recipient_ids"),
    ({"kind": "targeted", "recipient_ids": ["SENDER"], "count": None}, "recipient_ids"),
    ({"kind": "targeted", "recipient_ids": ["OTHER", "OTHER"]}, "recipient_ids"),
    ({"kind": "targeted", "recipient_ids": ["OTHER"], "count": 2}, "count"),
    ({"kind": "passphrase"}, "passphrase"),
    ({"kind": "passphrase", "passphrase": " \u3000"}, "passphrase"),
    ({"passphrase": "x"}, "passphrase"),
    ({"kind": "draw"}, "draw_at"),
    ({"draw_at": "2030-01-01T00:00:00Z"}, "draw_at"),
    ({"kind": "draw", "draw_at": "tomorrow"}, "draw_at"),
    ({"kind": "draw", "draw_at": "2030-01-01T00:00:00"}, "draw_at"),
    ({"spread": 0}, "spread"),
    ({"spread": 65}, "spread"),
    ({"expires_in_s": 0}, "expires_in_s"),
    ({"share_fen_min": 10, "share_fen_max": 9}, "share_fen_max"),
    ({"greeting": "长" * 65}, "greeting"),
    ({"bonus": 1}, "bonus"),
    ({"multiplier_if_last_digit_is_8": 2}, "multiplier_if_last_digit_is_8"),
    ({"sender_id": "us_x"}, "sender_id"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "field"), WRONG)
def test_a_packet_that_cannot_be_meant_names_the_field(api, change, field):
    """A developer fixes what is named, not what is guessed."""
    sender, other = api.rich(), api.user()
    names = {"SENDER": sender, "OTHER": other}
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 1_000, "count": 2, **change}
    if isinstance(body.get("recipient_ids"), list):
        body["recipient_ids"] = [names[each] for each in body["recipient_ids"]]
    body = {name: value for name, value in body.items() if value is not None}
    told = api.post("/v1/packets", body, once=f"wrong-{sender}")
    assert (told.status, told.code, told.body["field"]) == (422, "invalid_field", field)
    assert api.balance(sender)["amount_fen"] == 100_000


REFUSED = [
    ({"total_fen": 1}, 422, "packet_infeasible"),
    ({"total_fen": 40_001}, 409, "exceeds_share_max"),
    ({"count": 501, "total_fen": 501}, 409, "exceeds_count_max"),
    ({"total_fen": 100_001, "count": 100}, 409, "exceeds_available"),
    ({"sender_id": "us_00000000000000000000000000"}, 404, "user_unknown"),
]


@pytest.mark.parametrize(("change", "status", "code"), REFUSED)
def test_a_packet_that_may_not_be_sent_moves_no_money(api, change, status, code):
    """A refusal costs nothing."""
    sender = api.rich()
    body = {"sender_id": sender, "kind": "lucky", "total_fen": 1_000, "count": 2, **change}
    told = api.post("/v1/packets", body, once=f"refused-{sender}")
    assert (told.status, told.code) == (status, code)
    assert told.body["message_zh"]
    assert api.balance(sender)["amount_fen"] == 100_000


def test_a_claim_on_nothing_is_not_found(api):
    """A made-up id and a made-up person are told apart from a packet that is over."""
    nobody, nothing = "us_00000000000000000000000000", "rp_00000000000000000000000000"
    assert api.claim(nothing, api.user()).code == "packet_unknown"
    assert api.claim("x", api.user()).code == "packet_unknown"
    assert api.claim(api.packet(api.rich()), nobody).code == "user_unknown"


def test_who_may_not_hold_money_does_not_take_a_share(api):
    """C11: the share waits for somebody who may have it."""
    packet = api.packet(api.rich())
    unnamed, frozen = api.user(account_class=0), api.user()
    api.call("PATCH", f"/v1/users/{frozen}", {"state": "frozen"})
    assert api.claim(packet, unnamed).code == "real_name_required"
    assert api.claim(packet, frozen).code == "account_frozen"
    assert api.get(f"/v1/packets/{packet}").body["remaining_count"] == 2
    api.call("PATCH", f"/v1/users/{unnamed}", {"account_class": 3})
    assert api.claim(packet, unnamed).status == 201
