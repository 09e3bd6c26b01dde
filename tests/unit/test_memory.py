"""Memory limit: the terms of the formula, and measurements behind its numbers."""

import os
import subprocess
import sys
from math import inf

import pytest

from dctnet import imaging, memory
from dctnet.codecs.process import RGB_BYTES, SPARE_BYTES, certain_pixels, decode_bytes
from dctnet.config import KIB, MIB, Settings
from dctnet.shared_limits import SPARE_THREADS

SETTINGS = Settings.from_environment({})


def bound(threads: int = 2, **values: int) -> int:
    defaults = {"slots": 2} | values
    environ = {f"DCTNET_{name.upper()}": str(value) for name, value in defaults.items()}
    return memory.memory_bound(Settings.from_environment(environ), threads)


def test_documented_bound_of_the_defaults_with_two_slots():
    slot = (92 + 24) * KIB * 1280 + 2 * MIB + 116 * MIB + 14 * 64_000_000 + 5 * 24 * MIB
    waiting = 1024 * MIB + (2 + 128 + 256) * 100 * KIB
    assert bound() == 320 * MIB + 2 * slot + waiting + 256 * MIB


@pytest.mark.parametrize(
    ("setting", "default", "more"),
    [
        ("queue_size", 64, memory.THREAD_BYTES),
        ("max_uploads", 64, memory.THREAD_BYTES),
        ("max_waiting_bytes", 1024 * MIB, 1),
        ("max_body_bytes", 24 * MIB, 2 * memory.SLOT_BODIES),
        ("max_pixels", 64_000_000, 2 * memory.SLOT_BYTES_PER_PIXEL),
        ("max_working_side", 1280, 2 * (92 + 24) * KIB),
        ("max_unsent_bytes", 256 * MIB, 1),
    ],
)
def test_each_setting_adds_its_bytes(setting, default, more):
    assert bound(**{setting: default + 1}) - bound() == more


def test_each_further_style_adds_its_bytes():
    settings = Settings.from_environment({"DCTNET_SLOTS": "2"})

    def of(styles: int, hot: int) -> int:
        return memory.memory_bound(settings, 2, styles=styles, hot_styles=hot)

    assert of(1, 1) == of(1, 7) == bound()
    assert of(7, 1) - of(1, 1) == 6 * 15 * MIB
    assert of(7, 3) - of(7, 1) == 2 * 90 * MIB


@pytest.mark.parametrize(
    ("cache", "slots", "styles", "more", "hot"),
    [
        # The memory beyond that of one hot style.
        ("auto", 1, 7, 0, 1),
        ("auto", 1, 7, 90 * MIB - 1, 1),
        ("auto", 1, 7, 90 * MIB, 2),
        ("auto", 1, 7, 540 * MIB, 7),
        ("auto", 1, 7, inf, 1),
        ("auto", 3, 7, inf, 3),
        ("auto", 3, 7, -MIB, 3),  # One for each slot.
        ("auto", 3, 2, 0, 2),
        ("4", 1, 7, 0, 4),
        ("4", 1, 3, inf, 3),
        ("1", 2, 7, inf, 2),
    ],
)
def test_number_of_hot_styles(cache, slots, styles, more, hot):
    environ = {"DCTNET_STYLE_CACHE": cache, "DCTNET_SLOTS": str(slots)}
    settings = Settings.from_environment(environ)
    limit = memory.memory_bound(settings, 2, styles=styles) + more
    assert memory.hot_styles(settings, 2, styles, limit) == hot


def test_largest_response_counts_beyond_the_unsent_limit():
    at_most = 256 * MIB * 10 // memory.RESPONSE_BYTES_PER_10_PIXELS
    per_pixel = 2 * memory.SLOT_BYTES_PER_PIXEL
    assert bound(max_pixels=at_most) - bound(max_pixels=at_most - 10) == 10 * per_pixel
    assert bound(max_pixels=at_most + 10) - bound(max_pixels=at_most) > 10 * per_pixel + 10


