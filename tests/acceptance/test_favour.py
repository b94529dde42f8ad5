"""S11, second half: every setting of the API and of the operator is tried; none changes anybody's
distribution (不偏袒).

Real packets go through the real lane, opened by the same people in the same order each time; their
mean luck must be alike. `LINGQIAN_ACCEPTANCE=full` runs the sizes of the acceptance text.
"""

import itertools
import secrets
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

import pytest
from significance import SIGNIFICANCE, Places

from acceptance.server import sized
from lingqian import compose
from lingqian.channels.port import Product, Purchase, Reading, TradeState
from lingqian.compliance.factor import HAS, KNOWS, SIGNED
from lingqian.compose import BeaconRow, Config, FeeRow, LimitRow, PlanRow, RuleRow, Wallet
from lingqian.identity.user import UserState
from lingqian.kernel.bound import ORDER_LIFE_S_MAX
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_ATTEMPT, show
from lingqian.redpacket.packet import PacketKind, packet_order
from lingqian.storage import query
from lingqian.storage.cashier import OrderWish
from lingqian.storage.desk import Wish, reveal_with
from lingqian.topup.evidence import Source
from lingqian.topup.order import OrderKind
from lingqian.topup.plan import FREE
from lingqian.web.wish import NewPacket
from unit.channels.platform import write_keys

USERS = sized(6, 30)
PACKETS, AT_ONCE = sized(150, 2_500), 50
TOTAL_FEN = 250 * USERS
DRAW_IN_S = 60
EQUAL = PacketKind.EQUAL
FAVOURITE = 2
# A signature that an attacker would like: the same for every round.
ROUND = bytes(96)


NOTHING = MappingProxyType({})


class Trial(NamedTuple):
    """One thing to try: settings of the operator, of the packet, and what else is done."""

    config: Mapping = NOTHING
    wish: Mapping = NOTHING
    habit: str = ""


UNENCRYPTED = {"unencrypted_volume_because": "a test on made-up people"}
BEACON = BeaconRow(("http://127.0.0.1:9",), "ab" * 32, 1_700_000_000, 3)
TRIALS = {
    "nothing": Trial(),
    # Settings of the operator.
    # The law caps what unsigned factors pay there in a day; luck is the same with any of them.
    "profile": Trial({"profile": "licensed", **UNENCRYPTED}, {"factors": KNOWS | HAS | SIGNED}),
    "host": Trial({"host": "::1"}),
    "port": Trial({"port": 1}),
    "public_origin": Trial({"public_origin": "https://pay.example"}),
    "lanes": Trial({"lanes": 4}),
    "batch_commands_max": Trial({"batch_commands_max": 3}),
    "queue_commands_max": Trial({"queue_commands_max": 20_000}),
    "page_cache_mib": Trial({"page_cache_mib": 8}),
    "body_bytes_max": Trial({"body_bytes_max": 1_024}),
    "packet_lifetime_s": Trial({"packet_lifetime_s": 60}),
    "default_account_class": Trial({"default_account_class": 1}),
    "webhook_private_hosts": Trial({"webhook_private_hosts": True}),
    "limits": Trial({"limits": (LimitRow(3, "share", 700, "test"),)}, {"share_fen_max": 700}),
    "rules": Trial({"rules": (RuleRow("all", "claim", "review"),)}, habit="reviewed"),
    "beacon": Trial({"beacon": BEACON}, habit="beacon"),
    "plans": Trial({"plans": (PlanRow("p", "一", "one", 100),)}),
    "fee": Trial({"fee": FeeRow(service_ppm=9_000)}),
    "order_life_s": Trial({"order_life_s": ORDER_LIFE_S_MAX}),
    "late_grace_s": Trial({"late_grace_s": 0}),
    "refund_basis": Trial({"refund_basis": "paid_only"}),
    "payout_delay_s": Trial({"payout_delay_s": 3_600}),
    # Fields of a packet.
    "kind": Trial(wish={"kind": PacketKind.TARGETED, "recipients": "all"}),
    "spread": Trial(wish={"spread": 1}),
    "share_fen_min": Trial(wish={"share_fen_min": 200}),
    "share_fen_max": Trial(wish={"share_fen_max": 300}),
    "lifetime_s": Trial(wish={"lifetime_s": 30}),
    "draw_at_us": Trial(wish={"kind": PacketKind.DRAW}, habit="draw"),
    "awaits_entropy": Trial(wish={"awaits_entropy": True}, habit="entropy"),
    "conversation_id": Trial(wish={"conversation_id": "family"}),
    "passphrase": Trial(wish={"kind": PacketKind.PASSPHRASE, "passphrase": "芝麻开门"}),
    "greeting": Trial(wish={"greeting": "给第一名最多"}),
    "cover": Trial(wish={"cover": "gold"}),
    "factors": Trial(wish={"factors": KNOWS | HAS | SIGNED}),
    "is_lucky": Trial(wish={"is_lucky": False}),
    "is_by_channel": Trial(wish={"is_by_channel": True}, habit="paid"),
    # What an operator can do to people, and a sender among the claimers.
    "account_class": Trial(habit="classes"),
    "state": Trial(habit="thawed"),
    "nickname": Trial(habit="nicknames"),
    "sender_id": Trial(habit="sender first"),
}
# Names on the outside, and the trial that tries them.
SAME = {
    "total_fen": "nothing",
    "count": "nothing",
    "each_fen": "is_lucky",
    "recipient_ids": "kind",
    "recipients": "kind",
    "draw_at": "draw_at_us",
    "draw_in_s": "draw_at_us",
    "expires_in_s": "lifetime_s",
    "await_entropy": "awaits_entropy",
    # Every way to pay for a packet over a channel, by turns.
    "channels": "is_by_channel",
    "simulator_control_url": "is_by_channel",
    "pay_with": "is_by_channel",
    "product": "is_by_channel",
    "payer": "is_by_channel",
    "client_ip": "is_by_channel",
    # Who somebody is says nothing about luck.
    "real_name": "nothing",
    "factors": "nothing",
    # How bytes travel and rest is nothing a draw could see.
    "personal_cipher": "nothing",
    "tls_certificate": "nothing",
    "tls_key": "nothing",
    "kafka": "nothing",
    "database": "nothing",
    "credentials": "nothing",
    "unencrypted_traffic_because": "nothing",
    "roles": "nothing",
    "peers": "nothing",
    "frame_ancestors": "nothing",
    "client_address_header": "nothing",
    "unencrypted_volume_because": "profile",
    "signature": "nothing",
}


