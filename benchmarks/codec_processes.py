"""Throughput with one codec process per slot, and with one more than slots.

    .venv/bin/python -m benchmarks.codec_processes [--rounds N] [--images N]

Jobs decode, wait for one of the slots, infer and encode. With as many jobs as slots, which is how a
replica works, a slot waits while its image is decoded and encoded. With one job more, that happens
beside the inference of the others. The configurations take turns; the script prints the medians of
the ratios to the first one as a Markdown table.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from threading import BoundedSemaphore
from typing import Final, NamedTuple

import cv2
import numpy as np

from benchmarks.host import describe_host
from benchmarks.report import table
from dctnet.codecs.pool import CodecPool
from dctnet.config import Settings
from dctnet.conversion.trial_images import PHOTOS, read_photo
from dctnet.engine import Engine
from dctnet.engine.geometry import reduction
from dctnet.imaging import Format, ImageHeader, encode, inspect
from dctnet.model_loading import load_engine
from tests.support.process import cpu_clock, family


class Configuration(NamedTuple):
    """Concurrent inferences, and codec processes."""

    slots: int
    codecs: int


CONFIGURATIONS: Final = (
    Configuration(2, 2),
    Configuration(2, 3),
    Configuration(1, 1),
    Configuration(1, 2),
)

WORKLOADS: Final[tuple[tuple[tuple[int, int], Format], ...]] = (
    ((512, 512), "png"),
    ((2048, 1536), "png"),
    ((2048, 1536), "webp"),
)
"""Width and height of the JPEG in pixels, and the format of the cartoon."""


@dataclass(frozen=True)
class Job:
    """Cartoonization of a JPEG, with a limit of concurrent inferences."""

    settings: Settings
    engine: Engine
    codecs: CodecPool
    slots: BoundedSemaphore
    data: bytes
    header: ImageHeader
    response: Format

    def __call__(self) -> None:
        """Decode, infer and encode as the API does."""
        settings, size = self.settings, (self.header.height, self.header.width)
        factor = reduction(*size, settings.max_working_side, None, 1.0)
        with self.codecs.borrow() as codec:
            image = codec.decode(self.data, self.header, settings.codec_timeout, factor)
            with self.slots:
                cartoon = self.engine.cartoonize(image, size=size, allocate=codec.allocate)
            codec.encode(cartoon.image, self.response, settings.codec_timeout)


def portrait(sides: tuple[int, int]) -> bytes:
    """Return a portrait with these sides as a JPEG."""
    photo = cv2.resize(read_photo(PHOTOS / "astronaut.jpg"), sides, interpolation=cv2.INTER_CUBIC)
    return encode(np.asarray(photo, np.uint8), "jpeg")


def measure(job: Callable[[], None], jobs: int, images: int) -> tuple[float, float]:
    """Return images per second, and CPU seconds per image."""
    with ThreadPoolExecutor(jobs) as pool:
        before, started = cpu_s(), time.perf_counter()
        for done in [pool.submit(job) for _ in range(images)]:
            done.result()
        seconds = time.perf_counter() - started
    return images / seconds, (cpu_s() - before) / images


def cpu_s() -> float:
    """Return the CPU time of this process and its codec processes, in seconds."""
    return time.process_time() + sum(map(cpu_clock, family(os.getpid())[1:]))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds; default: 9")
    parser.add_argument("--images", type=int, default=40, help="images per round; default: 40")
    arguments = parser.parse_args()
    settings = Settings.from_environment({"DCTNET_STYLES": "comic", "DCTNET_SLOTS": "2"})
    engine = load_engine(settings)
    engine.require_memory(max(each.slots for each in CONFIGURATIONS))
    most = max(each.codecs for each in CONFIGURATIONS)
    rows = []
    with CodecPool(
        most, max_body_bytes=settings.max_body_bytes, max_pixels=settings.max_pixels
    ) as codecs:
        for sides, response in WORKLOADS:
            data = portrait(sides)
            header = inspect(data, settings.max_pixels)
            measured: dict[Configuration, list[tuple[float, float]]]
            measured = {each: [] for each in CONFIGURATIONS}
            for number in range(arguments.rounds + 1):
                for each in CONFIGURATIONS if number % 2 else CONFIGURATIONS[::-1]:
                    slots = BoundedSemaphore(each.slots)
                    job = Job(settings, engine, codecs, slots, data, header, response)
                    figures = measure(job, each.codecs, arguments.images)
                    if number:  # The first round warms up.
                        measured[each].append(figures)
            reference = measured[CONFIGURATIONS[0]]
            for each, values in measured.items():
                pairs = list(zip(values, reference, strict=True))
                rows.append(
                    (
                        f"{sides[0]}×{sides[1]}, {response}",
                        each.slots,
                        each.codecs,
                        f"{median(rate for rate, _ in values):.2f}",
                        f"{median(one[0] / other[0] for one, other in pairs):.3f}",
                        f"{median(one[1] / other[1] for one, other in pairs):.3f}",
                    )
                )
    print(f"{time.strftime('%Y-%m-%d')}, {describe_host()}, {arguments.rounds} rounds.\n")
    head = ("image", "slots", "codec processes", "images per second", "ratio", "CPU time, ratio")
    print(table(head, rows))


if __name__ == "__main__":
    main()
