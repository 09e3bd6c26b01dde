"""A release under a constant load, of which no request may be lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.cluster import Release, until
from tests.e2e.load import LoadGenerator, ResultRecorder, require_no_lost_requests
from tests.e2e.replica_pod import ReplicaPod

REPLICAS = 2

LOAD_MARGIN_S = 5
"""Time of load before and after a change, in seconds; proxies notice it late."""


@dataclass(frozen=True)
class Service:
    release: Release
    loads: LoadGenerator
    rate: float
    """Constant load in requests per second."""

    @contextmanager
    def without_lost_requests(self, record_result: ResultRecorder, change: str) -> Iterator[None]:
        """Fail if a request is lost before, during or after the change."""
        with self.loads.steady(self.rate) as result:
            time.sleep(LOAD_MARGIN_S)
            yield
            until(self.is_settled, "the replicas are not all ready")
            time.sleep(LOAD_MARGIN_S)
        record_result(change, result.result())
        require_no_lost_requests(result.result(), self.release.namespace)

    def is_settled(self) -> bool:
        """Whether all replicas are ready and none is terminating."""
        there = self.release.namespace.items("pods", self.release.selector)
        return len(self.release.ready_pods()) == len(there) == REPLICAS

    def replicas(self) -> list[ReplicaPod]:
        """Return the ready replicas, the oldest first."""
        return [ReplicaPod(self.release.namespace, name) for name in self.release.ready_pods()]