def test_s11_every_setting_is_on_trial():
    """A setting added later has to be tried before anybody may set it."""
    names = {*Config.__struct_fields__, *NewPacket.__struct_fields__, *Wish._fields}
    assert {name for name in names if SAME.get(name, name) not in TRIALS} == set()


class Party:
    """A wallet under a trial, with a sender and people who open."""

    def __init__(self, folder, trial):
        self.trial = trial
        config = dict(trial.config)
        if trial.habit == "paid":
            config["channels"] = (write_keys(folder.parent),)
            config["simulator_control_url"] = "http://127.0.0.1:9"
        self.wallet = Wallet(folder, Config(**config))
        self.desk = self.wallet.desk
        chosen = self.wallet.config.default_account_class
        made = self.ask([self.desk.register(f"u{n}", "", chosen) for n in range(USERS)])
        made += self.ask([self.desk.register("sender", "", 3)])
        *self.users, self.sender = [answer.command.user_id for answer in made]
        self.ask([self.desk.fund(self.sender, TOTAL_FEN * PACKETS, "f")])
        self.ask([self.desk.members("family", self.users, "m")])
        if trial.habit == "sender first":
            self.users[0] = self.sender
        HABITS.get(trial.habit, lambda _: None)(self)

    def ask(self, submissions, code=Code.OK):
        """Put commands to the lane, in their order; each must end in this code."""
        answers = [future.result(60) for future in self.wallet.intake.ask_many(submissions)]
        assert {answer.code for answer in answers} <= {code}, "the trial did not take place"
        return answers

    def change(self, user, changes, nickname=None):
        """Change somebody, as an operator does."""
        row = query.user(self.wallet.reader, user)
        key = secrets.token_hex(8)
        command = self.desk.change(user, row, caller_key=key, changes=changes, nickname=nickname)
        self.ask([command])

    def wish(self):
        """Return a packet with the trial's settings."""
        more = {"lifetime_s": self.wallet.config.packet_lifetime_s, **self.trial.wish}
        if "recipients" in more:
            more["recipients"] = tuple(self.users)
        if self.trial.habit == "draw":
            more["draw_at_us"] = self.wallet.clock.now_us() + DRAW_IN_S * SECOND_US
        kind = more.pop("kind", PacketKind.LUCKY if more.get("is_lucky", True) else EQUAL)
        most = more.pop("share_fen_max", TOTAL_FEN)
        return Wish(self.sender, kind, TOTAL_FEN, USERS, most, **more)

    def sent(self, size):
        """Send packets and bring them to the point where they can be opened."""
        if self.trial.habit == "paid":
            # What one person pays in a day is reviewed above a sum.
            self.wallet.advance_clock(DAY_US)
        keys = [secrets.token_hex(8) for _ in range(size)]
        answers = self.ask([self.desk.send(self.wish(), key) for key in keys])
        packets = [answer.command.packet_id for answer in answers]
        if self.trial.habit == "entropy":
            self.ask([self.desk.entropy(each, bytes(32)) for each in packets])
        if self.trial.habit == "beacon":
            digest = sha256(ROUND).digest()
            self.ask([self.desk.beacon(each, digest, ROUND) for each in packets])
        if self.trial.habit == "paid":
            self.paid(packets)
        return packets

    def paid(self, packets):
        """Pay for packets over a channel, by every product in turn."""
        wallet, cashier = self.wallet, self.wallet.cashier
        plan = FREE._replace(amount_fen=TOTAL_FEN)
        life_s = wallet.config.order_life_s
        orders = [packet_order(each) for each in packets]
        for packet_id, order_id in zip(packets, orders, strict=True):
            wish = OrderWish(
                self.sender, OrderKind.PACKET, plan, life_s, object_id=packet_id, order_id=order_id
            )
            self.ask([cashier.open_order(wish, f"order {order_id.hex()}", "shop")])
        now_us = wallet.clock.now_us()
        for order_id, product in zip(orders, itertools.cycle(Product)):
            attempt_id = cashier.attempt_id(order_id)
            number = show(PREFIX_ATTEMPT, attempt_id)
            payer = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" if product == Product.JSAPI else ""
            purchase = Purchase(
                number, product, "红包", TOTAL_FEN, "CNY", now_us, payer, "127.0.0.1", "x"
            )
            reading = Reading(
                number, TradeState.PAID, TOTAL_FEN, TOTAL_FEN, TOTAL_FEN, "CNY", number, now_us,
                product.name,
            )  # fmt: skip
            self.ask([cashier.begin_attempt(order_id, attempt_id, "main", purchase)])
            self.ask([cashier.observe(attempt_id, "main", Source.NOTICE, reading)])

    def opened(self, packets):
        """Let everybody open every packet, always in the same order."""
        status = self.wallet.directory.status
        word = self.trial.wish.get("passphrase", "")
        claims = [
            self.desk.claim(each, user, status(user), word)
            for each in packets
            for user in self.users
        ]
        if self.trial.habit == "reviewed":
            held = self.ask(claims, Code.CLAIM_HELD)
            cases = [answer.outcome.opened.case_id for answer in held]
            self.ask([self.desk.settle(case, "release", "operator") for case in cases])
        self.ask(claims)
        if self.trial.habit == "draw":
            self.wallet.advance_clock((DRAW_IN_S + 1) * SECOND_US)
            self.ask([self.desk.draw(each) for each in packets])

    def luck(self, packets):
        """Yield what everybody had of each packet, from the ledger."""
        for each in packets:
            found = query.all_claims(self.wallet.reader, each)
            had = {row.user_id: row.claim.amount_fen for row in found}
            yield [had[user] for user in self.users]


