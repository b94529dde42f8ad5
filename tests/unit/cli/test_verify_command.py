"""`lingqian verify`: every check with its reason, and an exit code that means something."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lingqian.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "docs" / "reference" / "proof-vectors.json"


@pytest.fixture
def document():
    """Return a published record."""
    rows = json.loads(VECTORS.read_text("utf-8"))["records"]
    return next(row["record"] for row in rows if row["name"] == "lucky, level 2")


def run(tmp_path, content, *words):
    """Run the command on a file with this content."""
    file = tmp_path / "proof.json"
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    file.write_bytes(raw)
    return CliRunner().invoke(app, ["verify", str(file), *words])


def test_verify_accepts_and_says_the_level(tmp_path, document):
    """Exit 0: every check held; the level is never said without its limits."""
    answer = run(tmp_path, document)
    assert answer.exit_code == 0
    assert "every check held" in answer.stdout
    assert "level 2: what it does not stop" in answer.stdout
    assert "串通" in answer.stdout
    assert document["commitment"] in answer.stdout


def test_verify_works_without_a_network(tmp_path, document, monkeypatch):
    """P7: no socket is opened."""

    def refuse(*_words, **_more):
        raise AssertionError("the verifier opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    assert run(tmp_path, document).exit_code == 0


def test_verify_refuses_and_names_the_reason(tmp_path, document):
    """Exit 1: P3, the failed check stands there with its reason."""
    document["claims"][2]["amount_fen"] += 1
    answer = run(tmp_path, document)
    assert answer.exit_code == 1
    assert "FAILED    chain       the chain breaks at claim 3" in answer.stdout


def test_verify_reads_standard_input(document):
    """A pipe from the API needs no file."""
    answer = CliRunner().invoke(app, ["verify", "-"], input=json.dumps(document))
    assert answer.exit_code == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"format":"x"}', b"1.5", b"NaN", b"[" * 100_000,
     b'{"format":"lingqian.proof","format":"lingqian.proof"}', b"9" * 5000],
    ids=["empty", "cut", "binary", "list", "object", "other", "fraction", "nan", "deep", "double",
         "long"],
)  # fmt: skip
def test_verify_says_when_a_file_is_no_proof(tmp_path, content):
    """Exit 2: nothing was checked, so nothing failed."""
    answer = run(tmp_path, content)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "lingqian verify:" in answer.stderr


def test_verify_says_when_there_is_no_file(tmp_path):
    """Exit 2 for a wrong path too."""
    answer = CliRunner().invoke(app, ["verify", str(tmp_path / "none.json")])
    assert answer.exit_code == 2


def test_verify_fails_a_proof_that_lacks_a_field(tmp_path, document):
    """A proof with a hole is refused, and the hole is named."""
    del document["seed"]
    answer = run(tmp_path, document)
    assert answer.exit_code == 1
    assert "seed: missing" in answer.stdout


def test_verify_compares_with_what_you_were_shown(tmp_path, document):
    """The two things only the person knows: the card's commitment and the operator's key."""
    commitment, key = document["commitment"], document["signature"]["public_key"]
    assert run(tmp_path, document, "--commitment", commitment.upper(), "--key", key).exit_code == 0
    assert run(tmp_path, document, "--commitment", "00" * 32).exit_code == 1
    assert run(tmp_path, document, "--key", "00" * 32).exit_code == 1


def test_verify_prints_json_for_scripts(tmp_path, document):
    """--json carries the same findings, level and limits."""
    answer = run(tmp_path, document, "--json")
    said = json.loads(answer.stdout)
    assert (said["ok"], said["level"]) == (True, "2")
    assert next(limit["code"] for limit in said["not_stopped"]) == "sender_collusion"
    assert {"form", "shares", "signature"} <= {finding["check"] for finding in said["findings"]}
    document["version"] = 2
    said = json.loads(run(tmp_path, document, "--json").stdout)
    assert (said["ok"], said["level"], said["not_stopped"]) == (False, None, [])
