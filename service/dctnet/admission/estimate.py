"""How long a picture is likely to take: a moving estimate from those that were drawn."""

from threading import Lock

WEIGHT = 0.2
"""Of the newest measurement: after ten of them one tenth of the first is left."""


class Pace:
    """Seconds of a slot per unit of cost, as an exponentially weighted moving average.

    The cost of a picture is its working pixels, since the networks' time grows with them.
    """

    def __init__(self) -> None:
        self._seconds_per_cost: float | None = None
        self._lock = Lock()

    def observe(self, cost: float, seconds: float) -> None:
        """Take in that a picture of this cost kept a slot busy for so long."""
        measured = seconds / cost
        with self._lock:
            before = self._seconds_per_cost
            self._seconds_per_cost = (
                measured if before is None else before + WEIGHT * (measured - before)
            )

    def seconds(self, cost: float) -> float:
        """Return how long a slot will need for this cost; 0 before the first measurement."""
        return cost * (self._seconds_per_cost or 0.0)
