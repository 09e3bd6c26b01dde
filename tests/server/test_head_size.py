"""The head of a request has a limit, and heads that are never finished cost little."""

import socket

import pytest

from dctnet.config import MIB
from dctnet.server.reading import MAX_HEAD_BYTES
from tests.server.conftest import connections
from tests.support.polling import BOUND_S
from tests.support.process import memory, processor_time, reset_peak_memory

HEADS = 370


def head(size: int) -> bytes:
    """A head of this size, with no header that is too long by itself."""
    start, end = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", b"\r\n"
    fields = b""
    while (left := size - len(start) - len(fields) - len(end)) > 0:
        length = left if left <= 4000 else min(4000, left - 100)
        fields += b"X-Padding: " + b"x" * (length - 13) + b"\r\n"
    return start + fields + end


@pytest.mark.promise("Load: a request head has at most 32 KiB, and unfinished heads cost little")
@pytest.mark.parametrize(
    ("size", "status"), [(MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"431")]
)
def test_a_head_is_taken_at_the_limit_and_rejected_one_byte_past_it(server, size, status):
    data = head(size)
    assert len(data) == size
    with socket.create_connection(("127.0.0.1", server.port), BOUND_S) as client:
        client.sendall(data)
        assert client.recv(65536).split()[1] == status


def test_a_body_that_comes_with_a_long_head_is_read_all_the_same(server):
    body = b"x" * 10_000
    data = head(MAX_HEAD_BYTES - 100).replace(b"GET /health", b"POST /v1/cartoons")
    data = data[:-2] + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", server.port), BOUND_S) as client:
        client.sendall(data)
        assert client.recv(65536).split()[1] == b"415"


@pytest.mark.promise("Load: a request head has at most 32 KiB, and unfinished heads cost little")
def test_hundreds_of_unfinished_heads_cost_little(start_timed):
    server = start_timed(0, DCTNET_HEADER_TIMEOUT=4)
    worker = server.worker()
    memory_before, time_before = reset_peak_memory(worker), processor_time(worker)
    with connections(server, HEADS, head(MAX_HEAD_BYTES)[:-2]) as clients:
        for client in clients:
            assert client.recv(4096).split()[1] == b"408"
    assert memory(worker, "VmHWM") - memory_before < 40 * MIB
    assert processor_time(worker) - time_before < 1
