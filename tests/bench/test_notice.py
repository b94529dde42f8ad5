"""The notices of a run are the platform's own, and their bare cost is really paid."""

import asyncio

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag

from lingqian.bench.bare import Bare, Rows, sealed
from lingqian.bench.caller import run_loop
from lingqian.bench.notice import made
from lingqian.bench.platform import platform
from lingqian.bench.porter import Porter
from lingqian.bench.report import HELD, MISSED
from lingqian.bench.scale import TINY
from lingqian.bench.suite import run
from lingqian.bench.wire import Request, Site, read_head
from lingqian.bench.world import World


def test_part_credit_loses_a_callback_and_credits_all_the_same(tmp_path):
    """Who lost no callback has measured the easy half; the money must come in any case."""
    report = run(tmp_path, TINY, ["credit"], lambda _: None)
    assert [bar.verdict in {HELD, MISSED} for bar in report.bars] == [True, True]
    paid = [each for each in report.measures if each.name.startswith("payment")]
    assert [each.count for each in paid] == [TINY.payments] * 2
    assert all(each.note.startswith("1 callbacks lost") for each in paid)
    told = [each for each in report.measures if each.name.startswith("notice")]
    # On a machine that is starved, people are back before their notices have come.
    assert [0 < each.count < TINY.payments for each in told] == [True] * 2
    assert list(tmp_path.iterdir()) == []


def test_bare_cost_checks_signatures_and_opens_texts(tmp_path):
    """A bound that did not verify, or did not open, would be a bound of nothing."""
    world = World(tmp_path / "world", 4)
    with platform(tmp_path / "platform") as paying:
        till, received = run_loop(made(world, paying, Porter(), 2))
        bare = Bare(paying, (world.copy(tmp_path, "one"), world.copy(tmp_path, "other")))
    good = [sealed(each) for each in received]
    assert till.take(received[0])[0].command.account == "wechat-main"
    assert bare.lap(good, Rows([], [])).cpu_s > 0
    with pytest.raises(InvalidSignature):
        bare.lap([good[0]._replace(message=good[0].message + b" ")], Rows([], []))
    with pytest.raises(InvalidTag):
        bare.lap([good[0]._replace(nonce=good[1].nonce)], Rows([], []))
    bare.close()


def test_porter_hands_on_what_came_and_brings_the_answer_back():
    """The platform must hear the server's own answer, and the server the signed bytes."""
    heard = []

    async def behind(reader, writer):
        heard.append(await read_head(reader))
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno")
        writer.close()

    async def drill():
        server = await asyncio.start_server(behind, "127.0.0.1", 0)
        porter = Porter()
        porter.behind = Site("127.0.0.1", server.sockets[0].getsockname()[1], "")
        await porter.open()
        _, _, port = porter.url.rpartition(":")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"POST /n HTTP/1.1\r\nWechatpay-Nonce: a b\r\nContent-Length: 3\r\n\r\n{ }")
        head, body = await read_head(reader)
        writer.close()
        await porter.close()
        server.close()
        return head, body, porter.received

    head, body, received = asyncio.run(drill())
    assert (head[9:12], body) == (b"503", b"no")
    asked = Request("POST", "/n", b"{ }", headers=(("wechatpay-nonce", "a b"),))
    assert [each.request for each in received] == [asked]
    assert b"wechatpay-nonce: a b\r\n" in heard[0][0]
    assert heard[0][1] == b"{ }"
