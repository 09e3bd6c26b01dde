"""Fair queue: round robin over clients, FIFO per client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.admission.fair_queue import FairQueue
from tests.support.hypothesis_profiles import examples


def queue_of(items: str) -> FairQueue[str]:
    """Push items such as ``a1 a2 b1``, whose first letter is their client."""
    queue: FairQueue[str] = FairQueue()
    for item in items.split():
        queue.push(item[0], item)
    return queue


def pop_all(queue: FairQueue[str]) -> str:
    return " ".join(iter(queue.pop, None))


def test_round_robin_keeps_each_clients_order():
    queue = queue_of("a1 a2 a3 b1 c1 c2")
    assert (len(queue), queue.clients) == (6, 3)
    assert pop_all(queue) == "a1 b1 c1 a2 c2 a3"
    assert (len(queue), queue.clients) == (0, 0)


def test_new_client_is_last():
    queue = queue_of("a1 a2 b1 b2")
    queue.pop()
    queue.push("c", "c1")
    assert pop_all(queue) == "b1 a2 c1 b2"


def test_client_that_arrives_during_a_turn_is_next():
    queue = queue_of("a1 a2 a3")
    queue.pop()
    queue.push("b", "b1")
    queue.end_turn("a")
    queue.end_turn("absent")
    assert pop_all(queue) == "b1 a2 a3"


def test_ineligible_client_keeps_its_position():
    queue = queue_of("a1 b1 b2 c1")
    assert queue.pop(lambda client: client != "a") == "b1"
    assert queue.pop(lambda _: False) is None
    assert pop_all(queue) == "a1 c1 b2"


def test_removal_keeps_the_order():
    queue = queue_of("a1 a2 a3 b1")
    assert queue.remove("a", "a2")
    assert not queue.remove("a", "a2")
    assert not queue.remove("c", "a1")
    assert queue.remove("b", "b1")
    assert (len(queue), queue.clients) == (2, 1)
    assert pop_all(queue) == "a1 a3"


def test_unidentified_clients_are_one_client():
    queue: FairQueue[str] = FairQueue()
    for item in "first", "second":
        queue.push(None, item)
    assert queue.clients == 1
    assert pop_all(queue) == "first second"


steps = st.lists(
    st.tuples(st.sampled_from(["push", "push", "pop", "end_turn"]), st.sampled_from("abcd")),
    max_size=40,
)


def queue_after(steps: list[tuple[str, str]]) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for number, (step, client) in enumerate(steps):
        if step == "push":
            queue.push(client, f"{client}{number}")
        elif step == "pop":
            queue.pop()
        else:
            queue.end_turn(client)
    return queue


@pytest.mark.promise("Web UI: shows the queue position, which API clients can query too")
@examples(300)
@given(steps=steps)
def test_position_is_the_pop_order(steps):
    queue = queue_after(steps)
    items = [(client, f"{client}{number}") for number, (_, client) in enumerate(steps)]
    places = {item: queue.position(client, item) for client, item in items}
    waiting = pop_all(queue).split()
    assert {item: place for item, place in places.items() if place > 0} == {
        item: turn for turn, item in enumerate(waiting, 1)
    }


@examples(300)
@given(steps=steps, newcomer=st.sampled_from("abcde"))
def test_upcoming_turns_are_the_pops_before_a_newcomer(steps, newcomer):
    queue = queue_after(steps)
    turns = queue.turns_before(newcomer)
    ahead = []
    while item := turns.pop():
        ahead.append(item)
        turns.end_turn("c")
        turns.end_turn(item[0])
    queue.push(newcomer, "newcomer")
    for item in ahead:
        assert queue.pop() == item
        queue.end_turn("c")
        queue.end_turn(item[0])
    assert queue.pop() == "newcomer"
