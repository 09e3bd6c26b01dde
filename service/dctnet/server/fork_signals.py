"""Signals of arbiter and worker: exit signals stop them, others have no effect.

A forked worker has the arbiter's handlers until it sets its own, and those drop signals: the
arbiter would wait for the whole graceful timeout and then kill it. So signals are blocked during
the fork.
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
"""Among them Gunicorn's commands to reload, scale workers or replace the executable: a replica has
one worker that starts once. By default most others would terminate the process."""


def block_signals_at_fork() -> None:
    """Block signals in each forked child until it calls `unblock_signals`."""

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {*EXIT_SIGNALS, *IGNORED})

    os.register_at_fork(before=hold, after_in_parent=unblock_signals)


def unblock_signals() -> None:
    """Deliver the blocked signals, except ignored ones."""
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*EXIT_SIGNALS, *IGNORED})


def ignore_signals() -> None:
    """Ignore all signals that neither stop a server nor report a fault."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
