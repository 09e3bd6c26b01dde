"""Ports for a server that is to be started, and what the kernel tells of its processes."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path


def free_ports(number: int) -> list[int]:
    """Return different ports of this machine on which nobody listens now."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [server.getsockname()[1] for server in servers]


def only_child(pid: int) -> int:
    """Return the id of a process's child; raise ValueError unless it has exactly one."""
    (child,) = _children(pid)
    return child


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def memory(pid: int, figure: str) -> int:
    """Return a figure of a process's memory, in bytes: VmRSS for now, VmHWM for the peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{figure}:")[2].split()[0]) * 1024


def reset_peak_memory(pid: int) -> int:
    """Begin a process's VmHWM at what is resident now, which is returned in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return memory(pid, "VmRSS")


def proportional_memory(pid: int) -> int:
    """Return a process's share of the memory it uses, in bytes: shared pages count in parts."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024


def family_memory(pid: int) -> int:
    """Return the proportional memory of a process and its children together, in bytes."""
    return sum(map(proportional_memory, (pid, *_children(pid))))


def family_time(pid: int) -> float:
    """Return what a process and its children have used of the processors, in seconds."""
    return sum(map(processor_time, (pid, *_children(pid))))


def processor_time(pid: int) -> float:
    """Return what a process has used of the processors, in seconds."""
    # The name, in brackets, may have spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
