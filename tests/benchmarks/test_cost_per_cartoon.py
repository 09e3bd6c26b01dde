"""Cost per cartoon: stages of a response, and the tables."""

import subprocess
import sys

import pytest

from benchmarks.cost_per_cartoon import (
    REST,
    STAGES,
    Request,
    measure,
    portrait,
    price_table,
    read_stages,
    stage_table,
)
from dctnet.metrics import STAGES as METRIC_STAGES
from tests.support.process import children, cpu_clock, cpu_time, serving


def test_stages_are_those_of_the_service():
    assert {*STAGES, "queue"} == set(METRIC_STAGES)


def test_stages_are_read_without_the_queue():
    assert read_stages("queue;dur=9.0, decode;dur=1.5, head;dur=200.0") == {
        "decode": 0.0015,
        "head": 0.2,
    }


def test_tables():
    stages = dict.fromkeys(STAGES, 0.1)
    requests = [Request(total, stages) for total in (0.9, 0.8, 0.7)]
    assert requests[1].seconds(REST) == pytest.approx(0.2)
    lines = stage_table({(512, 256): requests}).splitlines()
    assert lines[0] == "| stage, CPU ms (share) | 512×256 |"
    assert lines[2] == "| decode | 100.0 (12.5%) |"
    assert lines[-2:] == ["| rest of the request | 200.0 (25.0%) |", "| **CPU time** | **800** |"]
    lines = price_table({(512, 256): 0.36}, 0.5).splitlines()
    assert lines[2:] == [
        "| CPU seconds per image | 0.360 |",
        "| images per CPU-hour | 10,000 |",
        "| price of 1,000 images | 0.0500 |",
    ]


def test_clock_of_a_process_counts_its_cpu_time():
    program = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.3 <= cpu_clock(process.pid) < 1
        assert cpu_clock(process.pid) == pytest.approx(cpu_time(process.pid), abs=0.05)
        process.communicate(b"\n")


def test_stages_of_a_real_request_are_cpu_time():
    command = [sys.executable, "-m", "benchmarks.cpu_stages"]
    settings = {"DCTNET_STYLES": "comic", "DCTNET_SLOTS": 1, "DCTNET_THREADS": 1}
    with serving(None, command, **settings) as server:
        assert children(server.worker())
        (request,) = measure(server, portrait(512, 512), "png", 1)
    assert request.stages.keys() == STAGES.keys()
    assert all(seconds > 0 for seconds in request.stages.values())
    assert 0 < request.seconds(REST) < request.total / 2
