"""A full queue is waited out, visibly, until somebody stops it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import requests

from dctnet.http.problems import FULL, STARTING
from tests.page.conftest import PORTRAIT
from tests.page.stand_in import StandIn, problem
from tests.server.timed import SLOW
from tests.support.browser import Browser
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.process import Server


def test_a_picture_waits_and_is_sent_again(
    stand_in: StandIn, browser: Browser, small: Path
) -> None:
    browser.open(stand_in.url)
    stand_in.answers.extend([problem(STARTING, 1), problem(FULL, 2)])
    browser.choose(small)
    browser.until(lambda: "The service is starting." in browser.text("#status"))
    browser.until(lambda: browser.text("#countdown") == "Attempt 2 in 1 second")
    browser.until(lambda: "Many people are waiting." in browser.text("#status"))
    browser.until(lambda: browser.text("#countdown") == "Attempt 3 in 2 seconds")
    browser.until(lambda: browser.text("#countdown") == "Attempt 3 in 1 second")
    browser.reach("done")
    assert len(stand_in.received) == 3
    assert not browser.shows("#countdown")


def test_waiting_can_be_stopped_and_begun_again(
    stand_in: StandIn, browser: Browser, small: Path
) -> None:
    browser.open(stand_in.url)
    stand_in.answers.append(problem(FULL, 1))
    browser.choose(small)
    browser.reach("waiting")
    browser["#stop"].click()
    assert browser.text("#status") == "Stopped."
    assert browser.focused() == "again"
    # Longer than it would have waited.
    browser.run("await new Promise((resolve) => setTimeout(resolve, 1500))")
    assert browser.state() == "stopped"
    assert len(stand_in.received) == 1
    browser["#again"].click()
    browser.reach("done")
    assert len(stand_in.received) == 2


def test_a_drawing_can_be_stopped(stand_in: StandIn, browser: Browser, small: Path) -> None:
    browser.open(stand_in.url)
    stand_in.held = Event()
    browser.choose(small)
    browser.reach("drawing")
    assert browser.text("#status") == "Drawing the cartoon…"
    browser["#stop"].click()
    stand_in.held.set()
    browser.until(lambda: len(stand_in.cartoons) == 1)
    assert browser.state() == "stopped"


def test_another_picture_takes_the_place_of_one_that_waits(
    stand_in: StandIn, browser: Browser, small: Path
) -> None:
    browser.open(stand_in.url)
    stand_in.answers.append(problem(FULL, 1))
    browser.choose(small)
    browser.reach("waiting")
    browser.choose(PORTRAIT)
    browser.reach("done")
    browser.run("await new Promise((resolve) => setTimeout(resolve, 1500))")
    assert stand_in.received == [small.read_bytes(), PORTRAIT.read_bytes()]


@pytest.mark.promise("Page: a portrait becomes a cartoon, and a full queue is waited out")
def test_the_full_queue_of_a_real_server_is_waited_out(
    start_timed: Callable[..., Server], browser: Browser, small: Path
) -> None:
    server = start_timed(0.2, DCTNET_SLOTS=1, DCTNET_QUEUE=1)
    browser.open(server.url)
    slow = encoded(gradient(20, SLOW))
    with ThreadPoolExecutor() as pool:
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
    assert server.metric("dctnet_shed_total", reason="full") >= 1


@pytest.mark.promise("Page: a waiting client sees its place in the queue, as an API client does")
def test_the_place_in_the_queue_of_a_real_server_is_told(
    start_timed: Callable[..., Server], browser: Browser, small: Path
) -> None:
    server = start_timed(0.3, DCTNET_SLOTS=1)
    browser.open(server.url)
    slow = encoded(gradient(20, SLOW))
    with ThreadPoolExecutor() as pool:
        before = [
            pool.submit(requests.post, f"{server.url}/v1/cartoons", data=slow, timeout=BOUND_S)
            for _ in range(2)
        ]
        server.until(lambda: server.metric("dctnet_queue_depth") == 1)
        browser.choose(small)
        browser.reach("queued")
        assert browser.text("#status") == "Waiting for its turn…"
        assert browser.text("#place") == "Place 2 in the queue"
        browser.until(lambda: browser.text("#place") == "Place 1 in the queue")
        browser.reach("done")
        assert not browser.shows("#place")
        assert [answer.result().status_code for answer in before] == [200, 200]


def test_the_last_place_that_was_learnt_is_shown(
    stand_in: StandIn, browser: Browser, small: Path
) -> None:
    browser.open(stand_in.url)
    stand_in.held = Event()
    browser.choose(small)
    browser.reach("drawing")
    browser.until(lambda: stand_in.asked >= 2)
    assert browser.state() == "drawing"
    stand_in.place = 2
    browser.reach("queued")
    stand_in.place = None  # As another replica says.
    asked = stand_in.asked
    browser.until(lambda: stand_in.asked >= asked + 2)
    assert browser.text("#place") == "Place 2 in the queue"
    stand_in.held.set()
    browser.reach("done")


def test_a_deadline_of_a_real_server_that_passed_is_said(
    start_timed: Callable[..., Server], browser: Browser, tmp_path: Path
) -> None:
    server = start_timed(0.1, DCTNET_REQUEST_TIMEOUT=0.6, DCTNET_WATCHDOG_TIMEOUT=0.5)
    path = tmp_path / "slow.png"
    path.write_bytes(encoded(gradient(20, SLOW)))
    browser.open(server.url)
    browser.choose(path)
    browser.reach("worthAClick")
    assert browser.text("#problem") == "The cartoon was not ready in time. Try again."
