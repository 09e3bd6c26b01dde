"""What objects are called, how they are labelled and select one another, which image is taken."""

import pytest

from tests.support.chart import DIGEST, Object, Objects, merged, render
from tests.support.kubernetes import images, pods, validation_errors

EVERYTHING = {
    "expose": {"hosts": ["a.example.org"], "tls": {"enabled": True}},
    "ingress": {"enabled": True},
    "gateway": {"enabled": True, "create": True, "className": "envoy", "retryPolicy": "envoy"},
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    "model": {"cache": {"create": True}},
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
def test_objects_are_called_after_the_release(release, values, name):
    made = render(merged(EVERYTHING, values), release=release)
    assert made.deployment["metadata"]["name"] == name
    for each in made:
        assert each["metadata"]["name"].startswith(name)
        assert each["metadata"]["namespace"] == "images"
    assert validation_errors(made) == []


def test_every_object_has_the_common_labels():
    made = render(
        merged(EVERYTHING, {"commonLabels": {"team": "a"}, "commonAnnotations": {"b": "c"}}),
        release="cartoons",
    )
    assert len(made.kinds) >= 14
    metadata = [each["metadata"] for each in made] + [made.pod["metadata"]]
    for each in metadata:
        labels = each["labels"]
        assert labels["app.kubernetes.io/name"] == "dctnet"
        assert labels["app.kubernetes.io/instance"] == "cartoons"
        assert labels["app.kubernetes.io/version"] == "0.1.0"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/component"]
        assert labels["helm.sh/chart"] == "dctnet-0.1.0"
        assert labels["team"] == "a"
        assert each["annotations"]["b"] == "c"


def test_labels_of_the_chart_s_own_are_not_overridden():
    stolen = {"app.kubernetes.io/name": "other"}
    made = render({"commonLabels": stolen, "podLabels": stolen})
    assert made.pod["metadata"]["labels"]["app.kubernetes.io/name"] == "dctnet"


def selected(made: Objects, selector: Object) -> set[str]:
    """The pods, with those of the Deployment as one, that a selector takes."""
    labelled = {"Deployment": made.pod["metadata"]["labels"]}
    labelled |= {each["metadata"]["name"]: each["metadata"]["labels"] for each in made.all("Pod")}
    return {name for name, labels in labelled.items() if selector.items() <= labels.items()}


def test_every_selector_takes_the_replicas_and_not_the_test():
    made = render(merged(EVERYTHING, {"commonLabels": {"team": "a"}, "podLabels": {"b": "c"}}))
    assert made.all("Pod")
    selectors = {
        "Deployment": made.deployment["spec"]["selector"]["matchLabels"],
        "PodDisruptionBudget": made.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": made.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        **{each["metadata"]["name"]: each["spec"]["selector"] for each in made.all("Service")},
    }
    assert len(selectors) == 5
    for selector in selectors.values():
        assert selected(made, selector) == {"Deployment"}
        assert not {"team", "b", "app.kubernetes.io/version"} & set(selector)


def test_a_monitor_takes_the_management_service_alone():
    made = render(EVERYTHING)
    selector = made.one("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    services = [
        each["metadata"]["name"]
        for each in made.all("Service")
        if selector <= each["metadata"]["labels"].items()
    ]
    assert services == ["dctnet-management"]
    by_pods = render({"metrics": {"podMonitor": {"enabled": True}}})
    selector = by_pods.one("PodMonitor")["spec"]["selector"]["matchLabels"]
    assert selected(by_pods, selector) == {"Deployment"}


def test_every_port_that_is_named_is_there():
    made = render(EVERYTHING)
    ports = {port["name"] for port in made.container["ports"]}
    for service in made.all("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    (endpoint,) = made.one("ServiceMonitor")["spec"]["endpoints"]
    (port,) = made.one("Service", "dctnet-management")["spec"]["ports"]
    assert endpoint["port"] == port["name"]


def test_the_management_service_shows_every_replica():
    spec = render().one("Service", "dctnet-management")["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "dctnet:0.1.0-tensorflow"),
        ({"model": {"source": "demo"}}, "dctnet:0.1.0"),
        ({"image": {"tag": "1"}}, "dctnet:1"),
        ({"image": {"tag": "1", "variant": "tensorflow"}}, "dctnet:1"),
        ({"image": {"digest": DIGEST}}, f"dctnet:0.1.0-tensorflow@{DIGEST}"),
        ({"image": {"registry": "r.example:5000"}}, "r.example:5000/dctnet:0.1.0-tensorflow"),
        (
            {"image": {"registry": "r.example", "repository": "a/b"}},
            "r.example/a/b:0.1.0-tensorflow",
        ),
        ({"global": {"imageRegistry": "g.example"}}, "g.example/dctnet:0.1.0-tensorflow"),
        (
            {"global": {"imageRegistry": "g.example"}, "image": {"registry": "r.example"}},
            "g.example/dctnet:0.1.0-tensorflow",
        ),
    ],
)
def test_every_container_takes_the_image_that_is_named(values, image):
    assert images(render(values)) == {image}


def test_pull_secrets_are_global_s_then_the_chart_s_each_once():
    a, b, c = ({"name": name} for name in "abc")
    made = render({"global": {"imagePullSecrets": [a, b]}, "imagePullSecrets": [b, c]})
    for _, pod in pods(made):
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
def test_a_service_account_is_made_or_named(account, used, made_):
    made = render({"serviceAccount": account})
    assert made.pod["spec"]["serviceAccountName"] == used
    accounts = made.all("ServiceAccount")
    assert [each["metadata"]["name"] for each in accounts] == ([used] if made_ else [])
    assert all(each["automountServiceAccountToken"] is False for each in accounts)


def test_names_that_look_like_numbers_stay_names():
    made = render(
        {
            "fullnameOverride": "e3",
            "image": {"repository": "1", "tag": "30"},
            "imagePullSecrets": [{"name": "1e3"}],
            "priorityClassName": "0",
            "networkPolicy": {"prometheusNamespaces": ["007"]},
        },
        release="1e3",
    )
    spec = made.pod["spec"]
    assert spec["imagePullSecrets"] == [{"name": "1e3"}]
    assert spec["priorityClassName"] == "0"
    assert made.container["image"] == "1:30"
    assert made.deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "1e3"
    (_, management) = made.one("NetworkPolicy")["spec"]["ingress"]
    (_, prometheus) = management["from"]
    assert list(prometheus["namespaceSelector"]["matchLabels"].values()) == ["007"]
