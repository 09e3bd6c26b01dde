"""Load client: outcomes, latencies and connections."""

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
from loadtest.exchange import IDLE_TIMEOUT_S
from tests.loadtest.stub_server import MIXED_RESPONSES, STALL_S, StubServer, run_stub_server
from tests.support.polling import BOUND_S
from tests.support.process import free_ports
from tests.support.repo import ROOT

COMMAND = (sys.executable, "-m", "loadtest.client")


def negatives(images: list[SourceImage]) -> dict[str, Any]:
    return {image.name: 255 - image.pixels() for image in images}


def run_load(server: StubServer, path: str, images: list[SourceImage], **plan: Any) -> Report:
    """Send each image once, unless the plan says otherwise."""
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
def test_unexpected_statuses_and_broken_responses_fail(server, images, path, reason):
    report = run_load(server, path, images)
    assert report.failed_by_reason == {reason: len(images)}
    assert (report.sent, report.ok, report.rejected, report.invalid) == (len(images), 0, 0, 0)
    assert report.latency_s["ok"] is None
    assert not report.is_clean


@pytest.mark.parametrize(
    ("path", "reason", "sentence"),
    [
        ("smaller", "size", "The response has 40x23 pixels, the image 40x24."),
        ("text", "content type", "The response type is text/plain."),
        ("untyped", "content type", "The response type is missing."),
        ("jpeg-as-png", "undecodable", "The response is not a valid image/png"),
        ("half-image", "undecodable", "The response is not a valid image/png"),
        ("cut", "truncated", ""),
    ],
)
def test_invalid_images_are_invalid_responses(server, images, path, reason, sentence):
    report = run_load(server, path, images)
    assert report.invalid_by_reason == {reason: len(images)}
    assert (report.sent, report.ok, report.rejected, report.failed) == (len(images), 0, 0, 0)
    assert report.examples[0].startswith(f"{reason}: {sentence}")


@pytest.mark.parametrize(
    ("path", "lacking"),
    [("429", 8), ("429-soon", 8), ("429--1", 8), ("429-date", 0), ("503", 8), ("503-5", 0)],
)
def test_rejections_are_clean_and_counted_without_retry_after(server, images, path, lacking):
    report = run_load(server, path, images)
    assert (report.sent, report.rejected, report.rejected_without_retry_after) == (8, 8, lacking)
    assert report.is_clean
    rejected = report.latency_s["rejected"]
    assert rejected is not None
    assert rejected.count == 8


def test_cartoons_are_compared_with_tolerance(server, images):
    right = negatives(images)
    arrivals = ClosedLoop(clients=4, requests=40)
    report = run_load(server, "ok", images, arrivals=arrivals, check=compare_with(right))
    assert (report.sent, report.ok) == (40, 40)
    another = dict(zip(right, [*list(right.values())[1:], right[images[0].name]], strict=True))
    report = run_load(server, "ok", images, arrivals=arrivals, check=compare_with(another))
    assert report.invalid_by_reason == {"pixels": 40}
    # The tolerance is inclusive.
    near = {name: np.clip(image, 4, None) - 4 for name, image in right.items()}
    assert run_load(server, "ok", images, check=compare_with(near, 4)).ok == len(images)
    assert run_load(server, "ok", images, check=compare_with(near, 3)).invalid == len(images)


def test_equal_responses_are_checked_once(server, images):
    checked: list[str] = []  # Appending is thread-safe.

    def check(image: SourceImage, _: Any) -> None:
        checked.append(image.name)

    arrivals = ClosedLoop(clients=4, requests=40)
    assert run_load(server, "ok", images, arrivals=arrivals, check=check).ok == 40
    assert Counter(checked) == {image.name: 1 for image in images}


def test_mixed_outcomes_add_up(server, images):
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
def test_timeout_fails(server, images):
    arrivals = ClosedLoop(clients=8, requests=8)
    report = run_load(server, "hang", images, arrivals=arrivals, timeout_s=0.2)
    assert report.failed_by_reason == {"timeout": len(images)}
    spread = report.latency_s["failed"]
    assert spread is not None
    assert 0.2 <= spread.p50 < 1


def test_failed_connections_are_rate_limited(images):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    report = run(Plan(url=url, images=images, arrivals=ClosedLoop(clients=2, duration_s=0.5)))
    assert 2 <= report.sent <= 12
    assert report.failed_by_reason == {"connect": report.sent}
    assert report.throughput == 0


def test_requests_are_not_retried(server, images):
    report = run_load(server, "ok-then-reset", images, arrivals=ClosedLoop(clients=1, requests=8))
    assert (report.ok, report.failed_by_reason) == (4, {"reset": 4})
    assert len(server.requests) == report.sent == 8


