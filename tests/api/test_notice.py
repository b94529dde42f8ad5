"""The notice door over real HTTP: what is not right is refused, counted and changes nothing at all.

Notices are made with the platform's own keys, so that each is wrong in one thing and right in all
others; what is right in all, but contradicts, is taken and credited once.
"""

import http.client
import itertools
import json
import random
import time
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from api.caller import wait_for
from api.till import ACCOUNT, OPENID, tilling
from lingqian.cli.main import app
from lingqian.flows.command import CloseDay, Observe, RecordBill, RecordMatch
from lingqian.flows.kind import KINDS
from lingqian.kernel.bound import NOTICE_BYTES_MAX
from lingqian_simulator import signer
from lingqian_simulator.merchant import suite_of

PATH = f"/v1/channels/{ACCOUNT}/notices"
COPIES = 25
CONNECTIONS = 20
HUGE = 5_000_000
OTHER_KEY = "x" * 32


class Sent(NamedTuple):
    """A notice as it goes over the wire, and where to."""

    body: bytes
    headers: dict[str, str]
    path: str = PATH


class Notary:
    """Makes notices as the platform would, each part to be changed before it is signed."""

    def __init__(self, till):
        self.world = till.platform.simulator.world
        self.merchant = self.world.merchants[till.platform.simulator.merchant.mchid]
        self.till = till

    def payment(self, number, total=5_000, **changes):
        """Return what the platform says of a paid order."""
        return {
            "mchid": self.merchant.mchid,
            "appid": self.till.platform.simulator.merchant.appid,
            "out_trade_no": number,
            "transaction_id": self.transaction_id(number),
            "trade_type": "JSAPI",
            "trade_state": "SUCCESS",
            "success_time": time.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
            "payer": {"openid": OPENID},
            "amount": {"total": total, "payer_total": total, "currency": "CNY"},
            **changes,
        }

    def transaction_id(self, number):
        """Return what the platform calls the payment of a number, or would."""
        payments = self.world.orders[self.merchant.mchid, number].payments
        return payments[-1].transaction_id if payments else f"4200{number[3:]}"

    def body(self, plain, key=None, event="TRANSACTION.SUCCESS"):
        """Seal what is said into a notice."""
        suite = suite_of(self.merchant)
        nonce, associated = "n0nce0000000", "transaction"
        text = json.dumps(plain).encode()
        sealed = suite.seal(
            key or self.merchant.api_v3_key, nonce.encode(), associated.encode(), text
        )
        whole = {
            "id": str(uuid.uuid4()),
            "create_time": time.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": {
                "original_type": associated,
                "algorithm": suite.aead,
                "ciphertext": b64encode(sealed).decode(),
                "associated_data": associated,
                "nonce": nonce,
            },
        }
        return json.dumps(whole).encode()

    def signed(self, body, *, late_s=0, by=None):
        """Sign a body, as late as is wished, by whom is wished."""
        key = signer.certificate_key(self.world, self.merchant)
        stamp = signer.Stamp(key, key.serial, int(time.time()) - late_s)
        own = by or signer.private_key(key.suite, key.private_pem)
        return Sent(body, signer.headers_by(self.world, self.merchant, stamp, body, own))

    def genuine(self, plain):
        """Return a notice that is right in everything."""
        return self.signed(self.body(plain))


@pytest.fixture(scope="module")
def till(tmp_path_factory):
    """One wallet and one platform for the file."""
    with tilling(tmp_path_factory.mktemp("door"), lanes=4) as found:
        yield found


@pytest.fixture
def notary(till):
    """Whoever signs for the platform."""
    return Notary(till)


def altered(sent):
    """Return a notice with a letter changed after it was signed."""
    return sent._replace(body=sent.body.replace(b"SUCCESS", b"SUCCESs", 1))


