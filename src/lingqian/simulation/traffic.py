"""Traffic: commands as many people at once would send them, right and wrong, once and again.

Everything comes from one stream of chance. What a person would know (own status, a passphrase, a
packet in a chat) is read from the auditor's model, never from the product.
"""

from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any, Final

from lingqian.flows.command import (
    AddBeacon,
    AddEntropy,
    ChangeUser,
    ClaimPacket,
    ClosePacket,
    Command,
    DrawPacket,
    Fund,
    RegisterUser,
    SendPacket,
    SetMembers,
    SettleCase,
    Transfer,
)
from lingqian.kernel.clock import DAY_US, SECOND_US
from lingqian.kernel.id import mint
from lingqian.redpacket.commitment import commitment
from lingqian.redpacket.packet import PacketKind, terms
from lingqian.simulation.model import ASKED, PERSONAL, Model
from lingqian.simulation.seed import Sealing
from lingqian.storage.lane import Submission
from lingqian.storage.port import Personal

_RECENT: Final = 400
_HOT_PACKETS: Final = 10
_ROWS: Final = {"kind": (2, 3, 4, 5, 1), "account_class": (1, 2, 3, 0), "state": (1, 2)}
_BEACON: Final = sha256(b"a beacon's chain").digest()
_LIFETIMES_S: Final = (1, 60, 600, 3_600, 86_400, 259_200)
_KINDS: Final = (
    *[PacketKind.LUCKY] * 8,
    *[PacketKind.EQUAL] * 3,
    *[PacketKind.TARGETED] * 3,
    *[PacketKind.PASSPHRASE] * 3,
    *[PacketKind.DRAW] * 4,
)


