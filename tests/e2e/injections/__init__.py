"""Faults that are injected into replicas as `sitecustomize`, which Python imports at its start."""

from pathlib import Path
from typing import Any

FOLDER = "/injected"


def values(fault: str) -> dict[str, Any]:
    """Values with which each Python process of a replica first runs a module of this package."""
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "injected"},
        "data": {"sitecustomize.py": Path(__file__).with_name(f"{fault}.py").read_text()},
    }
    return {
        "extraObjects": [config_map],
        "extraVolumes": [{"name": "injected", "configMap": {"name": "injected"}}],
        "extraVolumeMounts": [{"name": "injected", "mountPath": FOLDER, "readOnly": True}],
        "extraEnv": [{"name": "PYTHONPATH", "value": FOLDER}],
    }
