"""The document of the API: complete, true to its own examples, and browsable from here alone."""

import hashlib
import json
import re
from importlib import resources
from typing import Any

import msgspec
import pytest

from lingqian.kernel.code import TABLE, Code
from lingqian.web.app import OPERATIONS
from lingqian.web.document import document
from lingqian.web.problem import FIELDS, shape

DOCUMENT = document(OPERATIONS)
NAMES = [f"{row.method} {row.path}" for row in OPERATIONS]
STATIC = resources.files("lingqian.web") / "static" / "docs"


@pytest.mark.parametrize("row", OPERATIONS, ids=NAMES)
def test_every_operation_is_told_whole(row):
    """Summary, words, examples of what goes in and what comes out, every code."""
    told = DOCUMENT["paths"][row.path][row.method.lower()]
    assert told["summary"]
    assert told["description"]
    assert row.gives
    if row.takes is not None:
        assert msgspec.convert(row.example, row.takes)
    for status, given in row.gives.items():
        if given.shape is None or given.shape in (str, dict[str, Any]):
            continue
        content = told["responses"][str(status)]["content"]["application/json"]
        assert msgspec.convert(content["example"], given.shape) == given.example
    for code in row.codes:
        status = str(TABLE[code].status)
        content = told["responses"][status]["content"]["application/problem+json"]
        assert code.name.lower() in content["examples"]


def test_operation_ids_are_unique():
    """Generated clients make functions of them."""
    ids = [row["operationId"] for methods in DOCUMENT["paths"].values() for row in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_code_is_answered_by_some_operation():
    """A code that no operation names is one that no caller expects."""
    told = {code for row in OPERATIONS for code in row.codes}
    # Answered where no operation is found, or for a mistake of ours; the last never leaves the
    # relay; a stale status and a case of nobody do not arise at the door. A channel hears of its
    # notice and of its evidence in its own words.
    elsewhere = {
        Code.OK, Code.INTERNAL, Code.METHOD_NOT_ALLOWED,
        Code.RELAY_GAP, Code.NOTICE_KNOWN, Code.EVIDENCE_INVALID,
        # Said to the worker that closes days; a run shows them as what it waits for.
        Code.DAY_CLOSED, Code.BILL_MISSING, Code.DAY_NOT_MATCHED, Code.DAY_BEFORE_OPEN,
        Code.DIFFERENCE_OVERDUE, Code.DAY_NOT_BALANCED,
    }  # fmt: skip
    assert set(Code) - told == elsewhere


def test_every_problem_has_words_in_both_languages():
    """And says what may be tried again."""
    for code in Code:
        told = shape(code)
        assert told.message_zh
        assert told.message_en
        assert told.retry in ("never", "same_key", "new_key")
        assert told.type == f"urn:lingqian:problem:{code.name.lower()}"


def test_fields_of_the_core_have_their_name_in_the_api():
    """`key_reused` names what the caller wrote, not what we made of it."""
    from lingqian.flows.kind import KINDS  # noqa: PLC0415 - beside its only use

    known = {name for row in OPERATIONS if row.takes for name in row.takes.__struct_fields__}
    known |= {"user_id", "conversation_id", "order_id", "refund_id", "Idempotency-Key"}
    asked = {name for kind in KINDS.values() for name in kind.asked}
    # A sender chooses shares through these only.
    assert {FIELDS.get(name, name) for name in asked} - known == set()


def test_the_document_is_served_and_is_the_same(api):
    """What tools read is what this test has read."""
    told = api.get("/openapi.json")
    assert told.body == json.loads(msgspec.json.encode(DOCUMENT))


def containers(found):
    """Return every dict and list within something, by identity."""
    held = {id(found): found} if isinstance(found, dict | list) else {}
    inner = found.values() if isinstance(found, dict) else found if held else ()
    for each in inner:
        held |= containers(each)
    return held


def test_a_document_is_its_owners_alone():
    """Tools fill their own values into the examples; what the next one is given is still ours."""
    assert not containers(document(OPERATIONS)).keys() & containers(DOCUMENT).keys()


def test_the_page_loads_nothing_from_anywhere_else(api):
    """Behind a firewall, on a plane, in China: it opens."""
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    parts = re.findall(rb'(?:src|href)="([^"]+)"', page.body)
    assert not [part for part in parts if b"//" in part]
    for part in parts:
        if part.startswith(b"/docs/"):
            told = api.get(part.decode())
            assert told.status == 200
            assert len(told.body) > 100
    assert api.get("/").headers["location"] == "/docs"


def test_the_vendored_files_are_what_was_published():
    """Their stamp says what they are; whoever changes one must say so."""
    import gzip  # noqa: PLC0415 - beside its only use

    lines = (STATIC / "STAMP").read_text().splitlines()[1:]
    assert len(lines) == 2
    for line in lines:
        digest, name = line.split()
        packed = (STATIC / f"{name}.gz").read_bytes()
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == digest
    assert "Apache License" in (STATIC / "LICENSE").read_text()


def test_compressed_parts_are_packed_only_for_who_can_unpack(api):
    """Both ways give the same bytes."""
    import gzip  # noqa: PLC0415 - beside its only use

    path = "/docs/swagger-ui.css"
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == api.get(path).body


def test_nothing_in_the_api_is_a_wheel_of_fortune():
    """U9: no field ties a payout to digits, obliges a re-send, or takes a cut of a loss."""
    words = re.compile(r"digit|tail|multipl|odds|bet|stake|jackpot|resend|obligat|penalt|fee|rake")
    names = {
        name
        for row in OPERATIONS
        for given in (row.takes, *[each.shape for each in row.gives.values()])
        for name in getattr(given, "__struct_fields__", ())
    }
    assert names
    assert not [name for name in names if words.search(name)]
