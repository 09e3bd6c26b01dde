"""Job that fetches and converts the models: spec, name, and the replicas that wait for it."""

import json
from typing import Any

import pytest

from tests.chart.schemas import MINORS
from tests.support.chart import (
    CHART,
    DIGEST,
    JOB,
    Object,
    Objects,
    merge_values,
    nest_value,
    render,
    run_tool,
    schema_errors,
)
from tests.support.kubernetes import containers, validation_errors

PINNED = merge_values(
    JOB,
    {
        "model": {
            "styles": ["3d", "anime"],
            "digests": {"anime": f"source:{DIGEST}", "3d": "f" * 64},
            "revision": "v1.0",
            "endpoint": "https://hub.example.org",
            "tokenSecret": {"name": "hub", "key": "secret"},
            "fetch": {"backoffLimit": 7},
        },
        "podLabels": {"a": "b", "app.kubernetes.io/component": "replica"},
        "podAnnotations": {"c": "d"},
        "nodeSelector": {"disk": "ssd"},
    },
)


def job(objects: Objects) -> Object:
    return objects.one("Job")


def env(container: Object) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_job_fetches_then_converts_into_the_claim():
    each = job(render(PINNED))
    assert "helm.sh/hook" not in json.dumps(each)
    assert each["spec"].keys() == {"backoffLimit", "template"}  # No TTL: it would look like drift.
    assert each["spec"]["backoffLimit"] == 7
    metadata, pod = each["spec"]["template"]["metadata"], each["spec"]["template"]["spec"]
    assert metadata["labels"]["app.kubernetes.io/component"] == "fetch"
    assert metadata["labels"]["a"] == "b"
    assert metadata["annotations"] == {"c": "d"}
    assert pod["restartPolicy"] == "OnFailure"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    (fetch,), (prepare,) = pod["initContainers"], pod["containers"]
    assert fetch["args"] == ["fetch", "3d", "anime", "--revision", "v1.0"]
    assert prepare["args"] == ["prepare", "3d", "anime"]
    assert env(prepare) == {"DCTNET_MODELS_DIR": "/models"}
    assert env(fetch) == {
        "DCTNET_MODELS_DIR": "/models",
        "DCTNET_STYLE_DIGESTS": f"anime=source:{DIGEST}",
        "MODELSCOPE_ENDPOINT": "https://hub.example.org",
        "MODELSCOPE_API_TOKEN": {"secretKeyRef": {"name": "hub", "key": "secret"}},
    }
    for container in fetch, prepare:
        assert container["image"] == "dctnet:0.1.0-tensorflow"
        assert container["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claim = {"claimName": "dctnet-model"}
    assert volumes["model"] == {"name": "model", "persistentVolumeClaim": claim}


def test_replicas_wait_for_the_folders_that_they_serve():
    objects = render(PINNED, release="cartoons")
    (wait,) = objects.pod["spec"]["initContainers"]
    *verify, hint = wait["args"]
    served = objects.settings["DCTNET_STYLES"].split(",")
    assert verify == ["verify", *served, "--wait", "1200", "--wait-hint"]
    assert "kubectl -n images logs -l" in hint
    labels = job(objects)["spec"]["template"]["metadata"]["labels"]
    selector = hint.split()[hint.split().index("-l") + 1]
    for term in selector.split(","):
        name, _, value = term.partition("=")
        assert labels[name] == value
    pins = objects.settings["DCTNET_STYLE_DIGESTS"]
    assert env(wait) == {"DCTNET_MODELS_DIR": "/models", "DCTNET_STYLE_DIGESTS": pins}
    assert wait["image"] == objects.container["image"] == "dctnet:0.1.0"
    assert wait["resources"] == objects.container["resources"]
    assert wait["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert not [each for each in env(wait) if each.startswith("MODELSCOPE")]


# Changes of the values, and whether the Job's immutable spec changes with them.
CHANGES = [
    ("model.styles", ["anime", "3d", "sketch"], True),
    ("model.digests", {"3d": DIGEST, "anime": f"source:{'a' * 64}"}, True),
    ("model.revision", "v2.0", True),
    ("model.endpoint", "https://other.example.org", True),
    ("model.prepare.resources", {"limits": {"memory": "8Gi"}}, True),
    ("model.fetch.backoffLimit", 8, True),
    ("image.tag", "0.2.0", True),
    ("extraEnv", [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], True),
    ("commonLabels", {"team": "a"}, True),
    ("model.cache.size", "9Gi", False),
    ("resources", {"limits": {"cpu": "4"}}, False),
    ("admission.queueSize", 65, False),
    ("autoscaling.maxReplicas", 9, False),
    ("networkPolicy.modelSource.ports", [8443], False),
]


@pytest.mark.parametrize(("path", "value", "is_other"), CHANGES)
def test_name_of_the_job_is_a_hash_of_its_spec(path, value, is_other):
    before, after = job(render(PINNED)), job(render(merge_values(PINNED, nest_value(path, value))))
    assert (before["spec"] != after["spec"]) == is_other
    assert (before["metadata"]["name"] != after["metadata"]["name"]) == is_other


def test_new_job_of_equal_models_restarts_no_replica():
    values = {"model": {"endpoint": "https://a.example.org", "prepare": {"resources": None}}}
    before, after = render(JOB), render(merge_values(JOB, values))
    assert job(before)["metadata"]["name"] != job(after)["metadata"]["name"]
    assert before.pod == after.pod


@pytest.mark.parametrize("release", ["cartoons", "c" * 53, f"{'c' * 45}-{'d' * 7}"])
def test_name_of_the_job_fits_into_a_label(release):
    objects = render(JOB, release=release)
    name = job(objects)["metadata"]["name"]
    assert len(name) <= 63  # The pods have it as the label `job-name`.
    assert "--" not in name
    assert validation_errors(objects) == []


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_renderings_are_identical_to_the_byte(helm):
    command = (helm, "template", "dctnet", CHART, "--kube-version", "1.36.0", "--values", "-")
    first, second = (run_tool(*command, input=json.dumps(PINNED)) for _ in range(2))
    assert "kind: Job" in first.stdout
    assert first.stdout == second.stdout


def test_renderings_are_identical_in_both_majors_of_helm_and_valid_in_each_minor():
    """Both also agree on the hash."""
    for values in JOB, PINNED:
        assert list(render(values)) == list(render(values, helm="helm3"))
        for minor in MINORS:
            objects = render(values, kubernetes=f"{minor}.0")
            assert schema_errors(objects, minor) == validation_errors(objects) == []
            assert job(objects) == job(render(values))


def test_replicas_mount_the_claim_read_only_and_the_job_does_not():
    objects = render(JOB)
    for spec, read_only in (
        (objects.pod["spec"], True),
        (job(objects)["spec"]["template"]["spec"], False),
    ):
        (volume,) = [each for each in spec["volumes"] if each["name"] == "model"]
        assert volume["persistentVolumeClaim"].get("readOnly", False) is read_only
        mounts = {each["mountPath"] for one in containers(spec) for each in one["volumeMounts"]}
        assert mounts == {"/tmp", "/models"}
