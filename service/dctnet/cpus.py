"""Available CPUs and memory: affinity mask, cgroup limits and configured limit."""

import os
from collections.abc import Callable
from math import inf
from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_UNLIMITED_V1 = 2**62


def available_cpus(
    root: Path = _CGROUP_ROOT, own_cgroups: Path = _OWN_CGROUPS, *, limit: float = inf
) -> float:
    """Return the smallest of affinity mask, cgroup quotas and ``limit``, such as 1.5.

    The standard library reads only the mask: a container limited to two CPUs would start a thread
    per CPU of its node. ``limit`` is for sandboxes that hide the cgroup.
    """
    # Only Linux has affinity masks.
    has_mask = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    return min([float(count), limit, *_limits("cpu", _quota_v2, _quota_v1, root, own_cgroups)])


def memory_limit(root: Path = _CGROUP_ROOT, own_cgroups: Path = _OWN_CGROUPS) -> float:
    """Return the smallest memory limit of the cgroups in bytes, infinite if there is none."""
    return min([inf, *_limits("memory", _memory_v2, _memory_v1, root, own_cgroups)])


Read = Callable[[Path], float | None]
"""Function from a cgroup's folder to its limit, if it has one."""


def _limits(
    controller: str, read_v2: Read, read_v1: Read, root: Path, own_cgroups: Path
) -> list[float]:
    """Return the limits of this process's cgroups and parents, versions 1 and 2."""
    try:
        lines = own_cgroups.read_text().splitlines()
    except OSError:  # Not Linux, or no /proc.
        return []
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, read = root, read_v2
        elif controller in controllers.split(","):
            folder, read = root / controllers, read_v1
        else:
            continue
        own = folder / path.lstrip("/")
        # Limits of parents apply too; a container often sees only the topmost folder.
        limits += [read(parent) for parent in (own, *own.parents) if parent.is_relative_to(folder)]
    return [limit for limit in limits if limit is not None]


def _memory_v2(folder: Path) -> float | None:
    return _number(folder / "memory.max")


def _memory_v1(folder: Path) -> float | None:
    limit = _number(folder / "memory.limit_in_bytes")
    # Without a limit the kernel writes the largest multiple of its page size.
    return None if limit is None or limit > _UNLIMITED_V1 else limit


def _number(file: Path) -> float | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return None if text == "max" else float(text)


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except OSError:
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except OSError:
        return None
    return None if quota <= 0 else quota / period
