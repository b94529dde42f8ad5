"""Barriers: what on a page would shut somebody out, as axe and a ruler find it."""

from npm import installed
from tidy.text import ROOT

HOME = ROOT / "frontend" / "wallet"
SERIOUS = {"serious", "critical"}


def axe_code():
    """Return axe's code: from the sources' own packages, or installed for this run."""
    here = HOME / "node_modules" / "axe-core" / "axe.min.js"
    if here.exists():
        return here.read_text("utf-8")
    return (installed(HOME) / "axe-core" / "axe.min.js").read_text("utf-8")


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
