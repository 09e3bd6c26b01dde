"""Prometheus, the trace collector and the model hub are away."""

import pytest

from tests.e2e import pods
from tests.e2e.cluster import until
from tests.e2e.service import Service
from tests.e2e.test_profiles import fill_claim

UNUSED_ADDRESS = "192.0.2.1"
"""An address that no host has (RFC 5737)."""

WITHOUT_OTHERS = {
    "tracing": {"endpoint": f"http://{UNUSED_ADDRESS}:4318"},
    "metrics": {"podAnnotations": True},
}

FETCHED = {
    "model": {
        "source": "modelscope",
        "styles": ["anime"],
        "endpoint": f"http://{UNUSED_ADDRESS}",
        "cache": {"existingClaim": "cartoon-models", "prepared": True},
    }
}
"""Models that were fetched once, from a hub that is away now."""

MOVE = f"""
import os
os.rename("{pods.CLAIM_PATH}/styles/comic", "{pods.CLAIM_PATH}/anime-converted")
"""


def replace_one(service: Service) -> None:
    """Kill the worker of a replica, then delete its pod."""
    replica, *_ = service.replicas()
    replica.send_signal("SIGKILL", "worker")
    until(replica.is_ready, "the other worker is not ready")
    service.release.namespace.kubectl("delete", "pod", replica.name, "--grace-period=0", "--force")
    until(service.is_settled, "the other replica is not ready")
    assert replica.name not in service.release.ready_pods()


@pytest.mark.promise("Cluster: replicas serve and restart without Prometheus, collector and hub")
@pytest.mark.needs("faults")
def test_replicas_serve_and_restart_alone(serve, image, record_result):
    """With the model of the container image, then with one of a claim."""
    with serve(WITHOUT_OTHERS) as service:
        namespace = service.release.namespace
        assert f"the spans go to {UNUSED_ADDRESS}" in service.replicas()[0].log()
        with service.without_lost_requests(record_result, "model of the image"):
            replace_one(service)
        fill_claim(namespace, image)
        pods.start(namespace, image, "move", MOVE, claim="cartoon-models")
        pods.output(namespace, "move")
        with service.without_lost_requests(record_result, "model of a claim"):
            service.release.upgrade(FETCHED)
            replace_one(service)
