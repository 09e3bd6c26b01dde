"""OpenTelemetry's spans of each request and its stages, where a collector is set.

They are made from a request's record when its answer has been sent, so nothing that draws knows of
them. OpenTelemetry is an extra, and is imported only where it is asked for. Its SDK reads the
``OTEL_*`` variables itself; here is what it leaves to the program.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dctnet import __version__
from dctnet.config import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

FLUSH_S = 2.0
"""How long the last spans may take to be sent when the process ends, in seconds; it is part of the
margin in which a replica ends."""

WARNING_INTERVAL_S = 60.0
"""Least time between two warnings about a collector that takes no spans, in seconds."""

# Semantic conventions, HTTP: a method that is none of these is `_OTHER`, and is no span's name.
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

# What the log says of an image too, by the names that it has there.
_FACTS = ("bytes_in", "pixels", "faces", "rejected")


@dataclass(frozen=True, slots=True)
class Moments:
    """When a request came, was answered, and took its place in the queue, if it did.

    All are seconds of the monotonic clock.
    """

    started: float
    ended: float
    queued: float | None


def from_environment(environ: Mapping[str, str]) -> "Tracing | None":
    """Return what makes spans, or None where none are asked for; raise SettingsError."""
    variable = next((name for name in ENDPOINTS if environ.get(name)), None)
    if variable is None or _is_off(environ):
        return None
    for name in PROTOCOLS:
        if environ.get(name, PROTOCOL) not in {"", PROTOCOL}:
            raise SettingsError(f"{name} is {environ[name]!r}, but it must be {PROTOCOL}.")
    host = _host(environ[variable])
    if not host:
        raise SettingsError(
            f"{variable} is {environ[variable]!r}, but it must be an address such as"
            " http://collector:4318."
        )
    try:
        return Tracing(host)
    except ImportError as error:
        raise SettingsError(
            f"{variable} is set, but {error.name} is not installed: install dctnet with its"
            " `tracing` extra, or unset the variable."
        ) from None


def _is_off(environ: Mapping[str, str]) -> bool:
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"


def _host(address: str) -> str:
    """Return an address's host and port, without a password; empty where it is none of HTTP's."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return parts.netloc.rpartition("@")[2] if parts.scheme in {"http", "https"} else ""


class Tracing:
    """Makes spans, which a thread of the SDK sends. Thread-safe."""

    def __init__(self, host: str) -> None:
        """Import what is needed, so that a mistake shows at once; raise ImportError."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self.host = host
        self._exporter = OTLPSpanExporter()
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def start(self) -> None:
        """Begin to send, in the process that serves: a thread does not outlive a fork."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        sdk_logger = logging.getLogger("opentelemetry")
        sdk_logger.handlers, sdk_logger.propagate = [_RateLimitedHandler()], False
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "dctnet"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        # Its queue is bounded: what is too much is dropped, and nobody waits.
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("dctnet", __version__)

    def stop(self) -> None:
        """Send what is left, but do not wait for long."""
        if self._provider is not None:
            # In a thread, for the SDK waits for a collector that hangs.
            last = Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
            last.start()
            last.join(FLUSH_S)

    def trace(self, facts: Mapping[str, Any], parent: Mapping[str, str], moments: Moments) -> str:
        """Make the spans of an answered request, and return the id of their trace.

        ``facts`` is the request's record, ``parent`` its headers of W3C Trace Context.
        """
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        assert self._tracer is not None, "Nothing is answered before it was started."
        # One offset for all: the wall clock may be set while a request is served.
        epoch = time.time() - time.monotonic()

        def at(moment: float) -> int:
            return round((epoch + moment) * 1e9)

        span = self._tracer.start_span(
            _name(facts),
            TraceContextTextMapPropagator().extract(parent),
            kind=SpanKind.SERVER,
            attributes=_attributes(facts),
            start_time=at(moments.started),
        )
        if facts["status"] >= 500:
            span.set_status(StatusCode.ERROR)
        if moments.queued is not None:
            within = set_span_in_context(span)
            begun = moments.queued
            for stage, seconds in facts.get("stages", {}).items():
                child = self._tracer.start_span(stage, within, start_time=at(begun))
                begun += seconds
                child.end(at(begun))
        span.end(at(moments.ended))
        return f"{span.get_span_context().trace_id:032x}"


def _name(facts: Mapping[str, Any]) -> str:
    method = facts["method"] if facts["method"] in _METHODS else "HTTP"
    return method if facts["route"] == "none" else f"{method} {facts['route']}"


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a span says of its request: names of the semantic conventions, and our own."""
    method, route, status = facts["method"], facts["route"], facts["status"]
    attributes: dict[str, Any] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "http.response.status_code": status,
        "http.response.header.x-request-id": [facts["request_id"]],
        "url.scheme": "http",
    }
    if route != "none":
        attributes["http.route"] = route
        if "<" not in route:  # Any other path is a client's own words.
            attributes["url.path"] = route
    if status >= 500:
        attributes["error.type"] = str(status)
    return attributes | {f"dctnet.{name}": facts[name] for name in _FACTS if name in facts}


class _RateLimitedHandler(logging.Handler):
    """Logs the SDK's warnings, at most one in ``WARNING_INTERVAL_S``."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Log a warning, unless another one was logged a moment ago."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + WARNING_INTERVAL_S
            logger.warning("tracing: %s", record.getMessage())
