"""A server for each test, and few small images for all."""

from collections.abc import Iterator

import pytest

from loadtest.client import SourceImage, made
from tests.loadtest.stand_in import StandIn, running


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def images() -> list[SourceImage]:
    """As PNG, so that their right answers are known to the level."""
    return made(8, 40, 24, format="png")
