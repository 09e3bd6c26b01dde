"""Computations of the capacity benchmark."""

import pytest

from benchmarks.capacity import mean_model, mean_service_seconds, scaled
from dctnet.capacity.simulation import ImageSize, ReplicaModel, replay


def model(seconds: float, ratio: float = 1.0) -> ReplicaModel:
    size = ImageSize(name="x", cost=1.0, alone=seconds / 2, loaded=seconds, ratios=[ratio])
    return ReplicaModel(slots=2, sizes=[size], calibrations=[(1.0, seconds)])


def test_mean_model_is_between_both():
    mean = mean_model(model(1.0, 0.5), model(3.0, 1.5))
    assert (mean.sizes[0].alone, mean.sizes[0].loaded) == (1.0, 2.0)
    assert mean.seconds_per_image == 2.0


def test_scaled_model_takes_as_many_times_longer():
    replica = model(1.0)
    arrivals = [0.0, 0.1, 0.2, 4.0]

    def latencies(replica: ReplicaModel, factor: float) -> list[float]:
        timed = [(time * factor, replica.sizes[0]) for time in arrivals]
        outcome = replay(replica, timed, queue_size=9, timeout=99)
        # Alone an image takes half a second; two at a time take a second each.
        assert 0.5 * factor <= mean_service_seconds(outcome) <= factor
        return outcome.latencies

    longer = latencies(scaled(replica, 3.0), 3.0)
    assert longer == pytest.approx([3 * seconds for seconds in latencies(replica, 1.0)])
