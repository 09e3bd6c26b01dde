"""Benchmark subjects that run in isolated processes: generators and SGEMM."""

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
from dctnet.runtimes import Generator, native, native_library
from tests.support.process import memory

Generate = Callable[[Pixels], GeneratorOutput]

IMAGES = 2
"""Images per caller in throughput measurements."""

POLICY_IMAGES = 8
"""Images per caller for the thread policy, to dilute the first call, which gets all threads."""

GEMM_SIDE = 2048


def multiplications_per_pixel(seven_by_seven_share: float = 1.0) -> float:
    """Return multiplications per pixel, with Winograd F(6×6, 3×3), which needs 64 of 324.

    `seven_by_seven_share` is the share for 7×7 layers: 1 for direct convolution, 10/28 for F(4, 7).
    """
    total = 0.0
    area = 1.0
    for layer in LAYERS:
        if layer.name in {"Conv_6", "Conv_8"}:
            area *= 4
        area /= layer.stride**2
        share = 1 if layer.stride > 1 else seven_by_seven_share if layer.side == 7 else 64 / 324
        total += area * layer.side**2 * layer.inputs * layer.outputs * share
    return total


class Engine:
    """One generator with a number of threads per call."""

    def __init__(self, runtime: str, path: Path, threads: int) -> None:
        """Load it.

        `runtime` is a module of `dctnet.runtimes`, a native variant, "mnn", "openvino", which has
        its default precision, or "openvino-f32".
        """
        started = time.perf_counter()
        self._generate = _load(runtime, path, threads)
        self._loaded_s = time.perf_counter() - started
        self._loaded = memory(os.getpid(), "VmRSS")

    def generate(self, size: str) -> GeneratorOutput:
        """Return the output for an image of noise."""
        return self._generate(_image(size))

    def seconds(self, size: str) -> float:
        """Return the seconds for one image."""
        return _measure_seconds(self._generate, size)

    def rate(self, size: str, callers: int) -> float:
        """Return the images per second of concurrent callers."""
        return _measure_rate(self._generate, size, callers)

    def thread_policy(self, size: str, threads: int) -> tuple[float, float]:
        """Compare the automatic thread count with fixed ones; native only.

        Returns the speed of a single call relative to one with all threads, and the throughput of
        concurrent callers relative to callers with one thread each.
        """
        automatic = self._generate
        assert isinstance(automatic, native.NativeGenerator)
        all_threads, one_thread = (partial(automatic.generate, threads=n) for n in (threads, 1))
        # Symmetric order, because the speed of a machine changes within minutes.
        first = _measure_seconds(automatic, size)
        fixed_s = _measure_seconds(all_threads, size) + _measure_seconds(all_threads, size)
        lone = fixed_s / (first + _measure_seconds(automatic, size))
        before = _measure_rate(automatic, size, threads, POLICY_IMAGES)
        fixed = sum(_measure_rate(one_thread, size, threads, POLICY_IMAGES) for _ in range(2))
        crowd = (before + _measure_rate(automatic, size, threads, POLICY_IMAGES)) / fixed
        return lone, crowd

    def profile(self, size: str) -> dict[str, float]:
        """Return the seconds per stage of one image on one thread; native only."""
        assert isinstance(self._generate, native.NativeGenerator)
        with self._generate.scratch_pool.borrow() as scratch:
            self._generate.generate_in(scratch, _image(size), 1)
            return scratch.profile()

    def costs(self) -> dict[str, float]:
        """Return the load time in seconds, imports included, and memory in bytes."""
        return {
            "load": self._loaded_s,
            "loaded": self._loaded,
            "peak": memory(os.getpid(), "VmHWM"),
        }


class Sgemm:
    """numpy's SGEMM: the peak arithmetic throughput of this machine."""

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(1).random((GEMM_SIDE, GEMM_SIDE), np.float32)

    def rate(self) -> float:
        """Return the FLOP/s of one matrix multiplication."""
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
    if runtime in {"openvino", "openvino-f32"}:
        from benchmarks import openvino

        return openvino.generator(path, threads, "f32" if runtime == "openvino-f32" else None)
    scratch_pool = native.ScratchPool(native_library.library(runtime))
    return native.NativeGenerator(model.read(path), scratch_pool, threads)


def _measure_seconds(generate: Generate, size: str) -> float:
    image = _image(size)
    started = time.perf_counter()
    generate(image)
    return time.perf_counter() - started


def _measure_rate(generate: Generate, size: str, callers: int, each: int = IMAGES) -> float:
    images = [_image(size)] * (callers * each)
    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        for _ in pool.map(generate, images):
            pass
        return len(images) / (time.perf_counter() - started)


def pixels(size: str) -> int:
    """Return the number of pixels of a size such as 720x960."""
    height, width = _sides(size)
    return height * width


def _sides(size: str) -> tuple[int, int]:
    height, width = map(int, size.split("x"))
    return height, width


def _image(size: str) -> Pixels:
    height, width = _sides(size)
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
