"""k8s/manifests: up to date with the chart, complete, and free of Helm metadata."""

from math import ceil
from typing import Any

import pytest
import yaml

from dctnet.config import MIB, Settings
from dctnet.memory import hot_styles, memory_bound
from k8s.render import HAND_WRITTEN, HEADER, MANIFESTS, render
from tests.support.chart import tool

KUSTOMIZATION = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def test_manifests_are_up_to_date():
    rendered = render(tool("helm"))
    files = {path.name: path.read_text() for path in MANIFESTS.iterdir()}
    assert files.keys() == rendered.keys() | HAND_WRITTEN
    for name, text in rendered.items():
        assert files[name] == text, f"{name} is not the chart's: run `make manifests`"


def test_kustomization_lists_all_files():
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    listed = [*KUSTOMIZATION["resources"], *generator["envs"], "kustomization.yaml"]
    assert sorted(listed) == sorted(path.name for path in MANIFESTS.iterdir())


def test_files_are_named_after_the_kind_of_object():
    for name in KUSTOMIZATION["resources"]:
        kinds = {content["kind"].lower() for content in objects(name)}
        assert kinds == {name.removesuffix(".yaml")}


def test_no_helm_metadata_and_one_namespace():
    for path in MANIFESTS.iterdir():
        text = path.read_text()
        assert "helm.sh/" not in text
        assert "managed-by" not in text
        assert "checksum/" not in text
        assert "namespace: " not in text or path.name == "kustomization.yaml"
    for name in KUSTOMIZATION["resources"]:
        for content in objects(name):
            assert None not in content["metadata"].values(), name


def test_deployment_uses_the_generated_settings():
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    (deployment,) = objects("deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": generator["name"]}}]
    text = (MANIFESTS / "settings.env").read_text()
    assert text.startswith(HEADER)
    settings = dict(line.split("=", 1) for line in text.removeprefix(HEADER).splitlines())
    assert settings["DCTNET_STYLES"] == "comic,sketch,poster"
    assert all(name.startswith("DCTNET_") and value for name, value in settings.items())


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_memory_limit_of_manifests_and_overlay_is_the_memory_bound():
    (deployment,) = objects("deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    overlay = yaml.safe_load((MANIFESTS.parent / "overlay-example/kustomization.yaml").read_text())
    (generator,) = overlay["configMapGenerator"]
    (patch,) = (
        change
        for each in overlay["patches"]
        if each["target"]["kind"] == "Deployment"
        for change in yaml.safe_load(each["patch"])
    )
    assert patch["path"] == "/spec/template/spec/containers/0/resources/limits/memory"
    settings = MANIFESTS.joinpath("settings.env").read_text().removeprefix(HEADER).splitlines()
    cpus = container["resources"]["limits"]["cpu"]
    for literals, limit in (
        ([], container["resources"]["limits"]["memory"]),
        (generator["literals"], patch["value"]),
    ):
        environ = dict(line.split("=", 1) for line in [*settings, *literals])
        listed = Settings.from_environment(environ | {"DCTNET_SLOTS": cpus})
        styles = len(listed.styles)
        hot = hot_styles(listed, int(cpus), styles, 0)
        bound = memory_bound(listed, int(cpus), styles=styles, hot_styles=hot)
        assert limit == f"{ceil(bound / MIB)}Mi"


def test_manifests_are_the_default_installation_with_an_ingress():
    (deployment,) = objects("deployment.yaml")
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["labels"]["dctnet.io/model-source"] == "demo"
    assert "initContainers" not in pod["spec"]
    (ingress,) = objects("ingress.yaml")
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_namespace_enforces_the_restricted_standard():
    (namespace,) = objects("namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["name"] == KUSTOMIZATION["namespace"]
