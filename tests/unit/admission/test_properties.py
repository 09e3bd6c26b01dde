"""Property test of admission: no job or byte is lost, duplicated, leaked or overtaken.

A model of what must be is kept beside a real Admission with its slots' threads. After each step
the two must come to agree.
"""

import gc
from collections.abc import Callable, Iterable
from functools import partial
from threading import Thread
from threading import enumerate as all_threads
from weakref import ref

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dctnet.admission import (
    Admission,
    AdmissionStopped,
    ClientDisconnected,
    DeadlineExceeded,
    Job,
    Permit,
    Rejected,
    RejectionReason,
    Reservation,
)
from dctnet.admission import job as job_module
from tests.support.admission import (
    BOUND_S,
    FAR,
    BlockingTask,
    Clock,
    Payload,
    TaskFailed,
    exit_process,
    fail,
)
from tests.support.hypothesis_profiles import examples
from tests.support.polling import until

NEVER = float("inf")

WARM_UP_S = 2.0
"""Seconds per unit of cost that the warm-up measured."""

Name = str | None
"""Client identity; None without client identification."""

NAMES = st.sampled_from(["ann"] * 5 + ["bob", None])

SIZES = st.sampled_from([0, 1, 4, 10])
"""Bytes of a body."""


class Cancelled(Exception):
    """Error with which the test cancels jobs."""


class CheckFailed(Exception):
    """Error of the connection check, raised on purpose."""


class Client:
    """One admitted image: what the model expects, and its outcome."""

    def __init__(self, name: Name, deadline: float, size: int) -> None:
        self.name = name
        self.deadline = deadline
        self.size = size
        """Bytes of its body, which are reserved while it is queued."""
        self.task = BlockingTask()
        self.away: type[BaseException] | None = None
        """What the connection check finds: ClientDisconnected, LookFailed or nothing."""
        self.expected: type | None = None
        """Expected outcome; None while there is none."""
        self.outcomes: list[type] = []
        self.computed = False
        self.waiter: Thread | None = None
        self.job: Job[object] | None = None
        self.leftovers: list[ref[object]] = []

    def is_connected(self) -> bool:
        if self.away is CheckFailed:
            raise CheckFailed
        return self.away is None

    def wait(self) -> None:
        """Wait for the outcome in a thread; keep only its type."""
        job, self.job = self.job, None
        self.waiter = Thread(target=self._wait, args=(job,), daemon=True)
        self.waiter.start()

    def _wait(self, job: Job[object]) -> None:
        try:
            self.outcomes.append(type(job.result()))
        except BaseException as error:
            self.outcomes.append(type(error))

    def inactive_reason(self, now: float) -> type[BaseException] | None:
        """Why its result is no longer needed, if there is a reason."""
        return DeadlineExceeded if now >= self.deadline else self.away


class Sender:
    """Client that waits in a thread for an upload permit."""

    def __init__(self, admission: Admission, name: Name) -> None:
        self.name = name
        self.permit: Permit | None = None
        self._admission = admission
        Thread(target=self._acquire, daemon=True).start()

    def _acquire(self) -> None:
        self.permit = self._admission.upload(BOUND_S, self.name)


class Upload:
    """A body that is being received: the model of its reservation beside the real one."""

    def __init__(self, name: Name, size: int, reservation: Reservation) -> None:
        self.name = name
        self.size = size
        self.reservation = reservation


class Rotation:
    """Round-robin order of the waiting clients, in the model."""

    def __init__(self) -> None:
        self.names: list[Name] = []

    def arrive(self, name: Name) -> None:
        if name not in self.names:
            self.names.append(name)

    def end_turn(self, name: Name) -> None:
        if name in self.names:
            self.names.remove(name)
            self.names.append(name)

    def leave_rotation(self, name: Name, others: Iterable[Client | Sender]) -> None:
        """Leave the rotation, unless others of the same name wait."""
        if all(other.name != name for other in others):
            self.names.remove(name)


