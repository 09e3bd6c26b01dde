"""Network policies, tested with TCP connections inside the cluster."""

import pytest

from tests.e2e import pods
from tests.e2e.cluster import Namespace, Release, merged, namespace

API, MANAGEMENT = 8080, 9090

CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 5).close()
        print(place, "open")
    except OSError:
        print(place, "closed")
"""


LISTEN = """
import http.server
http.server.HTTPServer(("", 8000), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def try_connections(namespace: Namespace, image: str, *places: str) -> dict[str, str]:
    pods.start(namespace, image, "stranger", CONNECT, *places)
    return parse_results(pods.output(namespace, "stranger"))


def parse_results(output: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in output.splitlines())


def start_listener(namespace: Namespace, image: str) -> str:
    """Start a pod without network policy, and return its address."""
    pods.start(namespace, image, "listener", LISTEN)
    return f"{pods.address(namespace, 'listener')}:8000"


@pytest.mark.promise("Cluster: network policies allow only what the replica needs")
@pytest.mark.needs("policies")
def test_policies_admit_only_the_own_namespace_and_no_egress(module_namespace, demo, image, proxy):
    release = Release(module_namespace, merged(demo, proxy.values()) | {"replicaCount": 1})
    release.install()
    (replica,) = release.pods()
    replicas = [f"{replica['status']['podIP']}:{port}" for port in (API, MANAGEMENT)]
    neighbour = start_listener(module_namespace, image)

    found = try_connections(module_namespace, image, *replicas, neighbour)
    assert found == dict.fromkeys([*replicas, neighbour], "open")
    with namespace("dctnet-e2e") as strange:
        found = try_connections(strange, image, *replicas, neighbour)
    assert found == dict.fromkeys(replicas, "closed") | {neighbour: "open"}
    name = replica["metadata"]["name"]
    output = module_namespace.kubectl("exec", name, "--", pods.PYTHON, "-c", CONNECT, neighbour)
    assert parse_results(output) == {neighbour: "closed"}
