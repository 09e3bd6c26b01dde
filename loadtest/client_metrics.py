"""Prometheus metrics of the load client."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)

from loadtest.errors import LoadError
from loadtest.report import OUTCOMES, Sample

disable_created_metrics()  # type: ignore[no-untyped-call]  # They would double the number of series.

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
"""Buckets of latency: those of the server, and longer ones."""


class ClientMetrics:
    """Metrics of one load; a response counts as ok before its image is validated."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._sent = Counter(
            "dctnet_load_sent_total", "Requests of the load client.", registry=self.registry
        )
        self._in_flight = Gauge(
            "dctnet_load_in_flight",
            "Requests of the load client without a response yet.",
            registry=self.registry,
        )
        self._latency = Histogram(
            "dctnet_load_latency_seconds",
            "Seconds from when a request was due to the end of its response, by outcome.",
            ["outcome"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._lag = Gauge(
            "dctnet_load_client_lag_seconds",
            "Scheduling delay of the load client itself.",
            registry=self.registry,
        )
        for outcome in OUTCOMES:  # rate() needs a series before the first event.
            self._latency.labels(outcome)

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Serve ``/metrics`` on this port of all addresses until the end of the block."""
        try:
            server, thread = start_http_server(port, registry=self.registry)
        except OSError as error:
            raise LoadError(
                f"Cannot listen on port {port}: {error.strerror}. Choose another --metrics-port."
            ) from None
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def on_sent(self) -> None:
        """Count a request that was sent."""
        self._sent.inc()
        self._in_flight.inc()

    def on_sample(self, sample: Sample) -> None:
        """Count the outcome of a request."""
        self._in_flight.dec()
        self._latency.labels(sample.outcome).observe(sample.latency_s)

    def on_lag(self, lag_s: float) -> None:
        """Record the client's own lag."""
        self._lag.set(lag_s)
