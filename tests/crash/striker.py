"""The product, killed at a named step: `striker.py FILE serve …`; FILE says where, and keeps score.

FILE holds JSON: `armed`, the steps at any of which the process dies, by name or by name and turn;
`struck`, those where it did; `seen`, all that went by since the first order; and `lies`, a step
whose batch is answered and never written, which is the control. A step is `came`, `verified`,
`wrote`, `asked` or `answered`, and what.
"""

import functools
import json
import os
import signal
import sys
import threading
from pathlib import Path

from lingqian.channels.port import BillKind, PayoutState, RefundState, TradeState
from lingqian.channels.wechatpay.channel import WechatPay
from lingqian.cli.main import main
from lingqian.flows.command import (
    AskRefund,
    NotePayout,
    NoteRefund,
    Observe,
    OpenOrder,
    ReceiveNotice,
    RecordBill,
    RecordDifference,
)
from lingqian.storage.lane import Writer
from lingqian.storage.sqlite import SqliteStore
from lingqian.topup.evidence import Source
from lingqian.topup.order import OrderKind
from lingqian.topup.refund import Origin
from lingqian.web import server

# What tells two commands of one type apart, where a step is one of them.
KINDS = {
    OpenOrder: lambda each: OrderKind(each.order_kind).name,
    ReceiveNotice: lambda each: each.event.partition(".")[0],
    Observe: lambda each: f"{Source(each.source).name} {TradeState(each.state).name}",
    AskRefund: lambda each: Origin(each.origin).name,
    NoteRefund: lambda each: f"{Source(each.source).name} {RefundState(each.state).name}",
    NotePayout: lambda each: f"{Source(each.source).name} {PayoutState(each.state).name}",
    RecordBill: lambda each: BillKind(each.bill).name,
    RecordDifference: lambda each: each.event,
}
FIRST = "came /v1/top-ups"
VERBS = ("prepay", "query", "refund", "query_refund", "pay_out", "query_payout", "fetch_bill")


def name_of(command):
    """Return the name of a command's step."""
    tell = KINDS.get(type(command))
    return " ".join(["wrote", type(command).__name__, *([tell(command)] if tell else [])])


class Score:
    """The file, and the end of this process at the steps that are armed in it."""

    def __init__(self, path):
        self.path = path
        self.state = json.loads(path.read_text("utf-8"))
        self.lock = threading.Lock()
        self.is_lying = False

    def at(self, step):
        """Go by a step, or end there."""
        with self.lock:
            seen = self.state["seen"]
            if not seen and step != FIRST:
                return
            seen.append(step)
            names = {step, f"{step} #{seen.count(step)}"}
            found = [each for each in self.state["armed"] if each in names]
            self.state["armed"] = [each for each in self.state["armed"] if each not in names]
            self.state["struck"] += found
            self.path.write_text(json.dumps(self.state), "utf-8")
            if found:
                os.kill(os.getpid(), signal.SIGKILL)


def watch_lane(score):
    """Tell of each command once its batch is durable, before anybody is answered."""
    apply, commit = Writer.apply, SqliteStore.commit

    def applied(self, submissions):
        names = [name_of(each.command) for each in submissions]
        score.is_lying = score.state["lies"] in names
        answers = apply(self, submissions)
        for name, answer in zip(names, answers, strict=True):
            if answer.seq:
                score.at(name)
        return answers

    def committed(self, batches):
        if not score.is_lying:
            commit(self, batches)

    Writer.apply, SqliteStore.commit = applied, committed


def watch_channel(score):
    """Tell of each call once the channel has answered it, before the answer is taken home."""

    def watched(verb, call):
        @functools.wraps(call)
        async def asked(self, *words):
            said = await call(self, *words)
            score.at(f"asked {verb}")
            return said

        return asked

    def verified(self, headers, body, now_us, parse=WechatPay.parse_notice):
        notice = parse(self, headers, body, now_us)
        score.at(f"verified {notice.event.partition('.')[0]}")
        return notice

    for verb in VERBS:
        setattr(WechatPay, verb, watched(verb, getattr(WechatPay, verb)))
    WechatPay.parse_notice = verified


def watch_door(score):
    """Tell of each request when it comes, and when its answer is with the system's sockets."""
    run = server.run

    def watched(app):
        async def called(scope, receive, send):
            if scope["type"] != "http" or scope["method"] != "POST":
                await app(scope, receive, send)
                return
            what = "/".join(part for part in scope["path"].split("/") if "_" not in part)

            async def sent(message):
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    score.at(f"answered {what}")

            score.at(f"came {what}")
            await app(scope, receive, sent)

        return called

    server.run = lambda app, *words: run(watched(app), *words)


if __name__ == "__main__":
    kept = Score(Path(sys.argv.pop(1)))
    for watch in (watch_lane, watch_channel, watch_door):
        watch(kept)
    main()
