"""Webhooks: signed, at least once, for days, through a restart, and to nobody they should not."""

import asyncio
import base64
import http.client
import json
import socket
import threading
from collections import Counter
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import apsw
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from api.caller import running, wait_for
from lingqian.events import webhook
from lingqian.events.host import GuardedResolver, PrivateHostError, check_url, is_public


class Receiver:
    """Somebody else's server: keeps what it got, and answers as it is told to."""

    def __init__(self) -> None:
        self.got = []
        self.followed = []
        self.answer = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers), body, receiver.answer))
                self.send_response(receiver.answer)
                if receiver.answer == 302:
                    self.send_header("location", f"http://127.0.0.1:{receiver.port}/other")
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self):
                receiver.followed.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *words):
                del words

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, status=204):
        """Return the events that were answered so."""
        return [json.loads(body) for _, body, answer in self.got if answer == status]

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    """A receiver for one test."""
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def quick(monkeypatch):
    """Try again at once instead of after minutes."""
    monkeypatch.setattr(webhook, "WAITS_S", (0.1,) * 12)


def open_to_all(folder):
    """Run a server that may call private hosts, as this test's receiver is one."""
    return running(folder, webhook_private_hosts=True)


def add(api, receiver, *types):
    """Add an endpoint; return its description with the secret."""
    told = api.post("/v1/webhook-endpoints", {"url": receiver.url, "types": types})
    assert told.status == 201, told
    return told.body


def test_an_event_arrives_with_a_signature_others_can_read(tmp_path, receiver):
    """An independent implementation of the standard is the judge."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        made = add(api, receiver)
        user = api.user()
        wait_for(lambda: receiver.got)
        headers, body, _ = receiver.got[0]
        headers = {name.lower(): value for name, value in headers.items()}
        assert Webhook(made["secret"]).verify(body, headers)["data"]["user_id"] == user
        event = json.loads(body)
        assert headers["webhook-id"] == event["id"]
        assert len(bytes.fromhex(event["head"])) == 32
        assert (event["lane"], event["sequence"]) == (0, 1)
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(body.replace(b"us_", b"su_"), headers)
        other = "whsec_" + base64.b64encode(bytes(32)).decode()
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers)


def test_only_the_types_asked_for_arrive(tmp_path, receiver):
    """And each of them once, in order, when nothing fails."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        add(api, receiver, "packet.claimed.v1", "packet.finished.v1")
        packet = api.packet(api.rich())
        for _ in range(2):
            api.claim(packet, api.user())
        wait_for(lambda: len(receiver.got) == 3)
        kinds = Counter(event["type"] for event in receiver.events())
        assert kinds == {"packet.claimed.v1": 2, "packet.finished.v1": 1}


@pytest.mark.usefixtures("quick")
def test_what_is_not_taken_is_tried_again(tmp_path, receiver):
    """A receiver that was down for a moment misses nothing."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        add(api, receiver)
        receiver.answer = 500
        users = {api.user() for _ in range(5)}
        wait_for(lambda: len(receiver.got) >= 10)
        shown = api.get("/v1/webhook-endpoints").body["endpoints"]
        assert shown[0]["waiting_count"] == 5
        receiver.answer = 204
        wait_for(lambda: len(receiver.events()) == 5)
        assert {event["data"]["user_id"] for event in receiver.events()} == users
        wait_for(
            lambda: api.get("/v1/webhook-endpoints").body["endpoints"][0]["waiting_count"] == 0
        )


@pytest.mark.usefixtures("quick")
def test_a_failure_that_could_not_be_noted_is_no_delivery(tmp_path, receiver, monkeypatch):
    """The receiver says no and the disk is full in the same second: it must be asked again."""
    settle, faults = webhook.settle_deliveries, []

    def full(connection, failed, done):
        if failed and not faults:
            faults.append(len(failed))
            raise apsw.FullError("the disk is full")
        settle(connection, failed, done)

    monkeypatch.setattr(webhook, "settle_deliveries", full)
    with open_to_all(tmp_path) as house:
        api = house.caller()
        add(api, receiver)
        receiver.answer = 500
        first = api.user()
        wait_for(lambda: faults)
        receiver.answer = 204
        users = {first, api.user()}
        wait_for(lambda: {each["data"]["user_id"] for each in receiver.events()} == users)


@pytest.mark.usefixtures("quick")
def test_retries_survive_a_restart(tmp_path, receiver):
    """What happened while nobody could be told is told by the next process."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        add(api, receiver)
        receiver.answer = 503
        users = {api.user() for _ in range(4)}
        wait_for(lambda: len(receiver.got) >= 4)
    receiver.answer = 204
    with open_to_all(tmp_path) as house:
        wait_for(lambda: len(receiver.events()) >= 4)
        users.add(house.caller().user())
        wait_for(lambda: {each["data"]["user_id"] for each in receiver.events()} == users)


