"""Hostile input over HTTP: corpus, fuzzed bytes, memory bounds, out of memory."""

import resource
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dctnet.api.problems import (
    DAMAGED_IMAGE,
    MEDIA_TYPE,
    MISSING_IMAGE,
    OUT_OF_MEMORY,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
)
from dctnet.config import MIB
from dctnet.memory import SLOT_BODIES, SLOT_BYTES_PER_PIXEL, THREAD_BYTES
from dctnet.shared_limits import SPARE_THREADS
from tests.server.conftest import open_connections, post
from tests.server.timed_server import HANGING
from tests.support.confinement import ONE_BLAS_THREAD
from tests.support.corpus import MAX_PIXELS, Sample, corpus
from tests.support.corpus_expectations import require_image, require_problem
from tests.support.encoded_images import decoded, encoded
from tests.support.fuzz import changed_images, random_bytes
from tests.support.hypothesis_profiles import examples
from tests.support.polling import BOUND_S
from tests.support.process import memory, reset_peak_memory

SPOOLED_BYTES = 500 * 1024
"""Form bytes that Werkzeug keeps in memory by default."""


def memory_margin(
    *, slots: int, queue_size: int, max_uploads: int, max_body_bytes: int, max_waiting_bytes: int
) -> int:
    """Most bytes that a worker may need beyond its ready state."""
    threads = slots + queue_size + max_uploads + SPARE_THREADS
    slot = SLOT_BYTES_PER_PIXEL * MAX_PIXELS + SLOT_BODIES * max_body_bytes
    return slots * slot + max_waiting_bytes + threads * THREAD_BYTES


LIMITS = {
    "slots": 2,
    "queue_size": 32,
    "max_uploads": 32,
    "max_body_bytes": 2 * MIB,
    "max_waiting_bytes": 64 * 2 * MIB,
}


