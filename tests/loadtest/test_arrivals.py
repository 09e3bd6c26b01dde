"""Arrival processes."""

import numpy as np
import pytest

from loadtest.client import ClosedLoop, LoadError, OpenLoop


def test_constant_arrivals_do_not_drift():
    offsets = list(OpenLoop(rate=300, duration_s=10).offsets())
    np.testing.assert_allclose(offsets, np.arange(3000) / 300, rtol=1e-12)
    assert list(OpenLoop(rate=4, requests=3).offsets()) == [0, 0.25, 0.5]


def test_poisson_arrivals_have_exponential_gaps():
    gaps = np.diff(list(OpenLoop(rate=100, requests=20_000, poisson=True).offsets()))
    assert gaps.mean() == pytest.approx(0.01, rel=0.03)
    assert gaps.std() == pytest.approx(0.01, rel=0.03)  # Equals the mean.


def test_poisson_arrivals_are_reproducible():
    def offsets(seed: int) -> list[float]:
        return list(OpenLoop(rate=9, duration_s=9, poisson=True, seed=seed).offsets())

    assert offsets(1) == offsets(1) != offsets(2)
    assert offsets(1)[-1] < 9


def test_request_count():
    assert OpenLoop(rate=10, duration_s=2).count() == 20
    assert OpenLoop(rate=10, requests=7).count() == 7
    assert ClosedLoop(clients=2, requests=7).count() == 7
    assert ClosedLoop(clients=2, duration_s=7).count() is None


@pytest.mark.parametrize("end", [{}, {"duration_s": 1.0, "requests": 1}])
def test_load_needs_exactly_one_limit(end):
    with pytest.raises(LoadError, match="either a duration or a number"):
        ClosedLoop(clients=1, **end)


def test_load_description():
    assert (
        str(OpenLoop(rate=2.5, duration_s=3)) == "2.5 requests per second, evenly spaced, for 3 s"
    )
    assert str(ClosedLoop(clients=1, requests=8)) == "1 client for 8 requests"
