"""Default model source: pods fetch a public model from the hub and convert it.

A stub hub on this machine serves the demo model in upstream format.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.pins import Pin
from tests.e2e.cluster import Release, namespace, until
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


def values(demo: dict[str, Any], hub: Hub, **model: object) -> dict[str, Any]:
    """Values of a release whose pods fetch from the stub hub."""
    hosts = [urlsplit(address) for address in (hub.address, hub.cdn_address)]
    return demo | {
        "image": demo["image"] | {"tag": f"{demo['image']['tag']}-tensorflow"},
        "replicaCount": REPLICAS,
        "model": {
            "endpoint": hub.address,
            # Both start at once, and a small node must fit both.
            "prepare": {"resources": {"requests": {"cpu": "200m", "memory": "1Gi"}}},
            **model,
        },
        "networkPolicy": {
            "modelSource": {
                "cidrs": [f"{hosts[0].hostname}/32"],
                "ports": [host.port for host in hosts],
            },
        },
    }


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.needs("hub")
def test_replicas_fetch_and_convert_a_model_once(module_namespace, demo, hub, record_result):
    cache = {"create": True, "accessModes": ["ReadWriteOnce"]}
    release = Release(module_namespace, values(demo, hub, cache=cache))
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


@pytest.mark.promise("Models: the same source is converted to the same digest")
@pytest.mark.needs("hub")
def test_replicas_that_convert_their_own_copies_accept_one_pin(
    demo, hub, upstream_demo, record_result
):
    pin = str(Pin(open_folder(upstream_demo).source_digest, of_source=True))
    verify = ("dctnet", "verify", "anime", "--digest", pin)
    with namespace("own-copies") as own:
        release = Release(own, values(demo, hub, digest=pin))
        seconds = release.install(INSTALL_TIMEOUT_S)
        pods = release.ready_pods()
        assert len(pods) == len(hub.requests_for("detector.pb")) == REPLICAS
        # The last line is the digest of the converted model's manifest.
        assert len({own.kubectl("exec", pod, "--", *verify) for pod in pods}) == 1
    record_result("own copies", {"seconds": seconds})
