"""The metrics of a replica, all names on one screen; one process needs no multiprocess mode.

Counters and histograms are told by whoever knows; gauges are read when they are scraped.
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

disable_created_metrics()  # type: ignore[no-untyped-call]  # They double the series for nothing.

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
PIXELS = (1e4, 1e5, 3e5, 1e6, 2e6, 4e6, 8e6, 16e6, 40e6)
FACES = (0, 1, 2, 3, 5, 10)

STAGES = ("queue", "decode", "background", "faces", "head", "blend", "encode")
OUT_OF_MEMORY_STAGES = ("upload", "decode", "inference", "encode")


class UnreadReason(StrEnum):
    """Why a client did not read its response to the end."""

    CLIENT_GONE = "client_gone"
    """It closed the connection."""
    TOO_SLOW = "too_slow"
    """It read less than the minimum rate, and the server closed the connection."""
    DEADLINE = "deadline"
    """It had not read all of it by the response's deadline."""
    MEMORY = "memory"
    """Unsent responses had more bytes than allowed, and this one had progressed least recently."""
    CONNECTIONS = "connections"
    """A new client needed its connection, and it had progressed least recently."""
    SHUTDOWN = "shutdown"
    """The replica had to exit."""


class Resource(StrEnum):
    """What the system may reject."""

    FILE_DESCRIPTORS = "file_descriptors"
    MEMORY = "memory"
    THREADS = "threads"


class Metrics:
    """What a replica counts, in a registry of its own."""

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
            "requests_total", "Requests answered, by route template.", "route", "method", "code"
        )
        self.request_seconds = histogram(
            "request_duration_seconds", "From the headers to the last byte.", SECONDS, "route"
        )
        self.stage_seconds = histogram(
            "stage_duration_seconds", "Each stage of a cartoon.", SECONDS, "stage"
        )
        self.rejected = counter(
            "rejected_total", "Requests rejected before they cost anything.", "reason"
        )
        self.client_disconnects = counter(
            "client_disconnects_total", "Requests whose client left, by what was going on.", "stage"
        )
        self.unread_responses = counter(
            "unread_responses_total", "Responses that were not read to the end.", "reason"
        )
        self.shortages = counter(
            "shortages_total", "Times that the system denied a resource.", "resource"
        )
        self.inferences = counter("inferences_total", "Images computed.", "result")
        self.out_of_memory = counter(
            "out_of_memory_total", "Images rejected for lack of memory, by stage.", "stage"
        )
        self.watchdog_trips = counter(
            "watchdog_trips_total", "Computations that ran longer than the watchdog allows."
        )
        self.faces = histogram("faces_per_image", "Faces drawn as heads.", FACES)
        self.pixels = histogram("image_pixels", "Width by height of the images.", PIXELS)
        self.model_load_seconds = Gauge(
            "dctnet_model_load_seconds", "From the start to the first image.", registry=registry
        )
        registry.register(_DroppedLogLines())
        # Rates need a series that is there before the first event.
        for reason in RejectionReason:
            self.rejected.labels(reason)
        for stage in STAGES:
            self.stage_seconds.labels(stage)
        for result in ("ok", "error"):
            self.inferences.labels(result)
        for stage in ("upload", "queue", "inference"):
            self.client_disconnects.labels(stage)
        for why in UnreadReason:
            self.unread_responses.labels(why)
        for resource in Resource:
            self.shortages.labels(resource)
        for stage in OUT_OF_MEMORY_STAGES:
            self.out_of_memory.labels(stage)

    def watch(
        self,
        admission: Admission,
        lifecycle: Lifecycle,
        model: Callable[[], ModelFolder],
        runtime: str,
    ) -> None:
        """Read these at every scrape; ``runtime`` names who computes the networks."""
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
    """What admission and lifecycle know of themselves."""

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
        """Yield each gauge with its value now."""
        admission = self._admission
        for name, documentation, value in (
            ("queue_depth", "Images that wait for a slot.", admission.queued),
            ("queue_capacity", "Images that may wait.", admission.queue_capacity),
            ("queue_clients", "Clients whose images wait.", admission.clients),
            ("slots", "Images that may be computed at once.", admission.slots),
            ("slots_busy", "Images that are computed.", admission.busy),
            ("load_ratio", "Images computed or waiting, a slot.", admission.load_ratio),
            ("uploads_active", "Bodies that are received.", admission.uploads.held),
            (
                "draining_seconds",
                "How long ago the process was told to end.",
                self._lifecycle.draining_seconds(),
            ),
        ):
            yield GaugeMetricFamily(f"dctnet_{name}", documentation, value)
        states = GaugeMetricFamily("dctnet_state", "1 for the replica's state.", labels=["state"])
        for state in State:
            states.add_metric([state], float(state is self._lifecycle.state))
        yield states
        model = self._model()
        yield _info(
            "model_info",
            "The model that draws.",
            style=model.style,
            model=model.model,
            revision=model.revision,
            runtime=self._runtime,
            digest=model.digest or "",
        )
        yield _info("build_info", "The version of dctnet.", version=__version__)


def _info(name: str, documentation: str, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"dctnet_{name}", documentation, labels=list(labels))
    family.add_metric(list(labels.values()), 1.0)
    return family
