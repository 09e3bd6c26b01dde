"""Who is let in, who waits, who is refused, and that slots come back, whatever happens."""

import gc
import random
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event, Lock, current_thread
from threading import enumerate as all_threads
from typing import Any
from weakref import ref

import pytest

from dctnet.admission import (
    Admission,
    ClientGone,
    DeadlinePassed,
    Reason,
    Refused,
    Stopped,
    Ticket,
)
from tests.support.admission import (
    BOUND_S,
    FAR,
    Clock,
    Thing,
    Work,
    WorkFailed,
    fail,
    in_background,
    leave_the_process,
    patient,
)
from tests.support.polling import until


class House:
    """An Admission, its clock, and the works that it was given."""

    def __init__(self, *, slots: int = 1, queue: int = 9, uploads: int = 1) -> None:
        self.clock = Clock()
        self.admission = Admission(slots=slots, queue=queue, uploads=uploads, clock=self.clock)
        self.works: list[Work] = []
        others = set(all_threads())
        self.prepared = self.admission.start(lambda: current_thread().name)
        self.threads = set(all_threads()) - others

    def submit(
        self,
        *,
        cost: float = 1,
        deadline: float = FAR,
        is_wanted: Callable[[], bool] | None = None,
        body: object = None,
        client: str | None = None,
    ) -> tuple[Work, Ticket[object]]:
        work = Work()
        ticket = self.admission.submit(
            partial(work, body),
            cost=cost,
            deadline=deadline,
            is_wanted=is_wanted or patient(),
            client=client,
        )
        self.works.append(work)
        return work, ticket

    def occupy(self, **options: Any) -> tuple[Work, Ticket[object]]:
        """Submit a picture and wait until a slot computes it."""
        work, ticket = self.submit(**options)
        assert work.started.wait(BOUND_S)
        return work, ticket

    def calibrate(self, seconds_per_cost: float) -> None:
        """Measure as the warm-up does."""
        self.admission.pace.calibrate(1, seconds_per_cost)

    def refusal(self, **options: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            self.submit(**options)
        return caught.value

    def close(self) -> None:
        self.admission.stop()
        for work in self.works:
            work.end()
        for thread in self.threads:
            thread.join(BOUND_S)


Open = Callable[..., House]


@pytest.fixture
def house() -> Iterator[Open]:
    houses: list[House] = []

    def make(**sizes: int) -> House:
        houses.append(House(**sizes))
        return houses[-1]

    yield make
    for one in houses:
        one.close()
        assert one.admission.busy == one.admission.queued == 0
        assert not any(thread.is_alive() for thread in one.threads)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What only the garbage collector finds counts as kept."""
    gc.disable()
    yield
    gc.enable()


# Slots, queue, uploads: at the limit and one past it.


@pytest.mark.parametrize("slots", [1, 3])
def test_as_many_pictures_are_computed_as_there_are_slots(house: Open, slots: int) -> None:
    one = house(slots=slots)
    running = [one.occupy() for _ in range(slots)]
    waiting, ticket = one.submit()
    assert (one.admission.busy, one.admission.queued) == (slots, 1)
    assert not waiting.started.is_set()
    work, first = running[0]
    work.end()
    first.result()
    assert waiting.started.wait(BOUND_S)
    waiting.end()
    ticket.result()


@pytest.mark.parametrize("queue", [0, 1, 3])
def test_as_many_pictures_wait_as_the_queue_holds(house: Open, queue: int) -> None:
    one = house(slots=2, queue=queue)
    works = [one.occupy()[0], one.occupy()[0], *(one.submit()[0] for _ in range(queue))]
    assert one.admission.queued == queue
    assert one.refusal().reason is Reason.FULL
    with pytest.raises(Refused) as caught:
        one.admission.check(FAR)
    assert caught.value.reason is Reason.FULL
    works[0].end()
    until(lambda: one.admission.busy + one.admission.queued == queue + 1)
    one.admission.check(FAR)
    one.submit()
    assert one.refusal().reason is Reason.FULL


def test_free_slots_are_places_even_before_they_take_their_picture() -> None:
    admission = Admission(slots=2, queue=1, uploads=1)
    for _ in range(3):
        admission.submit(Thing, cost=1, deadline=FAR)
    with pytest.raises(Refused):
        admission.submit(Thing, cost=1, deadline=FAR)
    assert admission.load_ratio == 1.5


@pytest.mark.parametrize("uploads", [1, 2])
def test_as_many_bodies_are_received_as_may_be(house: Open, uploads: int) -> None:
    one = house(uploads=uploads)
    permits = [one.admission.upload(0) for _ in range(uploads)]
    with pytest.raises(Refused) as caught:
        one.admission.upload(0)
    assert caught.value.reason is Reason.UPLOADS
    assert caught.value.retry_after >= 1
    permits[0].release()
    one.admission.upload(0)


def test_a_body_that_is_received_has_neither_slot_nor_place(house: Open) -> None:
    one = house(queue=0)
    with one.admission.upload(0):
        assert one.admission.load_ratio == 0
        one.occupy()
        assert one.refusal().reason is Reason.FULL


def test_pictures_are_computed_in_the_order_in_which_they_came(house: Open) -> None:
    one = house()
    works = [one.submit()[0] for _ in range(5)]
    for served, work in enumerate(works):
        assert work.started.wait(BOUND_S)
        assert not any(later.started.is_set() for later in works[served + 1 :])
        work.end()


def test_the_load_is_what_runs_and_waits_for_each_slot(house: Open) -> None:
    one = house(slots=2)
    assert one.admission.load_ratio == 0
    one.occupy()
    assert one.admission.load_ratio == 0.5
    one.occupy()
    one.submit()
    assert one.admission.load_ratio == 1.5


# Clients that are told apart.


def test_clients_take_turns_and_each_one_s_order_is_kept(house: Open) -> None:
    one = house()
    running, _ = one.occupy(client="much")
    works = [one.submit(client="much")[0] for _ in range(3)]
    works.insert(0, one.submit(client="little")[0])
    works.insert(2, one.submit(client="little")[0])
    assert one.admission.clients == 2
    running.end()
    for served, work in enumerate(works):
        assert work.started.wait(BOUND_S)
        assert not any(later.started.is_set() for later in works[served + 1 :])
        work.end()


def test_a_ticket_knows_its_place(house: Open) -> None:
    one = house()
    running, drawn = one.occupy(client="much")
    _, second = one.submit(client="much")
    _, third = one.submit(client="much")
    assert [ticket.place for ticket in (drawn, second, third)] == [0, 1, 2]
    other, _ = one.submit(client="little")
    assert [ticket.place for ticket in (second, third)] == [1, 3]
    one.admission.withdraw(second, ClientGone())
    assert [ticket.place for ticket in (second, third)] == [0, 1]
    running.end()
    other.end()
    until(lambda: third.place == 0)


def test_a_client_leaves_places_for_the_others(house: Open) -> None:
    one = house(queue=7)
    one.occupy(client="much")
    for _ in range(5):
        one.submit(client="much")
    assert one.refusal(client="much").reason is Reason.SHARE
    with pytest.raises(Refused) as caught:
        one.admission.check(FAR, "much")
    assert caught.value.reason is Reason.SHARE
    one.admission.check(FAR, "little")
    one.submit(client="little")
    one.submit(client="another")
    assert one.refusal(client="new").reason is Reason.FULL


def test_a_free_slot_is_for_whoever_comes(house: Open) -> None:
    one = house(slots=4, queue=0)
    for _ in range(4):
        one.occupy(client="much")
    assert one.refusal(client="much").reason is Reason.FULL


def test_who_leaves_its_place_may_take_another(house: Open) -> None:
    one = house(queue=3)
    one.occupy(client="much")
    one.submit(client="much")
    _, ticket = one.submit(client="much")
    assert one.refusal(client="much").reason is Reason.SHARE
    one.admission.withdraw(ticket, ClientGone())
    one.submit(client="much")


# What work does, a slot survives.


@pytest.mark.parametrize(("how", "error"), [(fail, WorkFailed), (leave_the_process, SystemExit)])
def test_work_that_raises_tells_its_waiter_and_frees_its_slot(
    house: Open, how: Callable[[], object], error: type[BaseException]
) -> None:
    one = house(queue=0)
    for _ in range(3):
        work, ticket = one.occupy()
        work.end(how)
        with pytest.raises(error):
            ticket.result()
        assert one.admission.busy == 0


def test_work_that_raises_says_nothing_of_the_pace(house: Open) -> None:
    one = house()
    one.calibrate(2)
    work, ticket = one.occupy()
    one.clock.turn(100)
    work.end(fail)
    with pytest.raises(WorkFailed):
        ticket.result()
    assert one.admission.pace.seconds(1) == 2


def test_a_slot_comes_back_when_its_computation_ends_not_when_its_waiter_leaves(
    house: Open,
) -> None:
    one = house(queue=0)
    work, ticket = one.occupy(deadline=5)
    one.clock.turn(5)
    with pytest.raises(DeadlinePassed):
        ticket.result()
    one.clock.turn(2)
    assert one.admission.busy == 1
    assert one.admission.longest_running() == 7
    assert one.refusal().reason is Reason.FULL
    work.end()
    until(lambda: one.admission.busy == 0)
    assert one.admission.longest_running() == 0


def test_a_slot_is_free_before_its_waiter_is_told(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = house()
    busy: list[int] = []
    finish = Ticket.finish

    def look_and_finish(ticket: Ticket[object], *outcome: object) -> None:
        busy.append(one.admission.busy)
        finish(ticket, *outcome)

    monkeypatch.setattr(Ticket, "finish", look_and_finish)
    work, ticket = one.occupy()
    work.end()
    ticket.result()
    assert busy == [0]


@pytest.mark.parametrize("cost", [0, -1, float("nan")])
def test_a_picture_costs_more_than_nothing(house: Open, cost: float) -> None:
    with pytest.raises(ValueError, match="cost is more than 0"):
        house().submit(cost=cost)


def test_the_oldest_computation_is_the_longest_running(house: Open) -> None:
    one = house(slots=2)
    one.occupy()
    one.clock.turn(3)
    one.occupy()
    one.clock.turn(1)
    assert one.admission.longest_running() == 4


# Who is not waited for costs nothing.


def breaks() -> bool:
    raise OSError


@pytest.mark.parametrize(
    ("now", "is_wanted", "error"),
    [(5, lambda: True, DeadlinePassed), (0, lambda: False, ClientGone), (0, breaks, OSError)],
)
def test_a_picture_that_nobody_wants_is_dropped_at_the_head_of_the_queue(
    house: Open, now: float, is_wanted: Callable[[], bool], error: type[Exception]
) -> None:
    one = house()
    running, _ = one.occupy()
    unwanted, ticket = one.submit(deadline=5, is_wanted=is_wanted)
    wanted, _ = one.submit()
    one.clock.turn(now)
    running.end()
    assert wanted.started.wait(BOUND_S)
    with pytest.raises(error):
        ticket.result()
    assert unwanted.runs == 0
    assert one.admission.busy == 1


def test_a_picture_whose_deadline_is_not_there_yet_is_computed(house: Open) -> None:
    one = house()
    running, _ = one.occupy()
    last, _ = one.submit(deadline=5)
    one.clock.turn(4.999)
    running.end()
    assert last.started.wait(BOUND_S)


def test_a_slow_look_whether_the_client_is_there_stops_nobody_else(house: Open) -> None:
    one = house(slots=2)
    looked, look_on = Event(), Event()

    def is_wanted() -> bool:
        looked.set()
        return look_on.wait(BOUND_S)

    slow, _ = one.submit(is_wanted=is_wanted)
    assert looked.wait(BOUND_S)
    one.occupy()
    assert not slow.started.is_set()
    look_on.set()
    assert slow.started.wait(BOUND_S)


def test_a_ticket_that_is_withdrawn_leaves_the_queue_with_its_error(house: Open) -> None:
    one = house()
    running, _ = one.occupy()
    work, ticket = one.submit()
    one.admission.withdraw(ticket, ClientGone())
    one.admission.withdraw(ticket, Stopped())
    assert one.admission.queued == 0
    with pytest.raises(ClientGone):
        ticket.result()
    running.end()
    one.occupy()
    assert work.runs == 0


def test_a_ticket_that_is_computed_cannot_be_withdrawn(house: Open) -> None:
    work, ticket = (one := house()).occupy()
    one.admission.withdraw(ticket, ClientGone())
    assert one.admission.busy == 1
    work.end(lambda: "answer")
    assert ticket.result() == "answer"


# What is predicted: with 2 s per unit of cost, on one slot.


@pytest.fixture
def slow(house: Open) -> House:
    one = house()
    one.calibrate(2)
    return one


def test_a_picture_that_would_be_done_at_its_deadline_is_late(slow: House) -> None:
    assert slow.refusal(deadline=2).reason is Reason.LATE
    slow.submit(deadline=2.001)


def test_a_picture_waits_for_what_runs_and_for_what_waits(slow: House) -> None:
    slow.occupy(cost=1)
    slow.clock.turn(0.5)
    slow.submit(cost=3)
    end = 2 + 6 + 4
    assert slow.refusal(cost=2, deadline=end).reason is Reason.LATE
    slow.submit(cost=2, deadline=end + 0.001)


def test_headers_are_refused_when_the_turn_comes_too_late(slow: House) -> None:
    slow.admission.check(0.001)
    slow.occupy()
    slow.submit()
    with pytest.raises(Refused) as caught:
        slow.admission.check(4)
    assert caught.value.reason is Reason.LATE
    slow.admission.check(4.001)


def test_a_computation_that_is_late_is_expected_to_need_as_long_again(slow: House) -> None:
    slow.occupy()
    slow.clock.now = 12
    assert slow.refusal(deadline=12 + 10 + 2).reason is Reason.LATE
    slow.submit(deadline=12 + 10 + 2.001)


def test_a_computation_that_hangs_delays_only_its_own_slot(house: Open) -> None:
    one = house(slots=2)
    one.calibrate(2)
    one.occupy()
    one.clock.turn(1000)
    one.occupy()
    one.submit()
    now = one.clock.now
    assert one.refusal(deadline=now + 6).reason is Reason.LATE
    one.submit(deadline=now + 6.001)


@pytest.mark.parametrize(("queued", "seconds"), [(0, 1), (1, 2), (2, 3), (8, 9)])
def test_who_is_refused_is_asked_to_return_when_half_of_the_queue_is_done(
    slow: House, queued: int, seconds: float
) -> None:
    slow.occupy()
    for _ in range(queued):
        slow.submit()
    assert slow.refusal(deadline=slow.clock() + 0.5).retry_after == seconds


def test_who_is_refused_is_asked_to_return_after_whole_seconds(slow: House) -> None:
    slow.occupy()
    slow.submit(cost=1.01)
    assert slow.refusal(deadline=0.5).retry_after == 3


def test_who_finds_the_queue_full_is_told_when_to_return(house: Open) -> None:
    one = house(queue=1)
    one.calibrate(10)
    one.occupy()
    one.submit()
    refused = one.refusal()
    assert (refused.reason, refused.retry_after) == (Reason.FULL, 10)


def test_what_is_predicted_for_a_client_heeds_its_turn(slow: House) -> None:
    slow.occupy(client="much")
    for _ in range(4):
        slow.submit(client="much")
    refused = slow.refusal(client="much", deadline=10)
    assert (refused.reason, refused.retry_after) == (Reason.LATE, 5)
    refused = slow.refusal(client="little", deadline=4)
    assert (refused.reason, refused.retry_after) == (Reason.LATE, 1)
    slow.admission.check(2.001, "little")
    slow.submit(client="little", deadline=4.001)


def test_while_draining_who_waits_little_is_taken(slow: House) -> None:
    slow.occupy(client="much")
    slow.submit(client="much")
    slow.admission.drain(ends_at=5)
    assert slow.refusal(client="much").reason is Reason.DRAINING
    slow.submit(client="little")


# The end: draining and stopping.


def test_while_draining_what_can_be_finished_is_taken(slow: House) -> None:
    slow.admission.drain(ends_at=4)
    slow.admission.check(FAR)
    slow.occupy()
    refused = slow.refusal()
    assert (refused.reason, refused.retry_after) == (Reason.DRAINING, 1)
    slow.submit(cost=0.999)


def test_the_earliest_end_counts(slow: House) -> None:
    slow.admission.drain(ends_at=1)
    slow.admission.drain(ends_at=100)
    assert slow.refusal().reason is Reason.DRAINING


def test_headers_are_refused_once_the_end_is_there(house: Open) -> None:
    one = house()
    one.admission.drain(ends_at=10)
    one.clock.now = 9.999
    one.admission.check(FAR)
    one.clock.now = 10
    with pytest.raises(Refused) as caught:
        one.admission.check(FAR)
    assert caught.value.reason is Reason.DRAINING


def test_what_waits_when_draining_begins_is_computed(house: Open) -> None:
    one = house()
    running, _ = one.occupy()
    waiting, ticket = one.submit()
    one.admission.drain(one.clock())
    running.end()
    waiting.end(lambda: "answer")
    assert ticket.result() == "answer"


def test_stopping_drops_what_waits_and_ends_what_runs(house: Open) -> None:
    one = house(slots=2)
    works = [one.occupy() for _ in range(2)]
    waiting, dropped = one.submit()
    one.admission.stop()
    with pytest.raises(Stopped):
        dropped.result()
    assert all(thread.is_alive() for thread in one.threads)
    for work, ticket in works:
        work.end(lambda: "answer")
        assert ticket.result() == "answer"
    until(lambda: not any(thread.is_alive() for thread in one.threads))
    assert waiting.runs == 0


def test_slots_that_wait_end_when_all_is_stopped(house: Open) -> None:
    one = house(slots=3)
    one.admission.stop()
    until(lambda: not any(thread.is_alive() for thread in one.threads))


def test_nothing_is_taken_once_all_is_stopped(house: Open) -> None:
    one = house(queue=0)
    one.occupy()
    one.admission.stop()
    one.admission.drain(FAR)
    assert one.refusal().reason is Reason.DRAINING
    with pytest.raises(Refused):
        one.admission.check(FAR)


# The slots' threads.


def test_each_slot_is_prepared_by_its_thread(house: Open) -> None:
    one = house(slots=2)
    assert [p.result(BOUND_S) for p in one.prepared] == ["slot-0", "slot-1"]


def test_a_slot_that_is_prepared_takes_no_picture_yet() -> None:
    admission = Admission(slots=1, queue=1, uploads=1)
    ready = Event()
    admission.start(lambda: ready.wait(BOUND_S))
    work = Work()
    work.end()
    ticket = admission.submit(work, cost=1, deadline=FAR, is_wanted=patient())
    assert admission.queued == 1
    ready.set()
    ticket.result()
    admission.stop()


def test_slots_are_started_once(house: Open) -> None:
    one = house()
    with pytest.raises(RuntimeError, match="started already"):
        one.admission.start(Thing)
    one.occupy()
    second, _ = one.submit()
    assert not second.started.is_set()


def some_break(succeeds: list[bool]) -> Callable[[], None]:
    """Return a preparation that succeeds, or raises, as said for each slot."""
    left, lock = iter(succeeds), Lock()

    def prepare() -> None:
        with lock:
            succeeded = next(left)
        if not succeeded:
            raise MemoryError

    return prepare


def test_a_slot_that_could_not_be_prepared_counts_no_more() -> None:
    admission = Admission(slots=2, queue=0, uploads=1)
    prepared = admission.start(some_break([False, True]))
    errors = [type(p.exception(BOUND_S)) for p in prepared]
    assert sorted(e.__name__ for e in errors) == ["MemoryError", "NoneType"]
    assert admission.slots == 1
    work = Work()
    ticket = admission.submit(work, cost=1, deadline=FAR, is_wanted=patient())
    with pytest.raises(Refused):
        admission.submit(work, cost=1, deadline=FAR)
    assert admission.load_ratio == 1
    work.end()
    ticket.result()
    admission.stop()


def test_where_no_slot_could_be_prepared_all_is_stopped() -> None:
    admission = Admission(slots=2, queue=1, uploads=1)
    ticket = admission.submit(Thing, cost=1, deadline=FAR, is_wanted=patient())
    for prepared in admission.start(some_break([False, False])):
        assert isinstance(prepared.exception(BOUND_S), MemoryError)
    with pytest.raises(Stopped):
        ticket.result()
    with pytest.raises(Refused):
        admission.submit(Thing, cost=1, deadline=FAR)
    assert admission.load_ratio == 0


# What is kept: nothing, even before the garbage collector runs.


@pytest.mark.parametrize("how", [Thing, fail, leave_the_process])
def test_an_outcome_keeps_neither_body_nor_answer_nor_ticket(
    house: Open, how: Callable[[], object], no_collector: None
) -> None:
    one = house()
    body = Thing()
    work, ticket = one.submit(body=body)
    body_left, ticket_left = ref(body), ref(ticket)
    del body
    work.end(how)
    kept: object = None  # As the caller keeps an answer, and a log an error.
    try:
        kept = ticket.result()
    except BaseException as error:
        kept = error
    assert body_left() is None
    kept_left = ref(kept) if how is Thing else None
    del ticket, kept
    until(lambda: ticket_left() is None)
    assert kept_left is None or kept_left() is None


@pytest.mark.parametrize("how", [Thing, fail])
def test_a_waiter_that_left_leaves_nothing_when_the_computation_ends(
    house: Open, how: Callable[[], object], no_collector: None
) -> None:
    one = house()
    body = Thing()
    work, ticket = one.occupy(body=body, deadline=5)
    things: list[ref[object]] = [ref(body), ref(ticket)]
    one.clock.turn(5)
    with pytest.raises(DeadlinePassed) as caught:
        ticket.result()
    del body, ticket, caught
    assert things[0]() is not None
    work.end(how)
    until(lambda: not any(thing() for thing in things))


def test_a_picture_that_is_dropped_keeps_nothing(house: Open, no_collector: None) -> None:
    one = house()
    running, _ = one.occupy()
    body = Thing()
    _, ticket = one.submit(body=body, is_wanted=lambda: False)
    things: list[ref[object]] = [ref(body), ref(ticket)]
    del body, ticket
    running.end()
    until(lambda: not any(thing() for thing in things))


@pytest.mark.promise("Load: no queued image is lost or computed twice")
def test_a_crowd_that_does_everything_at_once_loses_and_doubles_nothing(house: Open) -> None:
    clients, pictures = 8, 40
    one = house(slots=3, queue=4, uploads=2)
    running, most = 0, 0
    lock = Lock()

    def work(choice: float) -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            if choice < 0.2:
                raise WorkFailed
            return choice
        finally:
            with lock:
                running -= 1

    def send(random_: random.Random) -> str:
        choice = random_.random()
        try:
            with one.admission.upload(BOUND_S):
                assert one.admission.uploads.held <= 2
            ticket = one.admission.submit(
                partial(work, choice), cost=1, deadline=FAR, is_wanted=lambda: choice < 0.8
            )
            if 0.5 < choice < 0.6:
                one.admission.withdraw(ticket, Stopped())
            assert ticket.result() == choice
        except (Refused, ClientGone, WorkFailed, Stopped) as error:
            return type(error).__name__
        return "answer"

    def be_a_client(seed: int) -> list[str]:
        random_ = random.Random(seed)
        return [send(random_) for _ in range(pictures)]

    crowd = [in_background(partial(be_a_client, seed)) for seed in range(clients)]
    outcomes = [outcome for client in crowd for outcome in client.result(BOUND_S)]
    assert len(outcomes) == clients * pictures
    assert {"answer", "ClientGone", "WorkFailed"} <= set(outcomes)
    assert most <= 3
    assert one.admission.uploads.held == one.admission.uploads.waiting == 0
    until(lambda: one.admission.load_ratio == 0)
