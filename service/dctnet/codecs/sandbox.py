"""Restriction of a codec process: it computes, and does nothing else.

A seccomp filter allows the system calls that computing needs, and answers all others with EPERM, so
that there are no files, no network, no processes and no signals. Where the kernel or the
architecture has none, resource limits remain.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

# prctl(2)
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER: Final = 2

# Classic BPF (linux/filter.h), and actions of seccomp (linux/seccomp.h).
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM, _ENOSYS, _KILL_PROCESS = 0x7FFF_0000, 0x0005_0001, 0x0005_0026, 0x8000_0000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _FIRST_ARGUMENT_OFFSET = 0, 4, 16

_ARCHITECTURES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

_SYSTEM_CALLS: Final = {
    # Messages, which came with the process, and error messages of libraries.
    "read": (0, 63),
    "write": (1, 64),
    "pread64": (17, 67),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "close": (3, 57),
    # Memory.
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    # Clocks, locks and random numbers of libraries.
    "clock_gettime": (228, 113),
    "futex": (202, 98),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "sched_yield": (24, 124),
    # Signals of its own: limits and crashes.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""Allowed system calls, with their numbers on x86-64 and aarch64."""

_SET_OWN_LIMIT: Final = (302, 261)
"""prlimit64, which is allowed for the calling process only."""

_THREAD_CALLS: Final = {"set_robust_list": (273, 99), "rseq": (334, 293)}
"""System calls with which a thread begins."""

_CLONE, _CLONE3 = (56, 220), (435, 435)

_THREAD_FLAGS: Final = 0x003D_0F00
"""Flags of clone with which the C library starts a thread, where the kernel has no clone3: a filter
cannot read the flags of that. With them, memory, files and signals are shared."""

SECCOMP, LIMITS = "seccomp", "resource limits"

MAX_OPEN_FILES: Final = 8
"""Most file descriptors of a codec process; it has four."""

_libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent exits."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def enter(*, threads: bool = False) -> list[str]:
    """Restrict this process for good; return which restrictions are in effect.

    With ``threads`` it may start threads, which have the same restrictions and limits.
    """
    with suppress(OSError):  # Some sandboxes have no such file.
        # What the kernel kills first when memory is short.
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    if not threads:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return [SECCOMP, LIMITS] if _filter_system_calls(threads) else [LIMITS]


def _filter_system_calls(threads: bool) -> bool:
    """Install the filter; return whether the kernel has taken it."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return False
    column = list(_ARCHITECTURES).index(machine)
    calls = _SYSTEM_CALLS | (_THREAD_CALLS if threads else {})
    arguments = {_SET_OWN_LIMIT[column]: 0}
    if threads:
        arguments[_CLONE[column]] = _THREAD_FLAGS
    program = _program(
        _ARCHITECTURES[machine],
        [numbers[column] for numbers in calls.values()],
        arguments,
        _CLONE3[column],
    )
    code = ctypes.create_string_buffer(program)
    # struct sock_fprog: number of instructions, and their address.
    filter = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    try:
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(filter))
    except OSError:
        return False
    return True


def _program(
    architecture: int, allowed: list[int], arguments: dict[int, int], missing: int
) -> bytes:
    """Return the filter's instructions: code, jumps if true and false, operand.

    Args:
        architecture: Audit number of the architecture; others end the process.
        allowed: System calls that are allowed.
        arguments: System calls that are allowed with one value of their first argument.
        missing: System call that does not exist.
    """
    count, pairs = len(allowed), len(arguments)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_IF_EQUAL, 0, 1, missing),
        (_RETURN, 0, 0, _ENOSYS),
    ]
    for k, (number, value) in enumerate(arguments.items()):
        to_allow = 4 * (pairs - k - 1) + count + 2
        program += [
            (_JUMP_IF_EQUAL, 0, 3, number),
            (_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
            (_JUMP_IF_EQUAL, to_allow, 0, value),
            (_RETURN, 0, 0, _EPERM),
        ]
    program += [(_JUMP_IF_EQUAL, count - k, 0, number) for k, number in enumerate(allowed)]
    program += [(_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _prctl(option: int, *arguments: object) -> None:
    words = [*arguments, 0, 0, 0, 0][:4]
    as_longs = [ctypes.c_ulong(word) if isinstance(word, int) else word for word in words]
    if _libc.prctl(option, *as_longs):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
