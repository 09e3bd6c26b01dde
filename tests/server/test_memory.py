"""Memory limit: a real engine with the largest images, per slot and on a full replica.

`benchmarks.slot_memory` measures all kinds of images; here are those that take the most of each
decoder, and each encoder once.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from io import BytesIO
from itertools import cycle
from math import ceil

import pytest
from PIL import Image

from benchmarks import slot_memory
from dctnet.config import MIB, Settings
from dctnet.memory import (
    HOT_STYLE_BYTES,
    STYLE_BYTES,
    memory_bound,
    reserved_bytes,
    slot_bytes,
)
from dctnet.model_loading import network_threads
from dctnet.models.styles import SHIPPED_STYLES
from dctnet.shared_limits import SPARE_THREADS
from tests.server.conftest import post
from tests.support.confinement import KIND, confined
from tests.support.encoded_images import layered_avif
from tests.support.formats import box
from tests.support.polling import BOUND_S
from tests.support.process import Server, memory, reset_peak_memory, serving
from tests.support.repo import DCTNET
from tests.support.shipped import COMIC

pytestmark = pytest.mark.xdist_group("memory")  # They share an image.


DEFAULTS = Settings.from_environment({})

MAX_PIXELS = 32_000_000
"""Half of the default: the bound is per pixel, and the largest images take seconds."""


@cache
def encoded(kind: str, content: str, max_pixels: int) -> bytes:
    """Return an image of as many pixels as fit into a slot in any case."""
    sides = slot_memory.largest_sides(kind, max_pixels)
    return slot_memory.encode_file(kind, content, sides)


@pytest.fixture(scope="module")
def comic_server() -> Iterator[tuple[Server, int]]:
    """A ready server of the shipped comic, and the worker's resident memory in bytes."""
    limits = {"DCTNET_MAX_BODY_BYTES": 16 * MIB, "DCTNET_MAX_PIXELS": MAX_PIXELS}
    with serving(DCTNET_STYLES=COMIC, DCTNET_SLOTS=1, **limits) as server:
        yield server, memory(server.worker(), "VmRSS")


def test_memory_of_the_largest_image_is_taken_at_start_and_freed(comic_server):
    server, ready = comic_server
    threads = network_threads(DEFAULTS)
    taken = memory(server.worker(), "VmHWM") - ready
    assert 0.8 * reserved_bytes(DEFAULTS, threads) < taken
    slot_memory.fill_scratch(server.url)
    kept = memory(server.worker(), "VmRSS") - ready
    assert 0.8 * taken < kept


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_idle_style_takes_no_more_than_the_bound_says(comic_server):
    _, one = comic_server
    with serving(DCTNET_SLOTS=1, DCTNET_STYLE_CACHE=1) as server:
        several = memory(server.worker(), "VmRSS")
    assert several - one < (len(SHIPPED_STYLES) - 1) * STYLE_BYTES


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_hot_style_takes_no_more_than_the_bound_says(comic_server):
    _, one = comic_server
    with serving(DCTNET_SLOTS=1, DCTNET_STYLE_CACHE=3) as server:
        several = memory(server.worker(), "VmRSS")
    more = several - one
    assert HOT_STYLE_BYTES / 2 < more < (len(SHIPPED_STYLES) - 1) * (STYLE_BYTES + HOT_STYLE_BYTES)


def inferences(server: Server) -> float:
    styles = (
        server.metric("dctnet_inferences_total", result="ok", style=s) for s in SHIPPED_STYLES
    )
    return sum(styles)


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
def test_largest_image_stays_within_the_slot_bound(comic_server, kind, content, format):
    server, _ = comic_server
    slot_memory.fill_scratch(server.url)
    settings = Settings.from_environment({"DCTNET_MAX_PIXELS": str(MAX_PIXELS)})
    image = encoded(kind, content, settings.max_pixels)
    bound = slot_bytes(replace(settings, max_body_bytes=len(image)))
    worker, (codec,) = server.worker(), server.codec_processes()
    kept = reset_peak_memory(worker)
    idle = reset_peak_memory(codec)
    response = slot_memory.cartoon(server.url, image, format)
    with Image.open(BytesIO(response)) as cartoon:
        assert cartoon.size == slot_memory.largest_sides(kind, settings.max_pixels)
    # One decodes or encodes while the other waits. Both count what they share.
    inferring = memory(worker, "VmHWM") - kept
    coding = memory(codec, "VmHWM") - idle
    assert max(inferring, coding) <= bound
    # What is measured is there: of a reduced progressive JPEG, 2 bytes of each channel.
    assert coding > 6 * settings.max_pixels


