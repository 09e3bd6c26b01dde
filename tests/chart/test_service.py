"""The API's Service, the test that `helm test` runs, and what an installation says."""

import json
from typing import Any

import pytest

from tests.support.chart import CHART, DEMO, INGRESS, merged, render, run_tool

GATEWAY = {"gateway": {"enabled": True, "create": True, "className": "envoy"}}
HOST = {"expose": {"hosts": ["a.example.org"]}}


@pytest.mark.parametrize(
    ("service", "type_", "port"),
    [
        ({}, "ClusterIP", {"port": 80}),
        ({"port": 8000}, "ClusterIP", {"port": 8000}),
        ({"nodePort": 30080}, "ClusterIP", {"port": 80}),
        ({"type": "NodePort"}, "NodePort", {"port": 80}),
        ({"type": "NodePort", "nodePort": 30080}, "NodePort", {"port": 80, "nodePort": 30080}),
        (
            {"type": "LoadBalancer", "nodePort": 30080},
            "LoadBalancer",
            {"port": 80, "nodePort": 30080},
        ),
    ],
)
def test_the_service_has_its_type_and_port(service, type_, port):
    spec = render(merged(DEMO, {"service": service})).one("Service", "dctnet")["spec"]
    assert spec["type"] == type_
    assert spec["ports"] == [{"name": "http", "targetPort": "http", "appProtocol": "http", **port}]


def test_the_service_has_labels_and_annotations_of_its_own():
    own = {"annotations": {"a": "1"}, "labels": {"b": "2"}}
    made = render(merged(DEMO, {"service": own}))
    metadata = made.one("Service", "dctnet")["metadata"]
    assert (metadata["annotations"]["a"], metadata["labels"]["b"]) == ("1", "2")
    assert "b" not in made.one("Service", "dctnet-management")["metadata"]["labels"]


@pytest.mark.parametrize(
    ("model", "style"), [({}, "anime"), ({"style": "3d"}, "3d"), ({"source": "demo"}, "demo")]
)
def test_the_test_asks_the_service_for_what_it_should_draw(model, style):
    made = render({"model": model, "service": {"port": 81}, "helmTest": {"timeout": 77}})
    pod = made.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env == {
        "API": "http://dctnet:81",
        "MANAGEMENT": "dctnet-management",
        "STYLE": style,
        "TIMEOUT": "77",
    }
    script = made.one("ConfigMap", "dctnet-test")["data"]["smoke_test.py"]
    assert script.rstrip() == (CHART / "files/smoke_test.py").read_text().rstrip()


def test_the_test_has_the_keys_where_there_are_some():
    pod = render(merged(DEMO, {"apiKeys": {"existingSecret": "k", "key": "mine"}})).one("Pod")
    (container,) = pod["spec"]["containers"]
    assert {"name": "KEYS", "value": "/etc/dctnet/api-keys/mine"} in container["env"]
    assert [each["secret"] for each in pod["spec"]["volumes"] if "secret" in each] == [
        {"secretName": "k"}
    ]


def test_the_test_can_be_left_out():
    made = render(merged(DEMO, {"helmTest": {"enabled": False}}))
    assert not made.all("Pod")
    assert [each["metadata"]["name"] for each in made.all("ConfigMap")] == ["dctnet"]


def notes(*values: dict[str, Any]) -> str:
    """What `helm install` prints; no cluster is asked."""
    options = ["--dry-run=client", "--namespace", "images", "--kubeconfig", "/dev/null"]
    run = run_tool(
        *("helm", "install", "dctnet", CHART, *options, "--values", "-"),
        input=json.dumps(merged(*values)),
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.partition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        (merged(INGRESS, HOST), "http://a.example.org"),
        (merged(GATEWAY, HOST), "http://a.example.org"),
        (merged(INGRESS, HOST, {"expose": {"tls": {"enabled": True}}}), "https://a.example.org"),
        (INGRESS, "http://$ADDRESS"),
        (GATEWAY, "http://$ADDRESS"),
        (merged(INGRESS, {"expose": {"hosts": ["*.example.org"]}}), "http://$ADDRESS"),
        ({"service": {"type": "LoadBalancer", "port": 81}}, "http://$ADDRESS:81"),
    ],
)
def test_an_installation_says_the_exact_command(values, url):
    said = notes(DEMO, values)
    assert f'curl --data-binary @portrait.jpg "{url}/v1/cartoons" -o cartoon.png' in said
    assert ("ADDRESS=$(kubectl" in said) == ("$ADDRESS" in url)
    assert ("port-forward" in said) == ("127.0.0.1" in url)
    assert "helm test dctnet -n images" in said
    assert "demo model" in said


def test_it_names_the_header_of_keys_and_says_that_pods_fetch_their_model_and_how_to_do_that_once():
    said = notes({"apiKeys": {"existingSecret": "k"}})
    assert '-H "Authorization: Bearer $KEY"' in said
    assert "-c fetch --follow" in said
    assert "model.cache" in said
    assert "model.cache" not in notes({"model": {"cache": {"create": True}}})
