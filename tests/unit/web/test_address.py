"""Addresses: which of them say where somebody is, and behind a proxy whose they are."""

from types import SimpleNamespace

import pytest

from lingqian.web.address import address_of, network


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.4.8", "1.2.4.8"),
        (" 1.2.4.8 ", "1.2.4.8"),
        # A home has a whole network of these, and may call from any of them.
        ("2400:3200::1:2", "2400:3200::/64"),
        ("2400:3200::ffff", "2400:3200::/64"),
        ("::ffff:1.2.4.8", "1.2.4.8"),
        # Many are there, or nobody: they say nothing.
        ("127.0.0.1", ""),
        ("::1", ""),
        ("10.1.2.3", ""),
        ("192.168.0.9", ""),
        ("100.64.0.1", ""),
        ("fe80::1", ""),
        ("", ""),
        ("unknown", ""),
        ("1.2.4", ""),
    ],
)
def test_network(text, expected):
    """What is compared has one form for everything of one home, and none where it means nothing."""
    assert network(text) == expected


class Call:
    """A call with a connection and one header."""

    def __init__(self, host, told=""):
        self.client = SimpleNamespace(host=host) if host else None
        self.told = told

    def header(self, name):
        """Return what the proxy told."""
        return self.told if name == b"x-forwarded-for" else ""


def door(header):
    """Return what is asked of a door: its settings."""
    return SimpleNamespace(
        wallet=SimpleNamespace(config=SimpleNamespace(client_address_header=header))
    )


@pytest.mark.parametrize(
    ("header", "call", "expected"),
    [
        ("", Call("1.2.4.8"), "1.2.4.8"),
        # A header that nobody has vouched for is the caller's own word.
        ("", Call("1.2.4.8", "8.8.8.8"), "1.2.4.8"),
        ("", Call(""), ""),
        ("x-forwarded-for", Call("1.2.4.8", "8.8.8.8"), "8.8.8.8"),
        # The last is what the proxy has seen; those before it are what it was told.
        ("x-forwarded-for", Call("1.2.4.8", "9.9.9.9, 8.8.8.8"), "8.8.8.8"),
        ("x-forwarded-for", Call("1.2.4.8"), ""),
    ],
)
def test_address_of(header, call, expected):
    """Nobody chooses where he seems to be."""
    assert address_of(door(header), call) == expected
