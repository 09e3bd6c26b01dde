"""Prometheus metrics of the load client."""

import socket
import urllib.request

import pytest

from loadtest.client import ClosedLoop, LoadError, Plan, measure
from loadtest.client_metrics import ClientMetrics
from tests.loadtest.stub_server import MIXED_RESPONSES
from tests.support.chart import run_tool
from tests.support.metrics import scrape
from tests.support.process import free_ports


def test_metrics_count_a_load_by_outcome(server, images):
    (port,) = free_ports(1)
    metrics = ClientMetrics()
    arrivals = ClosedLoop(clients=4, requests=len(MIXED_RESPONSES))
    with metrics.serving(port):
        plan = Plan(url=f"{server.url}/mixed", images=images, arrivals=arrivals)
        report = measure(plan, metrics=metrics).report
        samples = scrape(f"http://127.0.0.1:{port}")
    values = {(it.name, it.labels.get("outcome", "")): it.value for it in samples}
    assert values["dctnet_load_sent_total", ""] == report.sent == 8
    assert values["dctnet_load_in_flight", ""] == 0
    counts = {
        o: values["dctnet_load_latency_seconds_count", o] for o in report.latency_s if o != "all"
    }
    # Images are validated after the load: those of the wrong type are still ok here.
    late = report.invalid_by_reason["content type"]
    assert counts == {
        "ok": report.ok + late,
        "rejected": report.rejected,
        "failed": report.failed,
        "invalid": report.invalid - late,
    }
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_metrics_have_clean_names_and_units():
    (port,) = free_ports(1)
    with (
        ClientMetrics().serving(port),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        text = response.read().decode()
    done = run_tool("promtool", "check", "metrics", input=text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_failed_requests_count_with_their_latency(server, images):
    metrics = ClientMetrics()
    arrivals = ClosedLoop(clients=3, requests=3)
    plan = Plan(url=f"{server.url}/hang", images=images, arrivals=arrivals, timeout_s=0.3)
    measure(plan, metrics=metrics)
    labels = {"outcome": "failed"}
    assert metrics.registry.get_sample_value("dctnet_load_latency_seconds_count", labels) == 3
    assert metrics.registry.get_sample_value("dctnet_load_latency_seconds_sum", labels) > 0.9


def test_used_port_is_an_error():
    with (
        socket.create_server(("", 0)) as used,
        pytest.raises(LoadError, match=r"Cannot listen on port \d+: Address already in use"),
        ClientMetrics().serving(used.getsockname()[1]),
    ):
        pass
