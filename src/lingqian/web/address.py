"""Addresses: from which network somebody calls, as far as that says anything (来源地址).

Law: an address is compared, never kept: what leaves this module goes into a keyed digest. One home
has many addresses of version 6, so its network of 64 bits is what counts.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from lingqian.web.call import Call
from lingqian.web.door import Door

_HOME_BITS: Final = 64


def address_of(door: Door, call: Call) -> str:
    """Return the network a call comes from; empty where that says nothing.

    Behind a proxy every connection is the proxy's own: there `client_address_header` names the
    header in which it tells whose call it passes on. What the proxy itself added stands last.
    """
    header = door.wallet.config.client_address_header.encode()
    if header:
        told = [value for key, value in call.scope["headers"] if key == header]
        return network(told[-1].decode("latin-1").rpartition(",")[2]) if told else ""
    return "" if call.client is None else network(call.client.host)


def network(text: str) -> str:
    """Return the network of an address; empty for what is none, or is not of the open internet."""
    address = _read(text.strip())
    if address is None or not address.is_global:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _HOME_BITS), strict=False))


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
