"""Whether the server can listen where it is told to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL

from dctnet.config import Address


def check_address_available(address: Address) -> None:
    """Raise OSError if the server could not listen there now."""
    with listen_on(address):
        pass


@contextmanager
def listen_on(address: Address) -> Iterator[None]:
    """Listen there meanwhile, so that no other socket can; raise OSError where that fails.

    Gunicorn would try five times and log each failure.
    """
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        # As Gunicorn does: a server that just ended must not keep the address occupied.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except UnicodeError as error:  # Of a label that is longer than names can have.
            raise OSError(EINVAL, "The host is not a name that can be looked up") from error
        probe.listen()
        yield
