"""Prometheus metrics of a replica; its single process needs no multiprocess mode.

Code updates counters and histograms; gauges are read at each scrape.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dctnet import __version__, logs
from dctnet.admission import Admission, RejectionReason
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.models.folder import ModelFolder

disable_created_metrics()  # type: ignore[no-untyped-call]  # They would double the number of series.

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
PIXELS = (1e4, 1e5, 3e5, 1e6, 2e6, 4e6, 8e6, 16e6, 40e6)
FACES = (0, 1, 2, 3, 5, 10)

STAGES = ("queue", "decode", "background", "faces", "head", "blend", "encode")
OUT_OF_MEMORY_STAGES = ("upload", "decode", "inference", "encode")


class UnreadReason(StrEnum):
    """Why a response was not read to its end."""

    CLIENT_GONE = "client_gone"
    """The client closed the connection."""
    TOO_SLOW = "too_slow"
    """The client read below the minimum rate."""
    DEADLINE = "deadline"
    """The response timeout passed."""
    MEMORY = "memory"
    """Unsent responses exceeded their limit, and this one had the least recent progress."""
    CONNECTIONS = "connections"
    """The connection limit was reached, and this one had the least recent progress."""
    SHUTDOWN = "shutdown"
    """The graceful timeout passed."""


class Resource(StrEnum):
    """Resource that the operating system may deny."""

    FILE_DESCRIPTORS = "file_descriptors"
    MEMORY = "memory"
    THREADS = "threads"


class Metrics:
    """Metrics of one replica, in its own registry."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, documentation: str, *labels: str) -> Counter:
            return Counter(f"dctnet_{name}", documentation, labels, registry=registry)

        def histogram(
            name: str, documentation: str, buckets: tuple[float, ...], *labels: str
        ) -> Histogram:
            return Histogram(
                f"dctnet_{name}", documentation, labels, buckets=buckets, registry=registry
            )

        self.requests = counter(
            "requests_total",
            "HTTP responses by route template, method and status code.",
            "route",
            "method",
            "code",
        )
        self.request_seconds = histogram(
            "request_duration_seconds",
            "Seconds from the request headers to the last byte of the response.",
            SECONDS,
            "route",
        )
        self.stage_seconds = histogram(
            "stage_duration_seconds", "Seconds of each stage of a cartoonization.", SECONDS, "stage"
        )
        self.rejected = counter(
            "rejected_total", "Requests rejected by admission control, by reason.", "reason"
        )
        self.client_disconnects = counter(
            "client_disconnects_total", "Requests whose client disconnected, by stage.", "stage"
        )
        self.unread_responses = counter(
            "unread_responses_total",
            "Responses that clients did not read to the end, by reason.",
            "reason",
        )
        self.shortages = counter(
            "shortages_total", "Times that the operating system denied a resource.", "resource"
        )
        self.inferences = counter("inferences_total", "Inferences, by result.", "result")
        self.out_of_memory = counter(
            "out_of_memory_total", "Images rejected with 503 for lack of memory, by stage.", "stage"
        )
        self.watchdog_trips = counter(
            "watchdog_trips_total", "Computations that exceeded the watchdog timeout."
        )
        self.faces = histogram("faces_per_image", "Faces cartoonized per image.", FACES)
        self.pixels = histogram(
            "image_pixels", "Size of uploaded images in pixels, width times height.", PIXELS
        )
        self.model_load_seconds = Gauge(
            "dctnet_model_load_seconds",
            "Seconds to load and warm up the model at start.",
            registry=registry,
        )
        registry.register(_DroppedLogLines())
        # rate() needs a series before the first event.
        for reason in RejectionReason:
            self.rejected.labels(reason)
        for stage in STAGES:
            self.stage_seconds.labels(stage)
        for result in ("ok", "error"):
            self.inferences.labels(result)
        for stage in ("upload", "queue", "inference"):
            self.client_disconnects.labels(stage)
        for unread_reason in UnreadReason:
            self.unread_responses.labels(unread_reason)
        for resource in Resource:
            self.shortages.labels(resource)
        for stage in OUT_OF_MEMORY_STAGES:
            self.out_of_memory.labels(stage)

    def register_gauges(
        self,
        admission: Admission,
        lifecycle: Lifecycle,
        model: Callable[[], ModelFolder],
        runtime: str,
    ) -> None:
        """Register the gauges; ``runtime`` names what executes the networks."""
        self.registry.register(_Gauges(admission, lifecycle, model, runtime))


class _DroppedLogLines(Collector):
    """Counter of the log lines that this process has dropped."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter."""
        yield CounterMetricFamily(
            "dctnet_log_lines_dropped",
            "Log lines of the worker that were dropped because they could not be written.",
            logs.dropped_lines(),
        )


class _Gauges(Collector):
    """Gauges of admission and lifecycle, read at each scrape."""

    def __init__(
        self,
        admission: Admission,
        lifecycle: Lifecycle,
        model: Callable[[], ModelFolder],
        runtime: str,
    ) -> None:
        self._admission = admission
        self._lifecycle = lifecycle
        self._model = model
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each gauge with its current value."""
        admission = self._admission
        for name, documentation, value in (
            ("queue_depth", "Images waiting for a slot.", admission.queued),
            ("queue_capacity", "Most images that may wait for a slot.", admission.queue_capacity),
            ("queue_clients", "Clients with images waiting for a slot.", admission.clients),
            ("slots", "Slots: images that can be processed at once.", admission.slots),
            ("slots_busy", "Slots that process an image.", admission.busy),
            ("load_ratio", "Images being processed or waiting, per slot.", admission.load_ratio),
            ("uploads_active", "Request bodies being received.", admission.uploads.in_use),
            (
                "draining_seconds",
                "Seconds since the graceful shutdown started, 0 before.",
                self._lifecycle.draining_seconds(),
            ),
        ):
            yield GaugeMetricFamily(f"dctnet_{name}", documentation, value)
        states = GaugeMetricFamily(
            "dctnet_state",
            "1 for the current lifecycle state of the replica, 0 for the others.",
            labels=["state"],
        )
        for state in State:
            states.add_metric([state], float(state is self._lifecycle.state))
        yield states
        model = self._model()
        yield _info(
            "model_info",
            "Model and runtime of the replica; the value is 1.",
            style=model.style,
            model=model.model,
            revision=model.revision,
            runtime=self._runtime,
            digest=model.digest or "",
        )
        yield _info("build_info", "Version of dctnet; the value is 1.", version=__version__)


def _info(name: str, documentation: str, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"dctnet_{name}", documentation, labels=list(labels))
    family.add_metric(list(labels.values()), 1.0)
    return family
