"""The file systems that a replica can write to are full."""

import errno
import time

import pytest

from tests.e2e.cluster import until

FILL = """
import sys
folder, size = sys.argv[1], int(sys.argv[2])
with open(f"{folder}/fill", "wb", buffering=0) as file:
    try:
        while file.tell() < size:
            file.write(bytes(2**20))
    except OSError as error:
        print(error.errno)
"""
"""Writes a file, and prints the number of the error that prevents it."""

PROBES_S = 10
"""Time in which each probe is made, in seconds."""

EVICTED_S = 180
"""Timeout of an eviction, in seconds: the kubelet measures volumes once a minute."""


@pytest.mark.promise("Cluster: no request is lost when a replica's disk is full")
@pytest.mark.needs("faults")
def test_full_memory_file_system_has_no_effect(serve, record_result):
    """`/dev/shm`, where the worker's heartbeat file is, has room for its name alone."""
    with serve({}) as service:
        failures = service.release.namespace.unhealthy()
        replica, *_ = service.replicas()
        with service.without_lost_requests(record_result, "full /dev/shm"):
            for each in service.replicas():
                assert int(each.run(FILL, "/dev/shm", str(2**40))) == errno.ENOSPC
            time.sleep(PROBES_S)
            assert service.release.namespace.unhealthy() == failures
            (worker,) = replica.processes()["worker"]
            replica.send_signal("SIGKILL", "worker")
            until(lambda: replica.processes()["worker"] not in ([], [worker]), "no other worker")
            until(replica.is_ready, "the other worker is not ready")
            replica.send_signal("SIGTERM", "arbiter")
            until(lambda: replica.restarts() == 1, "the container was not restarted")
            until(replica.is_ready, "the restarted replica is not ready")


@pytest.mark.promise("Cluster: no request is lost when a replica's disk is full")
@pytest.mark.needs("faults")
def test_eviction_for_a_full_volume_loses_no_request(serve, record_result):
    """More than the volume `tmp` may take: the kubelet evicts the pod, and another one starts."""
    with serve({}) as service:
        replica, *_ = service.replicas()
        (volume,) = [
            each for each in service.release.pods()[0]["spec"]["volumes"] if each["name"] == "tmp"
        ]
        assert volume["emptyDir"] == {"sizeLimit": "256Mi"}
        with service.without_lost_requests(record_result, "eviction"):
            replica.run(FILL, "/tmp", str(260 * 2**20))
            namespace = service.release.namespace
            reason = "--output=jsonpath={.status.reason}"
            until(
                lambda: namespace.kubectl("get", "pod", replica.name, reason) == "Evicted",
                "the pod is not evicted",
                bound_s=EVICTED_S,
            )
            namespace.kubectl("delete", "pod", replica.name)  # Kubernetes keeps its status.
