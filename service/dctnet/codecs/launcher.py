"""Launcher: forks codec processes with everything imported, as often as the server asks.

A process of its own with one thread, because only such a process can fork safely at any time.
"""

import gc
import os
import signal
import socket
import sys
from contextlib import suppress

import cv2

from dctnet.codecs import messages, process, sandbox
from dctnet.codecs.launching import FIRST_DESCRIPTOR, HEIC
from dctnet.codecs.layout import Layout
from dctnet.imaging.heic import prepare as prepare_heic

_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals that a terminal or supervisor may send to all processes: the server still needs them."""


def main() -> None:
    """Serve the socket whose file descriptor is the argument, until its other end is closed.

    A second argument, ``heic``, lets the processes decode HEIC too.
    """
    _open_standard_streams()
    control = socket.socket(fileno=int(sys.argv[1]))
    sandbox.end_with_parent()
    _set_signals()
    cv2.setNumThreads(1)
    heic = sys.argv[2:] == [HEIC]
    if heic:
        prepare_heic()
    gc.collect()
    gc.freeze()  # Collections in forked processes would copy the pages.
    with suppress(EOFError, ConnectionError):  # The server has exited.
        _serve(control, heic)


def _serve(control: socket.socket, heic: bool) -> None:
    """Say that everything is imported, and start and end processes as requested."""
    messages.send(control, {})
    processes: dict[int, int] = {}
    while True:
        request, descriptors = messages.receive_descriptors(control)
        key = request["key"]
        if descriptors:
            layout = Layout(request["max_body_bytes"], request["max_pixels"])
            try:
                processes[key] = _fork(control, descriptors, layout, heic)
                messages.send(control, {"pid": processes[key]})
            except OSError as error:
                messages.send(control, {"error": error.strerror})
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            # Until it is waited for, no other process gets its ID.
            os.kill(processes[key], signal.SIGKILL)
            _, status = os.waitpid(processes.pop(key), 0)
            messages.send(control, {"status": status})


def _open_standard_streams() -> None:
    """Open the null device where the server has a closed stream, whose number would be used."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < FIRST_DESCRIPTOR:
        pass
    os.close(descriptor)


def _set_signals() -> None:
    """Reset what the server has blocked and ignored, among them SIGXCPU."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _fork(control: socket.socket, descriptors: list[int], layout: Layout, heic: bool) -> int:
    """Start a codec process with a socket and memory, and return its ID."""
    if pid := os.fork():
        return pid
    try:
        sandbox.end_with_parent()
        control.close()
        sock, memory = descriptors
        process.run(socket.socket(fileno=sock), memory, layout, heic=heic)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
