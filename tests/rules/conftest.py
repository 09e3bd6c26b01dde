"""Prometheus's own tool, the chart's rules and dashboards, and what a real replica exposes."""

from collections import defaultdict
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.support.chart import run_tool
from tests.support.metrics import scrape
from tests.support.process import serving

BOUND_S = 60
"""How long one answer may take here, on a busy machine too."""

SCRAPES = 6
"""How often the replica is scraped, with a cartoon in between."""

TARGET = {"namespace": "n", "job": "j", "pod": "p", "instance": "i"}
"""What Prometheus adds to each series, as docs/monitoring.md asks for."""

Series = dict[tuple[str, frozenset[tuple[str, str]]], list[float]]
"""The values of each series, by its name and labels, one a scrape; those that appeared later have
fewer, and lack the first ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests together that look at the same scrapes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("rules"))


def promtool(*arguments: str | Path) -> str:
    """Run promtool, and return what it printed; fail the test where promtool fails."""
    done = run_tool("promtool", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def scrapes(tmp_path_factory: pytest.TempPathFactory, astronaut) -> Series:
    """What a real server with the demo model exposes while it draws."""
    portrait = tmp_path_factory.mktemp("scrapes") / "portrait.jpg"
    Image.fromarray(astronaut).resize((256, 256)).save(portrait)  # Large enough for a face.
    picture = portrait.read_bytes()
    found: Series = defaultdict(list)
    with serving(DCTNET_MODEL="demo") as server:
        for _ in range(SCRAPES):
            for answer in (
                requests.post(f"{server.url}/v1/cartoons", data=picture, timeout=BOUND_S),
                requests.post(f"{server.url}/upload", files={"file": picture}, timeout=BOUND_S),
                requests.get(server.url, timeout=BOUND_S),
            ):
                assert answer.status_code == 200, answer.text
            for sample in scrape(server.management):
                key = sample.name, frozenset((sample.labels | TARGET).items())
                found[key].append(sample.value)
    return found
