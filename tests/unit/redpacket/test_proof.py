"""The proof: what was fixed cannot be changed, and every change is named."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lingqian.cli.verify import check_ed25519
from lingqian.redpacket import proof
from lingqian.redpacket.commitment import terms_bytes
from lingqian.redpacket.document import write
from lingqian.redpacket.proof import (
    DRAW_LIMITS,
    LIMITS,
    Beacon,
    Claim,
    Closure,
    MalformedError,
    Terms,
    chain,
    chain_start,
    commitment,
    draw_key,
    draw_order,
    label,
    level,
    limits,
    pseudonym,
    record,
    shares,
    signed,
    signing_bytes,
    split_key,
    verify,
)
from lingqian.redpacket.reading import read
from need import needs
from tampering import tampered

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "docs" / "reference" / "proof-vectors.json"
NODE_VERIFIER = ROOT / "frontend" / "verifier" / "check.mjs"

TERMS = Terms(
    version=1,
    packet_id=bytes(range(16)),
    lucky=True,
    count=10,
    total_fen=1000,
    share_fen_min=1,
    share_fen_max=200,
    spread=2,
)
SEED, ENTROPY = bytes(range(32)), bytes(range(32, 64))


def records():
    """Return the published records, by name."""
    rows = json.loads(VECTORS.read_text("utf-8"))["records"]
    return {row["name"]: row["record"] for row in rows}


def failed(findings):
    """Return the names of the checks that failed."""
    return {finding.check for finding in findings if not finding.ok}


def node_findings(documents):
    """Return what the JavaScript verifier finds, one answer a document."""
    node = needs("node")
    lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    answer = subprocess.run(
        [node, str(NODE_VERIFIER)],
        input=lines.encode(),
        capture_output=True,
        timeout=90,
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.decode().splitlines()]


TAMPERED = list(tampered(records()))


@pytest.mark.parametrize("name", records())
def test_verify_accepts_every_published_record(name):
    """Every kind and level of packet has a record that holds."""
    document = records()[name]
    assert failed(verify(document, check_signature=check_ed25519)) == set()
    assert document["level"] == level(document)


@pytest.mark.parametrize(("check", "document"), [row[1:] for row in TAMPERED],
                         ids=[row[0] for row in TAMPERED])  # fmt: skip
def test_verify_names_what_was_tampered_with(check, document):
    """P3: any edit fails the check it concerns, with a reason, and the signature."""
    findings = verify(document, check_signature=check_ed25519)
    expected = {check} if check == "form" else {check, "signature"}
    assert expected <= failed(findings)
    assert all(finding.reason for finding in findings)


def test_javascript_agrees_on_every_vector():
    """The second verifier was written from the specification: it must reproduce all numbers."""
    answer = subprocess.run(
        [needs("node"), str(NODE_VERIFIER), "--vectors", str(VECTORS)],
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout.decode()
    assert b" 0 failed" in answer.stdout


def test_javascript_finds_what_python_finds():
    """P3 in the second verifier: check by check the same verdict on good and tampered records."""
    documents = [*records().values(), *(document for _, _, document in TAMPERED)]
    for document, answer in zip(documents, node_findings(documents), strict=True):
        ours = {f.check: f.ok for f in verify(document, check_signature=check_ed25519)}
        theirs = {f["check"]: f["ok"] for f in answer["findings"]}
        assert ours == theirs
        assert all(f["zh"] and f["en"] for f in answer["findings"])


def test_vectors_are_fresh():
    """The file in docs is what the command in docs writes: the law has not moved under it."""
    command = [sys.executable, str(VECTORS.with_name("proof_vectors.py"))]
    answer = subprocess.run(command, capture_output=True, timeout=90, check=True)
    assert answer.stdout.decode() == VECTORS.read_text("utf-8")


# --- fuzz: random edits, both verifiers ---------------------------------------------------------

JUNK = (None, True, -1, 0, 1, 2**63, 2**64, 1.5, "", "zz", "00", [], {}, "\ud800", "A" * 64)


def leaves(value, path=()):
    """Yield the path of every value in a document, containers too."""
    yield path
    steps = value.items() if isinstance(value, dict) else ()
    steps = enumerate(value) if isinstance(value, list) else steps
    for step, inner in steps:
        yield from leaves(inner, (*path, step))


def edited(document, path, junk):
    """Return a copy of a document with the value at a path replaced."""
    if not path:
        return junk
    document = copy.deepcopy(document)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = junk
    return document


SMALL = records()["draw by its chain, level 2"]
PATHS = list(leaves(SMALL))


@given(st.sampled_from(PATHS), st.sampled_from(JUNK))
@settings(max_examples=300, deadline=None)
def test_verify_never_raises_and_never_accepts_an_edit(path, junk):
    """Hostile documents are refused with a reason; no edit of any field goes unnoticed."""
    document = edited(SMALL, path, junk)
    findings = verify(document, check_signature=check_ed25519)
    same = json.dumps(document) == json.dumps(SMALL)
    assert same or failed(findings)


def test_javascript_refuses_the_same_junk():
    """Both verifiers draw the same line between a proof and junk: no edit passes only one."""
    picks = [(PATHS[i % len(PATHS)], JUNK[i % len(JUNK)]) for i in range(0, 9000, 23)]
    picks = [(path, junk) for path, junk in picks if junk != "\ud800"]
    documents = [edited(SMALL, path, junk) for path, junk in picks]
    for document, pick, answer in zip(documents, picks, node_findings(documents), strict=True):
        ours = all(f.ok for f in verify(document, check_signature=check_ed25519))
        assert ours is answer["ok"], pick


@pytest.mark.parametrize("text", ["", "{", "[]x", '{"a":1,"a":2}', "1.5", "NaN", "[" * 9999, "{}"])
def test_javascript_reads_json_strictly(text):
    """Two readers of one file must not see two documents: doubles, fractions and depth are out."""
    node = needs("node")
    answer = subprocess.run(
        [node, str(NODE_VERIFIER)], input=text.encode() + b"\n", capture_output=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert json.loads(answer.stdout)["ok"] is False


# --- the pieces -----------------------------------------------------------------------------------

FIELDS = {
    "packet_id": bytes(16),
    "lucky": False,
    "count": 11,
    "total_fen": 1001,
    "share_fen_min": 2,
    "share_fen_max": 201,
    "spread": 3,
    "draw": True,
}


@pytest.mark.parametrize("field", FIELDS)
def test_commitment_binds_every_term(field):
    """Whatever is promised cannot be changed after the commitment was shown."""
    other = replace(TERMS, **{field: FIELDS[field]})
    assert commitment(TERMS, SEED) != commitment(other, SEED)
    assert split_key(TERMS, SEED, None, None) != split_key(other, SEED, None, None)


def test_commitment_binds_the_beacon_and_the_seed():
    """The round is promised in advance, or the operator could choose among rounds."""
    promised = replace(TERMS, beacon_chain=bytes([7]) * 32, beacon_round=9)
    later = replace(promised, beacon_round=10)
    values = {commitment(terms, SEED) for terms in (TERMS, promised, later)}
    assert len(values | {commitment(TERMS, ENTROPY)}) == 4


def test_terms_bytes_are_of_one_length():
    """Fixed widths: no two terms can run into each other under the hash."""
    large = replace(TERMS, total_fen=2**63 - 1, share_fen_max=2**63 - 1, count=5000)
    assert {len(terms_bytes(TERMS)), len(terms_bytes(large))} == {90}


def test_split_key_mixes_everything_in():
    """L2 and L3: what the sender and the beacon add changes the key, and so does leaving it out."""
    keys = {
        split_key(TERMS, SEED, entropy, beacon)
        for entropy in (None, bytes(32), ENTROPY)
        for beacon in (None, bytes(32), ENTROPY)
    }
    assert len(keys) == 9


@pytest.mark.parametrize("field", ["sequence", "pseudonym", "index", "amount_fen", "at_us"])
def test_chain_binds_every_field_and_its_past(field):
    """A claim cannot be changed, moved or dropped without breaking every later head."""
    row = {"sequence": 1, "pseudonym": bytes(16), "index": 1, "amount_fen": 5, "at_us": 9}
    start = chain_start(commitment(TERMS, SEED))
    other = row | {field: bytes([1]) * 16 if field == "pseudonym" else row[field] + 1}
    assert chain(start, **row) != chain(start, **other)
    assert chain(start, **row) != chain(chain_start(commitment(TERMS, ENTROPY)), **row)


def test_pseudonym_links_nothing_without_the_salt():
    """Two packets cannot be joined by a person, nor a person found by trying public ids."""
    one, other, user = bytes(16), bytes([1]) * 16, b"u" * 16
    salt, salt_two = os.urandom(32), os.urandom(32)
    names = {
        pseudonym(one, user, salt),
        pseudonym(other, user, salt),
        pseudonym(one, user, salt_two),
        pseudonym(one, b"v" * 16, salt),
    }
    assert len(names) == 4
    assert pseudonym(one, user, salt) == pseudonym(one, user, salt)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 60), st.integers(0, 70))
def test_draw_order_is_a_permutation_and_its_beginning(key, tickets, places):
    """Nobody is drawn twice or forgotten; drawing fewer places gives the same winners."""
    whole = draw_order(key, tickets)
    assert sorted(whole) == list(range(tickets))
    assert whole[:places] == draw_order(key, tickets, places)


def test_draw_order_depends_on_the_last_ticket():
    """The order is open until the chain closes: every ticket before moves with the last one."""
    key = split_key(TERMS, SEED, None, None)
    orders = {draw_order(draw_key(key, bytes([n]) * 32), 20) for n in range(5)}
    assert len(orders) == 5


def closure(draw, claimed, entropy=None):
    """Return a closed packet with so many claims or tickets."""
    terms = replace(TERMS, draw=draw)
    amounts = shares(terms, split_key(terms, SEED, entropy, None))
    claims = [
        Claim(
            sequence=n + 1,
            pseudonym=n.to_bytes(16),
            index=0 if draw else n + 1,
            amount_fen=0 if draw else amounts[n],
            at_us=100 + n,
        )
        for n in range(claimed)
    ]
    refund = sum(amounts[min(claimed, 10) :])
    return Closure(terms, SEED, 1, 1000, claims, refund, entropy, 50 if entropy else 0)


@given(st.booleans(), st.integers(0, 10), st.booleans())
@settings(max_examples=60)
def test_record_reads_back_and_holds(draw, claimed, mixed):
    """Whatever happened to a packet, its record says it, and the checks agree."""
    document = record(closure(draw, claimed, ENTROPY if mixed else None))
    assert write(read(document)) == document == json.loads(json.dumps(document))
    assert failed(verify(document)) == {"signature"}, "only the signature is missing yet"


def test_record_carries_best_luck_of_the_earlier_of_equals():
    """U5: equal maxima: the earlier claim has best luck."""
    terms = replace(TERMS, total_fen=20, share_fen_max=3)
    seeds = (sha256(bytes([n])).digest() for n in range(256))
    for seed in seeds:
        amounts = shares(terms, split_key(terms, seed, None, None))
        if amounts.count(max(amounts)) > 1 and amounts[0] != max(amounts):
            break
    claims = [Claim(n + 1, bytes([n]) * 16, n + 1, amounts[n], n) for n in range(10)]
    document = record(Closure(terms, seed, 0, 99, claims, 0))
    first = amounts.index(max(amounts)) + 1
    assert document["best"] == {"sequence": first, "amount_fen": max(amounts)}


def test_signature_is_over_everything_but_itself():
    """The signed bytes do not change when the signature is added, and it verifies."""
    signer = Ed25519PrivateKey.generate()
    public_key = signer.public_key().public_bytes_raw()
    document = record(closure(draw=False, claimed=4))
    message = signing_bytes(document)
    whole = signed(document, public_key, signer.sign(message))
    assert signing_bytes(whole) == message
    assert failed(verify(whole, check_signature=check_ed25519)) == set()
    other = signed(document, public_key, signer.sign(message + b"x"))
    assert failed(verify(other, check_signature=check_ed25519)) == {"signature"}


def test_signature_that_cannot_be_checked_is_said_to_be_unchecked():
    """Never a silent yes: without a checker the finding says that nothing was checked."""
    whole = signed(record(closure(draw=False, claimed=4)), bytes(32), bytes(64))
    assert [f.checked for f in verify(whole) if f.check == "signature"] == [False]


def test_beacon_lowers_the_level_openly_when_it_never_came():
    """The design's promise: an unreachable beacon is said, not hidden."""
    promised = replace(TERMS, beacon_chain=bytes([7]) * 32, beacon_round=9)
    document = record(Closure(promised, SEED, 0, 9, [], 1000))
    assert level(document) == 1
    said = [f.reason for f in verify(document) if f.check == "beacon"]
    assert "never came" in said[0]


