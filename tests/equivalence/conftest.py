"""The demo model, loaded once for all tests here: prepared, and in the upstream form."""

from pathlib import Path

import pytest

from dctnet.engine import Engine
from dctnet.models.folder import DEMO
from tests.equivalence.compare import load_engine
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def engine() -> Engine:
    return load_engine(DEMO)


@pytest.fixture(scope="session")
def reference(upstream_demo: Path) -> Engine:
    """The engine on TensorFlow."""
    return load_engine(upstream_demo)


@pytest.fixture(scope="session")
def upstream(upstream_demo: Path) -> Upstream:
    """Upstream's own pipeline."""
    return Upstream(upstream_demo)