class AdmissionMachine(RuleBasedStateMachine):
    """State machine: rules are events, fields without underscore are the model."""

    senders = Bundle("senders")
    clients = Bundle("clients")
    uncollected = Bundle("uncollected")
    received = Bundle("received")

    def __init__(self) -> None:
        super().__init__()
        gc.disable()  # Objects in reference cycles count as kept.

    @initialize(
        slots=st.integers(1, 3),
        broken=st.integers(0, 2),
        queue=st.sampled_from([0, 1, 3, 5]),
        uploads=st.sampled_from([1, 2, 4]),
        budget=st.sampled_from([10, 25, 60]),
    )
    def open(self, slots: int, broken: int, queue: int, uploads: int, budget: int) -> None:
        self.slots, self.queue_size, self.bodies, self.budget = slots, queue, uploads, budget
        self.receiving: list[Upload] = []
        self.clock = Clock()
        self.waiting_senders: list[Sender] = []
        self.sending: list[Sender] = []
        self.upload_rotation = Rotation()
        self.queue: list[Client] = []
        self.turns = Rotation()
        self.running: list[Client] = []
        self.all: list[Client] = []
        self.shutdown_at = NEVER
        others = set(all_threads())
        left = ["breaks"] * broken + ["works"] * slots
        self._admission = Admission(
            slots=slots + broken,
            queue_size=queue,
            max_uploads=uploads,
            max_waiting_bytes=budget,
            clock=self.clock,
        )
        for prepared in self._admission.start(partial(self._prepare, left)):
            prepared.exception(BOUND_S)
        self._admission.service_time.calibrate(1, WARM_UP_S)
        self._threads = set(all_threads()) - others

    @staticmethod
    def _prepare(left: list[str]) -> None:
        if left.pop(0) == "breaks":
            raise MemoryError

    # Uploads.

    @precondition(lambda self: len(self.waiting_senders) < 3)
    @rule(target=senders, name=NAMES)
    def acquire_upload_permit(self, name: Name) -> Sender:
        sender = Sender(self._admission, name)
        self.waiting_senders.append(sender)
        self.upload_rotation.arrive(name)
        return sender

    @precondition(lambda self: len(self.sending) == self.bodies)
    @rule(name=NAMES)
    def try_upload_permit(self, name: Name) -> None:
        with pytest.raises(Rejected) as rejected:
            self._admission.upload(0, name)
        assert rejected.value.reason is RejectionReason.UPLOAD_LIMIT

    @rule(sender=senders)
    def release_upload_permit(self, sender: Sender) -> None:
        if sender.permit is not None:
            sender.permit.release()
        if sender in self.sending:
            self.sending.remove(sender)

    # Bytes of bodies.

    @rule(target=received, name=NAMES, size=SIZES)
    def reserve(self, name: Name, size: int) -> MultipleResults[Upload]:
        reservation = self._reserve(name, size)
        if reservation is None:
            return multiple()
        self.receiving.append(Upload(name, size, reservation))
        return multiple(self.receiving[-1])

    @rule(upload=received, size=SIZES)
    def shrink(self, upload: Upload, size: int) -> None:
        upload.reservation.shrink(size)
        upload.size = min(upload.size, size)

    @rule(upload=received, moved=st.booleans())
    def fail_upload(self, upload: Upload, moved: bool) -> None:
        bodies = [Payload()]
        left = ref(bodies[0])
        owner = upload.reservation.move() if moved else upload.reservation
        with pytest.raises(TaskFailed) as caught:
            self._fail_to_receive(owner, bodies)
        assert caught.value.__traceback__ is not None
        assert left() is None
        upload.size = 0

    # Images.

    @rule(name=NAMES, seconds=st.sampled_from([0, 5, 20, FAR]))
    def check_headers(self, name: Name, seconds: float) -> None:
        deadline = self.clock() + seconds
        self._expect(name, 0, deadline, lambda: self._admission.check(deadline, name))

    @rule(
        target=clients,
        name=NAMES,
        seconds=st.sampled_from([20, 100, FAR]),
        cost=st.sampled_from([1, 3]),
        size=SIZES,
    )
    def submit_and_wait(
        self, name: Name, seconds: float, cost: float, size: int
    ) -> MultipleResults[Client]:
        clients = self._submit(name, seconds, cost, size)
        for client in clients.values:
            client.wait()
        return clients

    @rule(target=uncollected, name=NAMES, seconds=st.sampled_from([20, 100, FAR]), size=SIZES)
    def submit_without_waiting(
        self, name: Name, seconds: float, size: int
    ) -> MultipleResults[Client]:
        return self._submit(name, seconds, 1, size)

    @rule(client=consumes(uncollected), target=clients)
    def start_waiting(self, client: Client) -> Client:
        client.wait()
        return client

    @rule(
        client=st.one_of(clients, uncollected),
        away=st.sampled_from([ClientDisconnected, CheckFailed]),
    )
    def leave(self, client: Client, away: type[BaseException]) -> None:
        client.away = client.away or away

    @rule(client=uncollected)
    def cancel(self, client: Client) -> None:
        assert client.job is not None
        self._admission.cancel(client.job, Cancelled())
        if client in self.queue:
            self._leave_queue(client)
            client.expected = Cancelled

    @precondition(lambda self: self.running)
    @rule(choice=st.integers(0, 2), how=st.sampled_from([Payload, Payload, fail, exit_process]))
    def end_computation(self, choice: int, how: Callable[[], object]) -> None:
        client = self.running.pop(choice % len(self.running))
        ends = {Payload: Payload, fail: TaskFailed, exit_process: SystemExit}
        client.expected = client.expected or ends[how]
        self.turns.end_turn(client.name)
        client.task.end(how)

    @rule(seconds=st.sampled_from([1, 5, 20, 100]))
    def advance_clock(self, seconds: float) -> None:
        self.clock.turn(seconds)

    # Shutdown.

    @precondition(lambda self: len(self.all) > 3)
    @rule(seconds=st.sampled_from([0, 10, FAR]))
    def drain(self, seconds: float) -> None:
        shutdown_at = self.clock() + seconds
        self._admission.drain(shutdown_at)
        self.shutdown_at = min(self.shutdown_at, shutdown_at)

    @precondition(lambda self: len(self.all) > 5)
    @rule()
    def stop(self) -> None:
        self._admission.stop()
        self.shutdown_at = -NEVER
        for client in self.queue:
            client.expected = AdmissionStopped
        self.queue.clear()
        self.turns = Rotation()

    # Invariants.

    @invariant()
    def admission_agrees_with_model(self) -> None:
        self._run_slot()
        until(self._agrees, self._disagreement, bound_s=BOUND_S / 3)
        assert self._admission.load_ratio == self._load() / self.slots
        assert self._admission.busy <= self.slots == self._admission.slots
        assert self._load() <= self.slots + self.queue_size
        assert self._admission.uploads.in_use <= self.bodies
        assert all(client.task.runs == client.computed for client in self.all)

    def teardown(self) -> None:
        try:
            while self.running:
                self.end_computation(0, Payload)
                self.admission_agrees_with_model()
            for client in self.all:
                if client.waiter is None:
                    client.wait()
            self.admission_agrees_with_model()
            assert not self.queue
            self._admission.stop()
            until(lambda: not any(thread.is_alive() for thread in self._threads))
            while self.sending:
                self.release_upload_permit(self.sending[0])
                self.admission_agrees_with_model()
            assert self._admission.uploads.in_use == self._admission.uploads.waiting == 0
            for upload in self.receiving:
                upload.reservation.release()
            assert self._admission.waiting_bytes.in_use == 0
            assert all(len(client.outcomes) == 1 for client in self.all)
            until(lambda: not any(self._leftovers(client) for client in self.all))
        finally:
            for client in self.all:
                client.task.end()
            self._admission.stop()
            gc.enable()

    def _reserve(self, name: Name, size: int) -> Reservation | None:
        """Reserve bytes, if the model allows it."""
        expected: RejectionReason | None = None
        holders: list[Client | Upload] = [*self.receiving, *self.queue]
        free = self.budget - sum(holder.size for holder in holders)
        held = sum(holder.size for holder in holders if holder.name == name)
        if size > free:
            expected = RejectionReason.WAITING_BYTES
        elif name is not None and held and held + size - 1 >= 3 * (free - size + 1):
            expected = RejectionReason.QUOTA
        if expected is None:
            return self._admission.reserve(size, name)
        with pytest.raises(Rejected) as rejected:
            self._admission.reserve(size, name)
        assert rejected.value.reason is expected
        return None

    def _submit(
        self, name: Name, seconds: float, cost: float, size: int
    ) -> MultipleResults[Client]:
        reservation = self._reserve(name, size)
        if reservation is None:
            return multiple()
        with reservation:
            return self._submit_with(reservation, name, seconds, cost)

    def _submit_with(
        self, reservation: Reservation, name: Name, seconds: float, cost: float
    ) -> MultipleResults[Client]:
        client, body = Client(name, self.clock() + seconds, reservation.size), Payload()

        def submit() -> None:
            client.job = self._admission.submit(
                partial(client.task, body),
                cost=cost,
                deadline=client.deadline,
                is_connected=client.is_connected,
                client=name,
                body=reservation,
            )

        if not self._expect(name, cost, client.deadline, submit):
            return multiple()
        client.leftovers = [ref(body), ref(client.job)]
        self.queue.append(client)
        self.turns.arrive(name)
        self.all.append(client)
        return multiple(client)

    def _expect(self, name: Name, cost: float, deadline: float, ask: Callable[[], object]) -> bool:
        """Submit; return whether it was admitted, which must agree with the model."""
        reason: RejectionReason | None = None
        try:
            ask()
        except Rejected as rejected:
            reason = rejected.reason
        assert reason in self._reasons(name, cost, deadline)
        return reason is None

    def _reasons(self, name: Name, cost: float, deadline: float) -> set[RejectionReason | None]:
        """Allowed reasons to reject one more image of a client; None if it may be admitted.

        The model predicts no computation's end, so it knows only what is certain: when it would end
        on a free slot, by the warm-up's measurement.
        """
        now, load = self.clock(), self._load()
        if now >= self.shutdown_at:
            return {RejectionReason.DRAINING}
        if load < self.slots and now + cost * WARM_UP_S < min(self.shutdown_at, deadline):
            return {None}
        perhaps: set[RejectionReason | None] = (
            {RejectionReason.DRAINING} if self.shutdown_at < FAR else set()
        )
        if load >= self.slots + self.queue_size:
            return perhaps | {RejectionReason.QUEUE_FULL}
        taken, free = [*self.running, *self.queue], self.slots + self.queue_size - load
        if load >= self.slots and not may_take(name, taken, free):
            return perhaps | {RejectionReason.QUOTA}
        if now >= deadline:
            return perhaps | {RejectionReason.DEADLINE}
        return perhaps | ({None, RejectionReason.DEADLINE} if deadline < FAR else {None})

    def _run_slot(self) -> None:
        """Apply to the model what slots and waiters do on their own."""
        while sender := self._next_sender():
            self.waiting_senders.remove(sender)
            self.sending.append(sender)
            self.upload_rotation.end_turn(sender.name)
            self.upload_rotation.leave_rotation(sender.name, self.waiting_senders)
        now = self.clock()
        for client in self.running:
            if client.waiter is not None:
                client.expected = client.expected or client.inactive_reason(now)
        for client in list(self.queue):
            if client.waiter is not None and (inactive_reason := client.inactive_reason(now)):
                client.expected = inactive_reason
                self._leave_queue(client)
        while self.queue and len(self.running) < self.slots:
            name = self.turns.names[0]
            client = next(client for client in self.queue if client.name == name)
            self.turns.end_turn(name)
            self._leave_queue(client)
            client.expected = client.inactive_reason(now)
            if client.expected is None:
                self.running.append(client)
                client.computed = True

    def _next_sender(self) -> Sender | None:
        free = self.bodies - len(self.sending)
        for name in self.upload_rotation.names:
            if free > 0 and may_take(name, self.sending, free):
                return next(sender for sender in self.waiting_senders if sender.name == name)
        return None

    def _leave_queue(self, client: Client) -> None:
        self.queue.remove(client)
        self.turns.leave_rotation(client.name, self.queue)

    def _load(self) -> int:
        return len(self.running) + len(self.queue)

    def _agrees(self) -> bool:
        return (
            self._counts() == self._expected_counts()
            and all(sender.permit for sender in self.sending)
            and not any(sender.permit for sender in self.waiting_senders)
            and all(self._has_expected_outcome(client) for client in self.all)
        )

    def _counts(self) -> dict[str, int]:
        one = self._admission
        return {
            "busy": one.busy,
            "queued": one.queued,
            "clients": one.clients,
            "sending": one.uploads.in_use,
            "in line": one.uploads.waiting,
            "waiting bytes": one.waiting_bytes.in_use,
        }

    def _expected_counts(self) -> dict[str, int]:
        return {
            "busy": len(self.running),
            "queued": len(self.queue),
            "clients": len({client.name for client in self.queue}),
            "sending": len(self.sending),
            "in line": len(self.waiting_senders),
            "waiting bytes": sum(holder.size for holder in [*self.receiving, *self.queue]),
        }

    def _has_expected_outcome(self, client: Client) -> bool:
        left = client not in self.running and client not in self.queue
        waited_for = client.waiter is not None and client.expected is not None
        return (
            client.task.started.is_set() == client.computed
            and client.outcomes == ([client.expected] if waited_for else [])
            # The body is released with the computation or queue position, the job with the waiter.
            and (not left or client.leftovers[0]() is None)
            and (not left or not waited_for or not self._leftovers(client))
        )

    def _fail_to_receive(self, owner: Reservation, bodies: list[Payload]) -> None:
        with owner:
            self._fail_with(bodies.pop())

    @staticmethod
    def _fail_with(body: object) -> None:
        raise TaskFailed

    @staticmethod
    def _leftovers(client: Client) -> list[object]:
        return [thing for leftover in client.leftovers if (thing := leftover()) is not None]

    def _disagreement(self) -> str:
        lines = [f"{self._counts()}, not {self._expected_counts()}"]
        lines += [
            f"{vars(client)}, left {self._leftovers(client)}"
            for client in self.all
            if not self._has_expected_outcome(client)
        ]
        return "\n".join(lines)


def may_take(name: Name, taken: Iterable[Client | Sender], free: int) -> bool:
    """Quota: three quarters for a single client, at most three times the free capacity."""
    return name is None or sum(one.name == name for one in taken) < 3 * free


@pytest.mark.promise("Load: no queued image is lost or computed twice")
def test_admission_matches_its_model(monkeypatch):
    monkeypatch.setattr(job_module, "POLL_INTERVAL_S", 0.002)
    run_state_machine_as_test(
        AdmissionMachine,
        # A failure waits for its bound, so shrinking would take hours.
        settings=examples(200, stateful_step_count=50, phases=[Phase.generate]),
    )
