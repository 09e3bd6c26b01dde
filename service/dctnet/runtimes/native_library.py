"""Native library: the compiled variants of `service/native`, loaded through ctypes.

Finding the variant for this CPU imports no NumPy, which Gunicorn's arbiter does not need.
"""

import ctypes
import platform
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = Path(__file__).with_name("lib")

VARIANTS = {"x86_64": ("x86-64-v4", "x86-64-v3"), "aarch64": ("aarch64",)}
"""Variants of the library by architecture, the fastest first."""

_VERSION = 3
STAGES = 16
"""Number of profiled stages."""

_STATUS = {
    1: "an argument is out of range",
    2: "the number of weights is not that of the network",
    3: "a side of the image is not a multiple of 4, or over 8192",
    4: "there is not enough memory",
}
BAD_ARGUMENT, BAD_WEIGHTS, NO_MEMORY = 1, 2, 4
"""Statuses of rejected calls."""


class NativeError(Exception):
    """The library is missing, does not support the CPU, or rejected a call."""


class Library:
    """A loaded variant of the library."""

    def __init__(self, path: Path) -> None:
        try:
            self._functions = ctypes.CDLL(str(path))
        except OSError as error:
            raise NativeError(f"The native runtime {path} cannot be loaded: {error}.") from error
        version = self._functions.dctnet_version()
        if version != _VERSION:
            raise NativeError(
                f"The native runtime {path} has version {version}, not {_VERSION}: "
                "build it again (make native)."
            )
        for name, result, arguments in _SIGNATURES:
            function = getattr(self._functions, name)
            function.restype, function.argtypes = result, arguments

    @property
    def supported(self) -> bool:
        """Whether this CPU has the instructions that the variant uses."""
        return bool(self._functions.dctnet_supported())

    @property
    def stages(self) -> list[str]:
        """Names of the profiled stages, in the order of the graph."""
        name = self._functions.dctnet_stage_name
        return [name(stage).decode() for stage in range(STAGES)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._functions, name)


_SIGNATURES: tuple[tuple[str, Any, list[Any]], ...] = (
    ("dctnet_supported", c_int, []),
    ("dctnet_weight_count", c_size_t, []),
    ("dctnet_model_create", c_int, [c_void_p, c_size_t, c_float, POINTER(c_void_p)]),
    ("dctnet_model_load", c_int, [c_void_p, c_void_p, c_size_t, c_float]),
    ("dctnet_model_destroy", None, [c_void_p]),
    ("dctnet_scratch_create", c_int, [POINTER(c_void_p)]),
    ("dctnet_scratch_destroy", None, [c_void_p]),
    ("dctnet_scratch_reserve", c_int, [c_void_p, c_int, c_int, c_int]),
    ("dctnet_scratch_trim", None, [c_void_p]),
    ("dctnet_scratch_bytes", c_size_t, [c_void_p]),
    ("dctnet_draw", c_int, [c_void_p, c_void_p, c_void_p, c_void_p, c_int, c_int, c_int]),
    ("dctnet_profile", None, [c_void_p, POINTER(c_double)]),
    ("dctnet_stage_name", c_char_p, [c_int]),
)


@cache
def library(variant: str) -> Library:
    """Load a variant by name; raise NativeError if it is missing or not supported."""
    path = LIBRARIES / f"libdctnet-{variant}.so"
    if not path.exists():
        raise NativeError(f"The native runtime has no {path.name}: build it (make native).")
    loaded = Library(path)
    if not loaded.supported:
        raise NativeError(f"This CPU lacks instructions of {variant}.")
    return loaded


def select_variant() -> str:
    """Return the fastest variant for this machine; raise NativeError if there is none."""
    machine = platform.machine()
    reason = f"The native runtime is not built for {machine}."
    for variant in VARIANTS.get(machine, ()):
        try:
            library(variant)
        except NativeError as error:
            reason = str(error)
        else:
            return variant
    raise NativeError(reason)


def unavailable_reason() -> str:
    """Return why no variant runs on this machine; empty if one does."""
    try:
        select_variant()
    except NativeError as error:
        return str(error)
    return ""


def check_status(status: int) -> None:
    """Raise MemoryError or NativeError unless a call succeeded."""
    if status == NO_MEMORY:
        raise MemoryError
    if status:
        raise NativeError(f"The native runtime rejected a call: {_STATUS[status]}.")
