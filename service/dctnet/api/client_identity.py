"""Client identity for fair queueing: the API key or the address of a request."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import Request

from dctnet.admission import Client
from dctnet.api.authentication import key_digest
from dctnet.config import Fairness, Network, Settings

HEADER = "X-Forwarded-For"

IPV6_PREFIX = 64
"""Prefix length that identifies a client, which owns all addresses below it."""


def identify_client(settings: Settings) -> Callable[[Request], Client]:
    """Make the function that identifies the client of a request; None is anonymous."""
    if settings.fairness is Fairness.KEY:
        return lambda _: key_digest()
    if settings.fairness is Fairness.ADDRESS:
        return lambda request: _network_of(_address_of(request, settings.trusted_proxies))
    return lambda _: None


def _address_of(request: Request, trusted: tuple[Network, ...]) -> IPv4Address | IPv6Address | None:
    """Return the address that the last trusted proxy saw, None if it has none.

    Each proxy appends the address of its peer to the header, so entries before the first untrusted
    one may be forged.
    """
    forwarded = request.headers.get(HEADER, "").split(",")
    address = None
    for text in (request.remote_addr or "", *reversed(forwarded)):
        try:
            hop = _parse(text.strip())
        except ValueError:
            break
        address = hop
        if not any(hop in network for network in trusted):
            break
    return address


def _parse(text: str) -> IPv4Address | IPv6Address:
    """Parse an address, which may have a port; raise ValueError."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ip_address(text)
    # A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    return getattr(address, "ipv4_mapped", None) or address


def _network_of(address: IPv4Address | IPv6Address | None) -> Client:
    if isinstance(address, IPv6Address):
        return ip_network((int(address), IPV6_PREFIX), strict=False)
    return address
