"""OpenTelemetry tracing: spans at a collector, and collectors that hang or are down."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
import requests
import skimage.data
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from dctnet.metrics import STAGES
from dctnet.tracing import FLUSH_S
from tests.server.conftest import IMAGE, post
from tests.server.timed_server import SLOW
from tests.support import http_stub
from tests.support.encoded_images import encoded, gradient
from tests.support.missing_modules import run_without
from tests.support.polling import BOUND_S
from tests.support.process import Server, free_ports
from tests.support.shipped import COMIC

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NEVER = 600_000
"""Milliseconds between batches, so that spans are sent at shutdown only."""


class Collector:
    """Collector: what was exported by OTLP over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.statuses = Event()

    def resources(self) -> list[ResourceSpans]:
        exported = map(ExportTraceServiceRequest.FromString, self.bodies)
        return [spans for request in exported for spans in request.resource_spans]

    def spans(self) -> list[Span]:
        scopes = [scope for resource in self.resources() for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def server_spans(self) -> list[Span]:
        """The spans of requests."""
        return [span for span in self.spans() if span.kind == Span.SPAN_KIND_SERVER]


@contextmanager
def collecting(*, hangs: bool = False) -> Iterator[Collector]:
    """A collector, or one that never responds."""
    collector = Collector()

    class Handler(http_stub.Handler):
        def do_POST(self) -> None:  # noqa: N802 - the name of http.server.
            sent = self.path, self.headers["Content-Type"]
            assert sent == ("/v1/traces", "application/x-protobuf")
            body = self.body()
            collector.statuses.set()
            if hangs:
                self.server.released.wait(BOUND_S)
                return
            collector.bodies.append(body)
            self.send(200)

    with http_stub.serving(Handler) as stub:
        collector.url = stub.url
        yield collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def attributes(pairs: "list[KeyValue]") -> dict[str, object]:
    def value(of: AnyValue) -> object:
        kind = of.WhichOneof("value")
        return (
            [value(v) for v in of.array_value.values]
            if kind == "array_value"
            else getattr(of, kind)
        )

    return {pair.key: value(pair.value) for pair in pairs}


def test_cartoon_has_a_server_span_and_stage_spans_in_the_clients_trace(start, collector):
    server = start(COMIC, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY=200)
    server.wait_for(200)
    before = time.time_ns()
    image = encoded(skimage.data.astronaut())
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
    answer = post(server, image, "?format=png", **headers)
    after = time.time_ns()
    assert answer.status_code == 200
    server.until(lambda: len(collector.spans()) == 1 + len(STAGES))

    (root,) = collector.server_spans()
    assert root.name == "POST /v1/cartoons"
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert attributes(root.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/cartoons",
        "http.response.status_code": 200,
        "http.response.header.x-request-id": ["mine"],
        "url.path": "/v1/cartoons",
        "url.scheme": "http",
        "dctnet.bytes_in": len(image),
        "dctnet.pixels": 512 * 512,
        "dctnet.faces": 1,
    }
    (resource,) = {
        r.resource.SerializeToString(): r.resource for r in collector.resources()
    }.values()
    assert attributes(resource.attributes)["service.name"] == "dctnet"

    stages = [span for span in collector.spans() if span is not root and span.name in STAGES]
    assert tuple(span.name for span in stages) == STAGES
    assert {span.trace_id.hex() for span in stages} == {TRACE}
    assert {span.parent_span_id for span in stages} == {root.span_id}
    (line,) = server.logged(1)
    assert line["trace_id"] == TRACE
    for span in stages:
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert seconds == pytest.approx(line["stages"][span.name], abs=0.0002)
    starts = [span.start_time_unix_nano for span in stages]
    ends = [span.end_time_unix_nano for span in stages]
    assert starts[1:] == ends[:-1]
    # The last stage ends shortly before the response.
    slack = 500_000_000
    assert before - slack < root.start_time_unix_nano < starts[0]
    assert ends[-1] - slack < root.end_time_unix_nano < after + slack
    assert ends[-1] < root.end_time_unix_nano


def test_shutdown_flushes_spans_and_invalid_traceparents_are_ignored(start_timed, collector):
    server = start_timed(
        0,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces",
        OTEL_BSP_SCHEDULE_DELAY=NEVER,
        OTEL_SERVICE_NAME="cartoons",
    )
    good = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    garbage: list[dict[str, str]] = [
        {},
        {"traceparent": "00-" + "0" * 32 + f"-{PARENT}-01"},
        {"traceparent": f"ff-{TRACE}-{PARENT}-01"},
        {"traceparent": "\xe9" * 55, "tracestate": "\xe9=,=,,"},
        {"traceparent": f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01"},
    ]
    unwanted = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    odd = good | {"tracestate": "=" * 3000}
    for number, headers in enumerate([*garbage, unwanted, odd], 1):
        assert requests.get(server.url, headers=headers, timeout=BOUND_S).status_code == 200
        server.logged(number)  # Its span was made before its log record.
    traces = [line["trace_id"] for line in server.logged(7)]
    assert traces[5:] == [TRACE, TRACE]
    assert not collector.statuses.is_set()
    assert server.stop() == 0
    spans = collector.server_spans()
    assert [span.parent_span_id.hex() for span in spans] == [*[""] * 5, PARENT]
    assert [span.trace_id.hex() for span in spans] == [*traces[:5], TRACE]
    (resource,) = collector.resources()
    assert attributes(resource.resource.attributes)["service.name"] == "cartoons"


def test_error_spans_have_no_client_data(start_timed, collector, tmp_path):
    key, secret = "k3y-0123456789abcdef", "s3cret"
    keys = tmp_path / "keys"
    keys.write_text(key)
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": NEVER}
    server = start_timed(0.2, DCTNET_API_KEYS_FILE=keys, **tracing)
    own = {
        "Authorization": f"Bearer {key}",
        "X-Forwarded-For": "203.0.113.7",
        "User-Agent": secret,
        "Referer": f"http://{secret}/",
    }

    def request(method: str, path: str, **more: object) -> int:
        return requests.request(
            method, server.url + path, timeout=BOUND_S, **{"headers": own} | more
        ).status_code

    late = own | {"X-Request-Timeout": "1"}
    slow = encoded(gradient(24, SLOW))
    statuses = [
        request("GET", f"/{secret}?{secret}"),
        request("GET", f"/static/{secret}"),
        request("BREW", "/"),
        request("POST", f"/v1/cartoons?style={secret}", data=IMAGE),
        request("POST", "/upload", files={"file": (f"{secret}.png", b"s3cret, and no image")}),
        request("POST", "/v1/cartoons", data=IMAGE, headers={"X-Api-Key": secret}),
        request("POST", "/upload", files={"file": slow}, headers=late),
        request("GET", "/health"),
    ]
    assert statuses == [404, 404, 405, 422, 415, 401, 504, 200]
    assert server.stop() == 0
    names = [
        (span.name, seen["http.request.method"], seen["http.response.status_code"])
        for span in collector.server_spans()
        for seen in [attributes(span.attributes)]
    ]
    # Spans are made after their responses, so their order may differ.
    assert sorted(names) == [
        ("GET", "GET", 404),
        ("GET /static/<path:path>", "GET", 404),
        ("HTTP", "_OTHER", 405),
        ("POST /upload", "POST", 415),
        ("POST /upload", "POST", 504),
        ("POST /v1/cartoons", "POST", 401),
        ("POST /v1/cartoons", "POST", 422),
    ]
    (late_one,) = [s for s in collector.server_spans() if s.status.code == Status.STATUS_CODE_ERROR]
    assert attributes(late_one.attributes)["error.type"] == "504"
    (queue,) = [span for span in collector.spans() if span.kind != Span.SPAN_KIND_SERVER]
    assert (queue.name, queue.parent_span_id) == ("queue", late_one.span_id)
    for body in collector.bodies:
        for private in (secret, key, "203.0.113.7", "127.0.0.1"):
            assert private.encode() not in body


def cartoonize_and_stop(server: Server, number: int) -> float:
    """Cartoonize images, and return how long the server took to stop."""
    began = time.monotonic()
    for _ in range(number):
        response = requests.post(f"{server.url}/upload", files={"file": IMAGE}, timeout=BOUND_S)
        assert response.status_code == 200
    # A record is logged after its spans are made, so a thread that waits for the collector shows.
    assert len(server.logged(number)) == number
    assert time.monotonic() - began < EXPORT_TIMEOUT_S
    stopped = time.monotonic()
    assert server.stop() == 0
    return time.monotonic() - stopped


EXPORT_TIMEOUT_S = 60
MARGIN_S = 5
EAGER = {"OTEL_EXPORTER_OTLP_TIMEOUT": EXPORT_TIMEOUT_S, "OTEL_BSP_SCHEDULE_DELAY": 1}
FULL = {"OTEL_BSP_MAX_QUEUE_SIZE": 8, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 4}
"""More spans than fit are made before the first ones are sent."""


@pytest.mark.alone
def test_hanging_collector_costs_no_request(start_timed):
    with collecting(hangs=True) as collector:
        server = start_timed(0, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **EAGER, **FULL)
        took = cartoonize_and_stop(server, 20)
        assert collector.statuses.is_set()
    assert FLUSH_S < took < FLUSH_S + MARGIN_S
    assert "tracing: Queue full, dropping Span." in server.messages()


@pytest.mark.alone
def test_unreachable_collector_costs_no_request_and_is_logged_once(start_timed):
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    server = start_timed(0, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **EAGER)
    assert cartoonize_and_stop(server, 20) < FLUSH_S + MARGIN_S
    (line,) = [line for line in server.messages() if "tracing" in line]
    assert line.startswith("tracing: Transient error ")
    assert server.faults() == []


@pytest.mark.parametrize("missing", ["opentelemetry", "requests"])
def test_missing_tracing_extra_fails_with_one_message(monkeypatch, missing):
    port, management = free_ports(2)
    monkeypatch.setenv("DCTNET_BIND", f"127.0.0.1:{port}")
    monkeypatch.setenv("DCTNET_MANAGEMENT_BIND", f"127.0.0.1:{management}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    program = "import sys; from dctnet.cli import main; sys.exit(main(['serve']))"
    ended = run_without({missing}, program)
    assert (ended.returncode, ended.stdout) == (1, "")
    message = json.loads(ended.stderr)["message"]
    assert message.startswith(f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {missing}")
    assert message.endswith(
        " is not installed: install dctnet with its `tracing` extra, or unset the variable."
    )
