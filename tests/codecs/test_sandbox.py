"""A sandboxed process computes, and does nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dctnet.codecs import sandbox
from tests.support.repo import environment

TRIES = {
    "open a file": "open('/etc/passwd')",
    "write a file": "open('/tmp/dctnet', 'w')",
    "list a folder": "os.listdir('/')",
    "look at a file": "os.stat('/etc')",
    "connect": "socket.socket()",
    "connect to a file": "socket.socket(socket.AF_UNIX)",
    "make a pipe": "os.pipe()",
    "fork": "os.fork()",
    "start a thread": "threading.Thread(target=print).start()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "signal its parent": "os.kill(os.getppid(), 0)",
    "limit its parent": "resource.prlimit(parent, resource.RLIMIT_AS, (1 << 40, -1))",
    "regain privileges": "os.setuid(0)",
    "allocate shared memory": "os.memfd_create('x')",
    "trace": "libc.ptrace(0, 0, 0, 0) and raise_errno()",
}

PROGRAM = """
import ctypes, json, mmap, os, resource, socket, sys, threading
from concurrent.futures import ThreadPoolExecutor

libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()

def raise_errno():
    raise OSError(ctypes.get_errno(), "")

def in_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()

def outcome(code):
    try:
        exec(code)
    except OSError as error:
        return error.errno
    except RuntimeError as error:
        return str(error)

from dctnet.codecs import sandbox
restrictions = sandbox.enter()
outcomes = {name: outcome(code) for name, code in json.loads(sys.argv[1]).items()}
resource.setrlimit(resource.RLIMIT_AS, (1 << 40, -1))  # Its own limits, it may set.
mmap.mmap(-1, 1 << 20).close()
sys.stdout.write(json.dumps([restrictions, outcomes]))
"""

EPERM = 1


def outcomes(tries: dict[str, str], *, threads: bool) -> dict[str, int | str | None]:
    """Run code in a sandboxed process; return the error of each, None without one."""
    program = PROGRAM.replace("sandbox.enter()", f"sandbox.enter(threads={threads})")
    command = [sys.executable, "-c", program, json.dumps(tries)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment())
    restrictions, found = json.loads(run.stdout)
    assert restrictions == [sandbox.SECCOMP, sandbox.LIMITS]
    return dict(found)


@pytest.mark.promise("Input: what decodes images has no files, network or other processes")
def test_sandboxed_process_has_no_files_network_or_processes():
    found = outcomes(TRIES, threads=False)
    assert found.pop("start a thread") == "can't start new thread"
    assert found == dict.fromkeys(TRIES.keys() - {"start a thread"}, EPERM)


@pytest.mark.promise("Input: what decodes images has no files, network or other processes")
def test_process_with_threads_has_no_files_network_or_processes():
    """Nor has a thread."""
    found = outcomes(TRIES | {"fork in a thread": "in_thread(os.fork)"}, threads=True)
    assert found.pop("start a thread") is None
    assert found.pop("fork in a thread") == EPERM
    assert found == dict.fromkeys(TRIES.keys() - {"start a thread"}, EPERM)


def test_limits_alone_remain_on_another_architecture(monkeypatch):
    monkeypatch.setattr(sandbox.platform, "machine", lambda: "riscv64")
    assert sandbox._filter_system_calls(threads=False) is False


def test_filter_ends_a_process_of_another_architecture():
    """System calls of 32 bits have other numbers."""
    program = sandbox._program(0xC000_003E, [1, 2], {3: 0, 4: 7}, 5)
    instructions = [program[k : k + 8] for k in range(0, len(program), 8)]
    assert len(instructions) == 6 + 2 * 4 + 2 + 2
    code, if_true, if_false = instructions[1][0], instructions[1][2], instructions[1][3]
    assert (code, if_true, if_false) == (0x15, 1, 0)
    assert instructions[2][4:] == (0x8000_0000).to_bytes(4, "little")


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
"""Of the kernel's headers, which come with a C compiler."""


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_of_system_calls_are_the_kernels(machine):
    if not HEADERS[machine].exists():
        pytest.skip(f"needs {HEADERS[machine]}")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name: int(number) for name, number in defined}
    column = list(sandbox._ARCHITECTURES).index(machine)
    calls = sandbox._SYSTEM_CALLS | sandbox._THREAD_CALLS
    calls |= {"prlimit64": sandbox._SET_OWN_LIMIT}
    calls |= {"clone": sandbox._CLONE, "clone3": sandbox._CLONE3}
    assert {name: each[column] for name, each in calls.items()} == {
        name: numbers[name] for name in calls
    }
