"""Fixtures: a stub server per test, small images for all."""

from collections.abc import Iterator

import pytest

from loadtest.client import SourceImage, generate_images
from tests.loadtest.stub_server import StubServer, run_stub_server


@pytest.fixture
def server() -> Iterator[StubServer]:
    with run_stub_server() as server:
        yield server


@pytest.fixture(scope="session")
def images() -> list[SourceImage]:
    """PNG images, so that expected cartoons are exact."""
    return generate_images(8, 40, 24, format="png")
