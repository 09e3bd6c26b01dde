"""Waiting time beside a client that keeps all slots and its queue quota busy."""

from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission import Rejected
from tests.support.admission import AdmissionHarness, BlockingTask
from tests.support.hypothesis_profiles import examples
from tests.support.polling import until

BATCH, PERSON = "batch", "person"


class QueuedImage:
    """A queued or running image."""

    def __init__(self, client: str, seconds: float, task: BlockingTask) -> None:
        self.client = client
        self.seconds = seconds
        self.task = task
        self.ends_at: float | None = None
        """When its computation ends; None before its start."""


class Service(AdmissionHarness):
    """A harness whose computations end by the test's clock."""

    def __init__(self, slots: int, queue: int) -> None:
        super().__init__(slots=slots, queue_size=queue)
        self.slots = slots
        self.images: list[QueuedImage] = []

    def send(self, client: str, seconds: float) -> QueuedImage:
        image = QueuedImage(client, seconds, self.submit(client=client)[0])
        self.images.append(image)
        self._settle()
        return image

    def pass_time(self, until: float) -> None:
        """Advance the clock, and end computations in order."""
        while first := min((p for p in self.images if p.ends_at), key=_end, default=None):
            if _end(first) > until:
                break
            self.clock.now = _end(first)
            self.images.remove(first)
            first.task.end()
            self._settle()
        self.clock.now = until

    def of(self, client: str, *, waiting: bool) -> list[QueuedImage]:
        return [p for p in self.images if p.client == client and (p.ends_at is None) == waiting]

    def _settle(self) -> None:
        """Wait until the slots have taken what they can, and set their end times."""
        number = len(self.images)
        until(
            lambda: (
                self.admission.load_ratio == number / self.slots
                and sum(p.task.started.is_set() for p in self.images) == min(self.slots, number)
            )
        )
        for image in self.images:
            if image.ends_at is None and image.task.started.is_set():
                image.ends_at = self.clock() + image.seconds


def _end(image: QueuedImage) -> float:
    assert image.ends_at is not None
    return image.ends_at


def keep_busy(service: Service, seconds: float) -> None:
    """Send as the batch client until it is rejected."""
    with suppress(Rejected):
        for _ in range(100):
            service.send(BATCH, seconds)


@pytest.mark.promise("Load: one client's many images shut out no other client")
@examples(60)
@given(
    slots=st.integers(1, 3),
    queue=st.integers(8, 20),
    pauses=st.lists(st.floats(0.05, 2.0), min_size=1, max_size=12),
    randomly=st.randoms(use_true_random=False),
)
def test_sequential_client_waits_at_most_two_service_times(slots, queue, pauses, randomly):
    """A service time is at most 1 s here; two are needed only if all slots run its own images.

    When the first of those ends, so does its client's turn, and the batch client's image is next.
    """
    with closing(Service(slots, queue)) as service:
        for pause in pauses:
            keep_busy(service, randomly.uniform(0.1, 1.0))
            service.pass_time(service.clock() + pause)
            if service.of(PERSON, waiting=True):
                continue
            own = service.of(PERSON, waiting=False)
            image = service.send(PERSON, randomly.uniform(0.1, 1.0))  # Never rejected.
            came = service.clock()
            bound = 1 if len(own) < slots else min(map(_end, own)) - came + 1
            while image.ends_at is None:
                assert service.clock() <= came + bound
                keep_busy(service, randomly.uniform(0.1, 1.0))
                service.pass_time(min(_end(p) for p in service.images if p.ends_at))
            assert image.ends_at - image.seconds - came <= bound + 1e-9


@examples(60)
@given(
    slots=st.integers(1, 3),
    before=st.lists(st.sampled_from([BATCH, BATCH, PERSON, "third"]), max_size=14),
    pause=st.floats(0.01, 3.0),
    client=st.sampled_from([BATCH, PERSON, "newcomer"]),
)
def test_predicted_wait_is_the_actual_wait(slots, before, pause, client):
    """If all images take equally long, and no client arrives later."""
    with closing(Service(slots, queue=50)) as service:
        service.calibrate(1.0)
        for number, earlier in enumerate(before, 1):
            service.send(earlier, 1.0)
            service.pass_time(service.clock() + 0.01 * number)  # No two end at the same time.
        service.pass_time(service.clock() + pause)
        predicted = service.admission._predict_wait(client)
        came = service.clock()
        image = service.send(client, 1.0)
        while image.ends_at is None:
            service.pass_time(min(_end(p) for p in service.images if p.ends_at))
        assert image.ends_at - 1.0 - came == pytest.approx(predicted, abs=1e-6)
