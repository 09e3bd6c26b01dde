"""Whether the server can listen where it is told to."""

import socket

from dctnet.config import Address


def require_free(address: Address) -> None:
    """Raise OSError if nobody could listen there now.

    Gunicorn would try five times and log each failure.
    """
    with socket.socket(address.family, socket.SOCK_STREAM) as probe:
        # As Gunicorn does: a server that just ended must not keep the address occupied.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
