"""Fixtures for admission tests: harnesses, and a disabled garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.support.admission import AdmissionHarness, MakeHarness


@pytest.fixture
def harness() -> Iterator[MakeHarness]:
    with ExitStack() as harnesses:

        def make(**options: Any) -> AdmissionHarness:
            return harnesses.enter_context(closing(AdmissionHarness(**options)))

        yield make


@pytest.fixture
def slow(harness: MakeHarness) -> AdmissionHarness:
    """One slot, and 2 s per unit of cost."""
    one = harness()
    one.calibrate(2)
    return one


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Disable the garbage collector: objects in reference cycles count as kept."""
    gc.disable()
    yield
    gc.enable()
