"""Arrival processes."""

import numpy as np
import pytest

from loadtest.arrivals import MAX_DURATION_S, MAX_REQUESTS, Step
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


def test_load_ends_at_its_first_limit():
    assert OpenLoop(rate=10, duration_s=2, requests=7).count() == 7
    assert OpenLoop(rate=10, duration_s=0.5, requests=7).count() == 5
    assert str(ClosedLoop(clients=2, duration_s=3, requests=9)) == "2 clients for 3 s or 9 requests"


def test_load_without_a_limit_is_an_error():
    with pytest.raises(LoadError, match="a duration or a number"):
        ClosedLoop(clients=1)


@pytest.mark.parametrize(
    "limits",
    [
        {"duration_s": MAX_DURATION_S, "rate": 1},
        {"requests": MAX_REQUESTS, "rate": 100},
        {"duration_s": MAX_REQUESTS / 1000, "rate": 1000},
    ],
)
def test_load_is_bounded_in_time_and_number(limits):
    OpenLoop(**limits)
    beyond = {name: value if name == "rate" else value + 1 for name, value in limits.items()}
    with pytest.raises(LoadError, match="at most 1000000 requests, and lasts at most 86400 s"):
        OpenLoop(**beyond)


@pytest.mark.parametrize("poisson", [False, True])
def test_steps_change_the_rate(poisson):
    steps = [Step(weight=1, factor=1), Step(weight=2, factor=0), Step(weight=1, factor=3)]
    load = OpenLoop(rate=50, duration_s=40, steps=steps, poisson=poisson)
    counts = np.histogram(list(load.offsets()), bins=[0, 10, 30, 40])[0]
    np.testing.assert_allclose(counts, [500, 0, 1500], atol=100 if poisson else 1)
    assert str(load).startswith("50 then 0 then 150 requests per second")


def test_steps_need_a_duration():
    with pytest.raises(LoadError, match="Steps need a duration"):
        OpenLoop(rate=1, requests=5, steps=[Step(weight=1, factor=1)])


def test_load_description():
    assert (
        str(OpenLoop(rate=2.5, duration_s=3)) == "2.5 requests per second, evenly spaced, for 3 s"
    )
    assert str(ClosedLoop(clients=1, requests=8)) == "1 client for 8 requests"
