"""Host header validation (RFC 9112, 3.2), which Gunicorn does not do."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Any

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

_HTTP_1_1 = (1, 1)
_HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?",
    re.ASCII,
)
"""`uri-host [":" port]` of RFC 3986, 3.2.2, which may not be empty in `http` (RFC 9110, 4.2.1)."""


class InvalidHost(ParseException):  # type: ignore[misc]  # Gunicorn has no types.
    """A request whose Host header is missing or malformed; the message is a sentence."""


def check_host(request: Any) -> None:
    """Raise InvalidHost unless the Host header is as the HTTP version requires."""
    # Gunicorn rejects a second one.
    host = next((value for name, value in request.headers if name == "HOST"), None)
    if host is None:
        if request.version >= _HTTP_1_1:
            raise InvalidHost("The request has no Host header, which HTTP/1.1 requires.")
    elif not _is_valid(host):
        raise InvalidHost("The Host header is not a host with an optional port.")


def _is_valid(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    try:
        return match["ipv6"] is None or bool(IPv6Address(match["ipv6"]))
    except AddressValueError:
        return False