class Traffic:
    """Makes one submission after another."""

    def __init__(self, chance: Random, model: Model, lanes: int, sealing: Sealing) -> None:
        self._chance = chance
        self._model = model
        self._lanes = lanes
        self._sealing = sealing
        self._users: list[list[bytes]] = [[] for _ in range(lanes)]
        self._everybody: list[bytes] = []
        self._stale: dict[bytes, tuple[int, int, int]] = {}
        self._recent: list[Submission] = []
        self._now_us = 0
        self._target = (b"", b"")
        self._table: list[Callable[[], Command]] = []
        for makes, weight in (
            (self._register, 15),
            (self._register_again, 5),
            (self._change, 15),
            (self._members, 6),
            (self._fund, 80),
            (self._transfer, 260),
            (self._send, 90),
            (self._entropy, 15),
            (self._beacon, 10),
            (self._claim, 400),
            (self._guess, 20),
            (self._draw, 5),
            (self._close, 10),
            (self._settle, 30),
        ):
            self._table += [makes] * weight

    def batch(self, size: int, now_us: int) -> list[Submission]:
        """Make so many submissions, of which some repeat or contradict earlier ones."""
        self._now_us = now_us
        return [self._one() for _ in range(size)]

    def opening(self, users: int, now_us: int) -> list[Submission]:
        """Register the first people and give them money."""
        self._now_us = now_us
        people = [self._submit(self._register()) for _ in range(users)]
        return people + [self._submit(self._fund()) for _ in range(users)]

    def _one(self) -> Submission:
        chance = self._chance
        dice = chance.randrange(100)
        if self._recent and dice < 6:
            return chance.choice(self._recent)
        if self._recent and dice < 9:
            command = self._changed(chance.choice(self._recent).command)
            return Submission(command, self._personal(command))
        return self._submit(chance.choice(self._table)())

    def _submit(self, command: Command) -> Submission:
        submission = Submission(command, self._personal(command))
        if len(self._recent) < _RECENT:
            self._recent.append(submission)
        else:
            self._recent[self._chance.randrange(_RECENT)] = submission
        return submission

    def _personal(self, command: Command) -> tuple[Personal, ...]:
        """Return the personal data that comes with a command; its cipher is a stand-in too."""
        fields = PERSONAL.get(type(command).__name__, ())
        return tuple(
            [
                Personal(getattr(command, owner), field, getattr(command, mac)[::-1], mac_of)
                for owner, field, mac in fields
                if (mac_of := getattr(command, mac))
            ]
        )

    # --- where things live ---

    def _bytes(self, size: int) -> bytes:
        return self._chance.randbytes(size)

    def _mint(self, lane: int) -> bytes:
        return mint(lane, self._now_us // 1000, self._chance.getrandbits(64))

    def _key(self, identity: bytes) -> bytes:
        return identity[:2] + self._bytes(14)

    def _user(self) -> bytes:
        return self._chance.choice(self._everybody)

    def _neighbour(self, identity: bytes) -> bytes:
        return self._chance.choice(self._users[int.from_bytes(identity[:2], "big")])

    def _status(self, user: bytes) -> tuple[int, int, int]:
        stale = self._stale.get(user)
        if stale is not None and self._chance.randrange(3) == 0:
            return stale
        person = self._model.people.get(user)
        return (1, 3, 1) if person is None else (person.version, person.account_class, person.state)

    def _amount(self, low: int, high: int) -> int:
        """Draw an amount whose size, not its value, is uniform."""
        bits = self._chance.randrange(low.bit_length(), high.bit_length() + 1)
        return max(low, min(high, self._chance.getrandbits(bits)))

    # --- people ---

    def _register(self) -> Command:
        number = len(self._everybody)
        lane = number % self._lanes
        external = sha256(b"person %d" % number).digest()
        user = self._mint(lane)
        self._users[lane].append(user)
        self._everybody.append(user)
        account_class = self._chance.choice((0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3))
        return RegisterUser(
            user[:2] + external[:14], user, external[16:], self._bytes(16), account_class
        )

    def _register_again(self) -> Command:
        number = self._chance.randrange(len(self._everybody))
        external = sha256(b"person %d" % number).digest()
        user = self._mint(number % self._lanes)
        return RegisterUser(user[:2] + external[:14], user, external[16:], self._bytes(16), 3)

    def _change(self) -> Command:
        user, chance = self._user(), self._chance
        self._stale[user] = self._status(user)
        if chance.randrange(20) == 0:
            user = self._mint(int.from_bytes(user[:2], "big"))
        account_class = chance.choice((0, 1, 2, 3, 3, 3, 3, 3, 3))
        state = chance.choice((1, 1, 1, 1, 2))
        return ChangeUser(self._key(user), user, account_class, state, self._bytes(16))

    def _members(self) -> Command:
        lane = self._chance.randrange(self._lanes)
        members = b"".join({self._user(): None for _ in range(self._chance.randrange(6))})
        key = self._key(lane.to_bytes(2, "big"))
        return SetMembers(key, lane, f"chat-{lane}-{self._chance.randrange(9)}", members)

    def _fund(self) -> Command:
        user = self._user()
        if self._chance.randrange(50) == 0:
            user = self._mint(int.from_bytes(user[:2], "big"))
        amount = self._amount(100, 4_000_000)
        if self._chance.randrange(300) == 0:
            # Now and then half of what a lane may ever hold, so that its ceiling is met.
            user, amount = self._everybody[0], 2**61
        return Fund(self._key(user), self._mint(int.from_bytes(user[:2], "big")), user, amount)

    def _transfer(self) -> Command:
        source, target = self._user(), self._user()
        if self._chance.randrange(100) == 0:
            target = source
        _, account_class, state = self._status(target)
        transfer = self._mint(int.from_bytes(source[:2], "big"))
        amount = self._amount(1, 3_000_000)
        note = self._bytes(16)
        key = self._key(source)
        return Transfer(key, transfer, source, target, amount, note, account_class, state)

    # --- packets ---

    def _send(self) -> Command:
        chance, sender = self._chance, self._user()
        kind = chance.choice(_KINDS)
        count = chance.choice((1, 2, 3, 3, 5, 5, 8, 12, 20, 60))
        is_lucky = kind != PacketKind.EQUAL and chance.randrange(4) > 0
        total = max(self._amount(1, 30_000) * count + chance.randrange(count), 1)
        low = chance.choice((0, *[1] * 12, 5))
        high = chance.choice((20_000, 20_000, 60_000, 500))
        recipients = b""
        if kind == PacketKind.TARGETED:
            recipients = b"".join({self._user(): None for _ in range(count)})
            count = len(recipients) // 16 + (chance.randrange(30) == 0)
        lifetime_us = chance.choice(_LIFETIMES_S) * SECOND_US
        draw_at_us = 0
        if kind == PacketKind.DRAW:
            draw_at_us = self._now_us + chance.randrange(lifetime_us * 11 // 10)
        packet = self._mint(int.from_bytes(sender[:2], "big"))
        command = SendPacket(
            self._key(packet), packet, sender, kind, is_lucky, total, count, low, high,
            chance.choice((1, 2, 2, 4)), lifetime_us, draw_at_us, chance.randrange(7) == 0,
            chance.choice(("", "chat-0-1", "chat-0-2")), recipients,
            self._phrase(packet) if kind == PacketKind.PASSPHRASE else b"",
            self._bytes(16), chance.choice(("", "spring")), b"", b"",
            *((_BEACON, 1 + chance.randrange(9)) if chance.randrange(10) == 0 else (b"", 0)),
        )  # fmt: skip
        seed = self._bytes(32)
        return command._replace(
            commitment=commitment(terms(packet, command), seed),  # type: ignore[arg-type]  # same fields
            seed_sealed=self._sealing.seal(packet, seed),
        )

    def _phrase(self, packet: bytes) -> bytes:
        return sha256(b"phrase" + packet).digest()[:16]

    def _packet(self) -> bytes:
        chance, packets = self._chance, self._model.packet_ids
        if not packets or chance.randrange(200) == 0:
            return self._mint(chance.randrange(self._lanes))
        if chance.randrange(5):
            return packets[-1 - chance.randrange(min(_HOT_PACKETS, len(packets)))]
        return chance.choice(packets)

    def _claim(self) -> Command:
        chance, packet, user = self._chance, self._packet(), self._user()
        bag = self._model.bags.get(packet)
        phrase = b""
        if bag is not None and bag.command.kind == PacketKind.TARGETED and chance.randrange(5):
            place = chance.randrange(len(bag.command.recipients) // 16)
            user = bag.command.recipients[place * 16 : place * 16 + 16]
        elif bag is not None and bag.command.kind == PacketKind.PASSPHRASE:
            phrase = chance.choice(
                (self._phrase(packet), self._phrase(packet), self._bytes(16), b"")
            )
        if bag is not None and chance.randrange(30) == 0:
            user = bag.command.sender_id
        return self._claim_by(packet, user, phrase)

    def _guess(self) -> Command:
        """Try one passphrase after another, as somebody would who does not know it."""
        chance = self._chance
        if chance.randrange(10) == 0 or not self._target[0]:
            model = self._model
            recent = model.packet_ids[-_HOT_PACKETS * 3 :]
            packets = [each for each in recent if model.bags[each].command.passphrase_mac]
            self._target = (packets[-1] if packets else self._packet(), self._user())
        return self._claim_by(*self._target, self._bytes(16))

    def _claim_by(self, packet: bytes, user: bytes, phrase: bytes) -> Command:
        chance = self._chance
        version, account_class, state = self._status(user)
        is_member = chance.randrange(40) > 0
        return ClaimPacket(packet, user, phrase, version, account_class, state, is_member)

    def _entropy(self) -> Command:
        packet = self._packet()
        bag = self._model.bags.get(packet)
        if bag is not None and bag.entropy and self._chance.randrange(2):
            return AddEntropy(packet, bag.entropy)
        return AddEntropy(packet, self._bytes(32))

    def _beacon(self) -> Command:
        packet = self._packet()
        signature = sha256(b"round" + packet).digest()
        return AddBeacon(packet, sha256(signature).digest(), signature)

    def _draw(self) -> Command:
        return DrawPacket(self._packet())

    def _close(self) -> Command:
        is_invalidation = self._chance.randrange(3) == 0
        return ClosePacket(
            self._packet(), is_invalidation, "operator" if is_invalidation else "clock"
        )

    def _settle(self) -> Command:
        chance, cases = self._chance, self._model.case_ids
        event = chance.choice(("release", "release", "refuse", "due"))
        if not cases or chance.randrange(20) == 0:
            return SettleCase(self._mint(chance.randrange(self._lanes)), event, "reviewer")
        place = -1 - chance.randrange(min(20, len(cases)))
        return SettleCase(cases[place], event, "reviewer")

    # --- the same key for something else ---

    def _changed(self, command: Command) -> Command:
        """Return another request under a key that was used before, living in the same lane."""
        fields = ASKED.get(type(command).__name__)
        if fields is None:
            return command
        key: bytes = command.key  # type: ignore[union-attr]  # commands with asked fields have a key
        if self._chance.randrange(8) == 0:
            user = self._neighbour(key)
            return Fund(key, self._mint(int.from_bytes(key[:2], "big")), user, 1)
        name = self._chance.choice(fields)
        value = self._other(name, getattr(command, name), key)
        return command._replace(**{name: value})

    def _other(self, name: str, value: Any, key: bytes) -> Any:  # noqa: ANN401 - any field
        if name.endswith("_id") and isinstance(value, bytes):
            return self._neighbour(key)
        if isinstance(value, bool):
            return not value
        if isinstance(value, bytes):
            return value + self._user() if name in ("members", "recipients") else self._bytes(16)
        if isinstance(value, str):
            return value + "?"
        # What is a row of a closed table stays one; the door lets nothing else in.
        rows = _ROWS.get(name)
        return value + 1 if rows is None else rows[value % len(rows)]


def starts_at_us(chance: Random) -> int:
    """Choose when a world begins: some day of 2026 or 2027, at any hour."""
    return 1_767_225_600 * SECOND_US + chance.randrange(600 * DAY_US)
