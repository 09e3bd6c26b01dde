"""Whatever the bytes, they become a picture or one refusal.

`FUZZ_TRIES=100000 pytest tests/unit/test_imaging_fuzz.py` tries more, and others in each run.
"""

import os
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dctnet.imaging import PictureError, decode
from tests.support.fuzz import changed_pictures, random_bytes

TRIES = 2000
LONGEST = timedelta(seconds=2)
MAX_PIXELS = 100_000


def tries(share: float) -> Any:
    """The settings of a test that gets a share of the tries: the same ones in every run of CI."""
    asked_for = os.environ.get("FUZZ_TRIES")
    return settings(
        max_examples=max(1, int(share * int(asked_for or TRIES))),
        derandomize=asked_for is None,
        database=None,
        deadline=LONGEST,
        suppress_health_check=list(HealthCheck),
    )


def becomes_a_picture_or_a_refusal(data: bytes) -> None:
    try:
        rgb = decode(data, MAX_PIXELS)
    except PictureError as error:
        assert str(error).isprintable()  # noqa: PT017 - it may as well be a picture
        return
    assert rgb.dtype == np.uint8
    assert rgb.shape[2:] == (3,)
    assert 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@tries(0.1)
@given(random_bytes())
def test_random_bytes(data: bytes) -> None:
    becomes_a_picture_or_a_refusal(data)


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@tries(0.9)
@given(changed_pictures())
def test_changed_pictures(data: bytes) -> None:
    becomes_a_picture_or_a_refusal(data)
