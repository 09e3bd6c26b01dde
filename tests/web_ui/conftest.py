"""Fixtures: the web UI in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.api.conftest import blocking_engine
from tests.support.browser import Browser, chromium
from tests.support.encoded_images import encoded, gradient
from tests.support.repo import ROOT
from tests.web_ui.stand_in import StandIn

__all__ = ["blocking_engine"]

PORTRAIT = ROOT / "docs/images/astronaut.jpg"
FIRST_GROUP = {"test_real_server", "test_problem_texts", "test_image_preparation", "test_keyboard"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Split the tests into two groups of equal duration, so that two browsers run."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            group = "page, first" if item.path.stem in FIRST_GROUP else "page, second"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download folder of the browser."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[Browser]:
    with chromium(downloads) as browser:
        yield browser


@pytest.fixture(scope="session")
def shared_stand_in() -> Iterator[StandIn]:
    with StandIn().running() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(shared_stand_in: StandIn) -> Iterator[StandIn]:
    """Server whose responses a test can choose, reset for each test."""
    shared_stand_in.reset()
    yield shared_stand_in
    if shared_stand_in.response_gate is not None:
        shared_stand_in.response_gate.set()


@pytest.fixture
def page(stand_in: StandIn, browser: Browser) -> Browser:
    """Browser with the page of that server."""
    browser.open(stand_in.url)
    return browser


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small image, which the page sends unchanged."""
    path = tmp_path_factory.mktemp("images") / "Some one.png"
    path.write_bytes(encoded(Image.fromarray(gradient(60, 40))))
    return path
