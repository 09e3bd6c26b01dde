"""Memory per slot, with the real engine and images of the default limit of pixels.

`benchmarks.slot_memory` measures all kinds of images; here are those that take the most of each
decoder.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.slot_memory import SIDES, cartoon, encoded
from dctnet.config import Settings
from dctnet.imaging import MEDIA_TYPES
from dctnet.memory import slot_bytes
from dctnet.models.folder import DEMO
from tests.support.process import Server, end, memory, reset_peak_memory
from tests.support.repo import DCTNET


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A ready server of the demo model, and the worker's resident memory in bytes."""
    log = tmp_path_factory.mktemp("server") / "log"
    server = Server(log, [DCTNET, "serve"], DCTNET_MODEL=DEMO, DCTNET_SLOTS=1)
    try:
        server.wait_for(200)
        yield server, memory(server.worker(), "VmRSS")
    finally:
        end(server.process)


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize(
    ("kind", "content", "formats"),
    [
        ("WebP, alpha", "noise", [*MEDIA_TYPES]),
        ("AVIF, alpha", "photo", ["png"]),
        ("JPEG, progressive", "photo", ["png"]),
        ("PNG, alpha", "noise", ["png"]),
    ],
)
def test_the_largest_image_takes_no_more_on_a_slot_than_the_bound_counts(
    real: tuple[Server, int], kind: str, content: str, formats: list[str]
) -> None:
    server, ready = real
    settings = Settings.from_environment({})
    assert SIDES[0] * SIDES[1] == settings.max_pixels
    image = encoded(kind, content)
    bound = slot_bytes(replace(settings, max_bytes=len(image)))
    worker = server.worker()
    for format in formats:
        reset_peak_memory(worker)
        assert cartoon(server.url, image, format)
        peak = memory(worker, "VmHWM") - ready
        # What is measured is there: the image itself, and another 8 bytes per pixel.
        assert 11 * settings.max_pixels < peak <= bound
