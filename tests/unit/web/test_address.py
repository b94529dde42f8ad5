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


def call(host, *told):
    """Return what is asked of a call: its connection, and what headers tell."""
    headers = [(b"x-forwarded-for", each.encode()) for each in told]
    client = SimpleNamespace(host=host) if host else None
    return SimpleNamespace(client=client, scope={"headers": [*headers, (b"accept", b"9.9.9.9")]})


def door(header):
    """Return what is asked of a door: its settings."""
    return SimpleNamespace(
        wallet=SimpleNamespace(config=SimpleNamespace(client_address_header=header))
    )


@pytest.mark.parametrize(
    ("header", "asked", "expected"),
    [
        ("", call("1.2.4.8"), "1.2.4.8"),
        # A header that nobody has vouched for is the caller's own word.
        ("", call("1.2.4.8", "8.8.8.8"), "1.2.4.8"),
        ("", call(""), ""),
        ("x-forwarded-for", call("1.2.4.8", "8.8.8.8"), "8.8.8.8"),
        # The last is what the proxy has seen; those before it are what it was told.
        ("x-forwarded-for", call("1.2.4.8", "9.9.9.9, 8.8.8.8"), "8.8.8.8"),
        ("x-forwarded-for", call("1.2.4.8", "9.9.9.9", "8.8.8.8"), "8.8.8.8"),
        ("x-forwarded-for", call("1.2.4.8"), ""),
    ],
)
def test_address_of(header, asked, expected):
    """Nobody chooses where he seems to be."""
    assert address_of(door(header), asked) == expected
