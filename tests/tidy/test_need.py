"""A test that cannot run here is skipped with its reason, or fails where it is demanded."""

import re
from pathlib import Path

import pytest

import need
from tidy.text import ROOT, files

NEEDS = re.compile(r"""needs\(["'](\w+)["']\)""")


def demanded() -> set[str]:
    """Return what the proving machine demands."""
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    match = re.search(rf"^export {need.REQUIRE}=(\S+)$", text, re.MULTILINE)
    assert match, "the script demands nothing"
    return set(match[1].split(","))


@pytest.fixture
def nothing_installed(monkeypatch):
    """Ask for a program that no machine has."""
    monkeypatch.setattr(need, "PROGRAMS", {"node": ("no-such-program",), "sh": ("python3",)})


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_skips_with_its_reason(monkeypatch):
    """`-rs` prints it, so that nobody takes a skip for a pass."""
    monkeypatch.delenv(need.REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs node: none of no-such-program"):
        need.needs("node")


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_that_is_required_fails(monkeypatch):
    """On the machine that is to prove everything, a skip would prove nothing."""
    monkeypatch.setenv(need.REQUIRE, "sh, node")
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as caught:
        need.needs("node")  # a skip that got away would skip this test too, and hide itself
    assert caught.type is pytest.fail.Exception
    assert "demands it" in str(caught.value)


@pytest.mark.usefixtures("nothing_installed")
def test_a_program_that_is_there_is_handed_over():
    """The test then starts exactly what was found."""
    assert need.needs("sh").endswith("python3")


@pytest.mark.usefixtures("nothing_installed")
def test_a_misspelt_requirement_is_refused(monkeypatch):
    """`LINGQIAN_TEST_REQUIRE=nodejs` would demand nothing at all."""
    monkeypatch.setenv(need.REQUIRE, "nodejs")
    with pytest.raises(AssertionError, match="names"):
        need.required()


def test_the_proving_machine_demands_all_that_tests_need():
    """A name left out there would be skipped everywhere, for ever."""
    tests = [path for path in files(".py") if path.is_relative_to(ROOT / "tests")]
    tests.remove(Path(__file__))
    named = {name for path in tests for name in NEEDS.findall(path.read_text("utf-8"))}
    assert named <= need.PROGRAMS.keys()
    assert named <= demanded()
    assert demanded() <= need.PROGRAMS.keys()
