"""Model sources: image variant, volumes, and settings of each, with one and several styles."""

from pathlib import Path
from typing import Any

import pytest

from dctnet.config import Settings
from dctnet.models.pins import Pin
from tests.support.chart import DIGEST, MODELSCOPE, merge_values, render, schema_errors
from tests.support.kubernetes import containers, images, validation_errors

REFERENCE = f"models/anime@{DIGEST}"
CLAIM = {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
IMAGE = {"image": {"reference": REFERENCE, "pullPolicy": "IfNotPresent"}}
WRITABLE = {"persistentVolumeClaim": {"claimName": "models"}}

TWO = "/models/3d-converted,/models/anime-converted"

EMPTY = {"emptyDir": {"sizeLimit": "4Gi"}}


def fetched(**model: Any) -> dict[str, Any]:
    """Values in `model` with the source that fetches."""
    return {"source": "modelscope", **model}


# Values in `model`, the expected volume, and the expected DCTNET_STYLES.
BY_PODS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "modelscope": (fetched(), EMPTY, "/models/anime-converted"),
    "modelscope, another style": (fetched(styles=["sketch"]), EMPTY, "/models/sketch-converted"),
    "modelscope, several styles": (fetched(styles=["3d", "anime"]), EMPTY, TWO),
    "modelscope, into a claim": (
        fetched(cache={"existingClaim": "models"}),
        WRITABLE,
        "/models/anime-converted",
    ),
    "modelscope, into a claim of one node": (
        fetched(cache={"create": True, "accessModes": ["ReadWriteOnce"]}),
        {"persistentVolumeClaim": {"claimName": "dctnet-model"}},
        "/models/anime-converted",
    ),
    "modelscope, into a created claim by pods": (
        fetched(cache={"create": True}, fetch={"by": "pods"}),
        {"persistentVolumeClaim": {"claimName": "dctnet-model"}},
        "/models/anime-converted",
    ),
}
BY_JOB: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "modelscope, into a created claim": (
        fetched(cache={"create": True}),
        {"persistentVolumeClaim": {"claimName": "dctnet-model", "readOnly": True}},
        "/models/anime-converted",
    ),
    "modelscope, into a claim by a Job": (
        fetched(cache={"existingClaim": "models"}, fetch={"by": "job"}, styles=["3d", "anime"]),
        CLAIM,
        TWO,
    ),
}
PREPARED: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "modelscope, converted before": (
        fetched(cache={"existingClaim": "models", "prepared": True}, fetch={"by": "job"}),
        CLAIM,
        "/models/anime-converted",
    ),
    "modelscope, several styles converted before": (
        fetched(styles=["3d", "anime"], cache={"existingClaim": "models", "prepared": True}),
        CLAIM,
        TWO,
    ),
    "claim": ({"source": "existingClaim", "existingClaim": {"name": "models"}}, CLAIM, "/model"),
    "claim's folder": (
        {"source": "existingClaim", "existingClaim": {"name": "models", "path": "a/b"}},
        CLAIM,
        "/model/a/b",
    ),
    "claim's folders": (
        {
            "source": "existingClaim",
            "existingClaim": {"name": "models", "path": "a/b"},
            "styles": ["mine", "3d-converted"],
        },
        CLAIM,
        "/model/a/b/mine,/model/a/b/3d-converted",
    ),
    "claim's top folders": (
        {
            "source": "existingClaim",
            "existingClaim": {"name": "models"},
            "styles": ["3d", "anime"],
        },
        CLAIM,
        "/model/3d,/model/anime",
    ),
    "image": ({"source": "image", "image": {"reference": REFERENCE}}, IMAGE, "/model"),
    "image's folder": (
        {"source": "image", "image": {"reference": REFERENCE, "path": "anime"}},
        IMAGE,
        "/model/anime",
    ),
    "image's folders": (
        {
            "source": "image",
            "image": {"reference": REFERENCE, "path": "all"},
            "styles": ["anime", "3d"],
        },
        IMAGE,
        "/model/all/anime,/model/all/3d",
    ),
    "baked": ({"source": "baked"}, None, "/model"),
    "baked, other path": (
        {"source": "baked", "baked": {"path": "/models/3d"}},
        None,
        "/models/3d",
    ),
    "baked folders": (
        {"source": "baked", "baked": {"path": "/models"}, "styles": ["3d", "mine"]},
        None,
        "/models/3d,/models/mine",
    ),
    "demo": ({"source": "demo"}, None, "comic,sketch,poster"),
    "demo, two styles": ({"source": "demo", "styles": ["poster", "comic"]}, None, "poster,comic"),
}
SOURCES = BY_PODS | BY_JOB | PREPARED


