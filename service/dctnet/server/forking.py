"""Signals that end a server wait while its worker is forked.

A worker has its master's handlers until it sets its own, and those drop what they get: the master
would wait for it through the whole graceful timeout, and then kill it.
"""

import os
import signal

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_signals() -> None:
    """From each fork on, let the child get them only when it calls `take_signals`."""

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    os.register_at_fork(before=hold, after_in_parent=take_signals)


def take_signals() -> None:
    """Get the signals that have come meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
