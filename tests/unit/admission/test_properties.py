"""Whatever clients, computations and the clock do: nothing is lost, doubled, kept or overtaken.

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
)
from dctnet.admission import job as job_module
from tests.support.admission import (
    BOUND_S,
    FAR,
    BlockingTask,
    Clock,
    Payload,
    TaskFailed,
    fail,
    leave_the_process,
)
from tests.support.hypothesis_profiles import examples
from tests.support.polling import until

NEVER = float("inf")

WARM_UP_S = 2.0
"""Seconds per unit of cost that the warm-up measured."""

Name = str | None
"""Of a client; those without one are not told apart."""

NAMES = st.sampled_from(["ann"] * 5 + ["bob", None])


class Withdrawn(Exception):
    """What the test takes jobs out of the queue with."""


class LookFailed(Exception):
    """What the look whether the client is there raises where the test wants it to."""


class Client:
    """One image that was let in: what the model expects of it, and what came of it."""

    def __init__(self, name: Name, deadline: float) -> None:
        self.name = name
        self.deadline = deadline
        self.task = BlockingTask()
        self.away: type[BaseException] | None = None
        """What its waiter and its slot find: ClientDisconnected, LookFailed or nothing."""
        self.expected: type | None = None
        """Its outcome; None while it has none."""
        self.outcomes: list[type] = []
        self.computed = False
        self.waiter: Thread | None = None
        self.job: Job[object] | None = None
        self.leftovers: list[ref[object]] = []

    def is_connected(self) -> bool:
        if self.away is LookFailed:
            raise LookFailed
        return self.away is None

    def wait(self) -> None:
        """Let a thread wait for the outcome; keep only what it was."""
        job, self.job = self.job, None
        self.waiter = Thread(target=self._wait, args=(job,), daemon=True)
        self.waiter.start()

    def _wait(self, job: Job[object]) -> None:
        try:
            self.outcomes.append(type(job.result()))
        except BaseException as error:
            self.outcomes.append(type(error))

    def excuse(self, now: float) -> type[BaseException] | None:
        """Why nobody wants its answer, as far as there is a reason."""
        return DeadlineExceeded if now >= self.deadline else self.away


class Sender:
    """One that waits in a thread for the permit to send a body."""

    def __init__(self, admission: Admission, name: Name) -> None:
        self.name = name
        self.permit: Permit | None = None
        self._admission = admission
        Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        self.permit = self._admission.upload(BOUND_S, self.name)


class Line:
    """Whose turn it is, among the names of those who wait."""

    def __init__(self) -> None:
        self.names: list[Name] = []

    def come(self, name: Name) -> None:
        if name not in self.names:
            self.names.append(name)

    def end_turn(self, name: Name) -> None:
        if name in self.names:
            self.names.remove(name)
            self.names.append(name)

    def go(self, name: Name, others: Iterable[Client | Sender]) -> None:
        """Leave the line, unless others of the same name wait."""
        if all(other.name != name for other in others):
            self.names.remove(name)


class AdmissionMachine(RuleBasedStateMachine):
    """The rules are what may happen; the fields without underscore are the model."""

    senders = Bundle("senders")
    clients = Bundle("clients")
    uncollected = Bundle("uncollected")

    def __init__(self) -> None:
        super().__init__()
        gc.disable()  # What only the collector finds counts as kept.

    @initialize(
        slots=st.integers(1, 3),
        broken=st.integers(0, 2),
        queue=st.sampled_from([0, 1, 3, 5]),
        uploads=st.sampled_from([1, 2, 4]),
    )
    def open(self, slots: int, broken: int, queue: int, uploads: int) -> None:
        self.slots, self.places, self.bodies = slots, queue, uploads
        self.clock = Clock()
        self.line: list[Sender] = []
        self.sending: list[Sender] = []
        self.turns_to_send = Line()
        self.queue: list[Client] = []
        self.turns = Line()
        self.running: list[Client] = []
        self.all: list[Client] = []
        self.shutdown_at = NEVER
        others = set(all_threads())
        left = ["breaks"] * broken + ["works"] * slots
        self._admission = Admission(
            slots=slots + broken, queue_size=queue, max_uploads=uploads, clock=self.clock
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

    @precondition(lambda self: len(self.line) < 3)
    @rule(target=senders, name=NAMES)
    def ask_to_send_a_body(self, name: Name) -> Sender:
        sender = Sender(self._admission, name)
        self.line.append(sender)
        self.turns_to_send.come(name)
        return sender

    @precondition(lambda self: len(self.sending) == self.bodies)
    @rule(name=NAMES)
    def ask_to_send_a_body_at_once(self, name: Name) -> None:
        with pytest.raises(Rejected) as rejected:
            self._admission.upload(0, name)
        assert rejected.value.reason is RejectionReason.UPLOAD_LIMIT

    @rule(sender=senders)
    def end_to_send_a_body_perhaps_again(self, sender: Sender) -> None:
        if sender.permit is not None:
            sender.permit.release()
        if sender in self.sending:
            self.sending.remove(sender)

    # Images.

    @rule(name=NAMES, seconds=st.sampled_from([0, 5, 20, FAR]))
    def check_the_headers(self, name: Name, seconds: float) -> None:
        deadline = self.clock() + seconds
        self._expect(name, 0, deadline, lambda: self._admission.check(deadline, name))

    @rule(
        target=clients,
        name=NAMES,
        seconds=st.sampled_from([20, 100, FAR]),
        cost=st.sampled_from([1, 3]),
    )
    def submit_and_wait(self, name: Name, seconds: float, cost: float) -> MultipleResults[Client]:
        clients = self._submit(name, seconds, cost)
        for client in clients.values:
            client.wait()
        return clients

    @rule(target=uncollected, name=NAMES, seconds=st.sampled_from([20, 100, FAR]))
    def submit_and_do_something_else(self, name: Name, seconds: float) -> MultipleResults[Client]:
        return self._submit(name, seconds, 1)

    @rule(client=consumes(uncollected), target=clients)
    def begin_to_wait(self, client: Client) -> Client:
        client.wait()
        return client

    @rule(
        client=st.one_of(clients, uncollected),
        away=st.sampled_from([ClientDisconnected, LookFailed]),
    )
    def leave(self, client: Client, away: type[BaseException]) -> None:
        client.away = client.away or away

    @rule(client=uncollected)
    def cancel(self, client: Client) -> None:
        assert client.job is not None
        self._admission.cancel(client.job, Withdrawn())
        if client in self.queue:
            self._leave_the_queue(client)
            client.expected = Withdrawn

    @precondition(lambda self: self.running)
    @rule(
        choice=st.integers(0, 2), how=st.sampled_from([Payload, Payload, fail, leave_the_process])
    )
    def end_a_computation(self, choice: int, how: Callable[[], object]) -> None:
        client = self.running.pop(choice % len(self.running))
        ends = {Payload: Payload, fail: TaskFailed, leave_the_process: SystemExit}
        client.expected = client.expected or ends[how]
        self.turns.end_turn(client.name)
        client.task.end(how)

    @rule(seconds=st.sampled_from([1, 5, 20, 100]))
    def turn_the_clock(self, seconds: float) -> None:
        self.clock.turn(seconds)

    # The end.

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
        self.turns = Line()

    # What must be.

    @invariant()
    def the_admission_comes_to_agree_with_the_model(self) -> None:
        self._run_slot()
        until(self._agrees, self._disagreement, bound_s=BOUND_S / 3)
        assert self._admission.load_ratio == self._load() / self.slots
        assert self._admission.busy <= self.slots == self._admission.slots
        assert self._load() <= self.slots + self.places
        assert self._admission.uploads.in_use <= self.bodies
        assert all(client.task.runs == client.computed for client in self.all)

    def teardown(self) -> None:
        try:
            while self.running:
                self.end_a_computation(0, Payload)
                self.the_admission_comes_to_agree_with_the_model()
            for client in self.all:
                if client.waiter is None:
                    client.wait()
            self.the_admission_comes_to_agree_with_the_model()
            assert not self.queue
            self._admission.stop()
            until(lambda: not any(thread.is_alive() for thread in self._threads))
            while self.sending:
                self.end_to_send_a_body_perhaps_again(self.sending[0])
                self.the_admission_comes_to_agree_with_the_model()
            assert self._admission.uploads.in_use == self._admission.uploads.waiting == 0
            assert all(len(client.outcomes) == 1 for client in self.all)
            until(lambda: not any(self._leftovers(client) for client in self.all))
        finally:
            for client in self.all:
                client.task.end()
            self._admission.stop()
            gc.enable()

    def _submit(self, name: Name, seconds: float, cost: float) -> MultipleResults[Client]:
        client, body = Client(name, self.clock() + seconds), Payload()

        def submit() -> None:
            client.job = self._admission.submit(
                partial(client.task, body),
                cost=cost,
                deadline=client.deadline,
                is_connected=client.is_connected,
                client=name,
            )

        if not self._expect(name, cost, client.deadline, submit):
            return multiple()
        client.leftovers = [ref(body), ref(client.job)]
        self.queue.append(client)
        self.turns.come(name)
        self.all.append(client)
        return multiple(client)

    def _expect(self, name: Name, cost: float, deadline: float, ask: Callable[[], object]) -> bool:
        """Ask to be let in; return whether one is, which must be for a reason of the model."""
        reason: RejectionReason | None = None
        try:
            ask()
        except Rejected as rejected:
            reason = rejected.reason
        assert reason in self._reasons(name, cost, deadline)
        return reason is None

    def _reasons(self, name: Name, cost: float, deadline: float) -> set[RejectionReason | None]:
        """Why one more image of a client may be rejected; with None, it may be taken.

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
        if load >= self.slots + self.places:
            return perhaps | {RejectionReason.QUEUE_FULL}
        taken, free = [*self.running, *self.queue], self.slots + self.places - load
        if load >= self.slots and not may_take(name, taken, free):
            return perhaps | {RejectionReason.QUOTA}
        if now >= deadline:
            return perhaps | {RejectionReason.DEADLINE}
        return perhaps | ({None, RejectionReason.DEADLINE} if deadline < FAR else {None})

    def _run_slot(self) -> None:
        """Do in the model what slots and those who wait do of themselves."""
        while sender := self._next_sender():
            self.line.remove(sender)
            self.sending.append(sender)
            self.turns_to_send.end_turn(sender.name)
            self.turns_to_send.go(sender.name, self.line)
        now = self.clock()
        for client in self.running:
            if client.waiter is not None:
                client.expected = client.expected or client.excuse(now)
        for client in list(self.queue):
            if client.waiter is not None and (excuse := client.excuse(now)):
                client.expected = excuse
                self._leave_the_queue(client)
        while self.queue and len(self.running) < self.slots:
            name = self.turns.names[0]
            client = next(client for client in self.queue if client.name == name)
            self.turns.end_turn(name)
            self._leave_the_queue(client)
            client.expected = client.excuse(now)
            if client.expected is None:
                self.running.append(client)
                client.computed = True

    def _next_sender(self) -> Sender | None:
        free = self.bodies - len(self.sending)
        for name in self.turns_to_send.names:
            if free > 0 and may_take(name, self.sending, free):
                return next(sender for sender in self.line if sender.name == name)
        return None

    def _leave_the_queue(self, client: Client) -> None:
        self.queue.remove(client)
        self.turns.go(client.name, self.queue)

    def _load(self) -> int:
        return len(self.running) + len(self.queue)

    def _agrees(self) -> bool:
        return (
            self._counts() == self._expected_counts()
            and all(sender.permit for sender in self.sending)
            and not any(sender.permit for sender in self.line)
            and all(self._is_as_expected(client) for client in self.all)
        )

    def _counts(self) -> dict[str, int]:
        one = self._admission
        return {
            "busy": one.busy,
            "queued": one.queued,
            "clients": one.clients,
            "sending": one.uploads.in_use,
            "in line": one.uploads.waiting,
        }

    def _expected_counts(self) -> dict[str, int]:
        return {
            "busy": len(self.running),
            "queued": len(self.queue),
            "clients": len({client.name for client in self.queue}),
            "sending": len(self.sending),
            "in line": len(self.line),
        }

    def _is_as_expected(self, client: Client) -> bool:
        left = client not in self.running and client not in self.queue
        waited_for = client.waiter is not None and client.expected is not None
        return (
            client.task.started.is_set() == client.computed
            and client.outcomes == ([client.expected] if waited_for else [])
            # The body goes with the computation or the place, the job with the waiter too.
            and (not left or client.leftovers[0]() is None)
            and (not left or not waited_for or not self._leftovers(client))
        )

    @staticmethod
    def _leftovers(client: Client) -> list[object]:
        return [thing for leftover in client.leftovers if (thing := leftover()) is not None]

    def _disagreement(self) -> str:
        lines = [f"{self._counts()}, not {self._expected_counts()}"]
        lines += [
            f"{vars(client)}, left {self._leftovers(client)}"
            for client in self.all
            if not self._is_as_expected(client)
        ]
        return "\n".join(lines)


def may_take(name: Name, taken: Iterable[Client | Sender], free: int) -> bool:
    """Three quarters for one alone: at most three times what is left free."""
    return name is None or sum(one.name == name for one in taken) < 3 * free


@pytest.mark.promise("Load: no queued image is lost or computed twice")
def test_admission_matches_its_model(monkeypatch):
    monkeypatch.setattr(job_module, "POLL_INTERVAL_S", 0.002)
    run_state_machine_as_test(
        AdmissionMachine,
        # A failure waits, so that to shrink it takes hours.
        settings=examples(200, stateful_step_count=50, phases=[Phase.generate]),
    )
