"""Arrival processes: open-loop and closed-loop load."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import LoadError

Floats = NDArray[np.float64]

MAX_DURATION_S = 86_400
"""Maximum duration of a load, in seconds."""

MAX_REQUESTS = 1_000_000
"""Maximum number of requests of a load, since the client keeps a record of each in memory."""

_TOO_LONG = f"A load has at most {MAX_REQUESTS} requests, and lasts at most {MAX_DURATION_S} s."


@dataclass(frozen=True, kw_only=True)
class _BoundedLoad:
    """Load limited by a duration or a number of requests, whichever ends first."""

    duration_s: float | None = None
    """Time in which requests are started, in seconds; in-flight requests are then completed."""
    requests: int | None = None
    """Number of requests to send."""

    def __post_init__(self) -> None:
        if self.duration_s is None and self.requests is None:
            raise LoadError("A load needs a duration or a number of requests.")
        if not (self.max_duration_s > 0 and self.max_requests > 0):
            raise LoadError("A duration and a number of requests must be positive.")
        if self.max_duration_s > MAX_DURATION_S or self.max_requests > MAX_REQUESTS:
            raise LoadError(_TOO_LONG)

    @property
    def max_duration_s(self) -> float:
        """Time after which no request is started, in seconds."""
        return MAX_DURATION_S if self.duration_s is None else self.duration_s

    @property
    def max_requests(self) -> int:
        """Number of requests after which no more is started."""
        return MAX_REQUESTS if self.requests is None else self.requests

    def _limit_text(self) -> str:
        limits = [
            *([f"{self.duration_s:g} s"] if self.duration_s else []),
            *([f"{self.requests} requests"] if self.requests else []),
        ]
        return " or ".join(limits)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of the duration with its own rate."""

    weight: float
    """Length in proportion to the other steps."""
    factor: float
    """Multiple of the load's rate; 0 for a pause."""


@dataclass(frozen=True, kw_only=True)
class OpenLoop(_BoundedLoad):
    """Open-loop load: requests arrive at a given rate, whatever the server does."""

    rate: float
    """Average requests per second."""
    steps: Sequence[Step] = ()
    """Steps that the rate takes over the duration; none for a constant rate."""
    poisson: bool = False
    """Whether inter-arrival times are exponential; otherwise they are constant."""
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate < float("inf"):
            raise LoadError("A rate must be positive and finite.")
        if self.steps and self.duration_s is None:
            raise LoadError("Steps need a duration, of which they are parts.")
        if self.requests is None and self._schedule()[1][-1] > MAX_REQUESTS:
            raise LoadError(_TOO_LONG)

    def _schedule(self) -> tuple[Floats, Floats]:
        """Return the times of the steps' ends, in seconds, and the requests due before them."""
        steps = self.steps or [Step(weight=1, factor=1)]
        weights = np.array([step.weight for step in steps], float)
        ends_s = np.concatenate([[0], np.cumsum(weights)]) * self.max_duration_s / weights.sum()
        gained = np.diff(ends_s) * [self.rate * step.factor for step in steps]
        return ends_s, np.concatenate([[0], np.cumsum(gained)])

    def offsets(self) -> Iterator[float]:
        """Yield the due time of each request, in seconds from the start of the run."""
        random = np.random.default_rng(self.seed)
        ends_s, before = self._schedule()
        position = 0.0
        for number in range(self.max_requests):
            # Adding up constant gaps would drift.
            position = position if self.poisson else float(number)
            if position >= before[-1]:
                return
            yield float(np.interp(position, before, ends_s))
            position += random.exponential()

    def count(self) -> int:
        """Return the number of requests."""
        return sum(1 for _ in self.offsets())

    def __str__(self) -> str:
        spacing = "Poisson" if self.poisson else "evenly spaced"
        rates = " then ".join(f"{self.rate * step.factor:g}" for step in self.steps)
        return (
            f"{rates or f'{self.rate:g}'} requests per second, {spacing}, for {self._limit_text()}"
        )


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
        return None if self.duration_s else self.requests

    def __str__(self) -> str:
        return f"{self.clients} client{'s' * (self.clients > 1)} for {self._limit_text()}"


Arrivals = OpenLoop | ClosedLoop
