"""Hostile clients beside a load; tests/server runs them against a real server."""

import pytest

from loadtest import options
from loadtest.client import LoadError, OpenLoop, Plan, measure
from tests.loadtest.stub_server import run_stub_server
from tests.support.process import free_ports

LOAD = OpenLoop(rate=20, duration_s=0.5)


def test_all_kinds_run_beside_the_load(images):
    hostile = dict.fromkeys(options.HOSTILE_KINDS, 2)
    with run_stub_server() as server:
        plan = Plan(url=f"{server.url}/429-1", images=images, arrivals=LOAD, hostile=hostile)
        report = measure(plan).report
    assert report.rejected == report.sent == 10
    assert report.hostile.keys() == hostile.keys()
    assert all(sum(counts.values()) >= 2 for counts in report.hostile.values())
    assert report.hostile["idle"] == report.hostile["slow-headers"] == {"open": 2}
    assert report.hostile["invalid-image"] == {"429": 2}
    assert "hostile idle: open 2" in report.table()


def test_no_server_is_an_outcome(images):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    hostile = {"idle": 1, "disconnect": 1, "slow-bodies": 1, "invalid-image": 1}
    plan = Plan(url=url, images=images, arrivals=LOAD, hostile=hostile)
    outcomes = measure(plan).report.hostile
    assert [next(iter(counts)) for counts in outcomes.values()] == [
        *("unconnected", "reset", "unconnected", "connect")
    ]


def test_https_is_rejected(images):
    with pytest.raises(LoadError, match="Hostile clients need an http:// URL"):
        Plan(
            url="https://h",
            images=images,
            arrivals=OpenLoop(rate=1, requests=1),
            hostile={"idle": 1},
        )