def test_beacon_of_an_unknown_chain_is_checked_as_far_as_it_can_be():
    """Another chain's round has no known time; its randomness is still checked."""
    promised = replace(TERMS, beacon_chain=bytes([7]) * 32, beacon_round=9)
    good = Beacon(b"signature", sha256(b"signature").digest())
    document = record(Closure(promised, SEED, 0, 9, [], 1000, beacon=good))
    assert failed(verify(document)) == {"signature"}
    document = record(Closure(promised, SEED, 0, 9, [], 1000, beacon=Beacon(b"x", bytes(32))))
    assert failed(verify(document)) == {"signature", "beacon"}


@pytest.mark.parametrize(("draw", "levels"), [(False, (1, 2, 3)), (True, (1, 2, 4))])
def test_level_says_what_it_does_not_stop(draw, levels):
    """Every level reached by any packet has limits, in both languages."""
    for number in levels:
        for limit in limits(number, draw=draw):
            assert limit.code
            assert limit.en
            assert any("\u4e00" <= letter <= "\u9fff" for letter in limit.zh)


def test_level_labels_a_draw_by_its_chain():
    """A draw without a beacon is shown as what it is."""
    assert [label(n, draw=True) for n in (1, 2, 4)] == ["1-draw", "2-draw", "4"]
    assert [label(n, draw=False) for n in (1, 2, 3)] == ["1", "2", "3"]
    assert "last_ticket" in {limit.code for limit in DRAW_LIMITS[1]}
    assert "last_ticket" not in {limit.code for limit in LIMITS[4]}


def test_malformed_is_raised_where_a_caller_asks_for_bytes_or_level():
    """A document that is none has no level and nothing to sign."""
    for ask in (level, signing_bytes, lambda junk: signed(junk, bytes(32), bytes(64))):
        with pytest.raises(MalformedError):
            ask({"format": "lingqian.proof"})


def test_proof_shows_one_door():
    """What other rooms need stands in one module."""
    assert all(hasattr(proof, name) for name in proof.__all__)
