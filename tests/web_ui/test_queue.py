"""Queue: retries, queue position, and stopping."""

import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import requests
from requests import Response

from dctnet.api.problems import OVERLOADED
from tests.server.timed_server import SLOW
from tests.support.browser import PHONE
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import serving
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import StandIn, problem_response


def test_waiting_can_be_stopped_resumed_and_replaced(stand_in, page, small):
    stand_in.responses.extend([problem_response(OVERLOADED, 1), problem_response(OVERLOADED, 1)])
    page.choose_file(small)
    page.wait_for_state("waiting")
    page["#stop"].click()
    assert page.text("#status") == "Stopped."
    assert page.state() == "stopped"
    assert page.focused_element() == "retry"
    page["#retry"].click()
    page.wait_for_state("waiting")
    page.choose_file(PORTRAIT)
    page.wait_for_state("done")
    # Longer than the delay of either retry.
    page.run("await new Promise((resolve) => setTimeout(resolve, 1500))")
    assert page.state() == "done"
    assert stand_in.received == [small.read_bytes()] * 2 + [PORTRAIT.read_bytes()]


def test_inference_can_be_stopped(stand_in, page, small):
    stand_in.response_gate = Event()
    page.choose_file(small)
    page.wait_for_state("cartoonizing")
    assert page.text("#status") == "Creating the cartoon…"
    page["#stop"].click()
    stand_in.response_gate.set()
    page.until(lambda: len(stand_in.cartoons) == 1)
    assert page.state() == "stopped"


@pytest.mark.promise("Web UI: a portrait becomes a cartoon, and a full queue is retried")
def test_full_queue_of_a_real_server_is_retried(browser, small):
    slow = encoded(gradient(20, SLOW))
    command = [sys.executable, "-m", "tests.server.timed_server"]
    settings = {"TIMED_SECONDS": 0.2, "DCTNET_SLOTS": 1, "DCTNET_QUEUE_SIZE": 1}
    with serving(None, command, **settings) as server, ThreadPoolExecutor() as pool:
        browser.open(server.url)
        first, second = (
            pool.submit(requests.post, f"{server.url}/v1/cartoons", data=slow, timeout=BOUND_S)
            for _ in range(2)
        )
        server.until(lambda: server.metric("dctnet_queue_depth") == 1)
        browser.choose_file(small)
        browser.wait_for_state("waiting")
        assert "Many people are waiting." in browser.text("#status")
        browser.wait_for_state("done")
        assert first.result().status_code == second.result().status_code == 200
        assert server.metric("dctnet_rejected_total", reason="queue_full") >= 1


def enqueue(server: StandIn, pool: Executor, image: Path, position: int) -> Future[Response]:
    """Send an image from another client, and wait for its queue position."""
    ticket = f"the-ticket-of-position-{position}"
    response = pool.submit(
        requests.post,
        f"{server.url}/v1/cartoons",
        data=image.read_bytes(),
        headers={"X-Dctnet-Queue-Ticket": ticket},
        timeout=BOUND_S,
    )
    url = f"{server.url}/v1/queue-tickets/{ticket}"
    until(lambda: requests.get(url, timeout=BOUND_S).json() == {"position": position})
    return response


@pytest.mark.promise("Web UI: shows the queue position, which API clients can query too")
def test_queue_position_is_shown(blocking_engine, browser, small):
    with (
        StandIn(engine=blocking_engine, DCTNET_SLOTS=1).running() as server,
        ThreadPoolExecutor() as pool,
    ):
        browser.open(server.url)
        before = [enqueue(server, pool, small, position) for position in (0, 1)]
        browser.choose_file(small)
        browser.wait_for_state("queued")
        assert browser.text("#status") == "Waiting in the queue…"
        assert browser.text("#queue-position") == "Queue position: 2"
        blocking_engine.release(1)
        browser.until(lambda: browser.text("#queue-position") == "Queue position: 1")
        blocking_engine.release(2)
        browser.wait_for_state("done")
        assert not browser.is_visible("#queue-position")
        assert [response.result().status_code for response in before] == [200, 200]


def test_last_known_queue_position_stays_shown(stand_in, browser, small):
    browser.open(stand_in.url, size=PHONE)
    stand_in.response_gate = Event()
    browser.choose_file(small)
    browser.wait_for_state("cartoonizing")
    browser.until(lambda: stand_in.position_requests >= 2)
    assert browser.state() == "cartoonizing"
    stand_in.queue_position = 12
    browser.wait_for_state("queued")
    stand_in.queue_position = None  # The response of another replica.
    requests_before = stand_in.position_requests
    browser.until(lambda: stand_in.position_requests >= requests_before + 2)
    assert browser.text("#queue-position") == "Queue position: 12"
    assert browser.accessibility_violations() == []
    stand_in.response_gate.set()
    browser.wait_for_state("done")


def test_exceeded_deadline_has_a_text(blocking_engine, browser, small):
    timeouts = {"DCTNET_REQUEST_TIMEOUT": 0.6, "DCTNET_WATCHDOG_TIMEOUT": 0.5}
    with StandIn(engine=blocking_engine, **timeouts, DCTNET_SLOTS=1).running() as server:
        browser.open(server.url)
        browser.choose_file(small)
        browser.wait_for_state("retryable")
    assert browser.text("#problem") == "The cartoon was not ready in time. Try again."
