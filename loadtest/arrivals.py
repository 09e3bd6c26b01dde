"""Arrival processes: open-loop and closed-loop load."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.errors import LoadError


@dataclass(frozen=True, kw_only=True)
class _BoundedLoad:
    """Load limited by either a duration or a number of requests."""

    duration_s: float | None = None
    """Time in which requests are started, in seconds; in-flight requests are then completed."""
    requests: int | None = None
    """Number of requests to send."""

    def __post_init__(self) -> None:
        if (self.duration_s is None) == (self.requests is None):
            raise LoadError("A load needs either a duration or a number of requests.")
        if not (self.duration_s or self.requests or 0) > 0:
            raise LoadError("A duration and a number of requests must be positive.")

    def _limit_text(self) -> str:
        return f"{self.duration_s:g} s" if self.duration_s else f"{self.requests} requests"


@dataclass(frozen=True, kw_only=True)
class OpenLoop(_BoundedLoad):
    """Open-loop load: requests arrive at a fixed rate, whatever the server does."""

    rate: float
    """Average requests per second."""
    poisson: bool = False
    """Whether inter-arrival times are exponential; otherwise they are constant."""
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate > 0:
            raise LoadError("A rate must be positive.")

    def offsets(self) -> Iterator[float]:
        """Yield the due time of each request, in seconds from the start of the run."""
        random = np.random.default_rng(self.seed)
        number, due = 0, 0.0
        while due < (self.duration_s or np.inf) and number < (self.requests or np.inf):
            yield due
            number += 1
            # Adding up constant gaps would drift.
            due = due + random.exponential(1 / self.rate) if self.poisson else number / self.rate

    def count(self) -> int:
        """Return the number of requests."""
        return self.requests or sum(1 for _ in self.offsets())

    def __str__(self) -> str:
        spacing = "Poisson" if self.poisson else "evenly spaced"
        return f"{self.rate:g} requests per second, {spacing}, for {self._limit_text()}"


@dataclass(frozen=True, kw_only=True)
class ClosedLoop(_BoundedLoad):
    """Closed-loop load: each client sends its next request after the response."""

    clients: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clients < 1:
            raise LoadError("There must be at least one client.")

    def count(self) -> int | None:
        """Return the number of requests, or None if it depends on the server's speed."""
        return self.requests

    def __str__(self) -> str:
        return f"{self.clients} client{'s' * (self.clients > 1)} for {self._limit_text()}"


Arrivals = OpenLoop | ClosedLoop
