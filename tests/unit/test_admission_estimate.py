"""How long a picture is predicted to take."""

import pytest

from dctnet.admission.estimate import WEIGHT, Pace


def test_nothing_is_predicted_before_the_first_measurement() -> None:
    assert Pace().seconds(1_000_000) == 0


def test_the_first_measurement_is_taken_as_it_is() -> None:
    pace = Pace()
    pace.observe(cost=200, seconds=4)
    assert pace.seconds(200) == pytest.approx(4)


def test_the_prediction_grows_with_the_cost() -> None:
    pace = Pace()
    pace.observe(cost=200, seconds=4)
    assert pace.seconds(50) == pytest.approx(1)
    assert pace.seconds(400) == pytest.approx(8)
    assert pace.seconds(0) == 0


def test_each_measurement_moves_the_prediction_by_its_weight() -> None:
    pace = Pace()
    pace.observe(cost=1, seconds=1)
    pace.observe(cost=10, seconds=20)
    assert pace.seconds(1) == pytest.approx(1 + WEIGHT)


def test_a_first_measurement_that_was_slow_is_soon_forgotten() -> None:
    pace = Pace()
    pace.observe(cost=1, seconds=10)
    for _ in range(10):
        pace.observe(cost=1, seconds=0)
    assert 0.5 < pace.seconds(1) < 1.5


def test_pictures_that_took_no_time_are_predicted_to_take_none() -> None:
    pace = Pace()
    pace.observe(cost=1, seconds=0)
    pace.observe(cost=1, seconds=1)
    assert pace.seconds(1) == pytest.approx(WEIGHT)
