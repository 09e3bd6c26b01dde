"""What the tests of the native runtime share: the library, built, or a skip and why."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from dctnet.runtimes import native

SOURCES = Path(__file__).parents[2] / "service/native"
BUILD = SOURCES / "build"

WIDTHS = ["auto", "4", "16"]
"""The vectors' widths: this processor's, and those of NEON and AVX-512 in its instructions."""


def make(*targets: str) -> None:
    """Run make in the sources, or skip the test where there is no compiler."""
    if not (shutil.which("make") and (shutil.which("g++") or shutil.which("clang++"))):
        pytest.skip("needs make and a C++ compiler: apt-get install make g++")
    command = ["make", "-C", SOURCES, "--jobs=2", *targets]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="session")
def built() -> None:
    """The libraries are built: those of the package, and each width with its layers."""
    make("libraries", "widths")


@pytest.fixture(scope="session", params=WIDTHS)
def library(request: pytest.FixtureRequest, built: None) -> native.Library:
    """The library in each width."""
    if request.param == "auto":
        return native.library(native.pick())
    return native.Library(BUILD / f"libdctnet-width-{request.param}.so")


@pytest.fixture(scope="session", params=WIDTHS)
def layers(request: pytest.FixtureRequest, built: None) -> ctypes.CDLL:
    """The layers' functions in each width: see service/native/tests/layers.cpp."""
    width = "" if request.param == "auto" else f"-width-{request.param}"
    return ctypes.CDLL(str(BUILD / f"libdctnet-layers{width}.so"))
