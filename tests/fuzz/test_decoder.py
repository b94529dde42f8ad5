"""Every decoder that strangers feed: whatever bytes come, a value or a refusal, never a crash."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import picture
from lingqian.events.host import check_url
from lingqian.events.tail import read_position, write_position
from lingqian.flows.kind import KINDS
from lingqian.identity.key import read_key, write_key
from lingqian.kernel.clock import from_rfc3339
from lingqian.kernel.fault import Damaged
from lingqian.kernel.id import parse, show
from lingqian.redpacket import proof
from lingqian.storage.codec import Row, decode
from lingqian.web.app import OPERATIONS
from lingqian.web.call import read_body
from lingqian.web.page import read_cursor, write_cursor
from lingqian.web.picture import redraw
from lingqian.web.problem import Refused
from lingqian.web.route.statement import safe

NUMBER_MAX = max(each.number for each in KINDS.values())
SHAPES = sorted({row.takes for row in OPERATIONS if row.takes}, key=lambda each: each.__name__)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


def often(examples):
    """Draw many more than the tests that need a server."""
    return settings(max_examples=examples * 8, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("shape", SHAPES, ids=[each.__name__ for each in SHAPES])
def test_a_body_is_its_type_or_refused(shape, examples):
    """Bytes of any kind; JSON of any shape; the type's own fields with anything in them."""
    fields = st.dictionaries(st.sampled_from(shape.__struct_fields__), JSON)

    @given(raw=st.binary(max_size=200) | JSON.map(encoded) | fields.map(encoded))
    @often(examples)
    def feed(raw):
        found = read_or_refused(read_body, shape, raw)
        assert isinstance(found, shape) or found in (400, 422)

    feed()


def read_or_refused(read, *words):
    """Return what was read, or the status of the refusal."""
    try:
        return read(*words)
    except Refused as refusal:
        return refusal.reply.status


def encoded(value):
    """Return JSON as careless writers write it, with NaN and all."""
    import json  # noqa: PLC0415 - beside its only use

    return json.dumps(value).encode("utf-8", "surrogatepass")


PICTURES = {
    picture.JPEG: (picture.located(), picture.painted(size=(90, 120), progressive=True)),
    picture.PNG: (picture.noted(), picture.moving(), picture.painted(size=(90, 120), form="PNG")),
}


@pytest.mark.parametrize("media", PICTURES)
def test_a_picture_is_drawn_anew_or_refused(media, examples):
    """Bytes of a real one changed, left out and put in; what comes out is always our own JPEG."""
    edits = st.tuples(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=8))

    @given(whole=st.sampled_from(PICTURES[media]), edits=st.lists(edits, max_size=6))
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def feed(whole, edits):
        body = whole
        for place, gone, come in edits:
            at = int(place * len(body))
            body = body[:at] + come + body[at + gone :]
        found = read_or_refused(redraw, media, body)
        assert found == 422 or found.startswith(b"\xff\xd8\xff")

    feed()


def test_a_resume_id_is_a_position_or_nothing(examples):
    """And what we wrote is read back."""
    lanes = st.integers(0, 65_535)
    places = st.tuples(st.integers(0, 2**61), st.integers(0, 2**31))

    @given(
        text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,80}"), good=st.dictionaries(lanes, places)
    )
    @example(text="A" * 5, good={})
    @often(examples)
    def feed(text, good):
        found = read_position(text)
        assert found is None or all(0 <= seq < 2**62 for seq, _ in found.values())
        assert read_position(write_position(good)) == good

    feed()


def test_a_cursor_is_ours_or_refused(examples):
    """Also the cursor of another list."""

    @given(
        text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}"),
        key=st.binary(min_size=8, max_size=8),
    )
    @often(examples)
    def feed(text, key):
        found = read_or_refused(read_cursor, b"c", text, 8)
        assert found is None or found == 422 or len(found) == 8
        assert read_cursor(b"c", write_cursor(b"c", key), 8) == key
        with pytest.raises(Refused):
            read_cursor(b"d", write_cursor(b"c", key), 8)

    feed()


def test_an_id_is_an_id_or_nothing(examples):
    """One text for one id, and no other text for it."""

    @given(
        text=st.text() | st.from_regex(r"us_[0-9A-Z]{26}"),
        identity=st.binary(min_size=16, max_size=16),
    )
    @example(text="us_0000000000000000000000000\n", identity=bytes(16))
    @example(text="us_" + "\u0660" * 26, identity=bytes(16))
    @example(text="us_" + "0" * 25 + "_", identity=bytes(16))
    @often(examples)
    def feed(text, identity):
        found = parse("us", text)
        assert found is None or show("us", found) == text
        assert parse("us", show("us", identity)) == identity
        assert parse("rp", show("us", identity)) is None

    feed()


def test_keys_moments_and_addresses_are_read_or_not(examples):
    """Small readers, small mistakes."""

    @given(text=st.text() | st.from_regex(r"lq_[0-9a-f]{0,14}_[0-9a-f]{60,66}"))
    @example(text="0001-01-01T00:00:00+23:59")
    @example(text="9999-12-31T23:59:59.999999-23:59")
    @example(text="https://[::1")
    @often(examples)
    def feed(text):
        parts = read_key(text)
        assert parts is None or write_key(*parts) == text
        at_us = from_rfc3339(text)
        assert at_us is None or abs(at_us) < 2**60
        assert isinstance(check_url(text, allows_private=False), str)
        cell = safe(text)
        assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r"))

    feed()


def test_a_proof_is_read_or_refused(examples):
    """A verifier is run on files from people one does not trust."""

    @given(value=JSON)
    @often(examples)
    def feed(value):
        assert not all(finding.ok for finding in proof.verify(value))

    feed()


def test_a_journal_row_is_read_or_damaged(examples):
    """Bytes from a disk are strangers too."""

    @given(kind=st.integers(0, NUMBER_MAX + 1), body=st.binary(max_size=120))
    @often(examples)
    def feed(kind, body):
        try:
            decode(Row(0, 1, 1, kind, 0, b"\x01\x00" + body))
        except Damaged:
            return

    feed()
