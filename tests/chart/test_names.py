"""Object names, labels, selectors, and image references."""

import shutil

import pytest
import yaml

from tests.support.chart import (
    CHART,
    DIGEST,
    JOB,
    MODELSCOPE,
    Object,
    Objects,
    merge_values,
    render,
    run_tool,
)
from tests.support.kubernetes import containers, images, pods, validation_errors

OTHER = f"sha256:{'f' * 64}"
EVERYTHING = {
    "expose": {"hosts": ["a.example.org"], "tls": {"enabled": True}},
    "ingress": {"enabled": True},
    "gateway": {"enabled": True, "create": True, "className": "envoy", "retryPolicy": "envoy"},
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    **JOB,
}


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("dctnet", {}, "dctnet"),
        ("my-dctnet-2", {}, "my-dctnet-2"),
        ("cartoons", {}, "cartoons-dctnet"),
        ("cartoons", {"nameOverride": "draw"}, "cartoons-draw"),
        ("draw", {"nameOverride": "draw"}, "draw"),
        ("cartoons", {"fullnameOverride": "artist"}, "artist"),
        ("c" * 53, {}, "c" * 52),
        ("c" * 50, {}, f"{'c' * 50}-d"),
        ("c" * 51, {}, "c" * 51),
    ],
)
def test_object_names_start_with_the_full_name(release, values, name):
    objects = render(merge_values(EVERYTHING, values), release=release)
    assert objects.deployment["metadata"]["name"] == name
    for each in objects:
        start = name[:46].rstrip("-") if each["kind"] == "Job" else name  # Its hash needs room.
        assert each["metadata"]["name"].startswith(start)
        assert each["metadata"]["namespace"] == "images"
    assert validation_errors(objects) == []


def test_common_labels_and_annotations():
    objects = render(
        merge_values(EVERYTHING, {"commonLabels": {"team": "a"}, "commonAnnotations": {"b": "c"}}),
        release="cartoons",
    )
    assert len(objects.kinds) >= 14
    templates = [objects.pod["metadata"], objects.one("Job")["spec"]["template"]["metadata"]]
    metadata = [each["metadata"] for each in objects] + templates
    for each in metadata:
        labels = each["labels"]
        assert labels["app.kubernetes.io/name"] == "dctnet"
        assert labels["app.kubernetes.io/instance"] == "cartoons"
        assert labels["app.kubernetes.io/version"] == "0.1.0"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"]
        assert labels.get("helm.sh/chart") == (None if each in templates else "dctnet-0.1.0")
        assert labels["team"] == "a"
        assert each["annotations"]["b"] == "c"


