"""Measurement of service times: a known portrait in several sizes, on the slots of a replica."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from statistics import median
from threading import Barrier

import cv2
import numpy as np

from dctnet.capacity.simulation import ImageSize, ReplicaModel
from dctnet.codecs.pool import CodecPool
from dctnet.config import Settings
from dctnet.cost import job_cost
from dctnet.engine import Engine
from dctnet.engine.geometry import reduction
from dctnet.imaging import Format, ImageHeader, encode, inspect
from dctnet.lifecycle.warm_up import StyleUnderTest, WarmUp
from dctnet.malloc import limit_retained_memory
from dctnet.model_loading import find_models, load_engines, restricted
from dctnet.models.folder import GOLDEN_INPUT, SHIPPED_COMMON
from dctnet.models.self_test import read_image

ROUNDS = 5
"""Images of each size per slot, alone and again while all slots compute."""

RESPONSE_FORMAT: Format = "png"
"""Format of the cartoons: the API's default."""


def portrait(side: int) -> bytes:
    """Return the known portrait with this many pixels per side, as a JPEG."""
    image = read_image(SHIPPED_COMMON / GOLDEN_INPUT)
    scaled = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    return encode(np.asarray(scaled, dtype=np.uint8), "jpeg")


def limit_cpus(count: float) -> None:
    """Let this process and its children use at most this many CPUs, rounded up."""
    if hasattr(os, "sched_setaffinity"):  # Only Linux has affinity masks.
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, usable[: max(1, ceil(count))])


def measure(settings: Settings, sides: Sequence[int], rounds: int = ROUNDS) -> ReplicaModel:
    """Measure the default style: decoding, inference and encoding, as on a slot of the server.

    Takes ``2 * rounds`` images per side and slot. Raises ModelError and ImageError.
    """
    limit_retained_memory()  # The server maps large blocks for each image, which takes time.
    settings = restricted(settings)
    found = find_models(settings)
    engines, _ = load_engines(settings, found)
    ((style, engine),) = engines.items()
    engine.require_memory(settings.slots)
    calibrations: list[tuple[float, float]] = []
    warm_up = WarmUp(
        {style: StyleUnderTest(engine, found.models[style])},
        lambda cost, seconds: calibrations.append((cost, seconds)),
        optional=False,
    )
    codecs = CodecPool(
        settings.slots,
        max_body_bytes=settings.max_body_bytes,
        max_pixels=settings.max_pixels,
        heic=settings.heic,
    )
    with codecs, ThreadPoolExecutor(settings.slots) as slots:
        for done in [slots.submit(warm_up) for _ in range(settings.slots)]:
            done.result()
        sizes = [
            _measure_size(_Job(settings, engine, codecs, side), slots, rounds) for side in sides
        ]
    return ReplicaModel(
        slots=settings.slots,
        sizes=sizes,
        calibrations=calibrations,
        max_service_time=settings.watchdog_timeout,
    )


@dataclass(frozen=True)
class _Job:
    """Cartoonization of the portrait in one size, as `CartoonHandler` does it."""

    settings: Settings
    engine: Engine
    codecs: CodecPool
    side: int

    @cached_property
    def header(self) -> ImageHeader:
        return inspect(self.data, self.settings.max_pixels)

    @cached_property
    def data(self) -> bytes:
        return portrait(self.side)

    @property
    def cost(self) -> float:
        settings = self.settings
        return job_cost(
            self.header, RESPONSE_FORMAT, settings.max_working_side, settings.threads_per_slot
        )

    def run(self) -> float:
        """Return the seconds that it took."""
        size, timeout = (self.side, self.side), self.settings.codec_timeout
        factor = reduction(*size, self.settings.max_working_side, None, 1.0)
        started = time.perf_counter()
        with self.codecs.borrow() as codec:
            image = codec.decode(self.data, self.header, timeout, factor)
            cartoon = self.engine.cartoonize(image, size=size, allocate=codec.allocate)
            codec.encode(cartoon.image, RESPONSE_FORMAT, timeout)
        return time.perf_counter() - started


def _measure_size(job: _Job, slots: ThreadPoolExecutor, rounds: int) -> ImageSize:
    job.run()  # The first image of a size allocates memory.
    alone = [job.run() for _ in range(rounds)]
    loaded = _measure_loaded(job, slots, rounds)
    middle = median(loaded)
    return ImageSize(
        name=f"{job.side}x{job.side}",
        cost=job.cost,
        alone=median(alone),
        loaded=middle,
        ratios=sorted(seconds / middle for seconds in loaded),
    )


def _measure_loaded(job: _Job, slots: ThreadPoolExecutor, rounds: int) -> list[float]:
    """Return the seconds of ``rounds`` images per slot, during which all slots compute."""
    count = job.settings.slots
    start = Barrier(count)
    unfinished = set(range(count))

    def run(slot: int) -> list[float]:
        start.wait()
        try:
            measured = [job.run() for _ in range(rounds)]
        finally:
            unfinished.discard(slot)
        while unfinished:  # Otherwise the others' last images would have the CPUs of this one.
            job.run()
        return measured

    return [seconds for measured in slots.map(run, range(count)) for seconds in measured]
