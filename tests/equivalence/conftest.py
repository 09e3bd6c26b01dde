"""The demo model, loaded once for all tests here."""

import pytest

from dctnet.engine import Engine
from dctnet.models.folder import DEMO
from tests.equivalence.compare import load_engine
from tests.support.upstream import Upstream


@pytest.fixture(scope="session")
def engine() -> Engine:
    return load_engine(DEMO)


@pytest.fixture(scope="session")
def upstream() -> Upstream:
    return Upstream(DEMO)
