"""Hosts: an endpoint may not be used to reach what only we can reach (防 SSRF).

The address that was checked is the address that is connected to: names are resolved here, and what
is not on the public internet is not handed on.
"""

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

URL_LENGTH_MAX: Final = 2_000
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class PrivateHostError(OSError):
    """The host is not on the public internet."""


def check_url(url: str, *, allows_private: bool) -> str:
    """Return what is wrong with an endpoint's address; empty when nothing is.

    Private installations may call plain http and their own network; everybody else may not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "not an address"
    del port
    wanted = ("https", "http") if allows_private else ("https",)
    if parts.scheme not in wanted:
        return "the scheme must be " + " or ".join(wanted)
    if not host or len(url) > URL_LENGTH_MAX or not url.isascii() or any(c <= " " for c in url):
        return "not an address"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "no user, password or fragment"
    return "" if allows_private or is_name_or_public(host) else "not a public address"


def is_name_or_public(host: str) -> bool:
    """Say whether a host is a name, to be checked when it is resolved, or a public address."""
    try:
        return is_public(host.partition("%")[0])
    except ValueError:
        return not host.isdecimal()


def is_public(text: str) -> bool:
    """Say whether an address is on the public internet, whatever it is wrapped in.

    Raises: ValueError when it is no address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


class GuardedResolver(AbstractResolver):
    """Resolves names and hands on public addresses only; what it hands on is connected to."""

    def __init__(self, *, allows_private: bool) -> None:
        self._inner = ThreadedResolver()
        self._allows_private = allows_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises: PrivateHostError when it has an address that is not public.
        """
        found = await self._inner.resolve(host, port, family)
        if not self._allows_private and not all(is_public(each["host"]) for each in found):
            raise PrivateHostError(f"{host} is not on the public internet")
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._inner.close()
