"""The manifests for teams without Helm are the chart's own, whole, and nothing of Helm's."""

from typing import Any

import yaml

from k8s.render import HAND_WRITTEN, HEADER, MANIFESTS, render
from tests.support.chart import tool

KUSTOMIZATION = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def test_what_is_kept_is_what_the_chart_renders_today():
    rendered = render(tool("helm"))
    kept = {path.name: path.read_text() for path in MANIFESTS.iterdir()}
    assert kept.keys() == rendered.keys() | HAND_WRITTEN
    for name, text in rendered.items():
        assert kept[name] == text, f"{name} is not the chart's: run `make manifests`"


def test_the_kustomization_takes_every_file():
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    taken = [*KUSTOMIZATION["resources"], *generator["envs"], "kustomization.yaml"]
    assert sorted(taken) == sorted(path.name for path in MANIFESTS.iterdir())


def test_a_file_holds_one_kind_of_object_and_is_named_after_it():
    for name in KUSTOMIZATION["resources"]:
        kinds = {content["kind"].lower() for content in objects(name)}
        assert kinds == {name.removesuffix(".yaml")}


def test_nothing_is_helm_s_and_the_namespace_is_said_once():
    for path in MANIFESTS.iterdir():
        text = path.read_text()
        assert "helm.sh/" not in text
        assert "managed-by" not in text
        assert "checksum/" not in text
        assert "namespace: " not in text or path.name == "kustomization.yaml"
    for name in KUSTOMIZATION["resources"]:
        for content in objects(name):
            assert None not in content["metadata"].values(), name


def test_the_settings_are_those_that_the_pods_take():
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    (deployment,) = objects("deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": generator["name"]}}]
    text = (MANIFESTS / "settings.env").read_text()
    assert text.startswith(HEADER)
    settings = dict(line.split("=", 1) for line in text.removeprefix(HEADER).splitlines())
    assert settings["DCTNET_MODEL"] == "anime"
    assert all(name.startswith("DCTNET_") and value for name, value in settings.items())


def test_it_is_the_default_installation_with_an_ingress():
    (deployment,) = objects("deployment.yaml")
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["labels"]["dctnet.io/model-source"] == "modelscope"
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["fetch", "prepare"]
    (ingress,) = objects("ingress.yaml")
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_the_namespace_insists_on_what_the_pods_keep_to():
    (namespace,) = objects("namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["name"] == KUSTOMIZATION["namespace"]
