"""Renders ``k8s/manifests`` from the chart, for teams without Helm: ``make manifests``.

What only Helm uses is left out. The ConfigMap becomes ``settings.env``, of which kustomize makes a
ConfigMap whose name changes with what it says, so that a change replaces the pods.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "k8s" / "manifests"
VALUES = ROOT / "k8s" / "manifests-values.yaml"
KUBERNETES = "1.29.0"
"""The oldest that the chart takes; each helm has another one in mind when there is no cluster."""

BY_HAND = frozenset({"kustomization.yaml", "namespace.yaml"})
HEADER = "# Made by `make manifests` from helm/dctnet and k8s/manifests-values.yaml.\n"

HELMS_OWN = re.compile(
    r"^ *annotations:\n *checksum/config: .*\n"
    r"|^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n"
    r"|^  namespace: .*\n",
    re.MULTILINE,
)
"""Labels and annotations for Helm, and the namespace, which the kustomization says."""


def find_helm() -> str | None:
    """Return the helm on the PATH, or else the one that ``make tools`` made."""
    return shutil.which("helm", path=f"{os.environ['PATH']}{os.pathsep}{ROOT / '.tools' / 'bin'}")


def render(helm: str) -> dict[str, str]:
    """Return every file's text by its name: one for each kind of object, and the settings."""
    command = [helm, "template", "dctnet", ROOT / "helm" / "dctnet", "--values", VALUES]
    command += ["--kube-version", KUBERNETES]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    files: dict[str, str] = {}
    for document in re.split(r"^---\n(?:# Source: .*\n)?", rendered, flags=re.MULTILINE):
        content = yaml.safe_load(document)
        if content is None:
            continue
        if content["kind"] == "ConfigMap":
            settings = (f"{name}={value}\n" for name, value in content["data"].items())
            files["settings.env"] = HEADER + "".join(settings)
            continue
        name = f"{content['kind'].lower()}.yaml"
        text = HELMS_OWN.sub("", document).strip() + "\n"
        files[name] = f"{files[name]}---\n{text}" if name in files else HEADER + text
    return files


def main() -> None:
    """Write the files, and remove those of kinds that the chart no longer has."""
    helm = find_helm()
    if helm is None:
        raise SystemExit("Rendering the manifests needs helm: `make tools` installs it.")
    files = render(helm)
    for path in MANIFESTS.iterdir():
        if path.name not in files.keys() | BY_HAND:
            path.unlink()
    for name, text in files.items():
        (MANIFESTS / name).write_text(text)


if __name__ == "__main__":
    main()
