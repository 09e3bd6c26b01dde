"""Fixtures: codec processes, and what fails in them."""

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from dctnet.codecs.errors import FailureReason
from dctnet.codecs.pool import CodecPool
from dctnet.config import MIB
from tests.support.corpus import MAX_PIXELS
from tests.support.polling import BOUND_S, until
from tests.support.process import state

MAX_BODY_BYTES = 8 * MIB
TIMEOUT_S = float(BOUND_S)


@pytest.fixture(scope="module")
def failures() -> Counter[FailureReason]:
    """Failures of the pool so far, by reason."""
    return Counter()


@pytest.fixture(scope="module")
def pool(failures: Counter[FailureReason]) -> Iterator[CodecPool]:
    """A pool with one process."""
    pool = CodecPool(
        1,
        max_body_bytes=MAX_BODY_BYTES,
        max_pixels=MAX_PIXELS,
        count_failure=lambda reason: failures.update([reason]),
    )
    with pool:
        yield pool


@pytest.fixture(scope="module")
def heic_pool(failures: Counter[FailureReason]) -> Iterator[CodecPool]:
    """A pool with one process that decodes HEIC too."""
    pool = CodecPool(
        1,
        max_body_bytes=MAX_BODY_BYTES,
        max_pixels=MAX_PIXELS,
        heic=True,
        count_failure=lambda reason: failures.update([reason]),
    )
    with pool:
        yield pool


def end(pid: int) -> None:
    """Kill a codec process, and wait until it has ended."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: state(pid) == "Z")
