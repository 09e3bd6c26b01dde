"""Who may talk to replicas, and with whom they may talk: tried by TCP from inside the cluster."""

from typing import Any

import pytest

from tests.e2e import pods
from tests.e2e.cluster import Namespace, Release, kubectl, merged, namespace
from tests.e2e.entrance import Entrance

API, MANAGEMENT = 8080, 9090

TRY = """
import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 5).close()
        print(place, "open")
    except OSError:
        print(place, "closed")
"""


def tried(namespace: Namespace, image: str, *places: str) -> dict[str, str]:
    pods.start(namespace, image, "stranger", TRY, *places)
    return answers(pods.output(namespace, "stranger"))


def answers(said: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in said.splitlines())


@pytest.mark.needs("policies")
def test_replicas_are_reached_from_their_namespace_not_from_others_and_reach_nobody(
    fresh: Namespace, demo: dict[str, Any], image: str, entrance: Entrance
) -> None:
    release = Release(fresh, merged(demo, entrance.values()) | {"replicaCount": 1})
    release.install()
    (replica,) = release.pods()
    here = [f"{replica['status']['podIP']}:{port}" for port in (API, MANAGEMENT)]
    address = kubectl("get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}")
    elsewhere = f"{address}:443"

    assert tried(fresh, image, *here) == dict.fromkeys(here, "open")
    with namespace("dctnet-e2e") as strange:
        found = tried(strange, image, *here, elsewhere)
    assert found == dict.fromkeys(here, "closed") | {elsewhere: "open"}
    name = replica["metadata"]["name"]
    said = fresh.kubectl("exec", name, "--", pods.PYTHON, "-c", TRY, elsewhere)
    assert answers(said) == {elsewhere: "closed"}
