"""The library on processors that are not this one, by an emulator."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.conftest import BUILD, build, make
from tests.support.repo import ROOT

ZIG = ROOT / ".tools/zig/ziglang/zig"
SYSROOT = Path("/usr/aarch64-linux-gnu/lib")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine draws, in a file."""
    build("build/driver")
    path = tmp_path_factory.mktemp("driver") / "answers"
    make("write", f"ANSWERS={path}")
    return path


@pytest.mark.promise("Equivalence: aarch64 is within one level of x86-64")
def test_aarch64_draws_what_this_machine_draws_within_one_level(answers):
    if shutil.which("qemu-aarch64") is None or not SYSROOT.exists():
        pytest.skip("needs an emulator: apt-get install qemu-user libc6-arm64-cross")
    if not ZIG.exists():
        pytest.skip("needs zig: make zig")
    build("build/zig-aarch64/driver", "ARCHITECTURE=aarch64")
    make("compare", f"ANSWERS={answers}", "ARCHITECTURE=aarch64")


def test_answers_two_levels_apart_are_found(answers, tmp_path):
    make("compare", f"ANSWERS={answers}")
    values = bytearray(answers.read_bytes())
    values[1000] += 2 if values[1000] < 128 else -2
    (tmp_path / "others").write_bytes(values)
    command = [BUILD / "driver", "compare", tmp_path / "others"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (
        1,
        "The driver expected that answers are at most one level apart.\n",
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs a processor of x86-64")
def test_a_processor_without_the_instructions_is_told_and_not_harmed():
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("needs an emulator: apt-get install qemu-user")
    build("build/driver")
    command = ["qemu-x86_64", "-cpu", "SandyBridge", BUILD / "driver"]  # It has AVX, and no AVX2.
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("This processor lacks the instructions")
