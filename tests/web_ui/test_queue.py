"""A full queue is waited out, visibly, until somebody stops it."""

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
from tests.web_ui.stand_in import StandIn, problem


def test_waiting_can_be_stopped_begun_again_and_given_up_for_another_image(stand_in, page, small):
    stand_in.answers.extend([problem(OVERLOADED, 1), problem(OVERLOADED, 1)])
    page.choose(small)
    page.reach("waiting")
    page["#stop"].click()
    assert page.text("#status") == "Stopped."
    assert page.state() == "stopped"
    assert page.focused() == "again"
    page["#again"].click()
    page.reach("waiting")
    page.choose(PORTRAIT)
    page.reach("done")
    # Longer than either would have waited.
    page.run("await new Promise((resolve) => setTimeout(resolve, 1500))")
    assert page.state() == "done"
    assert stand_in.received == [small.read_bytes()] * 2 + [PORTRAIT.read_bytes()]


def test_a_drawing_can_be_stopped(stand_in, page, small):
    stand_in.held = Event()
    page.choose(small)
    page.reach("drawing")
    assert page.text("#status") == "Drawing the cartoon…"
    page["#stop"].click()
    stand_in.held.set()
    page.until(lambda: len(stand_in.cartoons) == 1)
    assert page.state() == "stopped"


@pytest.mark.promise("Page: a portrait becomes a cartoon, and a full queue is waited out")
def test_the_full_queue_of_a_real_server_is_waited_out(browser, small):
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
        browser.choose(small)
        browser.reach("waiting")
        assert "Many people are waiting." in browser.text("#status")
        browser.reach("done")
        assert first.result().status_code == second.result().status_code == 200
        assert server.metric("dctnet_rejected_total", reason="queue_full") >= 1


def enqueue(server: StandIn, pool: Executor, image: Path, place: int) -> Future[Response]:
    """Send an image, as another client, that comes to this place."""
    ticket = f"the-ticket-of-place-{place}"
    answer = pool.submit(
        requests.post,
        f"{server.url}/v1/cartoons",
        data=image.read_bytes(),
        headers={"X-Dctnet-Queue-Ticket": ticket},
        timeout=BOUND_S,
    )
    url = f"{server.url}/v1/queue-tickets/{ticket}"
    until(lambda: requests.get(url, timeout=BOUND_S).json() == {"position": place})
    return answer


@pytest.mark.promise("Page: a waiting client sees its place in the queue, as an API client does")
def test_the_place_in_the_queue_is_told(held, browser, small):
    with StandIn(engine=held, DCTNET_SLOTS=1).running() as server, ThreadPoolExecutor() as pool:
        browser.open(server.url)
        before = [enqueue(server, pool, small, place) for place in (0, 1)]
        browser.choose(small)
        browser.reach("queued")
        assert browser.text("#status") == "Waiting for its turn…"
        assert browser.text("#place") == "Place 2 in the queue"
        held.draw(1)
        browser.until(lambda: browser.text("#place") == "Place 1 in the queue")
        held.draw(2)
        browser.reach("done")
        assert not browser.shows("#place")
        assert [answer.result().status_code for answer in before] == [200, 200]


def test_the_last_place_that_was_learnt_is_shown(stand_in, browser, small):
    browser.open(stand_in.url, size=PHONE)
    stand_in.held = Event()
    browser.choose(small)
    browser.reach("drawing")
    browser.until(lambda: stand_in.asked >= 2)
    assert browser.state() == "drawing"
    stand_in.place = 12
    browser.reach("queued")
    stand_in.place = None  # As another replica says.
    asked = stand_in.asked
    browser.until(lambda: stand_in.asked >= asked + 2)
    assert browser.text("#place") == "Place 12 in the queue"
    assert browser.barriers() == []
    stand_in.held.set()
    browser.reach("done")


def test_a_deadline_that_passed_is_said(held, browser, small):
    timeouts = {"DCTNET_REQUEST_TIMEOUT": 0.6, "DCTNET_WATCHDOG_TIMEOUT": 0.5}
    with StandIn(engine=held, **timeouts, DCTNET_SLOTS=1).running() as server:
        browser.open(server.url)
        browser.choose(small)
        browser.reach("worthAClick")
    assert browser.text("#problem") == "The cartoon was not ready in time. Try again."
