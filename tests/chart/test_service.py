"""The API's Service, the pod of `helm test`, and the notes after installation."""

import json
import re
from typing import Any

import pytest

from tests.support.chart import (
    CHART,
    DEMO,
    INGRESS,
    JOB,
    MODELSCOPE,
    merge_values,
    render,
    run_tool,
    schema_errors,
)

GATEWAY = {"gateway": {"enabled": True, "create": True, "className": "envoy"}}
HOST = {"expose": {"hosts": ["a.example.org"]}}


@pytest.mark.parametrize(
    ("service", "type_", "port"),
    [
        ({}, "ClusterIP", {"port": 80}),
        ({"port": 8000}, "ClusterIP", {"port": 8000}),
        ({"type": "NodePort"}, "NodePort", {"port": 80}),
        ({"type": "NodePort", "nodePort": 30080}, "NodePort", {"port": 80, "nodePort": 30080}),
        (
            {"type": "LoadBalancer", "nodePort": 30080},
            "LoadBalancer",
            {"port": 80, "nodePort": 30080},
        ),
    ],
)
def test_service_type_and_port(service, type_, port):
    spec = render(merge_values(DEMO, {"service": service})).one("Service", "dctnet")["spec"]
    assert spec["type"] == type_
    assert spec["ports"] == [{"name": "http", "targetPort": "http", "appProtocol": "http", **port}]


@pytest.mark.parametrize(
    ("policy", "families"),
    [("", []), ("PreferDualStack", []), ("RequireDualStack", ["IPv6", "IPv4"]), ("", ["IPv6"])],
)
def test_ip_families_of_both_services(policy, families):
    service = {"ipFamilyPolicy": policy, "ipFamilies": families}
    objects = render(merge_values(DEMO, {"service": service}))
    services = objects.all("Service")
    assert len(services) == 2
    for each in services:
        assert {key: each["spec"].get(key, type(service[key])()) for key in service} == service
        assert policy or "ipFamilyPolicy" not in each["spec"]
    assert schema_errors(objects) == []


def test_service_labels_and_annotations():
    own = {"annotations": {"a": "1"}, "labels": {"b": "2"}}
    objects = render(merge_values(DEMO, {"service": own}))
    metadata = objects.one("Service", "dctnet")["metadata"]
    assert (metadata["annotations"]["a"], metadata["labels"]["b"]) == ("1", "2")
    assert "b" not in objects.one("Service", "dctnet-management")["metadata"]["labels"]


@pytest.mark.parametrize(
    ("model", "styles"),
    [
        ({}, "comic,sketch,poster"),
        ({"source": "modelscope"}, "anime"),
        ({"source": "modelscope", "styles": ["3d", "anime"]}, "3d,anime"),
        ({"source": "baked"}, ""),
        ({"source": "baked", "styles": ["mine-converted", "3d"]}, "mine,3d"),
    ],
)
def test_helm_test_requests_every_style(model, styles):
    objects = render({"model": model, "service": {"port": 81}, "helmTest": {"timeout": 77}})
    pod = objects.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env == {
        "API": "http://dctnet:81",
        "MANAGEMENT": "dctnet-management",
        "STYLES": styles,
        "TIMEOUT": "77",
    }
    script = objects.one("ConfigMap", "dctnet-test")["data"]["smoke_test.py"]
    assert script.rstrip() == (CHART / "files/smoke_test.py").read_text().rstrip()


def test_helm_test_authenticates_with_api_keys():
    pod = render(merge_values(DEMO, {"apiKeys": {"existingSecret": "k", "key": "mine"}})).one("Pod")
    (container,) = pod["spec"]["containers"]
    assert {"name": "KEYS", "value": "/etc/dctnet/api-keys/mine"} in container["env"]
    assert [each["secret"] for each in pod["spec"]["volumes"] if "secret" in each] == [
        {"secretName": "k"}
    ]


def test_helm_test_can_be_disabled():
    objects = render(merge_values(DEMO, {"helmTest": {"enabled": False}}))
    assert not objects.all("Pod")
    assert [each["metadata"]["name"] for each in objects.all("ConfigMap")] == ["dctnet"]


def notes(*values: dict[str, Any]) -> str:
    """Return the notes that `helm install` prints, without a cluster."""
    options = ["--dry-run=client", "--namespace", "images", "--kubeconfig", "/dev/null"]
    run = run_tool(
        *("helm", "install", "dctnet", CHART, *options, "--values", "-"),
        input=json.dumps(merge_values(*values)),
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.partition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        (merge_values(INGRESS, HOST), "http://a.example.org"),
        (merge_values(GATEWAY, HOST), "http://a.example.org"),
        (
            merge_values(INGRESS, HOST, {"expose": {"tls": {"enabled": True}}}),
            "https://a.example.org",
        ),
        (INGRESS, "http://$ADDRESS"),
        (GATEWAY, "http://$ADDRESS"),
        (merge_values(INGRESS, {"expose": {"hosts": ["*.example.org"]}}), "http://$ADDRESS"),
        ({"service": {"type": "LoadBalancer", "port": 81}}, "http://$ADDRESS:81"),
    ],
)
def test_notes_print_the_curl_command(values, url):
    text = notes(DEMO, values)
    assert f'curl --data-binary @portrait.jpg "{url}/v1/cartoons" -o cartoon.png' in text
    assert ("ADDRESS=$(kubectl" in text) == ("$ADDRESS" in url)
    assert ("port-forward" in text) == ("127.0.0.1" in url)
    assert "helm test dctnet -n images" in text
    assert f'"{url}/v1/cartoons?style=poster"' in text


