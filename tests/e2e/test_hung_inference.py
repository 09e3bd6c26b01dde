"""An inference hangs: injections/hung_inference.py lets that of one image size never end."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e import injections
from tests.e2e.cluster import until
from tests.support.encoded_images import encoded, gradient

TIMEOUTS = {"request": 20, "watchdog": 5}
"""Shorter than the defaults, in seconds."""

REJECTED = 'dctnet_rejected_total{reason="draining"}'


@pytest.mark.promise("Cluster: an inference that hangs fails its own request alone")
@pytest.mark.needs("faults")
@pytest.mark.parametrize("slots", [1, 2])
def test_only_the_request_of_a_hung_inference_fails(serve, record_result, slots):
    """The only slot of a replica hangs, whose requests other replicas serve, or one of two."""
    changes = injections.values("hung_inference")
    changes |= {"timeouts": TIMEOUTS, "inference": {"slots": slots}}
    with serve(changes) as service, ThreadPoolExecutor(1) as pool:
        with service.without_lost_requests(record_result, f"hung inference, slots: {slots}"):
            hung = pool.submit(
                requests.post,
                service.loads.url,
                data=encoded(gradient(101, 103)),
                headers=service.loads.headers,
                timeout=60,
            )
            replicas = service.replicas()
            if slots == 1:  # It rejects what its slot cannot take, and the proxy goes on.
                until(
                    lambda: any(replica.metric(REJECTED) for replica in replicas),
                    "no replica rejects requests",
                )
            until(lambda: service.release.restarts() == 1, "no replica was restarted")
            until(lambda: all(replica.is_ready() for replica in replicas), "not ready again")
        response = hung.result()
        assert response.status_code == 504
        assert response.json()["type"] == "urn:dctnet:problem:deadline-exceeded"
        assert service.release.restarts() == 1
