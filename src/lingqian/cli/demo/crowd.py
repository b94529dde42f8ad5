"""The crowd: people who send and open packets with human delays, through the API and nothing else.

Law: nothing here is read from inside the wallet; what a person knows came in an answer or an event.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

import aiohttp

from lingqian.cli.demo.api import Api, Event
from lingqian.cli.demo.cast import GREETINGS, GROUPS, NOTES, OFFICE, PASSPHRASES, PEOPLE, STARS

FUNDS_FEN: Final = 500_000
_DRAW_EVERY_S: Final = 60
_DRAW_AFTER_S: Final = 30
_SHORT_LIFE_S: Final = 12
_SEND_PAUSE_S: Final = (2.0, 5.0)
_TRANSFER_PAUSE_S: Final = (3.0, 8.0)
_OFFICE_PAUSE_S: Final = (60.0, 90.0)
_OPEN_AFTER_S: Final = (1.2, 9.0)
_OFFICE_OPEN_AFTER_S: Final = (2.5, 24.0)
_SEEDING_MAX: Final = 32
_OWN_CHANCE: Final = 0.3  # that a sender opens a share of his own packet
_DISCRETION: Final = 0.7  # that a packet for somebody else is left alone
_MISTYPES: Final = 0.15
_STARS: Final = frozenset(star.external_id for star in STARS)


class Plan(NamedTuple):
    """How often a kind of packet is sent, and what it asks for beyond a lucky one."""

    weight: int
    kind: str
    is_short: bool = False


PLANS: Final = (
    Plan(10, "lucky"),
    Plan(4, "equal"),
    Plan(2, "targeted"),
    Plan(3, "passphrase"),
    Plan(3, "lucky", is_short=True),
)


class Crowd:
    """Everybody in the world: their ids, and what they are about to do."""

    def __init__(self, api: Api, chance: Random) -> None:
        self._api = api
        self._chance = chance
        self._ids: dict[str, str] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        # A new run of an old world must not repeat the old run's keys.
        self._run = f"{chance.getrandbits(64):016x}"
        self.nicknames: dict[str, str] = {}
        self.titles = {group.conversation_id: group.title for group in GROUPS}

    async def settle(self) -> None:
        """Register everybody, fund them and form the groups; again changes nothing.

        Raises: RuntimeError when the server refuses.
        """
        gate = asyncio.Semaphore(_SEEDING_MAX)

        async def enter(external_id: str, nickname: str) -> None:
            async with gate:
                fields = {"external_id": external_id, "nickname": nickname}
                user_id = (await self._must("users", fields, f"demo-user-{external_id}"))["id"]
                self._ids[external_id] = user_id
                self.nicknames[user_id] = nickname
                await self._fund(user_id, f"demo-fund-{external_id}")

        await asyncio.gather(*(enter(*person) for person in PEOPLE.items()))
        for group in GROUPS:
            members = [self._ids[each] for each in group.members]
            path = f"conversations/{group.conversation_id}/members"
            reply = await self._api.put(path, {"member_ids": members}, f"demo-{path}")
            if not reply.is_ok:
                raise RuntimeError(f"PUT {path}: {reply.fields}")
            self._members[group.conversation_id] = tuple(
                self._ids[each] for each in group.members if each not in _STARS
            )

    def star_ids(self) -> list[str]:
        """Return the ids of the people that the page plays."""
        return [self._ids[star.external_id] for star in STARS]

    def name(self, user_id: str) -> str:
        """Return somebody's nickname; a newcomer has none that we know."""
        return self.nicknames.get(user_id, "somebody new")

    async def live(self) -> None:
        """Go on for ever; ends when cancelled."""
        lives = (
            self._often(_SEND_PAUSE_S, self._send),
            self._often(_TRANSFER_PAUSE_S, self._transfer),
            self._often(_OFFICE_PAUSE_S, self._send_office),
            self._often((_DRAW_EVERY_S, _DRAW_EVERY_S), self._send_draw),
        )
        await asyncio.gather(*lives)

    def see(self, event: Event) -> None:
        """Let everybody in the room of a new packet notice it."""
        if event.type == "packet.sent":
            self._start(self._notice(event.data))

    async def _must(self, path: str, fields: dict[str, Any], key: str) -> dict[str, Any]:
        reply = await self._api.post(path, fields, key)
        if not reply.is_ok:
            raise RuntimeError(f"POST {path}: {reply.fields}")
        return reply.fields

    async def _fund(self, user_id: str, key: str) -> None:
        await self._must("sandbox/funding", {"user_id": user_id, "amount_fen": FUNDS_FEN}, key)

    def _key(self) -> str:
        self._number += 1
        return f"demo-{self._run}-{self._number}"

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _often(self, pause_s: tuple[float, float], work: Any) -> None:  # noqa: ANN401 - a coroutine function
        while True:
            # The server is going down or is too busy: people try again later.
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await work()
            await asyncio.sleep(self._chance.uniform(*pause_s))

    async def _post_packet(self, fields: dict[str, Any]) -> None:
        reply = await self._api.post("packets", fields, self._key())
        if reply.code == "exceeds_available":
            await self._fund(str(fields["sender_id"]), self._key())

    async def _send(self) -> None:
        room = self._chance.choice([each for each in self._members if each != OFFICE])
        plan = self._chance.choices(PLANS, [each.weight for each in PLANS])[0]
        await self._post_packet(self._packet(room, plan))

    async def _send_office(self) -> None:
        fields = self._packet(OFFICE, PLANS[0])
        await self._post_packet({**fields, "count": 20, "total_fen": 20_000})

    async def _send_draw(self) -> None:
        room = self._chance.choice([each for each in self._members if each != OFFICE])
        fields = self._packet(room, PLANS[0])
        at = datetime.now(UTC) + timedelta(seconds=_DRAW_AFTER_S)
        await self._post_packet({**fields, "kind": "draw", "draw_at": at.isoformat()})

    def _packet(self, room: str, plan: Plan) -> dict[str, Any]:
        chance, members = self._chance, self._members[room]
        sender = chance.choice(members)
        count = chance.randint(3, max(3, len(members) - 1))
        fields: dict[str, Any] = {
            "sender_id": sender,
            "kind": plan.kind,
            "count": count,
            "greeting": chance.choice(GREETINGS),
            "conversation_id": room,
        }
        if plan.kind == "equal":
            return {**fields, "each_fen": chance.choice((88, 166, 188, 520, 666))}
        if plan.kind == "targeted":
            other = chance.choice([each for each in members if each != sender])
            return {**fields, "count": 1, "recipient_ids": [other], "total_fen": 520}
        fields["total_fen"] = count * chance.choice((100, 188, 288, 520))
        if plan.kind == "passphrase":
            phrase = chance.choice(PASSPHRASES)
            return {**fields, "passphrase": phrase, "greeting": phrase}
        if plan.is_short:
            # More shares than people: what nobody opens comes back.
            return {**fields, "count": len(members) + 2, "expires_in_s": _SHORT_LIFE_S}
        return fields

    async def _transfer(self) -> None:
        room = self._chance.choice(list(self._members))
        source, target = self._chance.sample(self._members[room], 2)
        fields = {
            "source_id": source,
            "target_id": target,
            "amount_fen": self._chance.randint(100, 6_000),
            "note": self._chance.choice(NOTES),
        }
        reply = await self._api.post("transfers", fields, self._key())
        if reply.code == "exceeds_available":
            await self._fund(source, self._key())

    async def _notice(self, sent: dict[str, Any]) -> None:
        """Let the members of the packet's room decide when to open it."""
        reply = await self._api.get(f"packets/{sent['packet_id']}")
        members = self._members.get(str(reply.fields.get("conversation_id")), ())
        after_s = _OFFICE_OPEN_AFTER_S if len(members) > _SEEDING_MAX else _OPEN_AFTER_S
        for user_id in members:
            if user_id != reply.fields.get("sender_id") or self._chance.random() < _OWN_CHANCE:
                self._start(self._open(reply.fields, user_id, self._chance.uniform(*after_s)))

    async def _open(self, packet: dict[str, Any], user_id: str, after_s: float) -> None:
        """Open a packet after a while; somebody mistypes now and then, somebody is curious."""
        await asyncio.sleep(after_s)
        is_other_s = packet["kind"] == "targeted" and self.name(user_id) not in packet["recipients"]
        if is_other_s and self._chance.random() < _DISCRETION:
            return
        path, fields = f"packets/{packet['id']}/claims", {"user_id": user_id}
        if packet["kind"] == "passphrase":
            if self._chance.random() < _MISTYPES:
                await self._api.post(path, {**fields, "passphrase": "恭喜"})
                await asyncio.sleep(1)
            fields["passphrase"] = packet["greeting"]
        await self._api.post(path, fields)