def halved(sent):
    """Return the first half of a notice."""
    return sent._replace(body=sent.body[: len(sent.body) // 2])


def probed(sent):
    """Return a notice whose signature is wrong on purpose, as the platform tries out doors."""
    return sent._replace(headers=signer.probe(sent.headers))


def replaced(sent, **headers):
    """Return a notice with other headers."""
    names = {f"Wechatpay-{name}": value for name, value in headers.items()}
    return sent._replace(headers={**sent.headers, **names})


def padded(sent, size):
    """Return a notice whose JSON has as many bytes as that, before it is signed."""
    return sent[:-1] + b" " * (size - len(sent)) + b"}"


# What is wrong with a notice of a payment that never was; the status, and the reason told.
WRONG = {
    "forged": (
        lambda notary, plain: notary.signed(notary.body(plain), by=signer.stranger("RSA")),
        (401, "bad_signature"),
    ),
    "altered": (
        lambda notary, plain: altered(notary.genuine(plain)),
        (401, "bad_signature"),
    ),
    "truncated": (
        lambda notary, plain: halved(notary.genuine(plain)),
        (401, "bad_signature"),
    ),
    "truncated before it was signed": (
        lambda notary, plain: notary.signed(notary.body(plain)[:-40]),
        (400, "notice_malformed"),
    ),
    "expired": (
        lambda notary, plain: notary.signed(notary.body(plain), late_s=600),
        (401, "expired"),
    ),
    "of the future": (
        lambda notary, plain: notary.signed(notary.body(plain), late_s=-600),
        (401, "expired"),
    ),
    "a serial nobody knows": (
        lambda notary, plain: replaced(notary.genuine(plain), Serial="AB" * 20),
        (401, "bad_signature"),
    ),
    "a probe": (
        lambda notary, plain: probed(notary.genuine(plain)),
        (401, "bad_signature"),
    ),
    "unsigned": (
        lambda notary, plain: Sent(notary.body(plain), {}),
        (401, "bad_signature"),
    ),
    "another account's": (
        lambda notary, plain: notary.genuine({**plain, "mchid": "1900000009"}),
        (400, "other_merchant"),
    ),
    "another app's": (
        lambda notary, plain: notary.genuine({**plain, "appid": "wx9999999999999999"}),
        (400, "other_app"),
    ),
    "sealed with another key": (
        lambda notary, plain: notary.signed(notary.body(plain, OTHER_KEY)),
        (400, "resource_unopened"),
    ),
    "one byte too large": (
        lambda notary, plain: notary.signed(padded(notary.body(plain), NOTICE_BYTES_MAX + 1)),
        (413, "too_large"),
    ),
    "five megabytes": (
        lambda notary, plain: notary.signed(padded(notary.body(plain), HUGE)),
        (413, "too_large"),
    ),
    "at another door": (
        lambda notary, plain: notary.genuine(plain)._replace(path="/v1/channels/nobody/notices"),
        (404, "unknown_account"),
    ),
}  # fmt: skip


def books(till):
    """Return how many rows the journal has and how often money moved.

    Rows that the clock runs are apart: those of the days, and what a query by schedule brought.
    """
    clocked = (RecordBill, RecordMatch, CloseDay, Observe)
    kinds = ",".join(str(KINDS[each].number) for each in clocked)
    with closing(till.house.door.wallet.database.reader()) as connection:
        wanted = f"SELECT COUNT(*) FROM journal WHERE kind NOT IN ({kinds})"
        (rows,) = connection.execute(wanted).fetchone()
        (moves,) = connection.execute("SELECT COUNT(*) FROM entries").fetchone()
        return rows, moves


def post(till, sent):
    """Send a notice on a connection of its own."""
    return till.api.post(sent.path, raw=sent.body, headers=sent.headers)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_right_is_refused_counted_and_changes_nothing(till, notary, wrong):
    """The platform's order is unpaid, so whatever was credited would be out of nothing."""
    make, (status, reason) = WRONG[wrong]
    user = till.api.user()
    order = till.top_up(user)
    before, counted = books(till), till.count("lingqian_notices_total", result=reason)
    told = post(till, make(notary, notary.payment(till.number(order))))
    assert (told.status, told.body["code"], told.body["message"]) == (status, "FAIL", reason)
    assert till.count("lingqian_notices_total", result=reason) == counted + 1
    assert books(till) == before
    assert (till.state(order["id"]), till.fen(user)) == ("payable", 0)


def test_the_largest_notice_that_is_allowed_is_taken(till, notary):
    """The control: what was refused above was refused for its one fault and nothing else."""
    user = till.api.user()
    order = till.top_up(user)
    till.platform.pay(till.number(order), is_told=False)
    plain = notary.payment(till.number(order))
    told = post(till, notary.signed(padded(notary.body(plain), NOTICE_BYTES_MAX)))
    assert (told.status, told.body["code"]) == (200, "SUCCESS")
    wait_for(lambda: till.state(order["id"]) == "credited", 30)
    assert till.fen(user) == 5_000


@pytest.mark.parametrize("announced", [None, 100], ids=["chunked", "longer than it says"])
def test_five_megabytes_that_do_not_say_so_are_not_read_either(till, announced):
    """Without a length the door counts as it reads; with a false one it reads no further."""
    before = books(till)
    link = http.client.HTTPConnection("127.0.0.1", till.port, timeout=30)
    with closing(link):
        link.putrequest("POST", PATH)
        if announced is None:
            link.putheader("Transfer-Encoding", "chunked")
        else:
            link.putheader("Content-Length", str(announced))
        link.endheaders()
        piece = b"x" * 50_000
        frame = b"%x\r\n%s\r\n" % (len(piece), piece) if announced is None else piece
        try:
            for _ in range(HUGE // len(piece)):
                link.send(frame)
            link.send(b"0\r\n\r\n" if announced is None else b"")
            status = link.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            status = 0  # cut off in the middle, which is an answer as well
    assert status in ((0, 413) if announced is None else (0, 401))
    assert books(till) == before
    assert till.api.get("/livez").status == 200


def test_a_hundred_notices_that_contradict_each_other_credit_once(till, notary):
    """All rightly signed, at once, over twenty connections: copies, the same told anew, other
    amounts, other states. The platform has one payment, and one is credited."""
    user = till.api.user()
    order = till.top_up(user)
    number = till.number(order)
    till.platform.pay(number, is_told=False)
    plain = notary.payment(number)
    copy = notary.genuine(plain)
    anew = [notary.genuine(plain) for _ in range(COPIES)]
    amounts = itertools.cycle([4_999, 5_001, 1, 500_000])
    others = [
        notary.genuine({**plain, "amount": {"total": fen, "payer_total": fen, "currency": "CNY"}})
        for fen in itertools.islice(amounts, COPIES)
    ]
    states = itertools.cycle(["CLOSED", "NOTPAY", "PAYERROR", "USERPAYING", "REVOKED"])
    unpaid = [
        notary.genuine({**plain, "trade_state": state})
        for state in itertools.islice(states, COPIES)
    ]
    sent = [*[copy] * COPIES, *anew, *others, *unpaid]
    random.Random(1).shuffle(sent)
    received = till.count("lingqian_notices_total", result="received")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = list(pool.map(lambda each: post(till, each).status, sent))
    assert statuses == [200] * len(sent)
    assert till.count("lingqian_notices_total", result="received") == received + 3 * COPIES + 1
    wait_for(lambda: till.order(order["id"])["is_credited"], 30)
    wait_for(lambda: not waiting(till), 30)
    assert till.fen(user) == 5_000
    entries = till.api.get(f"/v1/top-ups/{order['id']}/trail").body["entries"]
    effects = [each["facts"].get("effect") for each in entries]
    assert effects.count("credited") == 1


def waiting(till):
    """Return how many notices nobody has acted on yet."""
    with closing(till.house.door.wallet.database.reader()) as connection:
        return connection.execute("SELECT COUNT(*) FROM notices WHERE state = 0").fetchone()[0]


def test_what_came_to_the_door_has_left_the_books_whole(till):
    """Every law holds behind all of the above."""
    done = CliRunner().invoke(app, ["audit", "--data", str(till.folder)])
    assert done.exit_code == 0, done.output
