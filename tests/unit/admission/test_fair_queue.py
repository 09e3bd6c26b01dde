"""Clients take turns: nobody waits for all of another's, and each one's own order is kept."""

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


def drained(queue: FairQueue[str]) -> str:
    return " ".join(iter(queue.pop, None))


def test_clients_take_turns_and_each_one_s_order_is_kept():
    queue = queue_of("a1 a2 a3 b1 c1 c2")
    assert (len(queue), queue.clients) == (6, 3)
    assert drained(queue) == "a1 b1 c1 a2 c2 a3"
    assert (len(queue), queue.clients) == (0, 0)


def test_who_comes_gets_its_turn_after_those_who_wait_already():
    queue = queue_of("a1 a2 b1 b2")
    queue.pop()
    queue.push("c", "c1")
    assert drained(queue) == "b1 a2 c1 b2"


def test_who_came_during_a_turn_is_before_whose_turn_it_was():
    queue = queue_of("a1 a2 a3")
    queue.pop()
    queue.push("b", "b1")
    queue.end_turn("a")
    queue.end_turn("nobody")
    assert drained(queue) == "b1 a2 a3"


def test_who_may_have_no_turn_now_keeps_its_place():
    queue = queue_of("a1 b1 b2 c1")
    assert queue.pop(lambda client: client != "a") == "b1"
    assert queue.pop(lambda _: False) is None
    assert drained(queue) == "a1 c1 b2"


def test_what_is_taken_out_leaves_the_others_in_their_order():
    queue = queue_of("a1 a2 a3 b1")
    assert queue.remove("a", "a2")
    assert not queue.remove("a", "a2")
    assert not queue.remove("c", "a1")
    assert queue.remove("b", "b1")
    assert (len(queue), queue.clients) == (2, 1)
    assert drained(queue) == "a1 a3"


def test_nobody_told_apart_is_a_client_as_well():
    queue: FairQueue[str] = FairQueue()
    for item in "first", "second":
        queue.push(None, item)
    assert queue.clients == 1
    assert drained(queue) == "first second"


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
def test_a_place_is_the_turn_in_which_an_item_is_popped(steps):
    queue = queue_after(steps)
    items = [(client, f"{client}{number}") for number, (_, client) in enumerate(steps)]
    places = {item: queue.position(client, item) for client, item in items}
    waiting = drained(queue).split()
    assert {item: place for item, place in places.items() if place > 0} == {
        item: turn for turn, item in enumerate(waiting, 1)
    }


@examples(300)
@given(steps=steps, newcomer=st.sampled_from("abcde"))
def test_what_is_ahead_of_a_newcomer_is_what_is_popped_before_it(steps, newcomer):
    queue = queue_after(steps)
    turns = queue.ahead_of(newcomer)
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
