"""Helper pods that run Python code in the service's container image."""

import json
from typing import Any

from tests.e2e.cluster import BOUND_S, Namespace, until

PYTHON = "/opt/dctnet/bin/python"


CLAIM_PATH = "/claim"
"""Mount path of a pod's PersistentVolumeClaim."""


def start(
    namespace: Namespace, image: str, name: str, code: str, *args: str, claim: str = ""
) -> None:
    """Start a pod that meets the Pod Security Standard `restricted`."""
    container: dict[str, Any] = {
        "name": "python",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [PYTHON, "-c", code, *args],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if claim:
        spec["volumes"] = [{"name": "claim", "persistentVolumeClaim": {"claimName": claim}}]
        container["volumeMounts"] = [{"name": "claim", "mountPath": CLAIM_PATH}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    namespace.kubectl("apply", "--filename=-", stdin=json.dumps(pod))


def address(namespace: Namespace, name: str) -> str:
    """Wait until the pod is ready, and return its IP address."""
    namespace.kubectl("wait", f"pod/{name}", "--for=condition=Ready", f"--timeout={BOUND_S}s")
    return namespace.kubectl("get", "pod", name, "--output=jsonpath={.status.podIP}")


def output(namespace: Namespace, name: str, bound_s: float = BOUND_S) -> str:
    """Wait until the pod has succeeded, and return its log."""

    def phase() -> str:
        return namespace.kubectl("get", "pod", name, "--output=jsonpath={.status.phase}")

    until(
        lambda: phase() in {"Succeeded", "Failed"}, f"the pod {name} has not ended", bound_s=bound_s
    )
    output = namespace.kubectl("logs", name)
    assert phase() == "Succeeded", output
    return output
