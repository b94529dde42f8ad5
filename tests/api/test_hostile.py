"""Hostile input: refused with a reason, never a 5xx, never a change of state."""

import http.client
import json
import socket
from contextlib import closing

import pytest

from lingqian.kernel.bound import AMOUNT_FEN_MAX, BODY_BYTES_MAX

AMOUNTS = [
    "1.0", "1e2", "0.1", "-1", "0", "-0", "NaN", "Infinity", "-Infinity", '"100"', "null", "true",
    "[]", "{}", "9223372036854775808", "9007199254740992", "9007199254740993",
    "1" * 400, "-9223372036854775809", "1E400", "0x10", "01", "+1", "1_000", "\u0661",
]  # fmt: skip
BODIES = [
    b"", b"{", b"null", b"[]", b'""', b"0", b"{}{}", b'{"a":1,}', b"\xff\xfe", b"\xef\xbb\xbf{}",
    b'{"external_id":"\xc3\x28"}', b'{"external_id":"\xed\xa0\x80"}', b'{"external_id":"\\ud800"}',
    b'{"external_id":"\x00"}', b"[" * 100_000, b'{"a":' * 50_000, b"[" * 30_000 + b"]" * 30_000,
    b'{"external_id":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
]  # fmt: skip


def state(house):
    """Return all that money is: how many rows the journal has, and every counter."""
    reader = house.door.wallet.reader
    return house.on_loop(
        lambda: (
            reader.execute("SELECT COUNT(*) FROM journal").fetchone(),
            reader.execute("SELECT * FROM accounts ORDER BY account").fetchall(),
            reader.execute("SELECT COUNT(*) FROM keys").fetchone(),
        )
    )


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_is_no_whole_number_of_fen_moves_nothing(house, api, amount):
    """C12 at the door: floats, strings, signs, and what only looks like an integer."""
    user, other = api.rich(), api.user()
    before = state(house)
    bodies = {
        "/v1/sandbox/funding": {"user_id": user},
        "/v1/transfers": {"source_id": user, "target_id": other},
        "/v1/packets": {"sender_id": user, "kind": "lucky", "count": 1},
    }
    for path, body in bodies.items():
        name = "total_fen" if "kind" in body else "amount_fen"
        raw = json.dumps(body)[:-1] + f', "{name}": {amount}}}'
        told = api.post(path, raw=raw.encode(), once=f"hostile-{path}")
        assert told.status in (400, 422), (path, told)
        assert told.code in ("malformed_json", "invalid_field")
    assert state(house) == before


def test_the_largest_amount_is_taken_and_the_next_is_not(api):
    """The control: the edge is where the document says it is."""
    user = api.user()
    body = {"user_id": user, "amount_fen": AMOUNT_FEN_MAX}
    assert api.post("/v1/sandbox/funding", body, once="max").status == 201
    assert api.balance(user)["amount_fen"] == AMOUNT_FEN_MAX
    body["amount_fen"] += 1
    assert api.post("/v1/sandbox/funding", body, once="max+1").status == 422


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_no_sense_is_refused(house, api, body):
    """Cut off, empty, not UTF-8, nested beyond reason."""
    before = state(house)
    for path in ("/v1/users", "/v1/packets", "/v1/webhook-endpoints"):
        told = api.post(path, raw=body, once="sense")
        assert told.status in (400, 413, 422), (path, told)
        assert told.body["code"]
    assert state(house) == before


def test_ten_megabytes_are_refused_before_they_are_read(house, api):
    """By the announced size, and by what arrives when none is announced."""
    before = state(house)
    told = api.post("/v1/users", raw=b"x" * 10_000_000)
    assert (told.status, told.code) == (413, "body_too_large")
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=20)
    with closing(connection):
        headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
        chunks = (b"x" * 10_000 for _ in range(100))
        try:
            connection.request("POST", "/v1/users", chunks, headers, encode_chunked=True)
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed on us while we were still pouring: refused all the same
    edge = json.dumps({"external_id": "edge", "nickname": ""}).encode()
    padded = edge + b" " * (BODY_BYTES_MAX - len(edge))
    assert state(house) == before
    assert api.post("/v1/users", raw=padded).status in (200, 201)
    assert api.post("/v1/users", raw=padded + b" ").status == 413


