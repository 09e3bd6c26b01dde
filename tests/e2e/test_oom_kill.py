"""A replica exceeds its memory limit: injections/memory_leak.py lets its arbiter take memory."""

import pytest

from tests.e2e import injections
from tests.e2e.cluster import until

LIMIT = {"resources": {"limits": {"memory": "700Mi"}}}
"""More than a replica takes for the small images of the load, and little for the node."""

START_LEAK = """
from pathlib import Path
Path("/tmp/leak").touch()
"""


@pytest.mark.promise("Cluster: no request is lost when a replica crashes or is paused")
def test_oom_kill_loses_no_request(serve, record_result):
    """The kernel kills codec processes first, then the largest process, here process 1.

    If it kills the worker instead, cgroups of version 1 leave the container running:
    test_killed_process.py kills a worker.
    """
    with serve(injections.values("memory_leak") | LIMIT) as service:
        replica, *_ = service.replicas()
        with service.without_lost_requests(record_result, "OOM kill"):
            replica.run(START_LEAK)
            until(lambda: replica.restarts() == 1, "the container was not restarted")
            until(replica.is_ready, "the restarted replica is not ready")
        assert replica.container()["lastState"]["terminated"]["reason"] == "OOMKilled"
