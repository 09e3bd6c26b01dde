"""Model sources: image variant, volume, and setting of each."""

from typing import Any

import pytest

from tests.support.chart import DIGEST, render
from tests.support.kubernetes import images

REFERENCE = f"models/anime@{DIGEST}"
CLAIM = {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
IMAGE = {"image": {"reference": REFERENCE, "pullPolicy": "IfNotPresent"}}
WRITABLE = {"persistentVolumeClaim": {"claimName": "models"}}

EMPTY = {"emptyDir": {"sizeLimit": "4Gi"}}

# Values in `model`, the expected volume, and the expected DCTNET_MODEL.
FETCHED: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "modelscope": ({}, EMPTY, "anime"),
    "modelscope, another style": ({"style": "sketch"}, EMPTY, "sketch"),
    "modelscope, into a claim": ({"cache": {"existingClaim": "models"}}, WRITABLE, "anime"),
    "modelscope, into a created claim": (
        {"cache": {"create": True}},
        {"persistentVolumeClaim": {"claimName": "dctnet-model"}},
        "anime",
    ),
}
PREPARED: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "modelscope, converted before": (
        {"cache": {"existingClaim": "models", "prepared": True}},
        CLAIM,
        "anime",
    ),
    "claim": ({"source": "existingClaim", "existingClaim": {"name": "models"}}, CLAIM, "/model"),
    "claim's folder": (
        {"source": "existingClaim", "existingClaim": {"name": "models", "path": "a/b"}},
        CLAIM,
        "/model/a/b",
    ),
    "image": ({"source": "image", "image": {"reference": REFERENCE}}, IMAGE, "/model"),
    "image's folder": (
        {"source": "image", "image": {"reference": REFERENCE, "path": "anime"}},
        IMAGE,
        "/model/anime",
    ),
    "baked": ({"source": "baked"}, None, "/model"),
    "baked, other path": (
        {"source": "baked", "baked": {"path": "/models/3d"}},
        None,
        "/models/3d",
    ),
    "demo": ({"source": "demo"}, None, "demo"),
}
SOURCES = FETCHED | PREPARED


@pytest.mark.parametrize("source", SOURCES)
def test_model_source_sets_image_volume_and_setting(source):
    model, volume, setting = SOURCES[source]
    fetches = source in FETCHED
    objects = render({"model": model})
    assert images(objects) == {"dctnet:0.1.0-tensorflow" if fetches else "dctnet:0.1.0"}
    assert objects.settings["DCTNET_MODEL"] == setting
    volumes = {each.pop("name"): each for each in objects.pod["spec"]["volumes"]}
    assert volumes.get("model") == volume
    mounts = {each["name"]: each for each in objects.container["volumeMounts"]}
    if volume is None:
        assert "model" not in mounts
    else:
        assert mounts["model"]["readOnly"] is True
        assert setting.startswith("/model") == (mounts["model"]["mountPath"] == "/model")
    first = [each["args"] for each in objects.pod["spec"].get("initContainers", [])]
    assert first == ([["fetch", setting], ["prepare", setting]] if fetches else [])
    assert ("DCTNET_MODELS_DIR" in objects.settings) == (model.get("source") is None)
    assert objects.pod["metadata"]["labels"]["dctnet.io/model-source"] == model.get(
        "source", "modelscope"
    )
    assert bool(objects.all("PersistentVolumeClaim")) == (
        model.get("cache", {}).get("create", False)
    )


# Other combinations are rejected: test_validation.py.
@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.parametrize(
    ("source", "variant"),
    [*((source, "tensorflow") for source in SOURCES), *((each, "runtime") for each in PREPARED)],
)
def test_image_variant_and_model_digest(source, variant):
    digest = {} if source == "demo" else {"digest": DIGEST}
    objects = render({"model": SOURCES[source][0] | digest, "image": {"variant": variant}})
    assert images(objects) == {"dctnet:0.1.0" + "-tensorflow" * (variant == "tensorflow")}
    assert objects.settings.get("DCTNET_MODEL_DIGEST") == digest.get("digest")


def test_init_containers_fetch_then_convert_the_served_folder():
    model = {
        "style": "handdrawn",
        "revision": "v1.0",
        "endpoint": "https://hub.example.org",
        "tokenSecret": {"name": "hub", "key": "secret"},
    }
    objects = render({"model": model})
    fetch, prepare = objects.pod["spec"]["initContainers"]
    assert fetch["args"] == ["fetch", "handdrawn", "--revision", "v1.0"]
    assert prepare["args"] == ["prepare", "handdrawn"]
    for each in (fetch, prepare):
        mounts = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        assert mounts == {"model": "/models", "tmp": "/tmp"}
        assert {"name": "DCTNET_MODELS_DIR", "value": "/models"} in each["env"]
    assert objects.settings["DCTNET_MODELS_DIR"] == "/models"
    assert {"name": "MODELSCOPE_ENDPOINT", "value": "https://hub.example.org"} in fetch["env"]
    secret = {"secretKeyRef": {"name": "hub", "key": "secret"}}
    assert {"name": "MODELSCOPE_API_TOKEN", "valueFrom": secret} in fetch["env"]
    assert not [each for each in prepare["env"] if each["name"].startswith("MODELSCOPE")]


def test_source_pin_is_verified_when_the_model_is_fetched():
    """The digest of the converted manifest is not known before the conversion."""
    pin = f"source:{DIGEST}"
    objects = render({"model": {"digest": pin}})
    fetch, prepare = objects.pod["spec"]["initContainers"]
    assert fetch["args"] == ["fetch", "anime", "--digest", pin]
    assert prepare["args"] == ["prepare", "anime"]
    assert objects.settings["DCTNET_MODEL_DIGEST"] == pin


def test_created_claim_is_kept_on_uninstall():
    cache = {"create": True, "size": "9Gi", "storageClassName": "fast"}
    claim = render({"model": {"cache": cache}}).one("PersistentVolumeClaim", "dctnet-model")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "9Gi"}},
    }


def test_progress_deadline_covers_start_and_model_fetch():
    def deadline(values: dict[str, Any]) -> int:
        return render(values).deployment["spec"]["progressDeadlineSeconds"]

    assert deadline({"model": {"source": "demo"}}) == 120 + 60
    assert deadline({}) == 300 + 15 * 60 + 60
    assert deadline({"progressDeadlineSeconds": 77}) == 77
