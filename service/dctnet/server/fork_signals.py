"""Signals of the arbiter and its worker: some end a server, and all others leave it as it is.

A worker has its master's handlers until it sets its own, and those drop what they get: the master
would wait for it through the whole graceful timeout, and then kill it. So signals wait while a
worker is forked.
"""

import os
import signal

EXIT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_FAULTS = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGSYS,
    signal.SIGTRAP,
}
_JOB_CONTROL = {signal.SIGCHLD, signal.SIGCONT, signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP}

IGNORED = signal.valid_signals() - {*EXIT_SIGNALS, *_FAULTS, *_JOB_CONTROL}
"""Gunicorn's commands, among them: reload, more or fewer workers, a new executable. A replica is
one worker that starts once. Most of the others would end a process."""


def block_signals_at_fork() -> None:
    """From each fork on, let the child get them only when it calls `take_signals`."""

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {*EXIT_SIGNALS, *IGNORED})

    os.register_at_fork(before=hold, after_in_parent=unblock_signals)


def unblock_signals() -> None:
    """Get the signals that have come meanwhile, but for those that are ignored."""
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*EXIT_SIGNALS, *IGNORED})


def ignore_signals() -> None:
    """Ignore all signals that neither end a server nor report a fault."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
