"""What is measured in a process of its own: one generator, and the multiplication of matrices."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from dctnet.arrays import GeneratorOutput, Pixels
from dctnet.models import generator_weights as model
from dctnet.models.generator_weights import LAYERS
from dctnet.runtimes import Generator, native
from tests.support.process import memory

Draw = Callable[[Pixels], GeneratorOutput]

IMAGES = 2
"""Drawn by each caller where throughput is measured."""

CROWD_IMAGES = 8
"""The same where threads are chosen: there the first call has all of them, which must not count."""

GEMM_SIDE = 2048


def multiplications(of_seven: float = 1.0) -> float:
    """Return the multiplications a pixel: F(6×6, 3×3) needs 64 of 324 where it applies.

    `of_seven` is the share that the 7×7 layers need: 1 directly, 10/28 by F(4, 7).
    """
    total = 0.0
    area = 1.0
    for layer in LAYERS:
        if layer.name in {"Conv_6", "Conv_8"}:
            area *= 4
        area /= layer.stride**2
        share = 1 if layer.stride > 1 else of_seven if layer.side == 7 else 64 / 324
        total += area * layer.side**2 * layer.inputs * layer.outputs * share
    return total


class Engine:
    """One generator, with so many threads a call."""

    def __init__(self, runtime: str, path: Path, threads: int) -> None:
        """Load it; `runtime` is a module of `dctnet.runtimes`, a native variant, or "mnn"."""
        started = time.perf_counter()
        self._generate = _load(runtime, path, threads)
        self._loaded_s = time.perf_counter() - started
        self._load = memory(os.getpid(), "VmRSS")

    def draw(self, size: str) -> GeneratorOutput:
        """Return the drawing of an image of noise."""
        return self._generate(_image(size))

    def seconds(self, size: str) -> float:
        """Draw one image."""
        return _timed(self._generate, size)

    def rate(self, size: str, callers: int) -> float:
        """Let callers draw at once; return the images a second."""
        return _rate(self._generate, size, callers)

    def policy(self, size: str, threads: int) -> tuple[float, float]:
        """Hold the choice of threads, call by call, against calls that are told; native only.

        Returns the speed of a lone call as a share of one told to take all threads, and the
        throughput of as many callers as a share of those told to take one each.
        """
        chosen = self._generate
        assert isinstance(chosen, native.NativeGenerator)
        all_threads, one_thread = (partial(chosen.generate, threads=n) for n in (threads, 1))
        # There and back, so that a machine's changing pace counts for both.
        first = _timed(chosen, size)
        told = _timed(all_threads, size) + _timed(all_threads, size)
        lone = told / (first + _timed(chosen, size))
        before = _rate(chosen, size, threads, CROWD_IMAGES)
        fixed = sum(_rate(one_thread, size, threads, CROWD_IMAGES) for _ in range(2))
        crowd = (before + _rate(chosen, size, threads, CROWD_IMAGES)) / fixed
        return lone, crowd

    def profile(self, size: str) -> dict[str, float]:
        """Return where the seconds of one image on one thread go, by stage; native only."""
        assert isinstance(self._generate, native.NativeGenerator)
        with self._generate.scratch_pool.borrow() as scratch:
            self._generate.generate_in(scratch, _image(size), 1)
            return scratch.profile()

    def costs(self) -> dict[str, float]:
        """Return the seconds of loading, its imports included, and bytes of memory."""
        return {
            "load": self._loaded_s,
            "loaded": self._load,
            "peak": memory(os.getpid(), "VmHWM"),
        }


class Sgemm:
    """numpy's multiplication of matrices: the most that arithmetic can do here."""

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(1).random((GEMM_SIDE, GEMM_SIDE), np.float32)

    def rate(self) -> float:
        """Return the floating-point operations a second of one multiplication."""
        started = time.perf_counter()
        self._matrix @ self._matrix
        return 2 * GEMM_SIDE**3 / (time.perf_counter() - started)


def _load(runtime: str, path: Path, threads: int) -> Generator:
    if runtime == "tensorflow":
        from dctnet.runtimes import tensorflow

        return tensorflow.generator(path, threads)
    if runtime == "onnxruntime":
        from dctnet.runtimes import onnxruntime

        return onnxruntime.generator(path, threads)
    if runtime == "mnn":
        from benchmarks import mnn

        return mnn.generator(path, threads)
    scratch_pool = native.ScratchPool(native.library(runtime))
    return native.NativeGenerator(model.read(path), scratch_pool, threads)


def _timed(draw: Draw, size: str) -> float:
    image = _image(size)
    started = time.perf_counter()
    draw(image)
    return time.perf_counter() - started


def _rate(draw: Draw, size: str, callers: int, each: int = IMAGES) -> float:
    images = [_image(size)] * (callers * each)
    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        for _ in pool.map(draw, images):
            pass
        return len(images) / (time.perf_counter() - started)


def pixels(size: str) -> int:
    """Return the pixels of a size such as 720x960."""
    height, width = _sides(size)
    return height * width


def _sides(size: str) -> tuple[int, int]:
    height, width = map(int, size.split("x"))
    return height, width


def _image(size: str) -> Pixels:
    height, width = _sides(size)
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
