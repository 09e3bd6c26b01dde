"""A replica at its memory limit: everything that clients can fill is full at once."""

import socket
from contextlib import ExitStack
from math import ceil

import pytest
import requests

from benchmarks.slot_memory import encoded as large_image
from dctnet.config import MIB, SPARE_THREADS, Settings
from dctnet.memory import memory_bound
from dctnet.models.folder import DEMO
from tests.support.confinement import KIND, confined
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import serving
from tests.support.repo import DCTNET

SLOTS, QUEUE, UPLOADS, THREADS = 2, 4, 4, 2
SETTINGS = {
    "DCTNET_SLOTS": SLOTS,
    "DCTNET_THREADS": THREADS,
    "DCTNET_QUEUE": QUEUE,
    "DCTNET_UPLOADS": UPLOADS,
    # All is still there when the last image is drawn.
    "DCTNET_REQUEST_TIMEOUT": 600,
    "DCTNET_WATCHDOG_TIMEOUT": 599,
    "DCTNET_UPLOAD_GRACE": 600,
    "DCTNET_RESPONSE_IDLE_TIMEOUT": 600,
    "DCTNET_RESPONSE_TIMEOUT": 3600,
    # Less than the unread responses have here, so that some of them are dropped.
    "DCTNET_MAX_UNSENT_BYTES": 32 * MIB,
}
DRAWN_S = 300
"""How long a busy machine may take to draw all of them."""

RECEIVED_BYTES = 4096
"""Receive buffer of a client that does not read."""


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize("limited_by", [KIND])
def test_a_replica_that_is_full_of_everything_stays_within_its_memory_limit(limited_by, tmp_path):
    """Slots, queue, uploads and unread responses, each as large as it can be."""
    settings = Settings.from_environment({name: str(text) for name, text in SETTINGS.items()})
    limit = ceil(memory_bound(settings, THREADS) / MIB) * MIB
    image = large_image("WebP, alpha", "noise")
    assert 0.9 * settings.max_bytes < len(image) <= settings.max_bytes
    head = f"POST /v1/cartoons HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\n\r\n".encode()
    with confined(limit, SLOTS + QUEUE + UPLOADS + SPARE_THREADS) as confinement, ExitStack() as s:
        command = confinement.command([DCTNET, "serve"])
        log = tmp_path / "log"
        server = s.enter_context(serving(log, command, DCTNET_MODEL=DEMO, **SETTINGS))
        worker = server.worker()
        with ExitStack() as clients:

            def send(data: bytes) -> None:
                client = clients.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
                client.settimeout(BOUND_S)
                client.connect(("127.0.0.1", server.port))
                client.sendall(head + data)

            # A full queue rejects by the headers: one place is left for the last.
            for _ in range(SLOTS + QUEUE - 1):
                send(image)
            server.until(lambda: server.metric("dctnet_slots_busy") == SLOTS)
            for _ in range(UPLOADS):
                send(image[:-1])
            server.until(lambda: server.metric("dctnet_uploads_active") == UPLOADS)
            drawn = SLOTS + QUEUE - 1

            def finished() -> float:
                return server.metric("dctnet_inferences_total", result="ok")

            server.until(lambda: finished() == drawn, bound_s=DRAWN_S)
            assert server.metric("dctnet_uploads_active") == UPLOADS
            assert confinement.oom_kills() == 0
        server.until(lambda: server.metric("dctnet_uploads_active") == 0)
        small = encoded(gradient(40, 24))
        answer = requests.post(f"{server.url}/v1/cartoons", small, timeout=BOUND_S)
        assert answer.status_code == 200
        assert (confinement.oom_kills(), server.worker()) == (0, worker)
        peak = confinement.peak()
        print(f"{limited_by}: {limit // MIB} MiB, of which {(peak or 0) // MIB} MiB were used")
        assert peak is None or peak > 0.5 * limit
