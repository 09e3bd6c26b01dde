"""A model in a claim differs from its manifest by one byte."""

from typing import Any

import pytest

from tests.e2e import pods
from tests.e2e.cluster import CommandError, Release, until
from tests.e2e.test_profiles import fill_claim

FROM_CLAIM = {
    "model": {
        "source": "existingClaim",
        "existingClaim": {"name": "cartoon-models", "path": "styles"},
    }
}

TAMPERED = "cartoon_bg.npz"

TAMPER = f"""
from pathlib import Path
weights = Path("{pods.CLAIM_PATH}/styles/comic/{TAMPERED}")
data = bytearray(weights.read_bytes())
data[len(data) // 2] ^= 1
weights.write_bytes(data)
"""

EXIT_BROKEN_MODEL = 3

FAILED_UPGRADE_TIMEOUT_S = 20
"""Timeout of an upgrade that must fail, in seconds."""


def last_exits(release: Release, before: list[str]) -> list[dict[str, Any]]:
    """Return the last exits of the replicas' containers, but of those that were there before."""
    new = [pod for pod in release.pods() if pod["metadata"]["name"] not in before]
    statuses = [each for pod in new for each in pod["status"].get("containerStatuses", [])]
    states = [each["state"] | each["lastState"] for each in statuses]
    return [each["terminated"] for each in states if "terminated" in each]


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.needs("faults")
def test_tampered_model_is_never_served(serve, image, record_result):
    """The reason is in the pod's status, and the replicas of the old version serve."""
    with serve({}) as service:
        release = service.release
        fill_claim(release.namespace, image)
        pods.start(release.namespace, image, "tamper", TAMPER, claim="cartoon-models")
        pods.output(release.namespace, "tamper")
        before = release.ready_pods()
        with service.without_lost_requests(record_result, "tampered model"):
            with pytest.raises(CommandError):
                release.upgrade(FROM_CLAIM, bound_s=FAILED_UPGRADE_TIMEOUT_S)
            assert release.ready_pods() == before
            exits = until(lambda: last_exits(release, before), "no replica has exited")
            release.rollback()
        assert release.ready_pods() == before
        for each in exits:
            assert each["exitCode"] == EXIT_BROKEN_MODEL
            assert TAMPERED in each["message"]
        record_result("reason", {"message": exits[0]["message"]})