@pytest.mark.parametrize("source", SOURCES)
def test_model_source_sets_image_volume_and_setting(source):
    model, volume, setting = SOURCES[source]
    objects = render({"model": model})
    replica = "dctnet:0.1.0-tensorflow" if source in BY_PODS else "dctnet:0.1.0"
    assert {each["image"] for each in containers(objects.pod["spec"])} == {replica}
    assert images(objects) - {replica} == (
        {"dctnet:0.1.0-tensorflow"} if source in BY_JOB else set()
    )
    assert objects.settings["DCTNET_STYLES"] == setting
    assert ("DCTNET_STYLE_CACHE" in objects.settings) == ("," in setting)
    volumes = {each.pop("name"): each for each in objects.pod["spec"]["volumes"]}
    assert volumes.get("model") == volume
    annotations = objects.pod["metadata"]["annotations"]
    scratch = annotations["cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"]
    assert scratch.split(",") == [name for name in volumes if "emptyDir" in volumes[name]]
    mounts = {each["name"]: each for each in objects.container["volumeMounts"]}
    if volume is None:
        assert "model" not in mounts
    else:
        assert mounts["model"]["readOnly"] is True
        assert all(each.startswith(mounts["model"]["mountPath"]) for each in setting.split(","))
    first = [each["args"] for each in objects.pod["spec"].get("initContainers", [])]
    styles = [Path(each).name.removesuffix("-converted") for each in setting.split(",")]
    if source in BY_JOB:
        (wait,) = first
        assert wait[: 1 + len(styles)] == ["verify", *setting.split(",")]
    else:
        fetch = [["fetch", *styles], ["prepare", *styles]]
        assert first == (fetch if source in BY_PODS else [])
    assert bool(objects.all("Job")) == (source in BY_JOB)
    assert ("DCTNET_MODELS_DIR" in objects.settings) == (model["source"] == "modelscope")
    assert objects.pod["metadata"]["labels"]["dctnet.io/model-source"] == model["source"]
    assert bool(objects.all("PersistentVolumeClaim")) == (
        model.get("cache", {}).get("create", False)
    )


# Other combinations are rejected: test_validation.py.
@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.parametrize(
    ("source", "variant"),
    [
        *((source, "tensorflow") for source in SOURCES),
        *((source, "runtime") for source in PREPARED | BY_JOB),
    ],
)
def test_image_variant_and_style_digests(source, variant):
    model, _, setting = SOURCES[source]
    names = [style.rpartition("/")[2].removesuffix("-converted") for style in setting.split(",")]
    pinned = [] if model.get("source") == "demo" else sorted(names)
    model = model | {"digests": dict.fromkeys(pinned, DIGEST)}
    objects = render({"model": model, "image": {"variant": variant}})
    assert objects.container["image"] == "dctnet:0.1.0" + "-tensorflow" * (variant == "tensorflow")
    pins = ",".join(f"{style}={DIGEST}" for style in pinned)
    assert objects.settings.get("DCTNET_STYLE_DIGESTS", "") == pins


def test_each_style_may_have_an_image_of_its_own():
    references = {"3d": f"models/3d@{DIGEST}", "anime": REFERENCE}
    image = {"references": references, "pullPolicy": "Never", "path": "folder"}
    model = {"source": "image", "styles": ["anime", "3d"], "image": image}
    objects = render({"model": model})
    assert schema_errors(objects) == validation_errors(objects) == []
    assert objects.settings["DCTNET_STYLES"] == "/model/anime/folder,/model/3d/folder"
    volumes = {each.pop("name"): each for each in objects.pod["spec"]["volumes"]}
    mounts = {each.pop("name"): each for each in objects.container["volumeMounts"]}
    assert volumes.keys() == mounts.keys() == {"tmp", "style-anime", "style-3d"}
    for style, reference in references.items():
        volume = {"image": {"reference": reference, "pullPolicy": "Never"}}
        assert volumes[f"style-{style}"] == volume
        assert mounts[f"style-{style}"] == {"mountPath": f"/model/{style}", "readOnly": True}


