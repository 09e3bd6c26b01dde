"""Fixtures of the cluster tests, which run only by path: `pytest tests/e2e`.

docs/e2e.md lists the environment variables.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtest.client import Report, SourceImage
from loadtest.images import Pixels
from tests.e2e import load, stub_hub
from tests.e2e.cluster import CommandError, Namespace, Release, kubectl, merged, namespace
from tests.e2e.ingress_or_gateway import IngressOrGateway
from tests.e2e.load import LoadGenerator, ResultRecorder, summarize_report
from tests.e2e.service import REPLICAS, Service
from tests.hub.stand_in import Hub

FAULT_RATE = 3.0
"""Requests per second beside a fault: little, because they wait at the other replica."""

CLASSES = {"ingress": "nginx", "gateway": "envoy"}
RESULTS = pytest.StashKey[dict[str, dict[str, Any]]]()
DESELECTED = pytest.StashKey[list[str]]()

CLUSTER_FEATURES: dict[str, tuple[str, Callable[[], bool]]] = {
    "ingress": ("an IngressClass", lambda: _lists("ingressclasses")),
    "gateway": (
        "the Gateway API with a GatewayClass",
        lambda: _lists("gatewayclasses.gateway.networking.k8s.io"),
    ),
    "nodes": ("a second node", lambda: _lists("nodes", at_least=2)),
    "metrics": ("a metrics-server", lambda: _serves("/apis/metrics.k8s.io/v1beta1/nodes")),
    "keda": ("KEDA", lambda: _lists("crd/scaledobjects.keda.sh")),
    "monitoring": (
        "the Prometheus operator's resources",
        lambda: _lists("crd/servicemonitors.monitoring.coreos.com"),
    ),
    "hub": (
        "E2E_HUB_HOST, an address of this machine that pods reach",
        lambda: bool(os.environ.get("E2E_HUB_HOST")),
    ),
    "availability": (
        "E2E_AVAILABILITY_S, for which `make availability` runs",
        lambda: bool(os.environ.get("E2E_AVAILABILITY_S")),
    ),
    "faults": ("time for faults that the kubelet notices late", lambda: True),
    "policies": ("a network plugin that enforces NetworkPolicies", lambda: True),
}
"""Cluster features that a test may need: description and check."""


def _lists(kind: str, at_least: int = 1) -> bool:
    try:
        return len(kubectl("get", kind, "--output=name").split()) >= at_least
    except CommandError:
        return False


def _serves(path: str) -> bool:
    try:
        kubectl("get", "--raw", path)
    except CommandError:
        return False
    return True


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(feature): required cluster feature; see CLUSTER_FEATURES"
    )
    config.stash[RESULTS], config.stash[DESELECTED] = {}, []
    try:
        kubectl("get", "--raw", "/readyz", "--request-timeout=10s")
    except CommandError as error:
        output = str(error).splitlines()[-1]
        pytest.exit(f"No cluster is reachable at kubectl's current context: {output}", returncode=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of features in E2E_WITHOUT; they are listed at the end."""
    without = set(os.environ.get("E2E_WITHOUT", "").split())
    if unknown := without - CLUSTER_FEATURES.keys():
        raise pytest.UsageError(
            f"E2E_WITHOUT: {', '.join(unknown)} is not one of {', '.join(CLUSTER_FEATURES)}."
        )
    chosen = [item for item in items if not without & needs(item)]
    deselected = [item for item in items if without & needs(item)]
    config.stash[DESELECTED] += [
        f"{item.nodeid}: without {', '.join(sorted(without & needs(item)))}" for item in deselected
    ]
    config.hook.pytest_deselected(items=deselected)
    items[:] = chosen


