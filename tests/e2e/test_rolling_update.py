"""Under a steady load that two replicas carry, whatever becomes of them is not noticed outside."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.cluster import Namespace, Rejected, Release, merged, until
from tests.e2e.conftest import Note
from tests.e2e.ingress_or_gateway import Entrance
from tests.e2e.load import STEADY, Loads, require_nothing_lost
from tests.e2e.pod_watch import watching

REPLICAS = 2
ROUNDS = 3

AROUND_S = 5
"""How long the load goes on before and after a change: proxies learn of one seconds late."""

OTHER_MODEL = {"name": "DCTNET_MODEL_DIGEST", "value": "0" * 64}
"""With it a replica rejects the model that it has."""

HOPELESS_S = 30
"""How long an upgrade is waited for that cannot succeed."""


@dataclass(frozen=True)
class Service:
    release: Release
    loads: Loads
    rate: float
    """Requests a second of the steady load."""

    @contextmanager
    def losing_nothing(self, note: Note, change: str) -> Iterator[None]:
        """Load before, during and after a change, until the replicas are those that should be."""
        with self.loads.steady(self.rate) as result:
            time.sleep(AROUND_S)
            yield
            until(self.is_settled, "the replicas are not all ready")
            time.sleep(AROUND_S)
        note(change, result.result())
        require_nothing_lost(result.result(), self.release.namespace)

    def is_settled(self) -> bool:
        """Whether there are the right replicas and none that is ending."""
        there = self.release.namespace.items("pods", self.release.selector)
        return len(self.release.ready_pods()) == len(there) == REPLICAS


@pytest.fixture(scope="module")
def service(
    fresh: Namespace, demo: dict[str, Any], entrance: Entrance, loads: Callable[[str], Loads]
) -> Service:
    release = Release(fresh, merged(demo, entrance.values()) | {"replicaCount": REPLICAS})
    release.install()
    ready = loads(entrance.url(fresh))
    capacity = ready.capacity()
    require_nothing_lost(capacity, fresh)
    return Service(release, ready, STEADY * capacity.throughput)


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_an_upgrade_that_replaces_every_pod_loses_nothing_three_times(service, note):
    release = service.release
    for turn in range(1, ROUNDS + 1):
        before = set(release.ready_pods())
        with (
            watching(release.namespace, release.selector) as seen,
            service.losing_nothing(note, f"upgrade {turn}"),
        ):
            seconds = release.upgrade({"podAnnotations": {"turn": str(turn)}})
        note(f"upgrade {turn} took", {"seconds": seconds, "slowest_pod_s": max(seen.seconds())})
        assert not before & set(release.ready_pods())


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_a_rollback_loses_nothing(service, note):
    before = set(service.release.ready_pods())
    with service.losing_nothing(note, "rollback"):
        seconds = service.release.rollback()
    note("rollback took", {"seconds": seconds})
    assert not before & set(service.release.ready_pods())


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_a_pod_deleted_with_no_grace_loses_nothing(service, note):
    for turn in range(1, ROUNDS + 1):
        gone = service.release.ready_pods()[0]
        with service.losing_nothing(note, f"killed {turn}"):
            service.release.namespace.kubectl("delete", "pod", gone, "--grace-period=0", "--force")
        assert gone not in service.release.ready_pods()


@pytest.mark.promise("Cluster: no request is lost in a rollout, a rollback or a pod's deletion")
def test_an_upgrade_whose_pods_never_become_ready_is_not_noticed_and_is_rolled_back(service, note):
    """They look for another model than there is, and end."""
    release = service.release
    before = release.ready_pods()
    with service.loads.steady(service.rate) as result:
        with pytest.raises(Rejected):
            release.upgrade({"extraEnv": [OTHER_MODEL]}, bound_s=HOPELESS_S)
        assert set(before) <= set(release.ready_pods())
        assert len(release.pods()) > REPLICAS
        release.rollback()
        until(service.is_settled, "the rollback leaves other pods")
    report = result.result()
    note("failed upgrade and rollback", report)
    assert release.ready_pods() == before
    require_nothing_lost(report, service.release.namespace)
