"""The tests of a file stay together, as they share what `tests.support.chart` renders once."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Drawn values are no other test's, and take longer than all tests of a file.
        if item.path.parent == Path(__file__).parent and item.path.stem != "test_properties":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
