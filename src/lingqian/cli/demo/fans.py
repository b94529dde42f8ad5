"""The fans: people who buy coins over the payment platform and give them to streamers (粉丝).

Law: as for the crowd, everything goes through the API; paying is done on the platform's own sheet.
Some notices are lost on purpose, so that what repairs itself can be watched.
"""

import asyncio
import contextlib
from random import Random
from typing import Any, Final, NamedTuple

import aiohttp

from lingqian.cli.demo.api import Api
from lingqian.cli.demo.cast import FANS, STREAMERS
from lingqian.cli.demo.platform import Phone

LOST_CHANCE: Final = 0.2
_BUY_PAUSE_S: Final = (3.0, 9.0)
_GIVE_PAUSE_S: Final = (2.0, 6.0)
_PAY_AFTER_S: Final = (0.8, 3.0)
_ABANDONS: Final = 0.1
_PLANS: Final = ("coins-6", "coins-30", "coins-50", "coins-100", "balance-50")
_PRODUCTS: Final = ("native", "jsapi", "app")
_GIFTS: Final = ("candle", "rose", "rose", "tea", "lantern")


class Kit(NamedTuple):
    """What the fans live with: the API, the phone they pay on, chance, and this run's name."""

    api: Api
    phone: Phone
    chance: Random
    run: str


class Fans:
    """Everybody in the live room."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._fans: list[str] = []
        self._streamers: list[str] = []
        self._number = 0

    async def settle(self) -> dict[str, str]:
        """Register everybody; again changes nothing. Return who is called what.

        Raises: RuntimeError when the server refuses.
        """
        names: dict[str, str] = {}
        for people, ids in ((FANS, self._fans), (STREAMERS, self._streamers)):
            for external_id, nickname in people.items():
                fields = {"external_id": external_id, "nickname": nickname}
                reply = await self._kit.api.post("users", fields, f"demo-user-{external_id}")
                if not reply.is_ok:
                    raise RuntimeError(f"POST users: {reply.fields}")
                ids.append(str(reply.fields["id"]))
                names[ids[-1]] = nickname
        lost = {"name": "notice_lost", "count": 0, "probability": LOST_CHANCE}
        await self._kit.phone.do("faults", {**lost, "event": "TRANSACTION."})
        return names

    def streamer_ids(self) -> list[str]:
        """Return the ids of the streamers, for whoever wants to give them something."""
        return list(self._streamers)

    async def live(self) -> None:
        """Go on for ever; ends when cancelled."""
        await asyncio.gather(
            self._often(_BUY_PAUSE_S, self._buy), self._often(_GIVE_PAUSE_S, self._give)
        )

    async def _often(self, pause_s: tuple[float, float], work: Any) -> None:  # noqa: ANN401 - a coroutine function
        while True:
            # The server or the platform is going down or is too busy: people try again later.
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await work()
            await asyncio.sleep(self._kit.chance.uniform(*pause_s))

    def _key(self) -> str:
        self._number += 1
        return f"demo-fan-{self._kit.run}-{self._number}"

    async def _buy(self) -> None:
        """Open a top-up, look at the sheet for a moment, and pay or walk away."""
        chance = self._kit.chance
        place = chance.randrange(len(self._fans))
        fields: dict[str, Any] = {
            "user_id": self._fans[place],
            "plan_id": chance.choice(_PLANS),
            "product": chance.choice(_PRODUCTS),
            "payer": {"openid": f"oDemoFan{place:04d}"},
            "scene": "live",
        }
        reply = await self._kit.api.post("top-ups", fields, self._key())
        if not reply.is_ok or not reply.fields.get("attempts"):
            return
        await asyncio.sleep(chance.uniform(*_PAY_AFTER_S))
        if chance.random() >= _ABANDONS:
            await self._kit.phone.pay(str(reply.fields["attempts"][-1]["id"]))

    async def _give(self) -> None:
        """Give something; who has too few coins only looks on."""
        chance = self._kit.chance
        fields = {
            "user_id": chance.choice(self._fans),
            "streamer_id": chance.choice(self._streamers),
            "code": chance.choice(_GIFTS),
            "count": chance.choice((1, 1, 1, 3)),
            "scene": "live",
        }
        await self._kit.api.post("gifts", fields, self._key())
