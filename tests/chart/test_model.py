"""Each source of the model: which image it takes, what is mounted, and what the replica is told."""

from typing import Any

import pytest

from tests.support.chart import merged, render
from tests.support.kubernetes import containers, pods

SHA = f"sha256:{'0' * 64}"
REFERENCE = f"models/anime@{SHA}"
CLAIM = {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
IMAGE = {"image": {"reference": REFERENCE, "pullPolicy": "IfNotPresent"}}
WRITABLE = {"persistentVolumeClaim": {"claimName": "models"}}

# Values below `model`; then the image's variant, the volume, DCTNET_MODEL, whether the pod fetches.
SOURCES: dict[str, tuple[dict[str, Any], str, dict[str, Any] | None, str, bool]] = {
    "modelscope": ({}, "tensorflow", {"emptyDir": {"sizeLimit": "4Gi"}}, "anime", True),
    "modelscope, another style": (
        {"style": "sketch"},
        "tensorflow",
        {"emptyDir": {"sizeLimit": "4Gi"}},
        "sketch",
        True,
    ),
    "modelscope, into a claim": (
        {"cache": {"existingClaim": "models"}},
        "tensorflow",
        WRITABLE,
        "anime",
        True,
    ),
    "modelscope, into a claim that is made": (
        {"cache": {"create": True}},
        "tensorflow",
        {"persistentVolumeClaim": {"claimName": "dctnet-model"}},
        "anime",
        True,
    ),
    "modelscope, prepared before": (
        {"cache": {"existingClaim": "models", "prepared": True}},
        "runtime",
        CLAIM,
        "anime",
        False,
    ),
    "claim": (
        {"source": "existingClaim", "existingClaim": {"name": "models"}},
        "runtime",
        CLAIM,
        "/model",
        False,
    ),
    "claim's folder": (
        {"source": "existingClaim", "existingClaim": {"name": "models", "path": "a/b"}},
        "runtime",
        CLAIM,
        "/model/a/b",
        False,
    ),
    "image": (
        {"source": "image", "image": {"reference": REFERENCE}},
        "runtime",
        IMAGE,
        "/model",
        False,
    ),
    "image's folder": (
        {"source": "image", "image": {"reference": REFERENCE, "path": "anime"}},
        "runtime",
        IMAGE,
        "/model/anime",
        False,
    ),
    "baked": ({"source": "baked"}, "runtime", None, "/model", False),
    "baked elsewhere": (
        {"source": "baked", "baked": {"path": "/models/3d"}},
        "runtime",
        None,
        "/models/3d",
        False,
    ),
    "demo": ({"source": "demo"}, "runtime", None, "demo", False),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_has_its_image_its_volume_and_its_setting(source: str) -> None:
    model, variant, volume, told, fetches = SOURCES[source]
    made = render({"model": model})
    assert made.container["image"] == f"dctnet:0.1.0{'-tensorflow' * (variant == 'tensorflow')}"
    assert made.settings["DCTNET_MODEL"] == told
    volumes = {each.pop("name"): each for each in made.pod["spec"]["volumes"]}
    assert volumes.get("model") == volume
    mounts = {each["name"]: each for each in made.container["volumeMounts"]}
    if volume is None:
        assert "model" not in mounts
    else:
        assert mounts["model"]["readOnly"] is True
        assert told.startswith("/model") == (mounts["model"]["mountPath"] == "/model")
    assert [each["name"] for each in made.pod["spec"].get("initContainers", [])] == [
        *(["fetch", "prepare"] if fetches else [])
    ]
    assert ("DCTNET_MODELS_DIR" in made.settings) == (model.get("source") is None)
    assert made.pod["metadata"]["labels"]["dctnet.io/model-source"] == model.get(
        "source", "modelscope"
    )
    assert bool(made.all("PersistentVolumeClaim")) == (model.get("cache", {}).get("create", False))


@pytest.mark.parametrize("source", SOURCES)
def test_a_variant_that_is_named_is_taken_by_every_container(source: str) -> None:
    model, *_, fetches = SOURCES[source]
    # The other is refused for a pod that fetches: test_guards.py.
    variants = (
        {"tensorflow": "-tensorflow"} if fetches else {"tensorflow": "-tensorflow", "runtime": ""}
    )
    for variant, suffix in variants.items():
        made = render({"model": model, "image": {"variant": variant}})
        images = {each["image"] for _, pod in pods(made) for each in containers(pod)}
        assert images == {f"dctnet:0.1.0{suffix}"}


@pytest.mark.parametrize(
    ("variant", "failures", "request_", "limit"),
    [("runtime", 120, "640Mi", "4101Mi"), ("tensorflow", 300, "1500Mi", "6801Mi")],
)
def test_a_variant_has_its_time_to_start_and_its_memory(
    variant: str, failures: int, request_: str, limit: str
) -> None:
    container = render({"model": {"source": "demo"}, "image": {"variant": variant}}).container
    assert container["startupProbe"]["failureThreshold"] == failures
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": request_},
        "limits": {"cpu": "2", "memory": limit},
    }


def test_a_style_is_fetched_then_prepared_into_the_folder_that_is_served() -> None:
    model = {
        "style": "handdrawn",
        "revision": "v1.0",
        "endpoint": "https://hub.example.org",
        "tokenSecret": {"name": "hub", "key": "secret"},
    }
    made = render({"model": model})
    fetch, prepare = made.pod["spec"]["initContainers"]
    assert fetch["args"] == ["fetch", "handdrawn", "--revision", "v1.0"]
    assert prepare["args"] == ["prepare", "handdrawn"]
    for each in (fetch, prepare):
        mounts = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        assert mounts == {"model": "/models", "tmp": "/tmp"}
        assert {"name": "DCTNET_MODELS_DIR", "value": "/models"} in each["env"]
    assert made.settings["DCTNET_MODELS_DIR"] == "/models"
    assert {"name": "MODELSCOPE_ENDPOINT", "value": "https://hub.example.org"} in fetch["env"]
    secret = {"secretKeyRef": {"name": "hub", "key": "secret"}}
    assert {"name": "MODELSCOPE_API_TOKEN", "valueFrom": secret} in fetch["env"]
    assert not [each for each in prepare["env"] if each["name"].startswith("MODELSCOPE")]


def test_no_revision_is_asked_for_unless_one_is_named() -> None:
    assert render().pod["spec"]["initContainers"][0]["args"] == ["fetch", "anime"]


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.parametrize("source", [name for name in SOURCES if name != "demo"])
def test_a_digest_pins_the_model_of_every_source_that_has_one(source: str) -> None:
    made = render({"model": merged(SOURCES[source][0], {"digest": SHA})})
    assert made.settings["DCTNET_MODEL_DIGEST"] == SHA


def test_a_claim_that_is_made_stays_when_the_release_goes() -> None:
    cache = {"create": True, "size": "9Gi", "storageClassName": "fast"}
    claim = render({"model": {"cache": cache}}).one("PersistentVolumeClaim", "dctnet-model")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "9Gi"}},
    }


def test_a_rollout_waits_for_the_start_and_for_a_model_that_is_fetched() -> None:
    def deadline(values: dict[str, Any]) -> int:
        return render(values).deployment["spec"]["progressDeadlineSeconds"]

    assert deadline({"model": {"source": "demo"}}) == 120 + 60
    assert deadline({}) == 300 + 15 * 60 + 60
    assert deadline({"progressDeadlineSeconds": 77}) == 77
