"""The processes of a replica are paused, as by an overcommitted hypervisor."""

import time

import pytest

ROLES = "arbiter", "worker", "codecs"

PAUSE_S = 20


@pytest.mark.promise("Cluster: no request is lost when a replica crashes or is paused")
@pytest.mark.needs("faults")
def test_pause_loses_no_request_and_restarts_nothing(serve, record_result):
    """Requests wait for the paused replica until the kubelet takes it for unready.

    The arbiter, process 1, cannot be stopped from its container. It only waits for the worker.
    """
    with serve({}) as service:
        replica, *_ = service.replicas()
        with service.without_lost_requests(record_result, f"{PAUSE_S} s of SIGSTOP"):
            replica.send_signal("SIGSTOP", *ROLES)
            time.sleep(PAUSE_S)
            assert replica.name not in service.release.ready_pods()
            replica.send_signal("SIGCONT", *ROLES)
        assert service.release.restarts() == 0
