"""When requests are due: at a rate of their own, or whenever a client is free."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.errors import LoadError


@dataclass(frozen=True, kw_only=True)
class _BoundedLoad:
    """A load that ends: after a time or after a number of requests, exactly one of both."""

    duration_s: float | None = None
    """How long requests are started, in seconds; those on their way are still waited for."""
    requests: int | None = None

    def __post_init__(self) -> None:
        if (self.duration_s is None) == (self.requests is None):
            raise LoadError("A load needs either a duration or a number of requests.")
        if not (self.duration_s or self.requests or 0) > 0:
            raise LoadError("A duration and a number of requests must be positive.")

    def _limit_text(self) -> str:
        return f"{self.duration_s:g} s" if self.duration_s else f"{self.requests} requests"


@dataclass(frozen=True, kw_only=True)
class OpenLoop(_BoundedLoad):
    """Arrivals that wait for nobody, as those of many independent people do."""

    rate: float
    """Requests a second on average."""
    poisson: bool = False
    """Whether the gaps between them are exponential; otherwise all are the same."""
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rate > 0:
            raise LoadError("A rate must be positive.")

    def offsets(self) -> Iterator[float]:
        """Yield when each request is due, in seconds from the start of the run."""
        random = np.random.default_rng(self.seed)
        number, due = 0, 0.0
        while due < (self.duration_s or np.inf) and number < (self.requests or np.inf):
            yield due
            number += 1
            # A sum of equal gaps would drift.
            due = due + random.exponential(1 / self.rate) if self.poisson else number / self.rate

    def count(self) -> int:
        """Return how many requests will be due."""
        return self.requests or sum(1 for _ in self.offsets())

    def __str__(self) -> str:
        spacing = "Poisson" if self.poisson else "evenly spaced"
        return f"{self.rate:g} requests a second, {spacing}, for {self._limit_text()}"


@dataclass(frozen=True, kw_only=True)
class ClosedLoop(_BoundedLoad):
    """Clients that each wait for an answer before they ask again."""

    clients: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clients < 1:
            raise LoadError("There must be at least one client.")

    def count(self) -> int | None:
        """Return how many requests there will be, or None where the answers' speed decides."""
        return self.requests

    def __str__(self) -> str:
        return f"{self.clients} client{'s' * (self.clients > 1)} for {self._limit_text()}"


Arrivals = OpenLoop | ClosedLoop
