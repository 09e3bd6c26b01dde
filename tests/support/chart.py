"""Rendering of the chart by Helm, and validation by Kubernetes schemas."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.repo import ROOT, TOOLS, environment

CHART = ROOT / "helm/dctnet"
PROFILES = [path.name.removesuffix("-values.yaml") for path in sorted(CHART.glob("ci/*"))]
SCHEMAS = ROOT / ".tools/schemas"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFINITIONS = SCHEMA["$defs"]["definitions.yaml"]["$defs"]
DEFAULTS = yaml.load((CHART / "values.yaml").read_text(), yaml.CSafeLoader)

# Values shared by tests.
DIGEST = f"sha256:{'0' * 64}"
DEMO = {"model": {"source": "demo"}}
MODELSCOPE = {"model": {"source": "modelscope"}}
JOB = {"model": {"source": "modelscope", "cache": {"create": True}}}
BAKED = {"model": {"source": "baked"}}
IMAGE = {"model": {"source": "image", "image": {"reference": f"models/anime@{DIGEST}"}}}
INGRESS = {"ingress": {"enabled": True}}
GATEWAY = {"gateway": {"enabled": True, "parentRefs": [{"name": "public"}]}}

Object = dict[str, Any]

APIS = (
    "gateway.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "gateway.envoyproxy.io/v1alpha1",
    "gateway.envoyproxy.io/v1alpha1/BackendTrafficPolicy",
    "keda.sh/v1alpha1",
    "keda.sh/v1alpha1/ScaledObject",
    "monitoring.coreos.com/v1",
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "monitoring.coreos.com/v1/ServiceMonitor",
    "cert-manager.io/v1",
)
"""APIs of a cluster with all controllers that the chart supports."""


class Rejected(Exception):
    """Validation by the templates failed; the message is theirs."""


class Invalid(Exception):
    """Values do not match values.schema.json; the message is Helm's."""


def tool(name: str) -> str:
    """Return the path of a program, or skip the test if it is not installed."""
    installed, on_path = TOOLS / name, shutil.which(name)
    if installed.exists():
        return str(installed)
    if on_path is None:
        pytest.skip(f"needs {name}: make tools")
    return on_path