def needs(item: pytest.Item) -> set[str]:
    parts = {mark.args[0] for mark in item.iter_markers("needs")}
    if "proxy" in getattr(item, "fixturenames", ()):
        parts.add(os.environ.get("E2E_VIA", "ingress"))
    return parts


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part in sorted(needs(item)):
        words, there = CLUSTER_FEATURES[part]
        if not there():
            pytest.skip(f"the cluster lacks {words}; E2E_WITHOUT={part} deselects this test")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    if deselected := config.stash[DESELECTED]:
        terminalreporter.section("deselected by E2E_WITHOUT")
        terminalreporter.write("".join(f"{line}\n" for line in deselected))
    terminalreporter.section("results")
    for test, results in config.stash[RESULTS].items():
        terminalreporter.line(test)
        for name, figures in results.items():
            output = ", ".join(f"{key} {_short(value)}" for key, value in figures.items())
            terminalreporter.line(f"    {name}: {output}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@pytest.fixture
def record_result(request: pytest.FixtureRequest) -> Iterator[ResultRecorder]:
    """Record results for the summary, and as JSON in the folder E2E_RESULTS."""
    results: dict[str, Any] = request.config.stash[RESULTS].setdefault(request.node.nodeid, {})

    def write(name: str, figures: dict[str, Any] | Report) -> None:
        results[name] = summarize_report(figures) if isinstance(figures, Report) else figures

    yield write
    if folder := os.environ.get("E2E_RESULTS"):
        name = re.sub(r"\W+", "-", request.node.nodeid.removeprefix("tests/e2e/"))
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")


@pytest.fixture(scope="session")
def image() -> str:
    return os.environ.get("E2E_IMAGE", "dctnet:0.1.0")


@pytest.fixture(scope="session")
def demo(image: str) -> dict[str, Any]:
    """Values for the shipped comic with one CPU, schedulable on a small node."""
    repository, _, tag = image.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag},
        "model": {"source": "demo"},
        "autoscaling": {"enabled": False},
        "resources": {"requests": {"cpu": "200m"}, "limits": {"cpu": "1"}},
    }


@pytest.fixture
def hub(upstream_comic: Path) -> Iterator[Hub]:
    """Stub of the model hub; its test needs the feature `hub`."""
    with stub_hub.serve(upstream_comic) as hub:
        yield hub


@pytest.fixture(scope="session")
def proxy() -> IngressOrGateway:
    """Proxy under test, selected by E2E_VIA."""
    kind = os.environ.get("E2E_VIA", "ingress")
    if kind not in CLASSES:
        raise pytest.UsageError(f"E2E_VIA is ingress or gateway, not {kind}.")
    return IngressOrGateway(
        kind, os.environ.get("E2E_CLASS", CLASSES[kind]), os.environ.get("E2E_ADDRESS")
    )


@pytest.fixture(scope="module")
def module_namespace() -> Iterator[Namespace]:
    """Namespace shared by the tests of a file."""
    with namespace("dctnet-e2e") as module_namespace:
        yield module_namespace


@pytest.fixture(scope="session")
def expected_cartoons() -> tuple[list[SourceImage], dict[str, Pixels]]:
    return load.expected_cartoons()


@pytest.fixture(scope="session")
def loads(
    proxy: IngressOrGateway, expected_cartoons: tuple[list[SourceImage], dict[str, Pixels]]
) -> Callable[[str], LoadGenerator]:
    """Factory of load generators for a service URL."""
    return lambda url: LoadGenerator(f"{url}/v1/cartoons", proxy.headers, *expected_cartoons)


@pytest.fixture
def serve(
    demo: dict[str, Any],
    proxy: IngressOrGateway,
    loads: Callable[[str], LoadGenerator],
) -> Callable[[Mapping[str, Any]], AbstractContextManager[Service]]:
    """Factory of services with one style and some values, each in a namespace of its own."""
    values = merged(merged(demo, proxy.values()), {"model": {"styles": ["comic"]}})

    @contextmanager
    def serve(changes: Mapping[str, Any]) -> Iterator[Service]:
        with namespace("dctnet-e2e") as own_namespace:
            release = Release(own_namespace, merged(values | {"replicaCount": REPLICAS}, changes))
            release.install()
            yield Service(release, loads(proxy.url(own_namespace)), FAULT_RATE)

    return serve