def test_latency_counts_from_the_due_time(server, images):
    # One connection: the others cannot be sent before the first response.
    arrivals = OpenLoop(rate=20, requests=20)
    report = run_load(server, "stalls", images, arrivals=arrivals, connections=1)
    assert report.ok == 20
    spread = report.latency_s["ok"]
    assert spread is not None
    # Due times are spread over the stall, so the average wait is half of it.
    assert spread.p50 > 0.4 * STALL_S
    assert spread.p90 > 0.8 * STALL_S
    assert STALL_S < spread.max < 5 * STALL_S


def test_open_loop_does_not_wait_for_responses(server, images):
    report = run_load(server, "concurrent-10", images, arrivals=OpenLoop(rate=40, duration_s=0.25))
    assert (report.sent, report.ok) == (10, 10)
    assert server.max_in_flight == 10


@pytest.mark.alone
def test_duration_limits_the_load(server, images):
    report = run_load(server, "ok", images, arrivals=ClosedLoop(clients=2, duration_s=0.2))
    assert report.sent == report.ok == len(server.requests) > 2
    assert 0.2 <= report.duration_s < 2.2
    assert report.throughput == pytest.approx(report.ok / report.span_s)


def test_closed_loop_limits_concurrency(server, images):
    run_load(server, "ok", images, arrivals=ClosedLoop(clients=3, requests=100))
    assert 1 <= server.max_in_flight <= 3
    assert len(server.requests) == 100


def test_connections_are_reused_unless_closed(server, images):
    assert run_load(server, "ok", images).ok == 8
    assert server.connections <= 2
    before = server.connections
    assert run_load(server, "ok", images, new_connections=True).ok == 8
    assert server.connections == before + 8
    assert [request.headers["Connection"] for request in server.requests[8:]] == ["close"] * 8
    # The server may close the connection after its response.
    assert run_load(server, "closes", images).ok == 8
    assert server.connections == before + 16


def test_large_image_is_sent_completely(server):
    images = generate_images(1, 1000, 800, format="png")
    assert len(images[0].data) > 2**20  # More than the socket's buffers hold.
    assert run_load(server, "ok", images, check=compare_with(negatives(images))).ok == 1


def test_client_idle_timeout_is_below_the_server_s():
    assert KEEP_ALIVE_S > 1.5 * IDLE_TIMEOUT_S


@pytest.mark.parametrize(
    "arrivals", [ClosedLoop(clients=4, requests=12), OpenLoop(rate=200, requests=12)]
)
def test_load_is_spread_over_servers(server, images, arrivals):
    with run_stub_server() as other:
        report = run_load(server, "ok", images, arrivals=arrivals, other_urls=[f"{other.url}/ok"])
        counts = len(server.requests), len(other.requests)
    assert (report.ok, sum(counts)) == (12, 12)
    # Closed-loop clients of the faster server send more; an open loop does not adapt.
    assert min(counts) >= (6 if isinstance(arrivals, OpenLoop) else 2)


def test_500_concurrent_requests(server, images):
    report = run_load(
        server, "concurrent-500", images, arrivals=ClosedLoop(clients=500, requests=500)
    )
    assert report.ok == 500
    assert server.connections == 500


def limited(limit: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with a resource limit."""
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
def test_open_file_limit_is_raised_or_reported(server, limit, status):
    load = ("--clients", "100", "--requests", "100", "--size", "8x8")
    completed = limited(limit, server.url, *load)
    assert completed.returncode == status, completed.stderr
    assert completed.stderr == (
        "100 connections need 164 open files, and 120 are allowed here: "
        "run `ulimit -Hn 164` as root, or use fewer connections.\n"
        if status
        else ""
    )


def test_full_disk_is_one_error_line(server):
    completed = limited("-f 8", server.url, "--requests", "16", "--size", "100x100")
    assert completed.returncode == 1
    assert completed.stderr.startswith("Responses cannot be stored in /")
    assert completed.stderr.count("\n") == 1


def test_plan_without_images_is_an_error():
    with pytest.raises(LoadError, match="at least one image"):
        Plan(url="http://127.0.0.1", images=[], arrivals=ClosedLoop(clients=1, requests=1))


@pytest.mark.parametrize(
    "arrivals", [OpenLoop(rate=20, duration_s=600), ClosedLoop(clients=2, duration_s=600)]
)
def test_stop_event_ends_the_load(server, images, arrivals):
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    plan = Plan(url=f"{server.url}/ok", images=images, arrivals=arrivals)
    report = run(plan, stop)
    assert report.ok == report.sent > 0
    assert report.duration_s < BOUND_S
