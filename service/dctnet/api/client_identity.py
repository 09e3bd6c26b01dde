"""Client identity for fair queueing: the API key or the address of a request."""

from collections.abc import Callable

from flask import Request

from dctnet.admission import Client
from dctnet.api.authentication import key_digest
from dctnet.config import Fairness, Settings
from dctnet.ip_addresses import Address, Network, client_of, parse_address

HEADER = "X-Forwarded-For"


def identify_client(settings: Settings) -> Callable[[Request], Client]:
    """Make the function that identifies the client of a request; None is anonymous."""
    if settings.fairness is Fairness.KEY:
        return lambda _: key_digest()
    if settings.fairness is Fairness.ADDRESS:
        return lambda request: _client_of(request, settings.trusted_proxies)
    return lambda _: None


def _client_of(request: Request, trusted: tuple[Network, ...]) -> Client:
    address = _address_of(request, trusted)
    return address and client_of(address)


def _address_of(request: Request, trusted: tuple[Network, ...]) -> Address | None:
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


def _parse(text: str) -> Address:
    """Parse an address, which may have a port; raise ValueError."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return parse_address(text)