def test_first_line_of_the_notes_says_how_to_serve_the_public_styles():
    first, *_ = notes({}).splitlines()
    assert first.endswith("To serve the public DCT-Net styles: --set model.source=modelscope")
    assert notes(MODELSCOPE).startswith("dctnet 0.1.0 is installed as dctnet")


def test_notes_explain_the_derived_queue_size():
    (minimum,) = re.findall("^Queue: .*$", notes({}), re.MULTILINE)
    assert minimum == (
        "Queue: 64 images per replica. At 3.33 images per second (admission.cpuSecondsPerImage) a"
        " replica completes 50 within the latency objective of 15 s; 64 is the minimum, for fifty"
        " clients at once. In overload waits exceed the objective: set admission.queueSize to"
        " reject earlier."
    )
    derived = notes({"resources": {"limits": {"cpu": "4"}}})
    assert "completes 100 within the latency objective of 15 s.\n" in derived
    assert "4096 is the maximum." in notes({"admission": {"cpuSecondsPerImage": 0.001}})
    assert "Queue:" not in notes({"admission": {"queueSize": 64}})


def test_notes_mention_api_keys_styles_and_model_cache():
    styles = {"model": {"styles": ["anime", "3d"]}}
    text = notes(MODELSCOPE, styles, {"apiKeys": {"existingSecret": "k"}})
    assert "Each new pod fetches and converts anime, 3d before it starts." in text
    assert "The styles are anime, 3d; the first is the default." in text
    assert '-H "Authorization: Bearer $KEY"' in text
    assert "logs deployment/dctnet -c fetch --follow" in text
    assert "Set model.cache" in text


def test_notes_follow_the_job():
    text = notes(JOB)
    name = render(JOB).one("Job")["metadata"]["name"]
    assert "A Job fetches and converts anime, and replicas wait for it." in text
    for container in "fetch", "prepare":
        assert f"kubectl -n images logs job/{name} -c {container} --follow" in text
    assert "Set model.cache" not in text
    assert "The styles are" not in text


HUB = "the model hub: port 443 of 198.51.100.0/24."
POLICY = {
    "networkPolicy": {
        "controllerNamespaces": ["edge", "images"],
        "prometheusNamespaces": ["metrics"],
        "modelSource": {"cidrs": ["198.51.100.0/24"]},
    }
}
MANAGEMENT = "Management, port 9090: open to the namespaces images, metrics, and to the node."
BEHIND = "API, port 8080: open to the namespaces images, edge."
HINTS = ["A controller in another namespace", "A controller outside of the cluster's pods"]


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        (DEMO, ["API, port 8080: open to every address.", MANAGEMENT, "Replicas reach DNS."]),
        (
            merge_values(MODELSCOPE, INGRESS, {"tracing": {"endpoint": "http://c:4318"}}),
            [BEHIND, MANAGEMENT, f"Replicas reach DNS, the collector, and {HUB}", *HINTS],
        ),
        (
            merge_values(JOB, {"model": {"fetch": {"by": "pods"}}}),
            [
                "API, port 8080: open to every address.",
                MANAGEMENT,
                f"Replicas reach DNS, and {HUB[:-1]} (a Job instead, if all nodes",
            ],
        ),
        (
            merge_values(JOB, GATEWAY, {"networkPolicy": {"extraEgress": [{}]}}),
            [
                BEHIND,
                MANAGEMENT,
                "Replicas reach DNS, and networkPolicy.extraEgress.",
                f"The Job reaches DNS, networkPolicy.extraEgress and {HUB}",
                *HINTS,
            ],
        ),
    ],
    ids=["demo", "pods behind an ingress", "pods with a claim", "job behind a gateway"],
)
def test_notes_say_what_the_network_policy_admits(values, lines):
    _, _, block = notes(POLICY, values).partition("\nNetwork policy:\n")
    found = block.partition("\n\n")[0].splitlines()
    assert len(found) == len(lines)
    for line, start in zip(found, lines, strict=True):
        assert line.startswith(f"- {start}")
        assert line.endswith(".")


def test_notes_without_a_network_policy():
    assert "policy" not in notes(DEMO, {"networkPolicy": {"enabled": False}})


def test_notes_name_the_namespace_of_the_objects():
    text = notes(DEMO, {"namespaceOverride": "cartoons"})
    assert "as dctnet in the namespace cartoons." in text
    assert set(re.findall(r"kubectl -n (\S+)", text)) == {"cartoons"}
    assert "helm test dctnet -n images" in text  # Helm keeps the release there.


def test_notes_end_with_warnings():
    text = notes(DEMO, {"resources": {"limits": {"memory": "4Gi"}}})
    assert "\n\nWarnings:\n- resources.limits.memory is 4Gi, but" in text
    assert "Warnings" not in notes(DEMO)