@pytest.mark.parametrize("body", [
    {"external_id": "x", "admin": True},
    {"external_id": "x", "id": "us_00000000000000000000000000"},
    {"external_id": ""},
    {"external_id": "x" * 129},
    {"external_id": 7},
    {"external_id": None},
    {"external_id": "x", "account_class": 4},
    {"external_id": "x", "account_class": "3"},
    {"external_id": "x", "account_class": True},
    {"external_id": "x", "nickname": "n" * 33},
])  # fmt: skip
def test_an_unknown_or_ill_typed_field_is_named(api, body):
    """What is not understood is not ignored."""
    told = api.post("/v1/users", body)
    assert (told.status, told.code) == (422, "invalid_field")
    assert told.body["field"]


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded",
                                   "application/xml", "application/jsonp"])  # fmt: skip
def test_a_body_of_another_kind_is_refused(api, media):
    """A form of some other site must not be taken for a command."""
    told = api.post("/v1/users", raw=b'{"external_id":"x"}', headers={"Content-Type": media})
    assert (told.status, told.code) == (415, "unsupported_media_type")


def test_a_body_may_name_its_charset(api):
    """The control of the test above."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    told = api.post("/v1/users", raw=b'{"external_id":"charset"}', headers=headers)
    assert told.status in (200, 201)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/nothing", 404), ("GET", "/v1", 404), ("GET", "/v1/users/a/b/c", 404),
    ("POST", "/livez", 405), ("DELETE", "/v1/users", 405), ("PUT", "/v1/packets", 405),
    ("GET", "/v1/../livez", 404), ("GET", "/docs/../../secret", 404), ("GET", "/%00", 404),
    ("GET", "/docs/nothing.js", 404), ("GET", "/pages/nothing", 404), ("GET", "/v1/users/%ff", 401),
    ("GET", "/" + "a" * 4_000, 404),
])  # fmt: skip
def test_an_address_that_is_none_is_told_so(house, method, path, status):
    """In the same shape as every other refusal."""
    from api.caller import Caller  # noqa: PLC0415 - beside its only use

    told = Caller(house.port, "").call(method, path)
    assert told.status == status
    assert told.headers["content-type"] == "application/problem+json"
    assert told.body["status"] == status


@pytest.mark.parametrize("raw", [
    b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a b\xff\r\n\r\n",
    b"POST /v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000,
])  # fmt: skip
def test_bytes_that_are_no_request_end_the_connection_only(house, api, raw):
    """The next caller must not notice."""
    with closing(socket.create_connection(("127.0.0.1", house.port), timeout=5)) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := connection.recv(65_536):
                answer += chunk
        except ConnectionResetError:
            pass
    assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")), answer
    assert api.get("/livez").status == 200


@pytest.mark.parametrize("key", ["k" * 129, "钥匙".encode().decode("latin-1"), "\t", " a b "])
def test_an_odd_idempotency_key_is_a_key_or_refused(api, key):
    """Whatever fits a header and the bound works; it is only compared."""
    body = {"user_id": api.user(), "amount_fen": 1}
    told = api.post("/v1/sandbox/funding", body, once=key)
    assert told.status in (201, 400, 422)


def test_no_answer_is_taken_for_a_page(api):
    """Headers that browsers need to hear before they believe in content."""
    for path in ("/livez", "/v1/limits", "/nothing"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_text_comes_back_as_it_was_sent(api):
    """Emoji, right to left, zero width, quotes: a nickname is data and nothing else."""
    for text in ("👨‍👩‍👧", "\u202eabc", "a\u200bb", "\"\\'<script>", "0", "\x7f\x01"):
        user = api.user(text)
        assert api.get(f"/v1/users/{user}").body["nickname"] == text