def change_classes(party):
    """Give people account classes of all kinds."""
    for place, user in enumerate(party.users):
        party.change(user, {"account_class": 1 + place % 3})


def freeze_and_thaw(party):
    """Freeze every other person for a while."""
    for user in party.users[::2]:
        party.change(user, {"state": UserState.FROZEN})
        party.change(user, {"state": UserState.ACTIVE})


def change_nicknames(party):
    """Call people what they hope for."""
    for place, user in enumerate(party.users):
        party.change(user, {}, nickname=f"手气王{place}")


HABITS = {
    "classes": change_classes,
    "thawed": freeze_and_thaw,
    "nicknames": change_nicknames,
}


def luck_p(folder, trial):
    """Return the p-value of everybody's mean luck being alike under a trial."""
    party = Party(folder, trial)
    try:
        places = Places(USERS)
        for _ in range(PACKETS // AT_ONCE):
            packets = party.sent(AT_ONCE)
            party.opened(packets)
            for luck in party.luck(packets):
                assert sum(luck) == TOTAL_FEN, "the trial did not take place"
                places.add(luck)
        return places.p_value()
    finally:
        party.wallet.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TRIALS)
def test_s11_no_setting_favours_anybody(tmp_path, name):
    """S11: whatever is set, the first and the last, the rich and the renamed have equal luck."""
    assert luck_p(tmp_path / "data", TRIALS[name]) > SIGNIFICANCE


def test_s11_control_a_rigged_split_is_seen(tmp_path, monkeypatch):
    """Control: one person gets the best share of every other packet, and the same test fails."""

    def rigged_with(vault):
        honest = reveal_with(vault)

        def reveal(packet_id, packet, progress):
            secret = honest(packet_id, packet, progress)
            shares = list(secret.shares)
            if secret.key[0] % 2 == 0:
                best = shares.index(max(shares))
                shares[best], shares[FAVOURITE] = shares[FAVOURITE], shares[best]
            return secret._replace(shares=tuple(shares))

        return reveal

    monkeypatch.setattr(compose, "reveal_with", rigged_with)
    assert luck_p(tmp_path / "data", TRIALS["nothing"]) < SIGNIFICANCE
