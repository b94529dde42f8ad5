"""The wallet's built pages: made from the sources that stand beside them, and light enough."""

import gzip
import hashlib
import json
import re

from tidy.text import ROOT

HOME = ROOT / "frontend" / "wallet"
BESIDE = ROOT / "frontend" / "verifier" / "verify.mjs"
BUILT = ROOT / "src" / "lingqian" / "web" / "static" / "wallet"
FIRST_SCREEN_BYTES_MAX = 100_000
LOADED = re.compile(r'(?:src|href)="/wallet/([\w.-]+)"')


def sources():
    """Yield what the pages are built from, by the name that the stamp gives it."""
    frontend = HOME.parent
    for path in [*HOME.rglob("*"), BESIDE]:
        name = path.relative_to(frontend).as_posix()
        is_ours = "node_modules" not in path.parts and "/." not in f"/{name}"
        if path.is_file() and is_ours:
            yield name, path


def stamp():
    """Compute the stamp as frontend/wallet/tool/stamp.mjs does."""
    whole = hashlib.sha256()
    for name, path in sorted(sources()):
        whole.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def test_the_pages_are_built_from_these_sources():
    """A page that nobody built again would say what the sources no longer do.

    To build: npm ci && npm run build, in frontend/wallet.
    """
    assert (BUILT / "STAMP").read_text("ascii").strip() == stamp()


def test_the_first_screen_is_light():
    """A red packet is opened on a slow network, too."""
    page = (BUILT / "index.html").read_bytes()
    names = LOADED.findall(page.decode())
    assert len(names) >= 2
    parts = [page, *((BUILT / name).read_bytes() for name in names)]
    assert sum(len(gzip.compress(part, 9)) for part in parts) < FIRST_SCREEN_BYTES_MAX


def test_the_page_loads_nothing_from_elsewhere():
    """Whoever can change what a wallet loads can spend what is in it."""
    page = (BUILT / "index.html").read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!/wallet/|data:,)', page) == []
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def test_packages_are_named_exactly():
    """A range would build another page next month."""
    packages = json.loads((HOME / "package.json").read_text("utf-8"))
    wanted = {**packages["dependencies"], **packages["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    lock = json.loads((HOME / "package-lock.json").read_text("utf-8"))["packages"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("integrity" in row for name, row in lock.items() if name)
