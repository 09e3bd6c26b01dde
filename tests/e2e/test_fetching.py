"""Default model source: pods fetch a public model from the hub and convert it.

A stub hub on this machine serves the shipped comic in the upstream format.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES
from tests.e2e.cluster import CommandError, Release, namespace, until
from tests.hub.stand_in import Hub, running

MODEL = "iic/cv_unet_person-image-cartoon_compound-models"
REPLICAS = 2

INSTALL_TIMEOUT_S = 900
"""Timeout of fetch and conversion, in seconds, including the pull of TensorFlow's image."""


FAILURE_TIMEOUT_S = 30
"""Timeout of an installation that must fail, in seconds."""


@pytest.fixture
def hub(upstream_comic: Path) -> Iterator[Hub]:
    files = {name: (upstream_comic / name).read_bytes() for name in REQUIRED_FILES}
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


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.needs("hub")
def test_style_that_cannot_be_fetched_is_named_and_leaves_no_folder(demo, hub, record_result):
    styles = "anime", "3d", "handdrawn", "artstyle"
    hub.others = frozenset(STYLES[style].model_id for style in styles)
    hub.unavailable = frozenset({STYLES["handdrawn"].model_id})
    with namespace("unavailable") as own:
        cache = {"create": True, "accessModes": ["ReadWriteOnce"]}
        one = values(demo, hub, styles=list(styles), cache=cache) | {"replicaCount": 1}
        release = Release(own, one)
        with pytest.raises(CommandError):
            release.install(FAILURE_TIMEOUT_S)

        def message() -> str:
            (pod,) = release.pods()
            (status, *_) = pod["status"].get("initContainerStatuses", [{}])
            state = status.get("lastState", {}) | status.get("state", {})
            return str(state.get("terminated", {}).get("message", ""))

        until(lambda: "handdrawn: " in message(), "no message names the style")
        record_result("unavailable style", {"message": message()})
        hub.unavailable = frozenset()
        # The init container is restarted, and continues after the styles that are complete.
        until(lambda: len(release.ready_pods()) == 1, "not ready", bound_s=INSTALL_TIMEOUT_S)
        pod, *_ = release.ready_pods()
        folders = own.kubectl("exec", pod, "--", "ls", "/models").split()
        assert sorted(folders) == sorted(name for s in styles for name in (s, f"{s}-converted"))
        assert len(hub.requests_for("detector.pb")) == len(styles)


@pytest.mark.promise("Models: the same source is converted to the same digest")
@pytest.mark.needs("hub")
def test_replicas_that_convert_their_own_copies_accept_one_pin(
    demo, hub, upstream_comic, record_result
):
    pin = str(Pin(open_folder(upstream_comic).source_digest, of_source=True))
    verify = ("dctnet", "verify", "anime", "--digest", pin)
    with namespace("own-copies") as own:
        release = Release(own, values(demo, hub, digests={"anime": pin}))
        seconds = release.install(INSTALL_TIMEOUT_S)
        pods = release.ready_pods()
        assert len(pods) == len(hub.requests_for("detector.pb")) == REPLICAS
        # The last line is the digest of the converted model's manifest.
        assert len({own.kubectl("exec", pod, "--", *verify) for pod in pods}) == 1
    record_result("own copies", {"seconds": seconds})
