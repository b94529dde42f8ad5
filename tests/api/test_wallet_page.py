"""The wallet's pages as they are served: whole, packed, kept where that is safe, and closed."""

import gzip
import re

import pytest


def test_the_page_and_all_that_it_loads_are_there(api):
    """One missing part is a white page."""
    page = api.get("/wallet")
    assert page.status == 200
    names = re.findall(r'(?:src|href)="(/wallet/[\w.-]+)"', page.body.decode())
    assert len(names) >= 2
    for name in names:
        part = api.get(name)
        assert part.status == 200
        assert "immutable" in part.headers["cache-control"]


def test_the_page_may_run_and_ask_only_what_is_ours(api):
    """A stranger's greeting must find no way to run, and no other page may frame the wallet."""
    rules = api.get("/wallet").headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'self'"):
        assert rule in rules
    assert "unsafe" not in rules


def test_a_part_is_packed_for_whoever_can_unpack_it(api):
    """The first screen's weight is counted packed, so it has to travel so."""
    name = re.search(r"/wallet/[\w.-]+\.js", api.get("/wallet").body.decode())[0]
    plain = api.get(name)
    packed = api.get(name, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize("name", ["STAMP", "index.html", "nothing.js", "..%2fverify.html"])
def test_nothing_else_is_handed_out(api, name):
    """Only the parts that a build made, by their names."""
    assert api.get(f"/wallet/{name}").status == 404
