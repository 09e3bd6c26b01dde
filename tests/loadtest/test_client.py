"""What the client counts and measures."""

import os
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from dctnet.server.gunicorn_app import KEEP_ALIVE_S
from loadtest.client import (
    IDLE_TIMEOUT_S,
    ClosedLoop,
    LoadError,
    OpenLoop,
    Plan,
    Report,
    SourceImage,
    compare_with,
    generate_images,
    run,
)
from tests.loadtest.stub_server import MIXED_RESPONSES, STALL_S, StubServer, run_stub_server
from tests.support.polling import BOUND_S
from tests.support.process import free_ports
from tests.support.repo import ROOT

COMMAND = (sys.executable, "-m", "loadtest.client")


def negatives(images: list[SourceImage]) -> dict[str, Any]:
    return {image.name: 255 - image.pixels() for image in images}


def run_load(server: StubServer, path: str, images: list[SourceImage], **plan: Any) -> Report:
    """Send each image once, or as the plan has it."""
    plan = {"arrivals": ClosedLoop(clients=2, requests=len(images)), "timeout_s": BOUND_S} | plan
    return run(Plan(url=f"{server.url}/{path}", images=images, **plan))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("reset", "reset"),
        ("not-http", "protocol"),
        ("500", "status 500"),
        ("404", "status 404"),
        ("302", "status 302"),
        ("204", "status 204"),
    ],
)
def test_a_request_without_an_answer_that_counts_has_failed(server, images, path, reason):
    report = run_load(server, path, images)
    assert report.failed_by_reason == {reason: len(images)}
    assert (report.sent, report.ok, report.rejected, report.invalid) == (len(images), 0, 0, 0)
    assert report.latency_s["ok"] is None
    assert not report.is_clean


@pytest.mark.parametrize(
    ("path", "reason", "sentence"),
    [
        ("smaller", "size", "The answer has 40x23 pixels, the image 40x24."),
        ("text", "content type", "The answer is text/plain."),
        ("untyped", "content type", "The answer is of no type."),
        ("jpeg-as-png", "undecodable", "The answer is no image/png"),
        ("half-image", "undecodable", "The answer is no image/png"),
        ("cut", "truncated", ""),
    ],
)
def test_an_answer_that_is_not_the_image_is_wrong(server, images, path, reason, sentence):
    report = run_load(server, path, images)
    assert report.invalid_by_reason == {reason: len(images)}
    assert (report.sent, report.ok, report.rejected, report.failed) == (len(images), 0, 0, 0)
    assert report.examples[0].startswith(f"{reason}: {sentence}")


@pytest.mark.parametrize(
    ("path", "lacking"),
    [("429", 8), ("429-soon", 8), ("429--1", 8), ("429-date", 0), ("503", 8), ("503-5", 0)],
)
def test_a_rejection_is_no_failure_and_should_say_when_to_come_back(server, images, path, lacking):
    report = run_load(server, path, images)
    assert (report.sent, report.rejected, report.rejected_without_retry_after) == (8, 8, lacking)
    assert report.is_clean
    rejected = report.latency_s["rejected"]
    assert rejected is not None
    assert rejected.count == 8


def test_every_image_has_its_own_right_answer(server, images):
    right = negatives(images)
    arrivals = ClosedLoop(clients=4, requests=40)
    report = run_load(server, "ok", images, arrivals=arrivals, check=compare_with(right))
    assert (report.sent, report.ok) == (40, 40)
    another = dict(zip(right, [*list(right.values())[1:], right[images[0].name]], strict=True))
    report = run_load(server, "ok", images, arrivals=arrivals, check=compare_with(another))
    assert report.invalid_by_reason == {"pixels": 40}
    # It may differ by the tolerance and no more.
    near = {name: np.clip(image, 4, None) - 4 for name, image in right.items()}
    assert run_load(server, "ok", images, check=compare_with(near, 4)).ok == len(images)
    assert run_load(server, "ok", images, check=compare_with(near, 3)).invalid == len(images)


def test_the_same_answer_to_the_same_image_is_checked_once(server, images):
    checked: list[str] = []  # Appending is safe from all threads.

    def check(image: SourceImage, _: Any) -> None:
        checked.append(image.name)

    arrivals = ClosedLoop(clients=4, requests=40)
    assert run_load(server, "ok", images, arrivals=arrivals, check=check).ok == 40
    assert Counter(checked) == {image.name: 1 for image in images}


def test_a_mixed_run_adds_up(server, images):
    arrivals = ClosedLoop(clients=7, requests=5 * len(MIXED_RESPONSES))
    check = compare_with(negatives(images))
    report = run_load(server, "mixed", images, arrivals=arrivals, check=check)
    assert (report.sent, report.ok, report.rejected) == (40, 10, 10)
    assert report.rejected_without_retry_after == 5
    assert report.failed_by_reason == {"status 500": 5}
    assert report.invalid_by_reason == {"pixels": 5, "truncated": 5, "content type": 5}
    counts = {name: spread and spread.count for name, spread in report.latency_s.items()}
    assert counts == {"all": 40, "ok": 10, "rejected": 10, "failed": 5, "invalid": 15}


@pytest.mark.alone
def test_what_does_not_answer_in_time_has_failed(server, images):
    arrivals = ClosedLoop(clients=8, requests=8)
    report = run_load(server, "hang", images, arrivals=arrivals, timeout_s=0.2)
    assert report.failed_by_reason == {"timeout": len(images)}
    spread = report.latency_s["failed"]
    assert spread is not None
    assert 0.2 <= spread.p50 < 1


