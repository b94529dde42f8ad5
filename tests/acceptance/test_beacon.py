"""A promised beacon round is fetched by the real protocol from a server beyond our own door."""

import asyncio
import json
from contextlib import asynccontextmanager
from hashlib import sha256

import aiohttp
import pytest
from aiohttp import web

from lingqian.compose import BeaconRow, Config, Wallet
from lingqian.events.beacon import Follower, bring
from lingqian.identity.user import Status
from lingqian.kernel.code import Code
from lingqian.kernel.fault import Damaged, Unsent
from lingqian.redpacket.packet import PacketKind, PacketState
from lingqian.storage.beacon import Beacon, read_round
from lingqian.storage.clock import unix_ms
from lingqian.storage.desk import Wish

CHAIN = bytes(range(32))
STATUS = Status(1, 3, 1)


def signature(number):
    return sha256(b"a beacon of our own" + number.to_bytes(8, "big")).digest() + bytes(16)


@asynccontextmanager
async def drand(*, lies=False):
    """Serve drand's public HTTP API on loopback; a lying one answers with another randomness."""

    async def answer(request):
        number = int(request.match_info["number"])
        text = signature(number)
        randomness = sha256(text + b"!" * lies).hexdigest()
        body = {"round": number, "randomness": randomness, "signature": text.hex()}
        return web.Response(text=json.dumps(body), content_type="application/json")

    app = web.Application()
    app.router.add_get("/{chain}/public/{number}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def world(tmp_path, url):
    """Open a wallet with a beacon whose rounds come every second, two people and money."""
    row = BeaconRow((url,), CHAIN.hex(), unix_ms() // 1000 - 1000, 1)
    wallet = Wallet(tmp_path / "data", Config(beacon=row))
    try:
        people = []
        for name in ("sender", "claimer"):
            answer = await wallet.intake.ask(wallet.desk.register(name, name, 3))
            people.append(answer.command.user_id)
        await wallet.intake.ask(wallet.desk.fund(people[0], 100_000, "fund"))
        yield wallet, people
    finally:
        wallet.close()


def follower(wallet):
    def mix(packet_id, randomness, text):
        return wallet.intake.ask(wallet.desk.beacon(packet_id, randomness, text))

    return Follower(wallet.beacon, wallet.reader, wallet.clock, mix)


def progress(wallet, packet_id):
    names = "state, beacon, beacon_signature, wants_round"
    query = f"SELECT {names} FROM progress WHERE packet_id = ?"
    return wallet.reader.execute(query, (packet_id,)).fetchone()


async def until_brought(wallet):
    """Follow the beacon until one packet has its round; a round is at most two seconds away."""
    async with aiohttp.ClientSession() as session:
        for _ in range(60):
            if await bring(follower(wallet), session):
                return
            await asyncio.sleep(0.1)
    pytest.fail("the round never came")


def test_packet_waits_for_its_round_and_opens_with_it(tmp_path):
    """Level 3: nobody, the operator included, knows the shares before the round is public."""

    async def run():
        async with drand() as url, world(tmp_path, url) as (wallet, (sender, claimer)):
            wish = Wish(sender, PacketKind.LUCKY, 1_000, 3, 20_000)
            sent = await wallet.intake.ask(wallet.desk.send(wish, "send"))
            packet_id, number = sent.command.packet_id, sent.command.beacon_round
            claim = wallet.desk.claim(packet_id, claimer, STATUS)
            early = await wallet.intake.ask(claim)
            assert early.code == Code.PACKET_NOT_OPEN
            await until_brought(wallet)
            expected = (PacketState.OPEN, sha256(signature(number)).digest(), signature(number), 0)
            assert progress(wallet, packet_id) == expected
            assert (await wallet.intake.ask(claim)).code == Code.OK

    asyncio.run(run())


def test_draw_waits_for_the_first_round_after_its_entries(tmp_path):
    """Level 4: when the last ticket is in, the order of the tickets is not known to anybody."""

    async def run():
        async with drand() as url, world(tmp_path, url) as (wallet, (sender, claimer)):
            draw_at_us = wallet.clock.now_us() + 500_000
            wish = Wish(
                sender, PacketKind.DRAW, 1_000, 1, 20_000, draw_at_us=draw_at_us, draw_in_s=1
            )
            sent = await wallet.intake.ask(wallet.desk.send(wish, "send"))
            packet_id = sent.command.packet_id
            entered = await wallet.intake.ask(wallet.desk.claim(packet_id, claimer, STATUS))
            assert (entered.code, entered.outcome.amount_fen) == (Code.OK, 0)
            await asyncio.sleep(0.6)
            too_soon = await wallet.intake.ask(wallet.desk.draw(packet_id))
            assert too_soon.code == Code.NOT_DUE
            await until_brought(wallet)
            drawn = await wallet.intake.ask(wallet.desk.draw(packet_id))
            assert (drawn.code, drawn.outcome.amounts_fen) == (Code.OK, (1_000,))

    asyncio.run(run())


def test_beacon_that_lies_is_not_mixed_in(tmp_path):
    """Randomness that is not its signature's hash could have been chosen."""

    async def run():
        async with drand(lies=True) as url, world(tmp_path, url) as (wallet, (sender, _)):
            wish = Wish(sender, PacketKind.LUCKY, 1_000, 3, 20_000)
            sent = await wallet.intake.ask(wallet.desk.send(wish, "send"))
            await asyncio.sleep(2.1)
            async with aiohttp.ClientSession() as session:
                with pytest.raises(Unsent):
                    await bring(follower(wallet), session)
            assert progress(wallet, sent.command.packet_id)[0] == PacketState.AWAITING

    asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"round": 8, "signature": "00"}',
        b'{"round": 7, "signature": "zz"}',
        b'{"round": 7, "signature": ""}',
        b'{"round": 7, "signature": "00", "randomness": "00"}',
    ],
)
def test_beacon_answer_that_contradicts_itself_is_damaged(body):
    """A mirror may be broken or hostile."""
    with pytest.raises(Damaged):
        read_round(7, body)


def test_promised_round_is_never_public_yet():
    """The round promised at any moment is the one after the newest that can be known."""
    beacon = Beacon((), CHAIN, 1_000, 3)
    for at_ms in (1_000_000, 1_000_001, 1_002_999, 1_003_000, 1_003_001):
        first_ms = beacon.genesis_s * 1000 + (beacon.round_after(at_ms) - 1) * 3_000
        assert at_ms < first_ms <= at_ms + 3_000
