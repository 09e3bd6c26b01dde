"""Idle replica: what it has measured never keeps it from admitting an image."""

from math import inf, nan, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission import Admission, ClientGone, Reason, Refused
from tests.support.admission import BOUND_S, FAR, Clock, Work, patient
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


class Replica:
    """An Admission whose slots are real, and whose time is the test's."""

    def __init__(self, slots: int) -> None:
        self.clock, self.running_clock = Clock(), Clock()
        self.admission = Admission(
            slots=slots,
            queue=4,
            uploads=1,
            max_service_time=MAX_SERVICE_S,
            clock=self.clock,
            running_clock=self.running_clock,
        )
        self.admission.start(lambda: None)

    def job(self, cost: float, seconds: float, pause: float) -> None:
        """Compute an image, while which the process is paused."""
        work = Work()
        ticket = self.admission.submit(work, cost=cost, deadline=FAR, is_wanted=patient())
        assert work.started.wait(BOUND_S)
        self.running_clock.turn(seconds)
        self.clock.turn(seconds + pause)
        work.end()
        ticket.result()

    def occupy(self) -> Work:
        """Let one slot compute until its work is ended."""
        work = Work()
        self.admission.submit(work, cost=1, deadline=FAR, is_wanted=patient())
        assert work.started.wait(BOUND_S)
        return work

    def rejection(self, cost: float, seconds: float) -> Reason | None:
        """Submit an image with this much time left; return why it is rejected, None if not."""
        busy = self.admission.busy
        try:
            self.admission.check(self.clock() + seconds)
            ticket = self.admission.submit(
                lambda: None, cost=cost, deadline=self.clock() + seconds, is_wanted=lambda: False
            )
        except Refused as refused:
            return refused.reason
        with pytest.raises(ClientGone):  # So it takes no time, and is no measurement.
            ticket.result()
        until(lambda: self.admission.busy == busy and self.admission.queued == 0)
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
def test_a_free_slot_rejects_no_image_that_fits_its_deadline_by_the_warm_up(
    occupied: int,
    warm_up: tuple[float, float],
    events: list[tuple[str, float, float, float]],
    cost: float,
    seconds: float,
) -> None:
    """Whatever was measured, and also where another slot computes on and on."""
    replica = Replica(slots=1 + occupied)
    held = [replica.occupy() for _ in range(occupied)]
    pace = replica.admission.pace
    try:
        pace.calibrate(*warm_up)
        by_the_warm_up = min(cost / warm_up[0] * warm_up[1], MAX_SERVICE_S)
        for name, *values in events:
            if name == "job":
                replica.job(*values)
            elif name == "observe":
                pace.observe(*values[:2])
            else:
                replica.clock.turn(values[1])
            assert pace.seconds(cost) <= MAX_SERVICE_S
            margin = 1e-9 * (replica.clock() + by_the_warm_up)
            assert replica.rejection(cost, by_the_warm_up + margin + 1e-9) is None
            if replica.rejection(cost, seconds) is not None:
                assert seconds <= pace.fresh(cost) + margin <= by_the_warm_up + 2 * margin
    finally:
        for work in held:
            work.end()
        replica.admission.stop()


def test_a_deadline_shorter_than_a_fresh_measurement_is_late_and_longer_is_not() -> None:
    replica = Replica(slots=1)
    replica.admission.pace.calibrate(1, 2)
    assert replica.rejection(1, 2) is Reason.LATE
    assert replica.rejection(1, nextafter(2, 3)) is None
    replica.admission.stop()


def test_a_pause_is_neither_a_measurement_nor_a_computation_that_hangs() -> None:
    replica = Replica(slots=1)
    replica.admission.pace.calibrate(1, 2)
    work = replica.occupy()
    replica.running_clock.turn(2)
    replica.clock.turn(1000)
    assert replica.admission.longest_running() == 2
    work.end()
    until(lambda: replica.admission.busy == 0)
    assert replica.admission.pace.seconds(1) == 2
    replica.admission.stop()


def test_one_image_far_slower_than_its_cost_leaves_the_busy_replica_open() -> None:
    """While a slot computes, the next image waits for it, and is predicted by the estimate."""
    replica = Replica(slots=1)
    replica.admission.pace.calibrate(1, 0.1)
    replica.job(1, 29, 0)
    held = replica.occupy()
    replica.admission.check(replica.clock() + 1)
    work = Work()
    replica.admission.submit(work, cost=1, deadline=replica.clock() + 1, is_wanted=patient())
    work.end()
    held.end()
    replica.admission.stop()
