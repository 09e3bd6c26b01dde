"""The page in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.page.stand_in import StandIn
from tests.server.conftest import start_timed
from tests.support.browser import Browser, chromium
from tests.support.encoded import encoded, gradient
from tests.support.repo import ROOT

__all__ = ["start_timed"]

PORTRAIT = ROOT / "docs/images/astronaut.jpg"


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser puts what it downloads."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[Browser]:
    with chromium(downloads) as browser:
        yield browser


@pytest.fixture(scope="session")
def serving() -> Iterator[StandIn]:
    with StandIn().running() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(serving: StandIn) -> Iterator[StandIn]:
    """A server whose answers may be chosen; nothing is left of another test's."""
    serving.forget()
    yield serving
    if serving.held is not None:
        serving.held.set()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture that is sent as it is."""
    path = tmp_path_factory.mktemp("pictures") / "Some one.png"
    path.write_bytes(encoded(Image.fromarray(gradient(60, 40))))
    return path
