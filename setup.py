"""Wheel build: with the native runtime, a wheel for one platform and all Python versions."""

from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

LIBRARIES = Path(__file__).parent / "service/dctnet/runtimes/lib"


class NativeDistribution(Distribution):
    """Platform-specific if the native libraries have been built."""

    def has_ext_modules(self) -> bool:
        """Whether the wheel is for one platform."""
        return any(LIBRARIES.glob("*.so"))


class NativeWheel(bdist_wheel):
    """Wheel tag without a Python version: the libraries do not use Python's C API."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform tags."""
        *_, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=NativeDistribution, cmdclass={"bdist_wheel": NativeWheel})
