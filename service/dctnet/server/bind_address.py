"""Bind addresses: whether the server can listen on them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL

from dctnet.config import Address


def check_address_available(address: Address) -> None:
    """Raise OSError if the server cannot listen on the address."""
    with listen_on(address):
        pass


@contextmanager
def listen_on(address: Address) -> Iterator[None]:
    """Listen on the address in the block, so that no other socket can; raise OSError.

    Gunicorn would retry five times and log each failure.
    """
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        # As Gunicorn does: a server that has just exited must not block the address.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except UnicodeError as error:  # A label of the host name is too long.
            raise OSError(EINVAL, "The host is not a name that can be looked up") from error
        probe.listen()
        yield