@pytest.mark.usefixtures("quick")
def test_a_redirect_is_not_followed(tmp_path, receiver):
    """It could lead to where the address itself was not allowed to."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        add(api, receiver)
        receiver.answer = 302
        api.user()
        wait_for(lambda: len(receiver.got) >= 3)
        assert (receiver.events(), receiver.followed) == ([], [])


@pytest.mark.usefixtures("quick")
def test_an_endpoint_that_is_lost_is_disabled_and_it_is_said(tmp_path, receiver, monkeypatch):
    """Nobody tries for ever, and nobody stops without a word."""
    monkeypatch.setattr(webhook, "TRIES_MAX", 3)
    with open_to_all(tmp_path) as house:
        api = house.caller()
        made = add(api, receiver)
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
        with closing(connection):
            headers = {"Authorization": f"Bearer {api.key}"}
            connection.request("GET", "/v1/events", headers=headers)
            stream = connection.getresponse()
            receiver.answer = 500
            api.user()
            lines = iter(stream.readline, b"")
            assert b"event: webhook.disabled.v1\n" in lines
            assert json.loads(next(lines)[6:])["subject"] == made["id"]
            stream.close()
        assert api.get("/v1/webhook-endpoints").body["endpoints"][0]["disabled_at"]
        count = len(receiver.got)
        api.user()
        assert len(receiver.got) == count


@pytest.mark.usefixtures("quick")
def test_a_removed_endpoint_gets_nothing_more(tmp_path, receiver):
    """Neither what is new nor what still waits."""
    with open_to_all(tmp_path) as house:
        api = house.caller()
        made, other = add(api, receiver), Receiver()
        receiver.answer = 500
        api.user()
        wait_for(lambda: receiver.got)
        told = api.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")
        assert (told.status, told.body) == (204, b"")
        again = api.call("DELETE", f"/v1/webhook-endpoints/{made['id']}")
        assert (again.status, again.code) == (404, "not_found")
        add(api, other)
        count = len(receiver.got)
        api.user()
        wait_for(lambda: len(other.got) == 1)
        assert len(receiver.got) <= count + 1  # one may have been under way
        other.close()


REFUSED = [
    "http://example.com/",
    "ftp://example.com/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.1.2.3:8443/",
    "https://2130706433/",
    "https://user:secret@example.com/",
    "https://example.com/#part",
    "https:///nothing",
    "https://example.com:99999/",
    "https://exa mple.com/",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_must_not_be_called_is_refused(api, url):
    """Our server stands where others cannot reach; it must not be their long arm."""
    told = api.post("/v1/webhook-endpoints", {"url": url})
    assert (told.status, told.code, told.body["field"]) == (422, "invalid_field", "url")


def test_a_public_address_is_taken():
    """The control of the test above."""
    assert check_url("https://hooks.example.com/a?b=c", allows_private=False) == ""
    assert check_url("https://93.184.215.14/", allows_private=False) == ""


@pytest.mark.parametrize(("address", "public"), [
    ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.0.0.1", False),
    ("100.64.0.1", False), ("192.168.1.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
    ("::1", False), ("::", False), ("fe80::1", False), ("fd00::1", False),
    ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ("2001:0:1:2::3", False), ("::ffff:8.8.8.8", True),
])  # fmt: skip
def test_only_what_is_on_the_public_internet_is_public(address, public):
    """Also when it is wrapped in another kind of address."""
    assert is_public(address) is public


def test_a_name_that_leads_home_is_not_followed(monkeypatch):
    """The name is checked when it is resolved, and what was checked is what is connected to."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    async def resolve(*, allows_private):
        loop = asyncio.get_running_loop()

        async def lookup(*words, **more):
            del words, more
            return found

        monkeypatch.setattr(loop, "getaddrinfo", lookup)
        resolver = GuardedResolver(allows_private=allows_private)
        return await resolver.resolve("rebound.example", 443)

    with pytest.raises(PrivateHostError):
        asyncio.run(resolve(allows_private=False))
    assert asyncio.run(resolve(allows_private=True))[0]["host"] == "127.0.0.1"


def test_a_type_there_is_not_cannot_be_asked_for(api):
    """A typing error would otherwise be silence for ever."""
    body = {"url": "https://example.com/", "types": ["packet.claimd.v1"]}
    told = api.post("/v1/webhook-endpoints", body)
    assert (told.status, told.body["field"]) == (422, "types")


def test_waits_grow_and_are_spread():
    """Those that failed together must not come again together."""
    waits = [webhook.wait_us(tries, 0.5) for tries in range(1, 13)]
    assert waits == sorted(waits)
    assert waits[0] == 5_000_000
    assert webhook.wait_us(3, 0.0) < waits[2] < webhook.wait_us(3, 1.0)
    assert sum(waits) > 4 * 86_400 * 1_000_000
