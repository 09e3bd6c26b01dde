"""Node drain under load."""

import pytest

from tests.e2e.cluster import Release, drained, merged, until
from tests.e2e.load import STEADY, require_no_lost_requests

REPLICAS = 2


def node_names(release: Release) -> list[str]:
    return [pod["spec"]["nodeName"] for pod in release.pods()]


@pytest.mark.promise("Cluster: no request is lost when a node is drained")
@pytest.mark.needs("nodes")
def test_node_drain_loses_no_request(module_namespace, demo, proxy, loads, record_result):
    release = Release(module_namespace, merged(demo, proxy.values()) | {"replicaCount": REPLICAS})
    release.install()
    assert len(set(node_names(release))) == REPLICAS
    service = loads(proxy.url(module_namespace))
    rate = STEADY * service.capacity().throughput
    for node in set(node_names(release)):
        with service.steady(rate) as result, drained(node, release):
            until(
                lambda: len(release.ready_pods()) == REPLICAS,
                "the replicas are not ready elsewhere",
            )
            assert node not in node_names(release)
        report = result.result()
        record_result(f"drain of {node}", report)
        require_no_lost_requests(report, module_namespace)
