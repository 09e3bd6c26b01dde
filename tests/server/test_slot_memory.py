"""Memory per slot, with the real engine and images of the default limit of pixels.

`benchmarks.slot_memory` measures all kinds of images; here are those that take the most of each
decoder, and each encoder once.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.slot_memory import SIDES, cartoon, encoded
from dctnet.config import Settings
from dctnet.memory import slot_bytes
from dctnet.models.folder import DEMO
from tests.support.process import Server, memory, reset_peak_memory, serving


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[Server, int]]:
    """A ready server of the demo model, and the worker's resident memory in bytes."""
    with serving(DCTNET_MODEL=DEMO, DCTNET_SLOTS=1) as server:
        yield server, memory(server.worker(), "VmRSS")


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize(
    ("kind", "content", "format"),
    [
        ("WebP, alpha", "noise", "webp"),
        ("AVIF, alpha", "photo", "png"),
        ("JPEG, progressive", "photo", "jpeg"),
        ("PNG, alpha", "noise", "png"),
    ],
)
def test_the_largest_image_takes_no_more_on_a_slot_than_the_bound_counts(
    real, kind, content, format
):
    server, ready = real
    settings = Settings.from_environment({})
    assert SIDES[0] * SIDES[1] == settings.max_pixels
    image = encoded(kind, content)
    bound = slot_bytes(replace(settings, max_bytes=len(image)))
    worker = server.worker()
    reset_peak_memory(worker)
    assert cartoon(server.url, image, format)
    peak = memory(worker, "VmHWM") - ready
    # What is measured is there: the image itself, and another 8 bytes per pixel.
    assert 11 * settings.max_pixels < peak <= bound
