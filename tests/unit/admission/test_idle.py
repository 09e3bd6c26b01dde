"""Idle replica: measurements never keep it from admitting an image."""

from contextlib import closing
from math import inf, nan, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission import ClientDisconnected, Rejected, RejectionReason
from tests.support.admission import AdmissionHarness, Clock
from tests.support.hypothesis_profiles import examples
from tests.support.polling import until

MAX_SERVICE_S = 30.0
"""The watchdog's timeout."""

COSTS = st.one_of(st.sampled_from([65536.0, 8e6]), st.floats(1, 1e8))
SECONDS = st.one_of(st.sampled_from([0.0, 0.35, 29.9, 40.0, 1e6]), st.floats(0, 100))
NO_TIMES = st.sampled_from([inf, nan, -1.0])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("job"), COSTS, SECONDS, SECONDS),
        st.tuples(st.just("observe"), COSTS, st.one_of(SECONDS, NO_TIMES), st.just(0.0)),
        st.tuples(st.just("turn"), st.just(1.0), SECONDS, st.just(0.0)),
    ),
    max_size=12,
)


def replica(slots: int = 1) -> AdmissionHarness:
    """A harness with a separate running clock, as process pauses stop it."""
    return AdmissionHarness(
        slots=slots, queue_size=4, max_service_time=MAX_SERVICE_S, running_clock=Clock()
    )


def run_job(one: AdmissionHarness, cost: float, seconds: float, pause: float) -> None:
    """Run a job during which the process pauses."""
    task, job = one.occupy(cost=cost)
    one.running_clock.turn(seconds)
    one.clock.turn(seconds + pause)
    task.end()
    job.result()


def rejection(one: AdmissionHarness, cost: float, seconds: float) -> RejectionReason | None:
    """Submit a job with this much time left; return the rejection's reason, if any."""
    busy, deadline = one.admission.busy, one.clock() + seconds
    try:
        one.admission.check(deadline)
        _, job = one.submit(cost=cost, deadline=deadline, is_connected=lambda: False)
    except Rejected as rejected:
        return rejected.reason
    with pytest.raises(ClientDisconnected):  # So it takes no time and is not measured.
        job.result()
    until(lambda: one.admission.busy == busy and one.admission.queued == 0)
    return None


@pytest.mark.promise("Load: an idle replica admits every image that fits its deadline")
@pytest.mark.parametrize("occupied", [0, 1])
@examples(150)
@given(
    warm_up=st.tuples(COSTS, st.floats(1e-3, 10)),
    events=EVENTS,
    cost=COSTS,
    seconds=st.floats(1e-3, 60),
)
def test_free_slot_admits_what_fits_its_deadline_by_the_warm_up(
    occupied, warm_up, events, cost, seconds
):
    """After any measurements, and also beside a slot that never becomes free."""
    with closing(replica(slots=1 + occupied)) as one:
        for _ in range(occupied):
            one.occupy()
        estimator = one.admission.service_time
        estimator.calibrate(*warm_up)
        by_the_warm_up = min(cost / warm_up[0] * warm_up[1], MAX_SERVICE_S)
        for name, *values in events:
            if name == "job":
                run_job(one, *values)
            elif name == "observe":
                estimator.observe(*values[:2])
            else:
                one.clock.turn(values[1])
            assert estimator.seconds(cost) <= MAX_SERVICE_S
            margin = 1e-9 * (one.clock() + by_the_warm_up)
            assert rejection(one, cost, by_the_warm_up + margin + 1e-9) is None
            if rejection(one, cost, seconds) is not None:
                assert (
                    seconds <= estimator.idle_seconds(cost) + margin <= by_the_warm_up + 2 * margin
                )


def test_deadline_rejection_is_exact_on_an_idle_replica(slow):
    assert rejection(slow, 1, 2) is RejectionReason.DEADLINE
    assert rejection(slow, 1, nextafter(2, 3)) is None


def test_pause_is_not_measured():
    with closing(replica()) as one:
        one.calibrate(2)
        task, _ = one.occupy()
        one.running_clock.turn(2)
        one.clock.turn(1000)
        assert one.admission.longest_running() == 2
        task.end()
        until(lambda: one.admission.busy == 0)
        assert one.admission.service_time.seconds(1) == 2


def test_single_outlier_does_not_cause_rejections():
    """While a slot is busy, the next job waits and is predicted by the estimate."""
    with closing(replica()) as one:
        one.calibrate(0.1)
        run_job(one, 1, 29, 0)
        one.occupy()
        one.admission.check(one.clock() + 1)
        one.submit(deadline=one.clock() + 1)
