"""Fixtures: a server, and an image for the programs that send it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import TIMED
from tests.support.encoded_images import encoded, gradient
from tests.support.process import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose cartoon is the negative."""
    log = tmp_path_factory.mktemp("clients") / "log"
    with serving(log, TIMED, TIMED_SECONDS=0, DCTNET_SLOTS=1) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with portrait.png, of which forms of more than 500 kB are made, and small.jpg."""
    (tmp_path / "portrait.png").write_bytes(encoded(gradient(600, 400), "PNG", compress_level=0))
    (tmp_path / "small.jpg").write_bytes(encoded(gradient(40, 24), "JPEG"))
    return tmp_path
