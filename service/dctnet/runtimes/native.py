"""Native runtime: the C++ generator of `service/native`, called through ctypes.

ctypes releases the GIL while the library computes. `make native` builds the library.
"""

import ctypes
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_size_t, c_uint8, c_void_p
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.models import generator_weights
from dctnet.models.generator_weights import EPSILON, Weights
from dctnet.models.open_files import Readable
from dctnet.runtimes import Generator

LIBRARIES = Path(__file__).with_name("lib")

VARIANTS = {"x86_64": ("x86-64-v4", "x86-64-v3"), "aarch64": ("aarch64",)}
"""Variants of the library by architecture, the fastest first."""

_VERSION = 3
_STAGES = 16
_STATUS = {
    1: "an argument is out of range",
    2: "the number of weights is not that of the network",
    3: "a side of the image is not a multiple of 4, or over 8192",
    4: "there is not enough memory",
}
_NO_MEMORY = 4


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
        return [name(stage).decode() for stage in range(_STAGES)]

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


def generator(path: Readable, threads: int) -> Generator:
    """Load a generator's weights; its concurrent calls share `threads` threads.

    Raises ModelError if the file is not a weights file.
    """
    with _pool_lock:
        scratch_pool = _shared_scratch_pool(select_variant())
    return NativeGenerator(generator_weights.read(path), scratch_pool, threads)


_pool_lock = Lock()
"""Generators load in parallel, and `cache` alone would let each create its own pool."""


@cache
def _shared_scratch_pool(variant: str) -> "ScratchPool":
    """Return the pool of all generators of this process: a slot runs one at a time."""
    return ScratchPool(library(variant))


def _check(status: int) -> None:
    if status == _NO_MEMORY:
        raise MemoryError
    if status:
        raise NativeError(f"The native runtime rejected a call: {_STATUS[status]}.")


class Scratch:
    """Memory of one call at a time. It grows to the size of the largest image."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.handle = c_void_p()
        _check(library.dctnet_scratch_create(byref(self.handle)))

    def __del__(self) -> None:
        self._library.dctnet_scratch_destroy(self.handle)

    @property
    def nbytes(self) -> int:
        """Allocated bytes."""
        return int(self._library.dctnet_scratch_bytes(self.handle))

    def reserve(self, height: int, width: int, threads: int) -> None:
        """Allocate the memory for an image of this size and number of threads."""
        _check(self._library.dctnet_scratch_reserve(self.handle, height, width, threads))

    def trim(self) -> None:
        """Release the memory to the system; the next call allocates it again."""
        self._library.dctnet_scratch_trim(self.handle)

    def profile(self) -> dict[str, float]:
        """Return the seconds of each stage of the last call."""
        seconds = (c_double * _STAGES)()
        self._library.dctnet_profile(self.handle, seconds)
        return dict(zip(self._library.stages, seconds, strict=True))


class ScratchPool:
    """One `Scratch` for each concurrent call, shared by the generators of a model."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = Lock()
        self._all: list[Scratch] = []
        self._free: list[Scratch] = []

    @contextmanager
    def borrow(self) -> Iterator[Scratch]:
        """Borrow the most recently returned scratch, or a new one if all are in use."""
        with self._lock:
            if self._free:
                scratch = self._free.pop()
            else:
                scratch = Scratch(self.library)
                self._all.append(scratch)
        try:
            yield scratch
        finally:
            with self._lock:
                self._free.append(scratch)

    @property
    def active_calls(self) -> int:
        """Number of calls in progress."""
        return len(self._all) - len(self._free)

    @property
    def nbytes(self) -> int:
        """Allocated bytes of all scratches."""
        with self._lock:
            return sum(scratch.nbytes for scratch in self._all)

    def trim(self) -> None:
        """Release the memory of the scratches that are not in use."""
        with self._lock:
            for scratch in self._free:
                scratch.trim()


class NativeGenerator:
    """A `Generator` that uses the CPU's vector instructions.

    A single call computes on `threads` threads, including the caller's. Concurrent calls share
    them, and each has at least one. The result is bit-identical for any number of threads.
    """

    def __init__(self, weights: Weights, scratch_pool: ScratchPool, threads: int = 1) -> None:
        self._library = scratch_pool.library
        self.scratch_pool = scratch_pool
        self._threads = threads
        self._model = c_void_p()
        layers = [array.ravel() for name, array in weights.items() if name != EPSILON]
        values: Floats = np.concatenate(layers, dtype=np.float32)
        create = self._library.dctnet_model_create
        epsilon = float(weights[EPSILON])
        _check(create(values.ctypes.data, values.size, epsilon, byref(self._model)))

    def __del__(self) -> None:
        self._library.dctnet_model_destroy(self._model)

    def __call__(self, image: Pixels, /) -> Pixels:
        """Return the cartoon of `image`, HxWx3 uint8 BGR, H and W multiples of 4."""
        with self.scratch_pool.borrow() as scratch:
            threads = max(1, self._threads // self.scratch_pool.active_calls)
            return self.generate_in(scratch, image, threads)

    def reserve(self, calls: int, height: int, width: int) -> None:
        """Allocate the memory of `calls` concurrent calls with images of this size."""
        with ExitStack() as stack, ThreadPoolExecutor(calls) as pool:
            lent = [stack.enter_context(self.scratch_pool.borrow()) for _ in range(calls)]
            for _ in pool.map(lambda scratch: scratch.reserve(height, width, self._threads), lent):
                pass

    def generate(self, image: Pixels, threads: int) -> Pixels:
        """Return the cartoon, computed on `threads` threads."""
        with self.scratch_pool.borrow() as scratch:
            return self.generate_in(scratch, image, threads)

    def generate_in(self, scratch: Scratch, image: Pixels, threads: int) -> Pixels:
        """Return the cartoon, computed in the given memory."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"An image is HxWx3 uint8, not {image.shape} {image.dtype}.")
        source = np.ascontiguousarray(image)
        cartoon: Pixels = np.empty_like(source)
        height, width, _ = source.shape
        draw = self._library.dctnet_draw
        pixels = source.ctypes.data_as(POINTER(c_uint8)), cartoon.ctypes.data_as(POINTER(c_uint8))
        _check(draw(self._model, scratch.handle, *pixels, height, width, threads))
        return cartoon
