"""Service-time estimate: a moving average that decays to the warm-up baseline."""

from collections.abc import Callable
from math import exp, inf, isfinite
from statistics import median_low
from threading import Lock
from time import monotonic

WEIGHT = 0.2
"""Weight of the newest measurement in the moving average."""

DECAY_TIME_S = 60.0
"""Time constant of the decay towards the baseline: after it, 37 % of the distance is left."""

MAX_STEP = 4.0
"""Most that one measurement counts, in times the estimate: one image that was far slower than its
cost says raises the estimate by 60 %, while a CPU that lost speed is followed within ten images."""


class ServiceTimeEstimator:
    """Service-time estimator: seconds of a slot per unit of cost. Thread-safe.

    ``calibrate`` sets the baseline from the warm-up. ``observe`` moves the estimate away from it,
    and time moves it back. So no measurement can have a lasting effect.
    """

    def __init__(self, max_seconds: float = inf, clock: Callable[[], float] = monotonic) -> None:
        """``max_seconds`` bounds each measurement and each prediction, in seconds."""
        self._max_seconds = max_seconds
        self._clock = clock
        self._calibrations: list[float] = []
        self._baseline = inf
        """Seconds per unit of cost, infinite before the first calibration."""
        self._distance = 0.0
        """Estimate less baseline when it was last measured, in seconds per unit of cost."""
        self._measured_at = clock()
        self._lock = Lock()

    def calibrate(self, cost: float, seconds: float) -> None:
        """Add one slot's warm-up measurement: the baseline is the median of the slots.

        The fastest slot may have used the CPUs of finished slots, and the slowest may have been
        disturbed. Of two slots the faster one counts.
        """
        if self._is_measurement(seconds):
            with self._lock:
                self._calibrations.append(min(seconds, self._max_seconds) / cost)
                self._baseline = median_low(self._calibrations)

    def observe(self, cost: float, seconds: float) -> None:
        """Add the measurement that a job of this cost ran for ``seconds``.

        Ignored before the first calibration, and unless it is finite and at least 0.
        """
        if self._baseline == inf or not self._is_measurement(seconds):
            return
        measured = min(seconds, self._max_seconds) / cost
        with self._lock:
            now = self._clock()
            # Decay counts up to the job's start: if its own time counted, the estimate of long jobs
            # would always be too low.
            distance = self._decayed(now - seconds)
            estimate = self._baseline + distance
            measured = min(measured, MAX_STEP * max(estimate, self._baseline))
            self._distance = distance + WEIGHT * (measured - estimate)
            self._measured_at = now

    def seconds(self, cost: float) -> float:
        """Return the predicted service time in seconds; 0 before the first calibration."""
        with self._lock:
            return self._bounded(cost, self._baseline + self._decayed(self._clock()))

    def idle_seconds(self, cost: float) -> float:
        """Return the prediction for an idle replica: never above the baseline."""
        return min(self._bounded(cost, self._baseline), self.seconds(cost))

    def _decayed(self, now: float) -> float:
        return self._distance * exp(-max(0.0, now - self._measured_at) / DECAY_TIME_S)

    def _bounded(self, cost: float, seconds_per_cost: float) -> float:
        if seconds_per_cost == inf:
            return 0.0
        return min(cost * seconds_per_cost, self._max_seconds)

    @staticmethod
    def _is_measurement(seconds: float) -> bool:
        return isfinite(seconds) and seconds >= 0
