"""The simulation of `dctnet capacity` predicts what a real server does."""

import pytest

from benchmarks.capacity import run_timed


def test_simulation_predicts_an_overloaded_server():
    """At the server's own speed: other work on the machine makes the waits of its engine longer.

    Below its capacity, latencies depend on chance too much for a short test: see docs/capacity.md.
    """
    result = run_timed(1.5, seconds=0.1, duration_s=8)
    assert result.report.failed == result.report.invalid == 0
    predicted = result.at_server_speed
    assert predicted.percentile(0.95) == pytest.approx(result.measured_p95, rel=0.25)
    rejected = result.report.rejected / result.report.sent
    assert 0.1 < rejected == pytest.approx(predicted.rejected_share, abs=0.1)