@pytest.mark.parametrize(
    ("version", "label", "tag"),
    [
        ("1.2.3", "1.2.3", "1.2.3"),
        ("1.2.3+build.5", "1.2.3_build.5", "1.2.3_build.5"),
        (f"1.2.3-{'a' * 70}", f"1.2.3-{'a' * 57}", f"1.2.3-{'a' * 70}"),
        (f"1.2.3-{'a' * 56}.rc+1", f"1.2.3-{'a' * 56}", f"1.2.3-{'a' * 56}.rc_1"),
    ],
)
def test_any_version_gives_valid_labels_and_the_same_pods(version, label, tag, tmp_path):
    chart = tmp_path / "dctnet"
    shutil.copytree(CHART, chart)
    file = chart / "Chart.yaml"
    text = file.read_text()

    def rendered(chart_version: str) -> Objects:
        bumped = text.replace("version: 0.1.0", f"version: {chart_version}", 1)
        file.write_text(bumped.replace('appVersion: "0.1.0"', f'appVersion: "{version}"'))
        options = ("--kube-version", "1.36.0", "--set", "model.source=demo")
        run = run_tool("helm", "template", "dctnet", chart, *options)
        assert run.returncode == 0, run.stderr
        return Objects(list(filter(None, yaml.safe_load_all(run.stdout))))

    objects = rendered(version)
    assert validation_errors(objects) == []
    labels = objects.deployment["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == label
    assert labels["helm.sh/chart"].startswith("dctnet-1.2.3")
    assert images(objects) == {f"dctnet:{tag}"}
    assert rendered("9.9.9").pod == objects.pod  # A new chart alone restarts no pod.


def test_chart_labels_take_precedence():
    stolen = {"app.kubernetes.io/name": "other"}
    objects = render({"commonLabels": stolen, "podLabels": stolen})
    assert objects.pod["metadata"]["labels"]["app.kubernetes.io/name"] == "dctnet"


def matching_pods(objects: Objects, selector: Object) -> set[str]:
    """Return the names of pods that a selector matches; a kind stands for its pods."""
    labelled = {
        each["kind"]: each["spec"]["template"]["metadata"]["labels"]
        for each in [*objects.all("Deployment"), *objects.all("Job")]
    }
    labelled |= {
        each["metadata"]["name"]: each["metadata"]["labels"] for each in objects.all("Pod")
    }
    return {name for name, labels in labelled.items() if selector.items() <= labels.items()}


def test_selectors_match_replicas_but_neither_the_job_nor_the_test_pod():
    objects = render(
        merge_values(EVERYTHING, {"commonLabels": {"team": "a"}, "podLabels": {"b": "c"}})
    )
    assert objects.all("Pod")
    assert objects.all("Job")
    selectors = {
        "Deployment": objects.deployment["spec"]["selector"]["matchLabels"],
        "PodDisruptionBudget": objects.one("PodDisruptionBudget")["spec"]["selector"][
            "matchLabels"
        ],
        "NetworkPolicy": objects.one("NetworkPolicy", "dctnet")["spec"]["podSelector"][
            "matchLabels"
        ],
        **{each["metadata"]["name"]: each["spec"]["selector"] for each in objects.all("Service")},
    }
    assert len(selectors) == 5
    for selector in selectors.values():
        assert matching_pods(objects, selector) == {"Deployment"}
        assert not {"team", "b", "app.kubernetes.io/version"} & set(selector)
    own = objects.one("NetworkPolicy", "dctnet-fetch")["spec"]["podSelector"]["matchLabels"]
    assert matching_pods(objects, own) == {"Job"}


def test_service_monitor_selects_the_management_service_only():
    objects = render(EVERYTHING)
    selector = objects.one("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    services = [
        each["metadata"]["name"]
        for each in objects.all("Service")
        if selector <= each["metadata"]["labels"].items()
    ]
    assert services == ["dctnet-management"]
    by_pods = render({"metrics": {"podMonitor": {"enabled": True}}})
    selector = by_pods.one("PodMonitor")["spec"]["selector"]["matchLabels"]
    assert matching_pods(by_pods, selector) == {"Deployment"}


def test_named_ports_exist():
    objects = render(EVERYTHING)
    ports = {port["name"] for port in objects.container["ports"]}
    for service in objects.all("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    (endpoint,) = objects.one("ServiceMonitor")["spec"]["endpoints"]
    (port,) = objects.one("Service", "dctnet-management")["spec"]["ports"]
    assert endpoint["port"] == port["name"]


def test_management_service_is_headless_and_publishes_unready_replicas():
    spec = render().one("Service", "dctnet-management")["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "dctnet:0.1.0"),
        (MODELSCOPE, "dctnet:0.1.0-tensorflow"),
        (MODELSCOPE | {"image": {"tag": "1"}}, "dctnet:1"),
        ({"image": {"tag": "1", "variant": "tensorflow"}}, "dctnet:1"),
        (MODELSCOPE | {"image": {"digest": DIGEST}}, f"dctnet:0.1.0-tensorflow@{DIGEST}"),
        ({"image": {"registry": "r.example:5000"}}, "r.example:5000/dctnet:0.1.0"),
        ({"image": {"registry": "r.example", "repository": "a/b"}}, "r.example/a/b:0.1.0"),
        ({"global": {"imageRegistry": "g.example"}}, "g.example/dctnet:0.1.0"),
        (
            {"global": {"imageRegistry": "g.example"}, "image": {"registry": "r.example"}},
            "g.example/dctnet:0.1.0",
        ),
    ],
)
def test_image_reference(values, image):
    assert images(render(values)) == {image}


@pytest.mark.parametrize(
    ("image", "replica", "job"),
    [
        ({}, "0.1.0", "0.1.0-tensorflow"),
        ({"tag": "1"}, "1", "1-tensorflow"),
        ({"tag": "1-tensorflow"}, "1-tensorflow", "1-tensorflow"),
        ({"tag": "1", "variant": "tensorflow"}, "1", "1"),
        ({"variant": "tensorflow"}, "0.1.0-tensorflow", "0.1.0-tensorflow"),
        (
            {"digests": {"runtime": DIGEST, "tensorflow": OTHER}},
            f"0.1.0@{DIGEST}",
            f"0.1.0-tensorflow@{OTHER}",
        ),
        (
            {"digest": DIGEST, "variant": "tensorflow"},
            f"0.1.0-tensorflow@{DIGEST}",
            f"0.1.0-tensorflow@{DIGEST}",
        ),
    ],
)
def test_images_of_replicas_and_job(image, replica, job):
    objects = render(JOB | {"image": image})
    assert {name: {each["image"] for each in containers(pod)} for name, pod in pods(objects)} == {
        "Deployment/dctnet": {f"dctnet:{replica}"},
        "Pod/dctnet-test": {f"dctnet:{replica}"},
        f"Job/{objects.one('Job')['metadata']['name']}": {f"dctnet:{job}"},
    }


@pytest.mark.parametrize(
    ("registry", "reference", "expected"),
    [
        ("", "models/anime", "models/anime"),
        ("", "r.example/models/anime", "r.example/models/anime"),
        ("g.example", "models/anime", "g.example/models/anime"),
        ("g.example", "anime", "g.example/anime"),
        ("g.example:5000/mirror", "r.example/models/anime", "g.example:5000/mirror/models/anime"),
        ("g.example", "localhost:5000/models/anime", "g.example/models/anime"),
        ("g.example", "localhost/anime", "g.example/anime"),
    ],
)
def test_global_registry_covers_model_images(registry, reference, expected):
    pinned = f"{reference}@{DIGEST}"
    for image in ({"reference": pinned}, {"references": {"anime": pinned}}):
        model = {"source": "image", "styles": ["anime"], "image": image}
        objects = render({"model": model, "global": {"imageRegistry": registry}})
        volumes = objects.pod["spec"]["volumes"]
        found = [each["image"]["reference"] for each in volumes if "image" in each]
        assert found == [f"{expected}@{DIGEST}"]


def test_image_pull_secrets_are_global_then_local_without_duplicates():
    a, b, c = ({"name": name} for name in "abc")
    own = {"global": {"imagePullSecrets": ["a", b], "other": {"open": 1}}}
    objects = render(own | {"imagePullSecrets": ["b", c, "c"]})
    for _, pod in pods(objects):
        assert pod["imagePullSecrets"] == [a, b, c]
    assert all("imagePullSecrets" not in pod for _, pod in pods(render()))


@pytest.mark.parametrize(
    ("account", "used", "made_"),
    [
        ({}, "dctnet", True),
        ({"name": "own"}, "own", True),
        ({"create": False}, "default", False),
        ({"create": False, "name": "own"}, "own", False),
    ],
)
def test_service_account_name(account, used, made_):
    objects = render({"serviceAccount": account})
    assert objects.pod["spec"]["serviceAccountName"] == used
    accounts = objects.all("ServiceAccount")
    assert [each["metadata"]["name"] for each in accounts] == ([used] if made_ else [])
    assert all(each["automountServiceAccountToken"] is False for each in accounts)


def test_names_that_yaml_reads_as_other_types_stay_strings():
    objects = render(
        {
            "fullnameOverride": "on",
            "image": {"repository": "1", "tag": "30"},
            "imagePullSecrets": [{"name": "1e3"}],
            "priorityClassName": "0",
            "networkPolicy": {"prometheusNamespaces": ["007"]},
            "podAnnotations": {"a": "=", "b": "<<"},
        },
        release="1e3",
    )
    annotations = objects.pod["metadata"]["annotations"]
    assert (annotations["a"], annotations["b"]) == ("=", "<<")
    assert {each["metadata"]["name"][:2] for each in objects} == {"on"}
    assert objects.container["envFrom"] == [{"configMapRef": {"name": "on"}}]
    spec = objects.pod["spec"]
    assert spec["imagePullSecrets"] == [{"name": "1e3"}]
    assert spec["priorityClassName"] == "0"
    assert objects.container["image"] == "1:30"
    assert (
        objects.deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "1e3"
    )
    (_, management) = objects.one("NetworkPolicy")["spec"]["ingress"]
    (_, prometheus) = management["from"]
    assert list(prometheus["namespaceSelector"]["matchLabels"].values()) == ["007"]
