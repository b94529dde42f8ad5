"""Locked npm packages, installed beside the environment once for each lock."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from need import needs, required

INSTALL_S = 300


def installed(folder):
    """Return the `node_modules` of a folder's lock file; the test ends where npm fails."""
    npm = needs("npm")
    lock = (folder / "package-lock.json").read_bytes()
    home = Path(sys.prefix) / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not home.is_dir():
        new = Path(tempfile.mkdtemp(prefix="npm-", dir=sys.prefix))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, new)
        line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            line, cwd=new, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if done.returncode:
            shutil.rmtree(new)
            words = f"npm ci failed: {done.stderr[-500:]}"
            (pytest.fail if "npm" in required() else pytest.skip)(words)
        try:
            new.rename(home)
        except OSError:
            shutil.rmtree(new)  # a neighbour was first
    return home / "node_modules"
