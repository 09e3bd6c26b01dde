"""Model source `modelscope`: a Job or the pods fetch a public model from the hub and convert it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES
from tests.e2e import pods, stub_hub
from tests.e2e.cluster import CommandError, Namespace, Release, namespace, until
from tests.e2e.stub_hub import INSTALL_TIMEOUT_S
from tests.e2e.test_policies import CONNECT, parse_results
from tests.hub.stand_in import Hub
from tests.support.certificates import self_signed

REPLICAS = 2

CACHE = {"create": True, "accessModes": ["ReadWriteOnce"]}
"""Claim of a cluster whose pods all run where the volume is; `auto` is `pods` with it."""

FAILURE_TIMEOUT_S = 30
"""Timeout of an installation that must fail, in seconds."""


def values(demo: dict[str, Any], hub: Hub, **model: object) -> dict[str, Any]:
    """Values of a release that fetches from the stub hub."""
    result = demo | {"replicaCount": REPLICAS} | stub_hub.values(hub, **model)
    if model.get("fetch") != {"by": "job"}:  # The Job adds the suffix itself.
        result["image"] = demo["image"] | {"tag": f"{demo['image']['tag']}-tensorflow"}
    return result


def trusting(certificate: Path) -> dict[str, Any]:
    """Values with which pods trust the hub's certificate, and no other."""
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "private-ca"},
        "data": {"ca.crt": certificate.read_text()},
    }
    return {
        "extraObjects": [config_map],
        "extraVolumes": [{"name": "private-ca", "configMap": {"name": "private-ca"}}],
        "extraVolumeMounts": [{"name": "private-ca", "mountPath": "/etc/private-ca"}],
        "extraEnv": [{"name": "REQUESTS_CA_BUNDLE", "value": "/etc/private-ca/ca.crt"}],
    }


def jobs(own: Namespace) -> list[str]:
    return [each["metadata"]["name"] for each in own.items("jobs")]


def counts(hub: Hub) -> dict[str, int]:
    return {name: len(hub.requests_for(name)) for name in REQUIRED_FILES}


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.needs("hub")
@pytest.mark.needs("policies")
def test_job_fetches_once_and_replicas_cannot_reach_the_hub(
    demo, upstream_comic, record_result, tmp_path
):
    """From a hub with a certificate of a private authority."""
    certificate, tls = self_signed(tmp_path, os.environ["E2E_HUB_HOST"])
    with stub_hub.serve(upstream_comic, tls) as hub, namespace("job") as own:
        hub.others = frozenset({STYLES["3d"].model_id})
        fetching = values(demo, hub, cache=CACHE, fetch={"by": "job"})
        release = Release(own, fetching | trusting(certificate))
        seconds = release.install(INSTALL_TIMEOUT_S)
        (first,) = jobs(own)
        assert counts(hub) == dict.fromkeys(REQUIRED_FILES, 1)
        assert "Succeeded" in release.test()
        replicas = release.ready_pods()
        assert len(replicas) == REPLICAS
        places = [urlsplit(address).netloc for address in (hub.address, hub.cdn_address)]
        for pod in replicas:
            output = own.kubectl("exec", pod, "--", pods.PYTHON, "-c", CONNECT, *places)
            assert parse_results(output) == dict.fromkeys(places, "closed")
        record_result("job", {"seconds": seconds})

        # An upgrade that changes nothing of the models keeps the Job, one more style replaces it.
        release.upgrade({"replicaCount": 1})
        assert jobs(own) == [first]
        more = {"model": {"styles": ["anime", "3d"]}}
        seconds = release.upgrade(more, INSTALL_TIMEOUT_S)
        until(lambda: len(jobs(own)) == 1 and jobs(own) != [first], lambda: str(jobs(own)))
        assert len(hub.requests_for("detector.pb")) == 2
        folders = own.kubectl("exec", release.ready_pods()[0], "--", "ls", "/models").split()
        assert sorted(folders) == ["3d", "3d-converted", "anime", "anime-converted"]
        record_result("job for one more style", {"seconds": seconds})


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.needs("hub")
def test_replicas_fetch_and_convert_a_model_once(module_namespace, demo, hub, record_result):
    release = Release(module_namespace, values(demo, hub, cache=CACHE))
    seconds = release.install(INSTALL_TIMEOUT_S)
    assert counts(hub) == dict.fromkeys(REQUIRED_FILES, 1)
    assert "Succeeded" in release.test()
    assert len(release.ready_pods()) == REPLICAS

    (one, *_) = release.ready_pods()
    module_namespace.kubectl("delete", "pod", one)
    until(lambda: len(release.ready_pods()) == REPLICAS, "no other pod is ready")
    assert counts(hub) == dict.fromkeys(REQUIRED_FILES, 1)
    record_result("fetching", {"seconds": seconds})


@pytest.mark.promise("Models: a download resumes, and a model appears whole or not at all")
@pytest.mark.needs("hub")
@pytest.mark.parametrize(("by", "component"), [("pods", "replica"), ("job", "fetch")])
def test_style_that_cannot_be_fetched_is_named_and_leaves_no_folder(
    demo, hub, record_result, by, component
):
    styles = "anime", "3d", "handdrawn", "artstyle"
    hub.others = frozenset(STYLES[style].model_id for style in styles)
    hub.unavailable = frozenset({STYLES["handdrawn"].model_id})
    with namespace("unavailable") as own:
        one = values(demo, hub, styles=list(styles), cache=CACHE, fetch={"by": by})
        release = Release(own, one | {"replicaCount": 1})
        with pytest.raises(CommandError):
            release.install(FAILURE_TIMEOUT_S)

        def message() -> str:
            for pod in own.items("pods", f"app.kubernetes.io/component={component}"):
                (status, *_) = pod["status"].get("initContainerStatuses", [{}])
                state = status.get("lastState", {}) | status.get("state", {})
                return str(state.get("terminated", {}).get("message", ""))
            return ""

        until(lambda: "handdrawn: " in message(), "no message names the style")
        record_result("unavailable style", {"message": message()})
        if by == "job":
            waiting = own.kubectl("logs", "deployment/dctnet", "--container=wait-for-models")
            assert "Waiting for /models/" in waiting
            assert "component=fetch" in waiting
        hub.unavailable = frozenset()
        # The container is restarted, and continues after the styles that are complete.
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
        replicas = release.ready_pods()
        assert len(replicas) == len(hub.requests_for("detector.pb")) == REPLICAS
        # The last line is the digest of the converted model's manifest.
        assert len({own.kubectl("exec", pod, "--", *verify) for pod in replicas}) == 1
    record_result("own copies", {"seconds": seconds})
