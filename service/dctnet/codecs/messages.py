"""Messages between the server, the launcher and the codec processes: JSON in single packets."""

import json
import socket
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 16 * 1024
"""Limit of a message in bytes; the longest has a traceback."""

_MAX_DESCRIPTORS = 2

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets, which keep messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send a message, and copies of file descriptors."""
    socket.send_fds(sock, [json.dumps(message).encode()], descriptors)


def receive(sock: socket.socket) -> Message:
    """Receive a message; discard file descriptors.

    Raises EOFError once the other end is closed, and ValueError for anything but a message: a codec
    process may send anything.
    """
    return _parse(sock.recv(MAX_BYTES))


def receive_descriptors(sock: socket.socket) -> tuple[Message, list[int]]:
    """Receive a message with its file descriptors; raise as ``receive`` does."""
    data, descriptors, _, _ = socket.recv_fds(sock, MAX_BYTES, _MAX_DESCRIPTORS)
    return _parse(data), descriptors


def _parse(data: bytes) -> Message:
    if not data:
        raise EOFError
    try:
        message = json.loads(data)
    except RecursionError as error:
        raise ValueError("A message is too deep.") from error
    if not isinstance(message, dict):
        raise ValueError("A message is a JSON object.")
    return message
