"""The wall clock of a replica jumps by an hour, forward and back.

The clock of a node cannot be changed for one pod: injections/clock_jump.py says what is injected.
"""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tests.e2e import injections
from tests.e2e.service import LOAD_MARGIN_S
from tests.support.encoded_images import encoded, gradient

HOUR_S = 3600

SET_OFFSET = """
import os, sys
with open("/tmp/clock-offset.new", "w") as file:
    file.write(sys.argv[1])
os.replace("/tmp/clock-offset.new", "/tmp/clock-offset")
"""

POST_MANY = """
import base64, json, sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

image = base64.b64decode(sys.argv[1])

def post(_):
    server = HTTPConnection("localhost", 8080, timeout=60)
    server.request("POST", "/v1/cartoons", image)
    response = server.getresponse()
    return response.status, response.headers["Retry-After"]

with ThreadPoolExecutor(12) as pool:
    print(json.dumps(list(pool.map(post, range(12)))))
"""
"""Posts an image twelve times at once, and prints each status and `Retry-After`."""

QUEUE_SIZE = 4

WAIT_S = 1
"""Time after which images wait in the queue and the clock jumps, in seconds."""

LONGEST_S = 60
"""Most that a request may take, in seconds."""


@pytest.mark.promise("Cluster: no request fails when the clock of a replica jumps")
@pytest.mark.needs("faults")
def test_clock_jump_fails_no_request(serve, record_result):
    values = injections.values("clock_jump") | {"admission": {"queueSize": QUEUE_SIZE}}
    image = base64.b64encode(encoded(gradient(768, 768))).decode()
    answers: list[tuple[int, str]] = []
    with serve(values) as service, ThreadPoolExecutor(1) as pool:
        replica, *_ = service.replicas()
        started = time.time()
        with service.without_lost_requests(record_result, "clock jumps"):
            for offset_s in HOUR_S, -HOUR_S, 0:
                posting = pool.submit(replica.run, POST_MANY, image)
                time.sleep(WAIT_S)
                replica.run(SET_OFFSET, str(offset_s))
                answers += json.loads(posting.result())
                time.sleep(LOAD_MARGIN_S)
                assert replica.is_ready()
        assert {status for status, _ in answers} == {200, 429}
        waits = [int(wait) for status, wait in answers if status == 429]
        assert all(1 <= wait < LONGEST_S for wait in waits)
        assert service.release.restarts() == 0

        records = [json.loads(line) for line in replica.log().splitlines()]
        moments = [datetime.fromisoformat(record["ts"]).timestamp() for record in records]
        offsets = {round((moment - started) / HOUR_S) for moment in moments}
        assert offsets == {-1, 0, 1}, "the log has the wall clock's times"
        durations = [record["duration"] for record in records if "duration" in record]
        assert all(0 <= duration < LONGEST_S for duration in durations)
        assert max(durations) > WAIT_S
        counts = {"sent": len(answers), "rejected": len(waits), "max Retry-After, s": max(waits)}
        record_result("images posted beside the load", counts)
