"""Listening sockets of the API and of the management port."""

import socket
from errno import EINVAL

from dctnet.config import Address

BACKLOG = 2048
"""Connections to the API that may wait to be accepted; Gunicorn's default."""


def listen(address: Address, backlog: int = BACKLOG) -> socket.socket:
    """Listen on an address; raise OSError.

    An IPv6 socket also takes IPv4 if its address allows it, whatever the system's default is. A
    name's IPv4 address wins.
    """
    try:
        family, *_, target = min(
            socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        )
    except UnicodeError as error:  # A label of the host name is too long.
        raise OSError(EINVAL, "The host is not a name that can be looked up") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A server that has just exited must not block the address.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(target)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
