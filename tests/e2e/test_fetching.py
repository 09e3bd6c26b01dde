"""Default model source: pods fetch a public model from the hub and convert it.

A stub hub on this machine serves the demo model in upstream format.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dctnet.models.folder import REQUIRED_FILES
from tests.e2e.cluster import Release, until
from tests.hub.stand_in import Hub, running

MODEL = "iic/cv_unet_person-image-cartoon_compound-models"
REPLICAS = 2

INSTALL_TIMEOUT_S = 900
"""Timeout of fetch and conversion, in seconds, including the pull of TensorFlow's image."""


@pytest.fixture
def hub(upstream_demo: Path) -> Iterator[Hub]:
    files = {name: (upstream_demo / name).read_bytes() for name in REQUIRED_FILES}
    with running(Hub(MODEL, {"master": files}), os.environ["E2E_HUB_HOST"]) as hub:
        yield hub


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.needs("hub")
def test_replicas_fetch_and_convert_a_model_once(module_namespace, demo, hub, record_result):
    host, port = hub.address.removeprefix("http://").split(":")
    image = demo["image"] | {"tag": f"{demo['image']['tag']}-tensorflow"}
    release = Release(
        module_namespace,
        demo
        | {
            "image": image,
            "replicaCount": REPLICAS,
            "model": {
                "endpoint": hub.address,
                "cache": {"create": True, "accessModes": ["ReadWriteOnce"]},
                # Both start at once, and a small node must fit both.
                "prepare": {"resources": {"requests": {"cpu": "200m", "memory": "1Gi"}}},
            },
            "networkPolicy": {
                "modelSource": {"cidrs": [f"{host}/32"], "ports": [int(port)]},
            },
        },
    )
    seconds = release.install(INSTALL_TIMEOUT_S)
    request_counts = {name: len(hub.requests_for(name)) for name in REQUIRED_FILES}
    assert request_counts == dict.fromkeys(REQUIRED_FILES, 1)
    assert "Succeeded" in release.test()
    assert len(release.ready_pods()) == REPLICAS

    (one, *_) = release.ready_pods()
    module_namespace.kubectl("delete", "pod", one)
    until(lambda: len(release.ready_pods()) == REPLICAS, "no other pod is ready")
    assert {name: len(hub.requests_for(name)) for name in REQUIRED_FILES} == request_counts
    record_result("fetching", {"seconds": seconds})
