"""Make the schemas that rendered objects are checked against: ``schemas.py WHEEL_FOLDER OUT``.

Kubernetes' own come from a wheel that carries them, those of custom resources from the Go modules
of the projects that define them. They are laid out as kubeconform looks for them, in its strict
form: what a schema does not name is rejected.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

MINORS = ("1.29", "1.35", "1.36", "1.37")
"""The oldest that the chart takes, and the newest three."""

MODULES = {
    "sigs.k8s.io/gateway-api@v1.6.3": (
        # The experimental channel: an HTTPRoute's retry is not in the standard one.
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


def folder(out: Path, minor: str) -> Path:
    """Return where kubeconform looks for the schemas of a minor version."""
    return out / f"v{minor}.0-standalone-strict"


def standalone(schema: dict, definitions: dict) -> dict:
    """Return a schema with those definitions in it that it refers to, and no others."""
    made = {name: value for name, value in schema.items() if name != "$id"}
    needed: dict[str, dict] = {}
    pending = [made]
    while pending:
        for name in re.findall(r'#/\$defs/([^"]+)"', json.dumps(pending.pop())):
            if name not in needed:
                needed[name] = definitions[name]
                pending.append(definitions[name])
    text = json.dumps(made | {"$defs": needed})
    return json.loads(text.replace('"/api/_definitions.json#', '"#'))


def closed(schema: object) -> object:
    """Turn a custom resource's schema into one that rejects what it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: {key: closed(value) for key, value in part.items()}
        if name == "properties"
        else closed(part)
        for name, part in schema.items()
    }
    if made.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    is_open = made.get("x-kubernetes-preserve-unknown-fields")
    # Parts of an anyOf have no type: they say more of what is named outside them.
    if made.get("type") == "object" and "properties" in made and not is_open:
        made.setdefault("additionalProperties", False)
    return made


def from_kubernetes(wheel: Path, out: Path) -> dict[str, dict]:
    """Write the schemas of Kubernetes' own objects; return each version's definitions."""
    found = {}
    for minor in MINORS:
        source = wheel / f"kubernetes_validate/kubernetes-json-schema/v{minor}.0-local-strict"
        found[minor] = json.loads((source / "_definitions.json").read_text())["$defs"]
        target = folder(out, minor)
        target.mkdir(parents=True)
        for file in source.glob("*.json"):
            schema = json.loads(file.read_text())
            if {"apiVersion", "kind"} <= set(schema.get("properties", {})):
                (target / file.name).write_text(json.dumps(standalone(schema, found[minor])))
    return found


def downloaded() -> Iterator[dict]:
    """Download the modules, and say where each lies."""
    command = ["go", "mod", "download", "-json", *MODULES]
    text = subprocess.run(command, cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout
    while text:  # One JSON object after the other.
        module, end = json.JSONDecoder().raw_decode(text)
        yield module
        text = text[end:].lstrip()


def from_modules(out: Path, definitions: dict[str, dict]) -> None:
    """Write the schemas of custom resources beside those of every minor version."""
    modules = {
        f"{module['Path']}@{module['Version']}": Path(module["Dir"]) for module in downloaded()
    }
    for name, files in MODULES.items():
        for file in files:
            definition = yaml.safe_load((modules[name] / file).read_text())["spec"]
            for version in definition["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"$ref": f"#/$defs/{METADATA}"}
                group = definition["group"].partition(".")[0]
                kind = f"{definition['names']['kind']}-{group}-{version['name']}.json".lower()
                for minor in MINORS:
                    made = standalone(schema, definitions[minor])
                    (folder(out, minor) / kind).write_text(json.dumps(made))


if __name__ == "__main__":
    wheel, made = Path(sys.argv[1]), Path(sys.argv[2])
    from_modules(made, from_kubernetes(wheel, made))