def test_init_containers_fetch_then_convert_the_served_folder():
    model = fetched(
        styles=["handdrawn", "3d"],
        revision="v1.0",
        endpoint="https://hub.example.org",
        tokenSecret={"name": "hub", "key": "secret"},
    )
    objects = render({"model": model})
    fetch, prepare = objects.pod["spec"]["initContainers"]
    assert fetch["args"] == ["fetch", "handdrawn", "3d", "--revision", "v1.0"]
    assert prepare["args"] == ["prepare", "handdrawn", "3d"]
    for each in (fetch, prepare):
        assert each["terminationMessagePolicy"] == "FallbackToLogsOnError"
        mounts = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        assert mounts == {"model": "/models", "tmp": "/tmp"}
        assert {"name": "DCTNET_MODELS_DIR", "value": "/models"} in each["env"]
    assert objects.settings["DCTNET_MODELS_DIR"] == "/models"
    assert {"name": "MODELSCOPE_ENDPOINT", "value": "https://hub.example.org"} in fetch["env"]
    secret = {"secretKeyRef": {"name": "hub", "key": "secret"}}
    assert {"name": "MODELSCOPE_API_TOKEN", "valueFrom": secret} in fetch["env"]
    assert not [each for each in prepare["env"] if each["name"].startswith("MODELSCOPE")]


def test_source_pins_are_verified_when_the_models_are_fetched():
    """The digest of a converted manifest is not known before the conversion."""
    digests = {"anime": f"source:{DIGEST}", "3d": "F" * 64, "sketch": f"source:{'a' * 64}"}
    objects = render({"model": fetched(styles=list(digests), digests=digests)})
    fetch, prepare = objects.pod["spec"]["initContainers"]
    pins = Settings.from_environment({each["name"]: each["value"] for each in fetch["env"]})
    assert pins.style_digests == {
        "anime": Pin("0" * 64, of_source=True),
        "sketch": Pin("a" * 64, of_source=True),
    }
    assert "DCTNET_STYLE_DIGESTS" not in {each["name"] for each in prepare["env"]}
    served = Settings.from_environment(objects.one("ConfigMap", "dctnet")["data"])
    assert served.styles == tuple(f"/models/{style}-converted" for style in digests)
    assert served.style_digests == pins.style_digests | {"3d": Pin("f" * 64)}


def test_created_claim_is_kept_on_uninstall():
    cache = {"create": True, "size": "9Gi", "storageClassName": "fast"}
    objects = render({"model": fetched(cache=cache)})
    claim = objects.one("PersistentVolumeClaim", "dctnet-model")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "9Gi"}},
    }


@pytest.mark.parametrize(("given", "expected"), [("", None), ("-", ""), ("fast", "fast")])
def test_storage_class_of_the_created_claim(given, expected):
    cache = {"create": True, "storageClassName": given}
    claim = render({"model": fetched(cache=cache)}).one("PersistentVolumeClaim")
    assert claim["spec"].get("storageClassName") == expected


def test_progress_deadline_covers_start_and_model_fetch():
    def deadline(values: dict[str, Any]) -> int:
        return render(values).deployment["spec"]["progressDeadlineSeconds"]

    assert deadline({"model": {"source": "demo"}}) == 120 + 60
    assert deadline(MODELSCOPE) == 300 + 15 * 60 + 60
    three = merge_values(MODELSCOPE, {"model": {"styles": ["anime", "3d", "sketch"]}})
    assert deadline(three) == 300 + 25 * 60 + 60
    assert deadline(merge_values(three, {"model": {"cache": {"create": True}}})) == (
        120 + 25 * 60 + 60
    )
    assert deadline({"progressDeadlineSeconds": 77}) == 77
