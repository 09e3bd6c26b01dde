"""Which client a request is of: clients take turns where requests have to wait."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import Request

from dctnet.admission import Client
from dctnet.api.authentication import key_digest
from dctnet.config import Fairness, Network, Settings

HEADER = "X-Forwarded-For"

IPV6_PREFIX = 64
"""Bits of an IPv6 address that count: whoever has one address has all the others of its network."""


def identify_client(settings: Settings) -> Callable[[Request], Client]:
    """Make what names the client of a request; None where all count as one."""
    if settings.fairness is Fairness.KEY:
        return lambda _: key_digest()
    if settings.fairness is Fairness.ADDRESS:
        return lambda request: _network_of(_address_of(request, settings.trusted_proxies))
    return lambda _: None


def _address_of(request: Request, trusted: tuple[Network, ...]) -> IPv4Address | IPv6Address | None:
    """Return the address that the last proxy to be trusted saw, None where there is none.

    Each proxy adds whom it got the request from at the end of the header, so what stands before the
    first one that is not trusted may be made up.
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
    """Read an address, which some proxies write with a port; raise ValueError."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ip_address(text)
    # A socket that listens for both kinds shows IPv4 in this way.
    return getattr(address, "ipv4_mapped", None) or address


def _network_of(address: IPv4Address | IPv6Address | None) -> Client:
    if isinstance(address, IPv6Address):
        return ip_network((int(address), IPV6_PREFIX), strict=False)
    return address
