"""What a test needs of the machine beyond Python: named, looked for, and skipped or demanded.

`LINGQIAN_TEST_REQUIRE=chromium,node,mariadb` names what must be there: a skip for one of them is
a failure.
"""

import os
import shutil
from collections.abc import Mapping

import pytest

REQUIRE = "LINGQIAN_TEST_REQUIRE"
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "curl": ("curl",),
    "java": ("java",),
    "mariadb": ("mariadbd", "mysqld"),
    "mvn": ("mvn",),
    "node": ("node",),
    "npm": ("npm",),
}
# Debian puts servers where an ordinary person's PATH does not look.
FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def path_of(name: str) -> str | None:
    """Return where the program stands, or None when this machine has none."""
    found = (shutil.which(program, path=FOLDERS) for program in PROGRAMS[name])
    return next((path for path in found if path), None)


def required() -> frozenset[str]:
    """Return the names that this run must not skip."""
    words = os.environ.get(REQUIRE, "").replace(" ", "").split(",")
    names = frozenset(word for word in words if word)
    unknown = names - PROGRAMS.keys()
    assert not unknown, f"{REQUIRE} names {sorted(unknown)}; known are {sorted(PROGRAMS)}"
    return names


def needs(name: str) -> str:
    """Return where the program stands; without it skip the test, or fail it when it is required."""
    path = path_of(name)
    if path is not None:
        return path
    reason = f"needs {name}: none of {', '.join(PROGRAMS[name])} is on this machine"
    if name in required():
        pytest.fail(f"{reason}, and {REQUIRE} demands it", pytrace=False)
    pytest.skip(reason)
