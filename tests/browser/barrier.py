"""Barriers: what on a page would shut somebody out, as axe and a ruler find it."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from need import needs, required
from tidy.text import ROOT

HOME = ROOT / "frontend" / "wallet"
INSTALL_S = 300
SERIOUS = {"serious", "critical"}


def axe_code():
    """Return axe's code: from the sources' own packages, or installed for this run."""
    here = HOME / "node_modules" / "axe-core" / "axe.min.js"
    if here.exists():
        return here.read_text("utf-8")
    npm = needs("npm")
    version = json.loads((HOME / "package.json").read_text("utf-8"))["devDependencies"]["axe-core"]
    home = Path(sys.prefix) / f"npm-axe-{version}"
    if not home.is_dir():
        new = Path(tempfile.mkdtemp(prefix="npm-", dir=sys.prefix))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HOME / name, new)
        line = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            line, cwd=new, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if done.returncode:
            shutil.rmtree(new)
            words = f"npm ci failed: {done.stderr[-500:]}"
            (pytest.fail if "npm" in required() else pytest.skip)(words)
        new.replace(home)
    return (home / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(page, axe):
    """Return what axe finds that would shut somebody out."""
    page.evaluate(axe)
    found = page.evaluate(
        """() => axe.run(document, { resultTypes: ["violations"] }).then((told) =>
             told.violations.map(({ id, impact, nodes }) => [impact, id, nodes[0].html]))"""
    )
    return [row for row in found if row[0] in SERIOUS]


def too_wide(page):
    """Return what reaches over the edge of the screen.

    A phone zooms out until all of it fits, so the window's own width would hide it.
    """
    return page.evaluate(
        """() => {
          const edge = document.documentElement.clientWidth;
          const over = (node) => node.getBoundingClientRect().right > edge + 0.5;
          const found = document.documentElement.scrollWidth > edge ? ["the page"] : [];
          const nodes = [...document.querySelectorAll("body *")].filter(over).slice(0, 5);
          return [...found, ...nodes.map((node) => `${node.tagName}.${node.className}`)];
        }"""
    )