def run_tool(name: str, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program of tools.mk."""
    command = [tool(name), *map(str, arguments)]
    # The programs run for a second or two; less garbage collection saves CPU time.
    env = environment(GOGC=400)
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, **options)


class Loader(yaml.CSafeLoader):
    """YAML as Go reads it: the values ``=`` and ``<<`` are strings."""


for special in ("value", "merge"):
    Loader.add_constructor(f"tag:yaml.org,2002:{special}", lambda _, node: node.value)


class Objects:
    """Rendered objects."""

    def __init__(self, objects: Sequence[Object]):
        self._objects = objects

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects)

    def all(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return [each for each in self._objects if each["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Object:
        """Return the only object of a kind, or the one with that name."""
        matches = [each for each in self.all(kind) if name in {None, each["metadata"]["name"]}]
        assert len(matches) == 1, f"{len(matches)} {kind} {name or ''}"
        return matches[0]

    @property
    def kinds(self) -> set[str]:
        return {each["kind"] for each in self._objects}

    @property
    def deployment(self) -> Object:
        return self.one("Deployment")

    @property
    def pod(self) -> Object:
        """Pod template of the replicas."""
        return self.deployment["spec"]["template"]

    @property
    def container(self) -> Object:
        """Container of the service."""
        return next(each for each in self.pod["spec"]["containers"] if each["name"] == "dctnet")

    @property
    def settings(self) -> dict[str, str]:
        """Environment of the service's container, ConfigMaps included."""
        environ: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            if "configMapRef" in source:
                environ |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        for variable in self.container.get("env", []):
            environ[variable["name"]] = variable.get("value", json.dumps(variable.get("valueFrom")))
        return environ


def merge_values(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge values, as Helm does; later layers take precedence."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[key] = merge_values(old, value) if both else value
    return result


def nest_value(path: str, value: Any) -> dict[str, Any]:
    """Return values with one leaf: ``nest_value("a.b", 1)`` is ``{"a": {"b": 1}}``."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as ``timeouts.request``."""
    for key in path.split("."):
        values = values[key]
    return values


def schema_at(path: Iterable[str]) -> dict[str, Any]:
    """Return the schema of a value."""
    matches = SCHEMA
    for key in path:
        matches = matches["properties"][key]
    return matches


def render(
    values: Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
    release: str = "dctnet",
    namespace: str = "images",
    kubernetes: str = "1.36.0",
    apis: Sequence[str] = APIS,
    helm: str = "helm",
    chart: Path = CHART,
) -> Objects:
    """Render the chart, or a package of it; raise Rejected or Invalid on failure."""
    command = [helm, "template", release, str(chart), "--namespace", namespace]
    command += ["--kube-version", kubernetes, "--api-versions", ",".join(apis)]
    if profile:
        command += ["--values", str(CHART / f"ci/{profile}-values.yaml")]
    text = json.dumps(values or {}, sort_keys=True)
    return Objects(json.loads(_rendered(*command, "--values", "-", values=text)))


@cache  # Cached as text, so that tests cannot modify shared objects.
def _rendered(*command: str, values: str) -> str:
    run = run_tool(*command, input=values)
    if match := re.search(r": (dctnet: .*)", run.stderr):
        raise Rejected(match[1].strip())
    if run.returncode and "schema" in run.stderr:
        raise Invalid(run.stderr)
    assert run.returncode == 0, run.stderr
    documents = yaml.load_all(run.stdout, Loader=Loader)
    return json.dumps([document for document in documents if document])


def assert_schema_rejects(
    wrong: Iterable[tuple[str, Any]], beside: Mapping[str, Any] | None = None
) -> None:
    """Assert that the schema rejects each of these values, given by path.

    Helm reports all errors at once, so one call checks a value for each path.
    """
    calls: dict[int, dict[str, Any]] = defaultdict(dict)
    for path, value in wrong:
        first = next(number for number in count() if path not in calls[number])
        calls[first][path] = value
    for values in calls.values():
        with pytest.raises(Invalid) as invalid:
            render(
                merge_values(
                    beside or {}, *(nest_value(path, value) for path, value in values.items())
                )
            )
        output = str(invalid.value)
        # Null removes a default, so the schema reports a missing property.
        matches = re.findall(r"at '([^']*)'(?:: missing property '([^']*)')?", output)
        rejected = [f"{location}/{missing}/" for location, missing in matches]
        for path, value in values.items():
            location = f"/{path.replace('.', '/')}/"
            assert any(each.startswith(location) for each in rejected), (
                f"{path}: {value!r}\n{output}"
            )


@cache
def _validator(minor: str, kind: str) -> jsonschema.Draft202012Validator:
    folder = SCHEMAS / f"v{minor}.0-standalone-strict"
    if not folder.exists():
        pytest.skip("needs the schemas of Kubernetes: make tools")
    return jsonschema.Draft202012Validator(json.loads((folder / f"{kind}.json").read_text()))


def missing_defaults(each: Object, minor: str = "1.36") -> list[str]:
    """Return the paths of fields that the API server would add to a custom resource."""

    def walk(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
        if isinstance(value, list):
            for item in value:
                yield from walk(schema.get("items", {}), item, f"{path}[]")
        elif isinstance(value, dict):
            for key, inner in schema.get("properties", {}).items():
                if key in value:
                    yield from walk(inner, value[key], f"{path}.{key}")
                elif "default" in inner:
                    yield f"{path}.{key}"

    return list(
        walk(
            _validator(minor, _schema_name(each)).schema["properties"]["spec"],
            each["spec"],
            each["kind"],
        )
    )


def _schema_name(each: Object) -> str:
    group, _, version = each["apiVersion"].rpartition("/")
    return "-".join([each["kind"], *filter(None, [group.partition(".")[0]]), version]).lower()


def schema_errors(objects: Objects, minor: str = "1.36") -> list[str]:
    """Return the schema errors for a version of Kubernetes, one line each."""
    errors = []
    for each in objects:
        for error in _validator(minor, _schema_name(each)).iter_errors(each):
            location = f"{each['kind']}/{each['metadata']['name']}: {error.json_path}"
            errors.append(f"{location}: {error.message[:300]}")
    return errors