SLOTS, QUEUE, UPLOADS, THREADS = 2, 2, 16, 2
WAITING = QUEUE - 1 + UPLOADS
"""Bodies that are queued or uploading."""
SETTINGS = {
    "DCTNET_SLOTS": SLOTS,
    "DCTNET_THREADS": THREADS,
    "DCTNET_QUEUE_SIZE": QUEUE,
    "DCTNET_MAX_UPLOADS": UPLOADS + 1,
    "DCTNET_MAX_WAITING_BYTES": WAITING * DEFAULTS.max_body_bytes,
    # Nothing times out before the last image is done.
    "DCTNET_REQUEST_TIMEOUT": 600,
    "DCTNET_WATCHDOG_TIMEOUT": 599,
    "DCTNET_UPLOAD_IDLE_TIMEOUT": 600,
    "DCTNET_RESPONSE_IDLE_TIMEOUT": 600,
    "DCTNET_RESPONSE_TIMEOUT": 3600,
    # Less than the unread responses have here, so that some of them are dropped.
    "DCTNET_MAX_UNSENT_BYTES": 32 * MIB,
}
DRAWN_S = 300
"""Bound of cartoonizing all of them on a busy machine, in seconds."""

RECEIVED_BYTES = 4096
"""Receive buffer of a client that does not read."""


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_full_replica_stays_within_its_memory_limit(tmp_path):
    """Slots, queue, uploads and unread responses, each as large as it can be."""
    settings = Settings.from_environment({name: str(text) for name, text in SETTINGS.items()})
    styles = {"styles": len(SHIPPED_STYLES), "hot_styles": 2}
    limit = ceil(memory_bound(settings, THREADS, **styles) / MIB) * MIB
    # The costliest kind of image, with as many pixels as surely fit into a slot.
    photo = slot_memory.photo("RGBA", slot_memory.largest_sides("AVIF, alpha", settings.max_pixels))
    image = layered_avif(photo, quality=20, speed=10, subsampling="4:4:4")
    image += box(b"free", bytes(settings.max_body_bytes - len(image) - len(box(b"free"))))
    assert len(image) == DEFAULTS.max_body_bytes
    threads = SLOTS + QUEUE + UPLOADS + 1 + SPARE_THREADS
    with confined(limit, threads) as confinement, ExitStack() as s:
        command = confinement.command([DCTNET, "serve"])
        log = tmp_path / "log"
        server = s.enter_context(serving(log, command, **SETTINGS))
        worker = server.worker()
        each_style = cycle(SHIPPED_STYLES)
        with ExitStack() as clients:

            def send(data: bytes) -> None:
                path = f"/v1/cartoons?style={next(each_style)}"
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\n\r\n"
                client = clients.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
                client.settimeout(BOUND_S)
                client.connect(("127.0.0.1", server.port))
                client.sendall(head.encode() + data)

            # A full queue rejects by the headers: one queue position is left for the last.
            filling = SLOTS + QUEUE - 1
            # The slots take most while they decode: all other memory is taken before.
            for _ in range(UPLOADS):
                send(image[:-1])
            server.until(lambda: server.metric("dctnet_uploads_active") == UPLOADS)
            for _ in range(filling):
                send(image)
                server.until(lambda: server.metric("dctnet_uploads_active") == UPLOADS)
            server.until(
                lambda: inferences(server) == filling,
                bound_s=DRAWN_S,
            )
            assert server.metric("dctnet_uploads_active") == UPLOADS
            assert confinement.oom_kills() == 0
        server.until(lambda: server.metric("dctnet_uploads_active") == 0)
        assert post(server).status_code == 200
        assert (confinement.oom_kills(), server.worker()) == (0, worker)
        peak = confinement.peak()
        print(f"{KIND}: {limit // MIB} MiB, of which {(peak or 0) // MIB} MiB were used")
        assert peak is None or peak > 0.5 * limit
