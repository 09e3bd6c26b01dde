"""Prometheus metrics of a replica; its single process needs no multiprocess mode.

Code updates counters and histograms; gauges are read at each scrape.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dctnet import __version__, logs
from dctnet.admission import Admission, RejectionReason
from dctnet.codecs.errors import FailureReason
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.models.folder import ModelFolder

disable_created_metrics()  # type: ignore[no-untyped-call]  # They would double the number of series.

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
PIXELS = (1e4, 1e5, 3e5, 1e6, 2e6, 4e6, 8e6, 16e6, 40e6)
FACES = (0, 1, 2, 3, 5, 10)

STAGES = ("queue", "decode", "background", "faces", "head", "blend", "encode")
OUT_OF_MEMORY_STAGES = ("upload", "decode", "inference", "encode")

CARTOON_ROUTES = ("/v1/cartoons", "/upload")
"""Routes that the service level objectives are about."""
CARTOON_CODES = (200, 429, 500, 503, 504)
"""Status codes of these routes that alerts and dashboards divide by."""


class Outcome(StrEnum):
    """What a response means for the service level objectives."""

    OK = "ok"
    """2xx and 3xx: the client got what it requested."""
    REJECTED = "rejected"
    """429 and 503: admission control rejected the request, and a retry may succeed."""
    ERROR = "error"
    """Any other 5xx: the service failed."""
    CLIENT = "client"
    """4xx except 429, and responses that the client did not read to the end."""


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


def classify_outcome(status: int, unread: UnreadReason | None) -> Outcome:
    """Return the outcome of a response; `unread` is why it was not read to its end, if it was not.

    The status decides first: a server error is one even if its client has disconnected.
    """
    if status in {429, 503}:
        return Outcome.REJECTED
    if status >= 500:
        return Outcome.ERROR
    return Outcome.OK if status < 400 and unread is None else Outcome.CLIENT


class Resource(StrEnum):
    """Resource that the operating system may deny."""

    FILE_DESCRIPTORS = "file_descriptors"
    MEMORY = "memory"
    THREADS = "threads"


class ObservedReplica(Protocol):
    """What the gauges read of a replica."""

    admission: Admission
    lifecycle: Lifecycle
    models: Mapping[str, ModelFolder]
    broken: Mapping[str, str]

    def switches(self) -> int:
        """Return how often a style's weights were transformed."""
        ...

    def runtime(self, style: str, /) -> str:
        """Return the runtimes of a style in one word."""
        ...


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
            "outcome",
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
        self.inferences = counter(
            "inferences_total", "Inferences, by style and result.", "style", "result"
        )
        self.inference_seconds = histogram(
            "inference_duration_seconds",
            "Seconds of an inference, from the decoded image to its cartoon.",
            SECONDS,
            "style",
        )
        self.out_of_memory = counter(
            "out_of_memory_total", "Images rejected with 503 for lack of memory, by stage.", "stage"
        )
        self.codec_failures = counter(
            "codec_failures_total",
            "Images that failed in a codec process other than by their contents, by reason.",
            "reason",
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
        self._start_series()

    def _start_series(self) -> None:
        """Create the series of known labels: rate() needs them before the first event."""
        for route in CARTOON_ROUTES:
            for code in CARTOON_CODES:
                self.requests.labels(route, "POST", code)
            for outcome in Outcome:
                self.request_seconds.labels(route, outcome)
        families: tuple[tuple[Counter | Histogram, Iterable[str]], ...] = (
            (self.rejected, RejectionReason),
            (self.stage_seconds, STAGES),
            (self.client_disconnects, ("upload", "queue", "inference")),
            (self.unread_responses, UnreadReason),
            (self.shortages, Resource),
            (self.codec_failures, FailureReason),
            (self.out_of_memory, OUT_OF_MEMORY_STAGES),
        )
        for family, values in families:
            for value in values:
                family.labels(value)

    def register_gauges(self, replica: ObservedReplica) -> None:
        """Register the gauges of a replica, and its styles' series."""
        self.registry.register(_Gauges(replica))
        for style in replica.models:
            self.inference_seconds.labels(style)
            for result in ("ok", "error"):
                self.inferences.labels(style, result)


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
    """Gauges of admission, lifecycle and styles, read at each scrape."""

    def __init__(self, replica: ObservedReplica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its current value."""
        yield CounterMetricFamily(
            "dctnet_style_switches",
            "Times that a generator's weights were transformed, since they were not kept.",
            self._replica.switches(),
        )
        admission, lifecycle = self._replica.admission, self._replica.lifecycle
        for name, documentation, value in (
            ("queue_depth", "Images waiting for a slot.", admission.queued),
            ("queue_capacity", "Most images that may wait for a slot.", admission.queue_capacity),
            ("queue_clients", "Clients with images waiting for a slot.", admission.clients),
            ("slots", "Slots: images that can be processed at once.", admission.slots),
            ("slots_busy", "Slots that process an image.", admission.busy),
            ("load_ratio", "Images being processed or waiting, per slot.", admission.load_ratio),
            ("uploads_active", "Request bodies being received.", admission.uploads.in_use),
            (
                "waiting_bytes",
                "Bytes reserved for request bodies that are uploading or waiting.",
                admission.waiting_bytes.in_use,
            ),
            (
                "waiting_bytes_capacity",
                "Most bytes of request bodies that are uploading or waiting.",
                admission.waiting_bytes.capacity,
            ),
            (
                "draining_seconds",
                "Seconds since the graceful shutdown started, 0 before.",
                lifecycle.draining_seconds(),
            ),
        ):
            yield GaugeMetricFamily(f"dctnet_{name}", documentation, value)
        states = GaugeMetricFamily(
            "dctnet_state",
            "1 for the current lifecycle state of the replica, 0 for the others.",
            labels=["state"],
        )
        for state in State:
            states.add_metric([state], float(state is lifecycle.state))
        yield states
        models, broken = self._replica.models, self._replica.broken
        yield _gauge(
            "style_loaded",
            "1 for each style that the replica serves, 0 for those that it left out.",
            [({"style": style}, float(style in models)) for style in (*models, *broken)],
        )
        yield _gauge(
            "model_info",
            "Model and runtime of each style; the value is 1.",
            [(self._model_labels(style, model), 1.0) for style, model in models.items()],
        )
        yield _gauge(
            "build_info", "Version of dctnet; the value is 1.", [({"version": __version__}, 1.0)]
        )

    def _model_labels(self, style: str, model: ModelFolder) -> dict[str, str]:
        return {
            "style": style,
            "model": model.model,
            "revision": model.revision,
            "runtime": self._replica.runtime(style),
            "digest": model.digest or "",
        }


def _gauge(
    name: str, documentation: str, samples: Sequence[tuple[dict[str, str], float]]
) -> GaugeMetricFamily:
    """Return a gauge with at least one sample."""
    family = GaugeMetricFamily(f"dctnet_{name}", documentation, labels=list(samples[0][0]))
    for labels, value in samples:
        family.add_metric(list(labels.values()), value)
    return family
