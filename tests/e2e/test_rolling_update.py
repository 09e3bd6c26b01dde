"""Rolling updates, rollbacks and pod deletion under constant load."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.cluster import CommandError, Namespace, Release, merged, until
from tests.e2e.ingress_or_gateway import IngressOrGateway
from tests.e2e.load import STEADY, LoadGenerator, require_no_lost_requests
from tests.e2e.pod_watch import watch_pods
from tests.e2e.service import REPLICAS, Service

ROUNDS = 3

OTHER_MODEL = {"name": "DCTNET_STYLE_DIGESTS", "value": f"comic={'0' * 64}"}
"""Makes a replica reject its model."""

FAILED_UPGRADE_TIMEOUT_S = 30
"""Timeout of an upgrade that must fail, in seconds."""


@pytest.fixture(scope="module")
def service(
    module_namespace: Namespace,
    demo: dict[str, Any],
    proxy: IngressOrGateway,
    loads: Callable[[str], LoadGenerator],
) -> Service:
    release = Release(module_namespace, merged(demo, proxy.values()) | {"replicaCount": REPLICAS})
    release.install()
    ready = loads(proxy.url(module_namespace))
    capacity = ready.capacity()
    require_no_lost_requests(capacity, module_namespace)
    return Service(release, ready, STEADY * capacity.throughput)


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_upgrade_loses_no_request(service, record_result):
    release = service.release
    for turn in range(1, ROUNDS + 1):
        before = set(release.ready_pods())
        with (
            watch_pods(release.namespace, release.selector) as seen,
            service.without_lost_requests(record_result, f"upgrade {turn}"),
        ):
            seconds = release.upgrade({"podAnnotations": {"turn": str(turn)}})
        record_result(
            f"upgrade {turn} took", {"seconds": seconds, "slowest_pod_s": max(seen.seconds())}
        )
        assert not before & set(release.ready_pods())


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_change_of_the_styles_loses_no_request(service, record_result):
    for styles in ["comic", "sketch"], ["comic", "poster", "sketch"]:
        with service.without_lost_requests(record_result, f"{len(styles)} styles"):
            service.release.upgrade({"model": {"styles": styles}})
        pod, *_ = service.release.ready_pods()
        setting = service.release.namespace.kubectl("exec", pod, "--", "printenv", "DCTNET_STYLES")
        assert setting.strip() == ",".join(styles)


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_rollback_loses_no_request(service, record_result):
    before = set(service.release.ready_pods())
    with service.without_lost_requests(record_result, "rollback"):
        seconds = service.release.rollback()
    record_result("rollback took", {"seconds": seconds})
    assert not before & set(service.release.ready_pods())


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_pod_deletion_without_grace_period_loses_no_request(service, record_result):
    for turn in range(1, ROUNDS + 1):
        gone = service.release.ready_pods()[0]
        with service.without_lost_requests(record_result, f"killed {turn}"):
            service.release.namespace.kubectl("delete", "pod", gone, "--grace-period=0", "--force")
        assert gone not in service.release.ready_pods()


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_failed_upgrade_loses_no_request_and_rolls_back(service, record_result):
    """The new pods expect a different model digest, and exit."""
    release = service.release
    before = release.ready_pods()
    with service.loads.steady(service.rate) as result:
        with pytest.raises(CommandError):
            release.upgrade({"extraEnv": [OTHER_MODEL]}, bound_s=FAILED_UPGRADE_TIMEOUT_S)
        assert set(before) <= set(release.ready_pods())
        assert len(release.pods()) > REPLICAS
        release.rollback()
        until(service.is_settled, "the rollback leaves other pods")
    report = result.result()
    record_result("failed upgrade and rollback", report)
    assert release.ready_pods() == before
    require_no_lost_requests(report, service.release.namespace)
