"""A process of a replica is killed."""

import json

import pytest

from tests.e2e.cluster import BOUND_S, Release, until

SHARED = {"spec": {"template": {"spec": {"shareProcessNamespace": True}}}}


def share_process_namespace(release: Release) -> None:
    """Let a command in the container kill the arbiter, which is then not process 1."""
    release.namespace.kubectl("patch", "deployment", release.name, f"--patch={json.dumps(SHARED)}")
    release.namespace.kubectl(
        "rollout", "status", f"deployment/{release.name}", f"--timeout={BOUND_S}s"
    )


@pytest.mark.promise("Cluster: no request is lost when a replica crashes or is paused")
@pytest.mark.needs("faults")
def test_killed_process_loses_no_request(serve, record_result):
    """The arbiter starts another worker, and the kubelet another arbiter."""
    with serve({}) as service:
        share_process_namespace(service.release)
        until(service.is_settled, "the replicas are not all ready")
        replica, *_ = service.replicas()

        (worker,) = replica.processes()["worker"]
        with service.without_lost_requests(record_result, "worker killed"):
            replica.send_signal("SIGKILL", "worker")
            until(lambda: replica.processes()["worker"] not in ([], [worker]), "no other worker")
            until(replica.is_ready, "the other worker is not ready")
        assert replica.restarts() == 0

        with service.without_lost_requests(record_result, "arbiter killed"):
            replica.send_signal("SIGKILL", "arbiter")
            until(lambda: replica.restarts() == 1, "the container was not restarted")
            until(replica.is_ready, "the restarted replica is not ready")
        assert replica.container()["lastState"]["terminated"]["exitCode"] == 128 + 9
