"""The lock files: exact, with hashes, and silent about where anything was fetched."""

import re
import tomllib

import pytest

from tidy.text import ROOT, files

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(lock: str) -> dict[str, str]:
    """Return version by name, and refuse every line that is no pin, hash or comment."""
    found: dict[str, str] = {}
    hashes: dict[str, int] = {}
    name = ""
    for line in (ROOT / lock).read_text("utf-8").splitlines():
        if match := PIN.match(line):
            name = match["name"]
            found[name] = f"{match['version']} {match['marker'] or ''}"
        elif HASH.match(line):
            hashes[name] = hashes.get(name, 0) + 1
        else:
            assert line.lstrip().startswith("#"), f"{lock}: {line}"
    assert found.keys() == hashes.keys(), "every pin has a hash"
    return found


def direct(requirements: list[str | dict[str, str]]) -> set[str]:
    """Return the names of requirements, without versions and markers."""
    plain = [row for row in requirements if isinstance(row, str)]
    return {re.match(r"[A-Za-z0-9-]+", row)[0].lower() for row in plain}


def test_no_lock_file_holds_an_address():
    """A mirror's name would tell where we work and bind those who work elsewhere."""
    held = [p.name for p in files(".lock", "package-lock.json") if "://" in p.read_text("utf-8")]
    assert held == []
    assert {p.name for p in files(".lock")} >= set(LOCKS), "the check above has seen them"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_every_direct_dependency(lock):
    """A dependency that is not locked is installed by luck or not at all."""
    groups = PROJECT["dependency-groups"]
    wanted = direct(PROJECT["project"]["dependencies"]) | direct(groups["build"])
    if lock == "requirements-dev.lock":
        wanted |= direct(groups["dev"])
    assert wanted - pins(lock).keys() == set()


def test_what_is_tested_is_what_is_run():
    """Both locks name the same version of whatever both hold."""
    run, dev = (pins(lock) for lock in LOCKS)
    assert {name: dev.get(name) for name in run} == run
