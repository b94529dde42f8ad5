"""Other people's pages: forged requests, code in texts, frames, and ways that lead elsewhere."""

import http.client
import json
import re
import socket
from contextlib import closing

import pytest

from api.caller import Caller, running
from api.phone import Phone, link_of, phone_of
from lingqian.web.app import OPERATIONS

PARAMETER = re.compile(r"\{(\w+)\}")
EVIL = "https://evil.example"
CODE = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)",
        '"><svg/onload=alert(1)>', "${7*7}{{7*7}}")  # fmt: skip
GUARDED = [row for row in OPERATIONS if not row.is_public]
OPEN = [row for row in OPERATIONS if row.is_public and row.method == "GET"]


def name_of(row):
    """Return how an operation is called."""
    return f"{row.method} {row.path}"


def path_of(row):
    """Return an address of an operation."""
    return PARAMETER.sub("x", row.path)


@pytest.fixture
def nobody(api):
    """A caller without any proof, as another site's page would be."""
    return Caller(api.port, "")


@pytest.mark.parametrize("row", GUARDED, ids=map(name_of, GUARDED))
def test_without_a_proof_nothing_is_done(nobody, row):
    """A forged request has what a browser adds by itself, cookies and an origin, and no more."""
    forged = {"Origin": EVIL, "Cookie": "session=x; access_token=x", "Idempotency-Key": "forged"}
    for scheme in ({}, {"Authorization": "Basic eDp4"}, {"Authorization": "Bearer "},
                   {"Authorization": "DPoP "}, {"Authorization": "Bearer lq_x_y"}):  # fmt: skip
        told = nobody.call(row.method, path_of(row), row.example, headers={**forged, **scheme})
        assert (told.status, told.code) == (401, "unauthenticated")
        assert "www-authenticate" in told.headers


@pytest.mark.parametrize("row", OPERATIONS, ids=map(name_of, OPERATIONS))
def test_no_other_site_is_let_read_or_ask(nobody, row):
    """No cookie is ever set, no origin allowed; what a preflight asks for is not granted."""
    headers = {"Origin": EVIL, "Access-Control-Request-Method": row.method,
               "Access-Control-Request-Headers": "authorization,dpop"}  # fmt: skip
    for method in ("OPTIONS", row.method):
        told = nobody.call(method, path_of(row), row.example, headers=headers)
        assert not [each for each in told.headers if each.startswith("access-control-")]
        assert "set-cookie" not in told.headers
        assert "location" not in told.headers or told.headers["location"] == "/docs"


def test_signing_in_sets_no_cookie(api):
    """What a browser would send by itself, another site could make it send."""
    phone = Phone(api.port)
    told = phone.sign_in(link_of(api, api.user()))
    assert (told.status, "set-cookie" in told.headers) == (201, False)


FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")


