"""The library on other CPUs, in an emulator."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.conftest import BUILD, build, make
from tests.support.repo import ROOT

ZIG = ROOT / ".tools/zig/ziglang/zig"
SYSROOT = Path("/usr/aarch64-linux-gnu/lib")


@pytest.mark.promise("Equivalence: aarch64 is within one level of x86-64")
def test_aarch64_cartoons_match_within_one_level(tmp_path):
    if shutil.which("qemu-aarch64") is None or not SYSROOT.exists():
        pytest.skip("needs an emulator: apt-get install qemu-user libc6-arm64-cross")
    if not ZIG.exists():
        pytest.skip("needs zig: make zig")
    cartoons = f"CARTOONS={tmp_path / 'answers'}"
    build("build/driver")
    build("build/zig-aarch64/driver", "ARCHITECTURE=aarch64")
    make("write", cartoons)
    make("compare", cartoons, "ARCHITECTURE=aarch64")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs a CPU of x86-64")
def test_unsupported_cpu_is_reported_without_crash():
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("needs an emulator: apt-get install qemu-user")
    build("build/driver")
    command = ["qemu-x86_64", "-cpu", "SandyBridge", BUILD / "driver"]  # Has AVX, but not AVX2.
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("This CPU lacks instructions")
