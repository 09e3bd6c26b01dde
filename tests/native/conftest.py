"""Fixtures of the native tests: build the libraries, or skip with a reason."""

import ctypes
import fcntl
import platform
import shutil
import subprocess

import pytest

from dctnet.runtimes import native_library
from tests.support.repo import ROOT

SOURCES = ROOT / "service/native"
BUILD = SOURCES / "build"

WIDTHS = ["own", "4", "16"]
"""Vector widths: the CPU's own (AVX2 on x86-64), NEON's and AVX-512's."""


def make(*targets: str) -> None:
    """Run make in the sources, or skip the test if there is no compiler."""
    if not (shutil.which("make") and (shutil.which("g++") or shutil.which("clang++"))):
        pytest.skip("needs make and a C++ compiler: apt-get install make g++")
    command = ["make", "-C", SOURCES, "--jobs=2", *targets]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def build(*targets: str) -> None:
    """Build files that tests in other processes may need too."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(*targets)


@pytest.fixture(scope="session")
def built() -> None:
    """Build the package's libraries, and those of each width with its layers."""
    build("libraries")
    variants = {*native_library.VARIANTS[platform.machine()], *map(_variant, WIDTHS)}
    libraries = [f"build/libdctnet-{variant}.so" for variant in sorted(variants)]
    layers = [f"build/libdctnet-layers-{_variant(width)}.so" for width in WIDTHS]
    build(*libraries, *layers)


def _variant(width: str) -> str:
    """Return the build for a width: with its own instructions if this CPU has them."""
    if width == "own":
        return native_library.VARIANTS[platform.machine()][-1]
    has_avx512 = native_library.select_variant() == "x86-64-v4"
    return "x86-64-v4" if width == "16" and has_avx512 else f"width-{width}"


@pytest.fixture(scope="session", params=WIDTHS)
def library(request: pytest.FixtureRequest, built: None) -> native_library.Library:
    """The library in each width."""
    return native_library.Library(BUILD / f"libdctnet-{_variant(request.param)}.so")


@pytest.fixture(scope="session", params=WIDTHS)
def layers(request: pytest.FixtureRequest, built: None) -> ctypes.CDLL:
    """The layers' functions in each width: see service/native/tests/layers.cpp."""
    return ctypes.CDLL(str(BUILD / f"libdctnet-layers-{_variant(request.param)}.so"))
