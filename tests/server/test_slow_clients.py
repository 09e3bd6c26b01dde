"""Slow senders: 408, without delaying other clients."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from loadtest import client, slow_clients
from loadtest.client import ClosedLoop, Plan, generate_images
from tests.support.polling import BOUND_S
from tests.support.process import Server

SLOW = 100
"""Slow clients per kind; 100 with slow bodies exceed the upload limit."""
TOO_SLOW = 408


def slow_plan(server: Server, part: str, connections: int = SLOW) -> slow_clients.SlowPlan:
    (image,) = generate_images(1, 64, 64)
    return slow_clients.SlowPlan(
        url=f"{server.url}/v1/cartoons",
        connections=connections,
        part=part,  # type: ignore[arg-type]
        image=image,
        bound_s=BOUND_S,
    )


@pytest.mark.promise("Load: slow senders get 408 and take no slot from others")
def test_slow_clients_get_408_while_others_are_served(start_timed):
    server = start_timed(0.1, DCTNET_SLOTS=2, DCTNET_HEADER_TIMEOUT=4)
    plans = [slow_plan(server, part) for part in ("headers", "body")]
    honest = Plan(
        url=f"{server.url}/v1/cartoons",
        arrivals=ClosedLoop(clients=4, duration_s=8),
        images=generate_images(4, 64, 64),
    )
    depths = []
    with ThreadPoolExecutor(3) as pool:
        others = pool.submit(client.run, honest)
        reports = [pool.submit(slow_clients.run, plan) for plan in plans]
        server.until(lambda: depths.append(server.metric("dctnet_queue_depth")) or others.done())
        for report in reports:
            assert report.result().by_status == {TOO_SLOW: SLOW}
    assert others.result().is_clean
    assert others.result().rejected == 0
    assert max(depths) <= 4  # No slow client is in the queue.


def test_single_slow_client_has_the_full_idle_timeout(start_timed):
    server = start_timed(0, DCTNET_HEADER_TIMEOUT=2, DCTNET_UPLOAD_IDLE_TIMEOUT=2)
    for part in "headers", "body":
        started = monotonic()
        report = slow_clients.run(slow_plan(server, part, connections=1))
        assert report.by_status == {TOO_SLOW: 1}
        assert 2 <= monotonic() - started < 10