def test_a_server_that_is_gone_is_not_tried_thousands_of_times(images):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    report = run(Plan(url=url, images=images, arrivals=ClosedLoop(clients=2, duration_s=0.5)))
    assert 2 <= report.sent <= 12
    assert report.failed_by_reason == {"connect": report.sent}
    assert report.throughput == 0


def test_nothing_is_sent_twice(server, images):
    report = run_load(server, "ok-then-reset", images, arrivals=ClosedLoop(clients=1, requests=8))
    assert (report.ok, report.failed_by_reason) == (4, {"reset": 4})
    assert len(server.requests) == report.sent == 8


def test_a_stalled_server_makes_the_requests_late_that_were_due_meanwhile(server, images):
    # With one connection they cannot even be sent before the first is answered.
    arrivals = OpenLoop(rate=20, requests=20)
    report = run_load(server, "stalls", images, arrivals=arrivals, connections=1)
    assert report.ok == 20
    spread = report.latency_s["ok"]
    assert spread is not None
    # They were due all through the stall, and so waited for half of it on average.
    assert spread.p50 > 0.4 * STALL_S
    assert spread.p90 > 0.8 * STALL_S
    assert STALL_S < spread.max < 5 * STALL_S


def test_an_open_load_waits_for_no_answer(server, images):
    report = run_load(server, "concurrent-10", images, arrivals=OpenLoop(rate=40, duration_s=0.25))
    assert (report.sent, report.ok) == (10, 10)
    assert server.max_in_flight == 10


@pytest.mark.alone
def test_a_load_for_a_time_ends_after_it(server, images):
    report = run_load(server, "ok", images, arrivals=ClosedLoop(clients=2, duration_s=0.2))
    assert report.sent == report.ok == len(server.requests) > 2
    assert 0.2 <= report.duration_s < 2.2
    assert report.throughput == pytest.approx(report.ok / report.span_s)


def test_closed_clients_never_ask_for_more_than_they_are(server, images):
    run_load(server, "ok", images, arrivals=ClosedLoop(clients=3, requests=100))
    assert 1 <= server.max_in_flight <= 3
    assert len(server.requests) == 100


def test_connections_are_used_again_unless_either_side_closes_them(server, images):
    assert run_load(server, "ok", images).ok == 8
    assert server.connections <= 2
    before = server.connections
    assert run_load(server, "ok", images, new_connections=True).ok == 8
    assert server.connections == before + 8
    assert [request.headers["Connection"] for request in server.requests[8:]] == ["close"] * 8
    # A server may close after its answer, too.
    assert run_load(server, "closes", images).ok == 8
    assert server.connections == before + 16


def test_a_large_image_is_sent_whole(server):
    images = generate_images(1, 1000, 800, format="png")
    assert len(images[0].data) > 2**20  # Where aiohttp warns of bodies that block its loop.
    assert run_load(server, "ok", images, check=compare_with(negatives(images))).ok == 1


def test_an_idle_connection_is_closed_by_the_client_first():
    assert KEEP_ALIVE_S > 1.5 * IDLE_TIMEOUT_S


@pytest.mark.parametrize(
    "arrivals", [ClosedLoop(clients=4, requests=12), OpenLoop(rate=200, requests=12)]
)
def test_servers_share_the_load(server, images, arrivals):
    with run_stub_server() as other:
        report = run_load(server, "ok", images, arrivals=arrivals, other_urls=[f"{other.url}/ok"])
        counts = len(server.requests), len(other.requests)
    assert (report.ok, sum(counts)) == (12, 12)
    # Clients that are answered sooner ask more often; an open load does not wait for them.
    assert min(counts) >= (6 if isinstance(arrivals, OpenLoop) else 2)


def test_five_hundred_requests_are_on_their_way_at_once(server, images):
    report = run_load(
        server, "concurrent-500", images, arrivals=ClosedLoop(clients=500, requests=500)
    )
    assert report.ok == 500
    assert server.connections == 500


def limited(limit: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with less of something than there is."""
    return subprocess.run(
        ["bash", "-c", f'ulimit {limit} && exec "$@"', "bash", *COMMAND, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


@pytest.mark.parametrize(("limit", "status"), [("-Sn 120", 0), ("-n 120", 1)])
def test_the_limit_of_open_files_is_raised_or_named(server, limit, status):
    load = ("--clients", "100", "--requests", "100", "--size", "8x8")
    completed = limited(limit, server.url, *load)
    assert completed.returncode == status, completed.stderr
    assert completed.stderr == (
        "100 connections need 164 open files, and 120 are allowed here: "
        "run `ulimit -Hn 164` as root, or use fewer connections.\n"
        if status
        else ""
    )


def test_a_disk_that_is_full_ends_the_load_with_a_sentence(server):
    completed = limited("-f 8", server.url, "--requests", "16", "--size", "100x100")
    assert completed.returncode == 1
    assert completed.stderr.startswith("Answers cannot be kept in /")
    assert completed.stderr.count("\n") == 1


def test_a_plan_without_images_is_rejected():
    with pytest.raises(LoadError, match="at least one image"):
        Plan(url="http://127.0.0.1", images=[], arrivals=ClosedLoop(clients=1, requests=1))


@pytest.mark.parametrize(
    "arrivals", [OpenLoop(rate=20, duration_s=600), ClosedLoop(clients=2, duration_s=600)]
)
def test_a_load_that_is_stopped_starts_no_more_and_counts_what_it_sent(server, images, arrivals):
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    plan = Plan(url=f"{server.url}/ok", images=images, arrivals=arrivals)
    report = run(plan, stop)
    assert report.ok == report.sent > 0
    assert report.duration_s < BOUND_S