def test_request_threads_count():
    settings = Settings.from_environment({"DCTNET_SLOTS": "1"})
    assert (settings.queue_size, settings.max_uploads) == (64, 64)
    assert (1 + 64 + 64 + SPARE_THREADS) * memory.THREAD_BYTES < 40 * MIB


MEASURED = """
import mmap, resource, sys
import numpy as np
from dctnet.engine import Engine
from dctnet.imaging import encode
from dctnet.runtimes import Networks
from dctnet import malloc

def release():
    # As a codec process frees shared memory.
    memory.madvise(mmap.MADV_DONTNEED)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

malloc.limit_retained_memory()
nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
engine = Engine(
    Networks(lambda p: p, lambda p: p, lambda p: nothing, lambda p: np.zeros((68, 2))),
    np.zeros((288, 288), np.float32),
)
stages = {"draw": engine.cartoonize, "mix": lambda rgb: engine.cartoonize(rgb, 0.5, 3999)}
run = stages.get(sys.argv[1]) or (lambda rgb: encode(rgb, sys.argv[1], release))
memory = mmap.mmap(-1, 3 * 3000 * 4000)
noise = np.frombuffer(memory, np.uint8).reshape(3000, 4000, 3)
rng = np.random.default_rng(0)
for row in noise:
    row[:] = rng.integers(0, 256, row.shape, np.uint8)
tiny = noise[:64, :64].copy()
run(tiny)
noise[:64, :64] = tiny
before = peak()
run(noise)
print((peak() - before) / (3000 * 4000) + 3)
"""


@pytest.mark.parametrize(
    ("stage", "bytes_per_pixel"),
    [("draw", 9), ("mix", 12), ("png", 10), ("jpeg", 12), ("webp", 11)],
)
def test_inference_and_encoding_take_less_than_decoding(stage, bytes_per_pixel):
    """Including the image itself, and for inference the working size."""
    # A process inherits the peak of the process that it replaces: here, a small shell.
    run = subprocess.run(
        ["sh", "-c", '"$0" "$@"; exit "$?"', sys.executable, "-c", MEASURED, stage],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) <= bytes_per_pixel < memory.SLOT_BYTES_PER_PIXEL


CODEC_PROCESS_BYTES = 12 * MIB


@pytest.mark.parametrize("format", imaging.DECODE_BYTES_PER_PIXEL)
def test_slot_bytes_cover_the_limit_of_the_codec_process(format):
    """With the image and the file in shared memory, and the upload."""
    body, max_pixels = SETTINGS.max_body_bytes, SETTINGS.max_pixels
    most = memory.slot_bytes(SETTINGS) - memory.SLOT_BYTES_PER_COLUMN * SETTINGS.max_working_side

    def taken(pixels: int) -> int:
        limit = CODEC_PROCESS_BYTES + SPARE_BYTES + decode_bytes(format, pixels, body, max_pixels)
        return limit + RGB_BYTES * pixels + 2 * body

    assert taken(max_pixels) <= most
    assert taken(max_pixels) == most or format in {"PNG", "WEBP"}
    certain = certain_pixels(format, max_pixels)
    per_pixel = imaging.DECODE_BYTES_PER_PIXEL[format]
    assert taken(certain) - taken(certain - 1) == per_pixel + RGB_BYTES
    if certain < max_pixels:  # One more does not get all that it might take.
        assert taken(certain + 1) - taken(certain) < per_pixel + RGB_BYTES


def test_pixels_that_any_image_of_a_format_may_have():
    certain = {f: certain_pixels(f, 64_000_000) for f in imaging.DECODE_BYTES_PER_PIXEL}
    assert certain["JPEG"] == certain["PNG"] == certain["WEBP"] == 64_000_000
    assert certain["AVIF"] > 40_000_000


@pytest.mark.parametrize("format", imaging.ENCODE_BYTES_PER_PIXEL)
def test_slot_bytes_cover_encoding(format):
    """A WebP's encoder does not need the image any more."""
    image = 0 if format == "webp" else RGB_BYTES
    taken = imaging.ENCODE_BYTES_PER_PIXEL[format] + image
    assert taken <= memory.SLOT_BYTES_PER_PIXEL
