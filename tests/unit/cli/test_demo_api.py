"""The demo's client: it asks again when it may, and resumes a stream where it broke."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp

from lingqian.cli.demo.api import Api

STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b": a comment keeps the line open\n\n"
)


@asynccontextmanager
async def serving(answers):
    """Answer one connection after another with the given bytes; yield an Api and what it asked."""
    asked = []

    async def answer(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        yield Api(session, f"http://127.0.0.1:{port}/v1", "lq_key"), asked


def reply(status, body):
    """Return a whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def event(number):
    """Return one event of a stream as bytes; its data stands on two lines."""
    return (
        f'id: {number}\r\nevent: x\r\ndata: {{"type": "packet.sent.v1",\r\n'
        f'data:  "data": {{"packet_id": "rp_{number}"}}}}\r\n\r\n'
    ).encode()


def test_a_busy_server_is_asked_again_with_the_same_key():
    """429 and 503 burn no key, so nothing is done twice."""

    async def run():
        answers = [reply("503 Busy", "{}"), reply("429 Busy", "{}"), reply("201 OK", '{"id": "x"}')]
        async with serving(answers) as (api, asked):
            got = await api.post("packets", {"count": 1}, "key-1")
        assert (got.is_ok, got.fields, len(asked)) == (True, {"id": "x"}, 3)
        assert all("Idempotency-Key: key-1" in each for each in asked)

    asyncio.run(run())


def test_a_refusal_is_an_answer():
    """A refusal is told by its code, and not tried again."""

    async def run():
        async with serving([reply("409 No", '{"code": "packet_finished"}')]) as (api, asked):
            got = await api.post("packets/x/claims", {})
        assert (got.is_ok, got.code, len(asked)) == (False, "packet_finished", 1)

    asyncio.run(run())


def test_a_broken_stream_goes_on_after_the_last_event():
    """Nothing is missed and nothing is heard twice."""

    async def run():
        answers = [STREAM + event(1) + event(2), STREAM + event(3)]
        async with serving(answers) as (api, asked):
            stream = api.events()
            heard = [(await anext(stream)).data["packet_id"] for _ in range(3)]
            await stream.aclose()
        assert heard == ["rp_1", "rp_2", "rp_3"]
        assert "Last-Event-ID" not in asked[0]
        assert "Last-Event-ID: 2" in asked[1]

    asyncio.run(run())