@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
def test_corpus_gets_cartoons_or_problems_and_leaves_no_files(start_timed, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    untouched = temporary.stat().st_mtime_ns
    server = start_timed(0, TMPDIR=temporary, DCTNET_MAX_PIXELS=MAX_PIXELS, **as_settings(LIMITS))
    worker = server.worker()
    before = reset_peak_memory(worker)

    def post_sample(sample: Sample) -> requests.Response:
        as_form = len(sample.data) > SPOOLED_BYTES
        body = {"files": {"file": sample.data}} if as_form else {"data": sample.data}
        return requests.post(f"{server.url}/v1/cartoons", timeout=BOUND_S, **body)

    with ThreadPoolExecutor(8) as pool:
        for sample, response in zip(corpus(), pool.map(post_sample, corpus()), strict=True):
            if response.status_code == 200:
                require_image(sample, response.content)
            else:
                require_problem(sample, response.status_code, response.json())
    assert server.worker() == worker
    # Creating a temporary file, even an unnamed one, first tries the folder.
    assert (list(temporary.iterdir()), temporary.stat().st_mtime_ns) == ([], untouched)
    assert len(server.logged(len(corpus()))) == len(corpus())
    assert server.faults() == []
    # Eight clients hold far fewer bodies than the queue could.
    limits = LIMITS | {"max_waiting_bytes": 8 * LIMITS["max_body_bytes"]}
    assert memory(worker, "VmHWM") - before <= memory_margin(**limits)


TRIES = 100
REJECTIONS = {
    (problem_type.uri, problem_type.status)
    for problem_type in (MISSING_IMAGE, DAMAGED_IMAGE, UNSUPPORTED_FORMAT, TOO_MANY_PIXELS)
}


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
def test_fuzzed_bytes_get_a_cartoon_or_a_4xx(start_timed):
    server = start_timed(0, DCTNET_SLOTS=2, DCTNET_MAX_PIXELS=MAX_PIXELS)
    worker = server.worker()

    @examples(TRIES)
    @given(st.lists(random_bytes() | changed_images(), min_size=4, max_size=4))
    def post_all(bodies: list[bytes]) -> None:
        for response in pool.map(lambda data: post(server, data), bodies):
            if response.status_code == 200:
                assert decoded(response.content).size
            else:
                assert response.headers["Content-Type"] == MEDIA_TYPE
                assert (response.json()["type"], response.status_code) in REJECTIONS

    with ThreadPoolExecutor(4) as pool:
        post_all()
    assert server.worker() == worker
    assert server.faults() == []


def as_settings(limits: dict[str, int]) -> dict[str, object]:
    return {f"DCTNET_{name.upper()}": value for name, value in limits.items()}


@pytest.fixture
def large_image() -> bytes:
    """An image of almost 2 MiB on which the engine hangs."""
    noise = np.random.default_rng(0).integers(0, 256, (50_000, HANGING, 3), np.uint8)
    return encoded(noise, "PNG", compress_level=0)


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_memory_is_bounded_at_full_slots_queue_and_uploads(start_timed, large_image):
    limits = LIMITS
    assert 0.9 * limits["max_body_bytes"] < len(large_image) <= limits["max_body_bytes"]
    timeouts = {"DCTNET_REQUEST_TIMEOUT": 30, "DCTNET_WATCHDOG_TIMEOUT": 29}
    server = start_timed(0, **as_settings(limits), **timeouts, DCTNET_MAX_PIXELS=MAX_PIXELS)
    worker = server.worker()
    before = reset_peak_memory(worker)
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(large_image)}\r\n\r\n"
    request = head.encode() + large_image
    with ExitStack() as stack:
        # One queue position is left: a full queue rejects by the headers.
        filling = limits["slots"] + limits["queue_size"] - 1
        stack.enter_context(open_connections(server, filling, request))
        server.until(lambda: server.metric("dctnet_queue_depth") == limits["queue_size"] - 1)
        stack.enter_context(open_connections(server, limits["max_uploads"], request[:-1]))
        server.until(lambda: server.metric("dctnet_uploads_active") == limits["max_uploads"])
        assert server.metric("dctnet_slots_busy") == limits["slots"]
        held = memory(worker, "VmRSS") - before
        # What is measured is there; some of it is where the warm-up's memory was.
        bodies = (limits["queue_size"] - 1 + limits["max_uploads"]) * len(large_image)
        assert server.metric("dctnet_waiting_bytes") == bodies
        assert 0.5 * bodies < held
        assert memory(worker, "VmHWM") - before <= memory_margin(**limits)
    server.until(lambda: server.metric("dctnet_uploads_active") == 0)
    server.until(lambda: server.metric("dctnet_queue_depth") == 0)


FORMATS = {
    # Another JPEG is reduced while it is decoded, and takes little memory.
    "JPEG": {"progressive": True, "subsampling": 0},
    "PNG": {"compress_level": 1},
    "WEBP": {"method": 0},
    "AVIF": {"speed": 10},
}
"""Those that are read, and what makes Pillow write them fast."""


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
def test_out_of_memory_rejects_large_and_serves_small_images(start_timed):
    """The decoders fail: the codec process's address space is limited."""
    server = start_timed(0, DCTNET_SLOTS=1, **ONE_BLAS_THREAD)
    worker = server.worker()
    small, large_image = (
        {format: encoded(Image.new("RGB", size), format, **FORMATS[format]) for format in FORMATS}
        for size in ((64, 64), (6000, 6000))
    )
    for data in small.values():  # Loads whatever is loaded on first use.
        assert post(server, data).status_code == 200
    (codec,) = server.codec_processes()
    limit = memory(codec, "VmSize") + 60 * MIB
    resource.prlimit(codec, resource.RLIMIT_AS, (limit, limit))
    for count, format in enumerate(FORMATS, 1):
        response = post(server, large_image[format])
        assert response.status_code == 503
        assert response.json()["type"] == OUT_OF_MEMORY.uri
        assert int(response.headers["Retry-After"]) > 0
        assert server.metric("dctnet_out_of_memory_total", stage="decode") == count
        response = post(server, small[format])
        assert response.status_code == 200
        np.testing.assert_allclose(decoded(response.content).shape, (64, 64, 3))
    assert (server.worker(), server.codec_processes()) == (worker, [codec])
    assert server.probe("/livez") == 200
