"""Proxy under test: an Ingress or a Gateway."""

import json
import os
from dataclasses import dataclass
from typing import Any

import requests

from tests.e2e.cluster import Namespace, kubectl, until

HOST = os.environ.get("E2E_HOST", "e2e.test")
"""Host of the requests; an ingress controller has each host once."""

ROUTE_TIMEOUT_S = 60
"""Timeout for a proxy to route to a new Service, in seconds."""

CONSECUTIVE_SUCCESSES = 20
"""Consecutive responses, each on a new connection, after which a route counts as ready."""


@dataclass(frozen=True)
class IngressOrGateway:
    kind: str
    """``ingress`` or ``gateway``."""
    proxy_class: str
    """Name of the IngressClass or GatewayClass."""
    address_override: str | None
    """Address to use instead of the one that the cluster reports."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": HOST}

    def values(self) -> dict[str, Any]:
        """Chart values that expose the service at HOST."""
        values: dict[str, Any] = {"enabled": True, "className": self.proxy_class}
        if self.kind == "gateway":
            values |= {"create": True, "retryPolicy": "envoy"}
        return {"expose": {"hosts": [HOST]}, self.kind: values}

    def url(self, namespace: Namespace, path: str = "") -> str:
        """Return the URL of the host, once the proxy routes to the service at the path."""
        address = self.address_override or until(
            lambda: self._address(namespace), "no address", bound_s=ROUTE_TIMEOUT_S
        )
        url = f"http://{address}"
        # Each process of a proxy loads a route separately.
        until(
            lambda: all(self._is_healthy(url + path) for _ in range(CONSECUTIVE_SUCCESSES)),
            "the proxy does not route",
            bound_s=ROUTE_TIMEOUT_S,
        )
        return url

    def _is_healthy(self, url: str) -> bool:
        try:
            return requests.get(f"{url}/health", headers=self.headers, timeout=10).ok
        except requests.ConnectionError:
            return False

    def _address(self, namespace: Namespace) -> str | None:
        if self.kind == "gateway":
            (gateway,) = namespace.items("gateways.gateway.networking.k8s.io")
            addresses = gateway.get("status", {}).get("addresses", [])
            return addresses[0]["value"] if addresses else None
        selector = "app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller"
        services = kubectl(
            "get", "services", "--all-namespaces", "--selector", selector, "--output=json"
        )
        for service in json.loads(services)["items"]:
            for point in service["status"].get("loadBalancer", {}).get("ingress", []):
                return str(point.get("ip") or point["hostname"])
        return None
