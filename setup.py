"""Builds a wheel: where it holds the native runtime, for that platform and for every Python."""

from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

LIBRARIES = Path(__file__).parent / "service/dctnet/runtimes/lib"


class WithLibraries(Distribution):
    """Is no pure Python where the libraries are built."""

    def has_ext_modules(self) -> bool:
        """Say whether the wheel is for one platform."""
        return any(LIBRARIES.glob("*.so"))


class Wheel(bdist_wheel):
    """Names no version of Python: the libraries have a C interface, and none of Python's."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return Python, ABI and platform."""
        *_, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=WithLibraries, cmdclass={"bdist_wheel": Wheel})