@pytest.mark.parametrize("media", FORMS)
def test_what_a_form_can_send_is_no_command(api, media):
    """Even with a stolen proof: the kinds a form may send without asking are not taken."""
    phone = phone_of(api, api.rich())
    raw = json.dumps({"target_id": api.user(), "amount_fen": 1}).encode()
    told = phone.call("POST", "/v1/transfers", raw=raw, once="f", headers={"Content-Type": media})
    assert (told.status, told.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("row", OPERATIONS, ids=map(name_of, OPERATIONS))
def test_no_answer_can_be_framed_sniffed_or_kept(nobody, row):
    """Good answers and refusals, pages and JSON: who may frame them is always said."""
    told = nobody.call(row.method, path_of(row), row.example)
    rules = told.headers["content-security-policy"]
    assert re.search(r"frame-ancestors '(none|self)'", rules), rules
    scripts = re.search(r"script-src ([^;]*)", rules)
    assert scripts is None or "unsafe" not in scripts[1], rules
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["referrer-policy"] == "no-referrer"


def test_a_page_that_carries_its_scripts_runs_those_only(nobody):
    """The verifier reads proofs of strangers: what stands in one must find no way to run."""
    rules = nobody.get("/pages/verify").headers["content-security-policy"]
    scripts = re.search(r"script-src ([^;]*)", rules)[1].split()
    assert scripts[0] == "'self'"
    assert scripts[1:]
    assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", each) for each in scripts[1:])


@pytest.mark.parametrize("text", CODE)
def test_a_text_is_never_a_page(api, text):
    """Nickname, greeting, note, device's name: given back as data that no browser runs."""
    short = text[:32]
    user = api.rich(nickname=short)
    phone = phone_of(api, user, short)
    packet = api.packet(user, greeting=text[:25])
    body = {"target_id": user, "amount_fen": 1, "note": short, "source_id": api.rich()}
    transfer = api.post("/v1/transfers", body, once=f"x{text}").body["id"]
    told = [api.get(f"/v1/users/{user}"), api.get(f"/v1/packets/{packet}"),
            api.get(f"/v1/transfers/{transfer}"), phone.get("/v1/sessions")]  # fmt: skip
    for answer in told:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    refused = phone.get(f"/v1/users/{short.replace('/', '')[:20].encode().hex()}")
    assert refused.headers["content-type"] == "application/problem+json"
    file = phone.get("/v1/users/me/statement.csv")
    assert "attachment" in file.headers["content-disposition"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_name_is_no_formula_in_a_file(api, cell):
    """Whoever opens a statement in a spreadsheet runs nobody's name."""
    user = api.rich()
    body = {"source_id": api.rich(nickname=cell), "target_id": user, "amount_fen": 1}
    assert api.post("/v1/transfers", body, once=f"c{cell}").status == 201
    raw = api.get(f"/v1/users/{user}/statement.csv").body.decode("utf-8-sig")
    cells = [each for line in raw.splitlines() for each in line.split(",")]
    assert not [each for each in cells if each.strip('"') == cell]


PLACES = ["//evil.example", "/\\evil.example", "/%5cevil.example", "///evil.example/..",
          "/docs/", "/wallet/", "/v1/users/", "/?next=//evil.example",
          "/wallet?next=//evil.example", "/docs?url=https://evil.example/x.json"]  # fmt: skip


def raw_get(port, target, host):
    """Ask for a target that no client would write; return the head of the answer."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        line = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(line.encode())
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer.partition(b"\r\n\r\n")[0].decode("latin-1").lower().replace("\r", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
@pytest.mark.parametrize("target", PLACES)
def test_no_address_leads_elsewhere(api, target, host):
    """Open redirects: only the bare address leads on, to our own documents, whoever is asked."""
    head = raw_get(api.port, target, host)
    assert "evil.example" not in head
    locations = re.findall(r"^location: (.*)$", head, re.MULTILINE)
    assert locations in ([], ["/docs"])
    assert locations == [] or target.partition("?")[0] == "/"


def test_a_link_leads_to_the_public_name_whoever_is_asked(tmp_path):
    """A forged host must not make a link that brings its token to another site."""
    with running(tmp_path / "house", public_origin="https://pay.example") as house:
        api = house.caller()
        told = api.post(
            "/v1/session-links", {"user_id": api.user()}, headers={"Host": "evil.example"}
        )
        assert told.body["url"].startswith("https://pay.example/wallet#link=")


def test_a_request_is_not_smuggled_behind_another(api):
    """Two lengths, or a length and chunks: the second half is not taken for somebody's request."""
    inner = "GET /v1/limits HTTP/1.1\r\nHost: a\r\n\r\n"
    for head in (f"Content-Length: 4\r\nContent-Length: {len(inner)}",
                 "Content-Length: 4\r\nTransfer-Encoding: chunked",
                 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"):  # fmt: skip
        with closing(socket.create_connection(("127.0.0.1", api.port), timeout=10)) as connection:
            connection.sendall(
                f"POST /v1/users HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{inner}".encode()
            )
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        assert answer.count(b"HTTP/1.1") <= 1, answer
        assert b"HTTP/1.1 2" not in answer
    with closing(http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
