"""IP addresses of clients and proxies: IPv4-mapped ones are IPv4, IPv6 clients are networks.

A dual-stack socket reports an IPv4 client as ``::ffff:192.0.2.1``.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

IPV6_PREFIX = 64
"""Prefix length that identifies a client, which owns all addresses below it."""

_MAPPED_PREFIX = 96


def parse_address(text: str) -> Address:
    """Parse an address; raise ValueError."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> Network:
    """Parse an address or a network; raise ValueError."""
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return IPv4Network((int(mapped), network.prefixlen - _MAPPED_PREFIX))


def client_of(address: Address) -> IPv4Address | IPv6Network:
    """Return what identifies the client of an address."""
    if isinstance(address, IPv6Address):
        return IPv6Network((int(address), IPV6_PREFIX), strict=False)
    return address
