"""Available CPUs and memory: affinity mask, cgroup limits and the configured limit."""

import os
from math import inf
from pathlib import Path

import pytest

from dctnet.cpus import available_cpus, memory_limit

MASK = len(os.sched_getaffinity(0))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def own(root: Path, *lines: str) -> Path:
    file = root.parent / "own"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def v2(folder: Path, limit: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{limit}\n")


def v1(folder: Path, quota: int) -> None:
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")


def test_parent_cgroup_quota_applies(root):
    v2(root / "pod" / "container", "max 100000")
    v2(root / "pod", "25000 100000")
    assert available_cpus(root, own(root, "0::/pod/container")) == 0.25


def test_cgroup_v1_quota_applies(root):
    v1(root / "cpu,cpuacct" / "container", 75000)
    lines = "5:memory:/container", "4:cpu,cpuacct:/container"
    assert available_cpus(root, own(root, *lines)) == 0.75


def test_invisible_cgroup_is_ignored(root):
    v1(root / "cpu", 30000)
    assert available_cpus(root, own(root, "4:cpu:/on/the/host")) == 0.3


def test_smallest_of_mask_quota_and_limit_applies(root):
    v2(root, "50000 100000")
    assert available_cpus(root, own(root, "0::/"), limit=0.499) == 0.499
    assert available_cpus(root, own(root, "0::/"), limit=0.501) == 0.5
    v2(root, "max 100000")
    assert available_cpus(root, own(root, "0::/"), limit=MASK + 0.001) == MASK


def test_affinity_mask_without_quota(root):
    v2(root, "max 100000")
    v1(root / "cpu", -1)
    assert available_cpus(root, own(root, "0::/", "4:cpu:/")) == MASK


def test_quota_above_the_mask_has_no_effect(root):
    v2(root, f"{(MASK + 1) * 100000} 100000")
    assert available_cpus(root, own(root, "0::/")) == MASK


def test_affinity_mask_without_cgroups(tmp_path):
    assert available_cpus(tmp_path, tmp_path / "none") == MASK


def test_cpu_count_without_affinity_mask(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_cpus(tmp_path, tmp_path / "none") == os.cpu_count()


def test_smallest_memory_limit_of_the_cgroups_applies(root):
    for folder, limit in ((root / "pod" / "container", "max"), (root / "pod", "1073741824")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
    assert memory_limit(root, own(root, "0::/pod/container")) == 2**30
    assert memory_limit(root, own(root, "0::/other")) == inf


def test_cgroup_v1_memory_limit_applies(root):
    (root / "memory" / "container").mkdir(parents=True)
    (root / "memory" / "container" / "memory.limit_in_bytes").write_text("536870912\n")
    lines = "5:memory:/container", "4:cpu,cpuacct:/container"
    assert memory_limit(root, own(root, *lines)) == 2**29


@pytest.mark.parametrize("page", [4096, 65536])
def test_cgroup_v1_without_a_memory_limit_has_a_huge_number(root, page):
    (root / "memory").mkdir(parents=True)
    (root / "memory" / "memory.limit_in_bytes").write_text(f"{2**63 - page}\n")
    assert memory_limit(root, own(root, "5:memory:/")) == inf
