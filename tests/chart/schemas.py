"""Build JSON schemas of Kubernetes objects: ``schemas.py WHEEL_FOLDER OUT``.

Schemas of built-in objects come from a wheel, those of custom resources from the Go modules of
their projects. The layout is that of kubeconform's strict schemas, which reject unknown fields.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

MINORS = ("1.29", "1.35", "1.36", "1.37")
"""Oldest supported Kubernetes version, and the newest three."""

MODULES = {
    "sigs.k8s.io/gateway-api@v1.6.3": (
        # The experimental channel, which has HTTPRoute.retry.
        "config/crd/experimental/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/experimental/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "github.com/envoyproxy/gateway@v1.9.1": (
        "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml",
        "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_clienttrafficpolicies.yaml",
        "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoyproxies.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "github.com/cert-manager/cert-manager@v1.21.2": (
        "deploy/crds/cert-manager.io_certificates.yaml",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ),
}

METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def schema_dir(out: Path, minor: str) -> Path:
    """Return the folder with the schemas of a minor version, as kubeconform expects it."""
    return out / f"v{minor}.0-standalone-strict"


def bundle_definitions(schema: dict, definitions: dict) -> dict:
    """Return a schema with only those definitions that it references."""
    result = {name: value for name, value in schema.items() if name != "$id"}
    needed: dict[str, dict] = {}
    pending = [result]
    while pending:
        for name in re.findall(r'#/\$defs/([^"]+)"', json.dumps(pending.pop())):
            if name not in needed:
                needed[name] = definitions[name]
                pending.append(definitions[name])
    text = json.dumps(result | {"$defs": needed})
    return json.loads(text.replace('"/api/_definitions.json#', '"#'))


def close_schema(schema: object) -> object:
    """Return a custom resource schema that rejects unknown fields."""
    if isinstance(schema, list):
        return [close_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        name: {key: close_schema(value) for key, value in part.items()}
        if name == "properties"
        else close_schema(part)
        for name, part in schema.items()
    }
    if result.get("x-kubernetes-int-or-string"):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    is_open = result.get("x-kubernetes-preserve-unknown-fields")
    # Branches of anyOf have no type; they constrain fields that are named outside them.
    if result.get("type") == "object" and "properties" in result and not is_open:
        result.setdefault("additionalProperties", False)
    return result


def write_kubernetes_schemas(wheel: Path, out: Path) -> dict[str, dict]:
    """Write the schemas of built-in objects; return the definitions by version."""
    definitions = {}
    for minor in MINORS:
        source = wheel / f"kubernetes_validate/kubernetes-json-schema/v{minor}.0-local-strict"
        definitions[minor] = json.loads((source / "_definitions.json").read_text())["$defs"]
        target = schema_dir(out, minor)
        target.mkdir(parents=True)
        for file in source.glob("*.json"):
            schema = json.loads(file.read_text())
            if {"apiVersion", "kind"} <= set(schema.get("properties", {})):
                (target / file.name).write_text(
                    json.dumps(bundle_definitions(schema, definitions[minor]))
                )
    return definitions


def download_modules() -> Iterator[dict]:
    """Download the Go modules; yield the metadata of each, with its folder."""
    command = ["go", "mod", "download", "-json", *MODULES]
    text = subprocess.run(command, cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout
    while text:  # Concatenated JSON objects.
        module, end = json.JSONDecoder().raw_decode(text)
        yield module
        text = text[end:].lstrip()


def write_crd_schemas(out: Path, definitions: dict[str, dict]) -> None:
    """Write the schemas of custom resources into the folder of each minor version."""
    modules = {
        f"{module['Path']}@{module['Version']}": Path(module["Dir"])
        for module in download_modules()
    }
    for name, files in MODULES.items():
        for file in files:
            definition = yaml.safe_load((modules[name] / file).read_text())["spec"]
            for version in definition["versions"]:
                schema = close_schema(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"$ref": f"#/$defs/{METADATA}"}
                group = definition["group"].partition(".")[0]
                kind = f"{definition['names']['kind']}-{group}-{version['name']}.json".lower()
                for minor in MINORS:
                    result = bundle_definitions(schema, definitions[minor])
                    (schema_dir(out, minor) / kind).write_text(json.dumps(result))


if __name__ == "__main__":
    wheel, result = Path(sys.argv[1]), Path(sys.argv[2])
    write_crd_schemas(result, write_kubernetes_schemas(wheel, result))
