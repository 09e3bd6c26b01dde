"""Run the tests of a file in one xdist worker, since they share cached renderings."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Random values share nothing, and take longer than all tests of another file.
        if item.path.parent == Path(__file__).parent and item.path.stem != "test_properties":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
