"""Available CPUs: affinity mask, cgroup CPU quota and configured limit."""

import os
from math import inf
from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


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
    return min([float(count), limit, *_quotas(root, own_cgroups)])


def _quotas(root: Path, own_cgroups: Path) -> list[float]:
    """Return the CPU quotas of this process's cgroups and parents, versions 1 and 2."""
    try:
        lines = own_cgroups.read_text().splitlines()
    except OSError:  # Not Linux, or no /proc.
        return []
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, quota_of = root, _quota_v2
        elif "cpu" in controllers.split(","):
            folder, quota_of = root / controllers, _quota_v1
        else:
            continue
        own = folder / path.lstrip("/")
        # Parent quotas apply too; a container often sees only the topmost folder.
        quotas += [
            quota_of(parent) for parent in (own, *own.parents) if parent.is_relative_to(folder)
        ]
    return [quota for quota in quotas if quota is not None]


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
