"""Any bytes are decoded or rejected."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given

from dctnet.imaging import ImageError, decode
from tests.support.fuzz import changed_images, random_bytes
from tests.support.hypothesis_profiles import examples

UNCHECKED = {"suppress_health_check": list(HealthCheck)}
MAX_PIXELS = 100_000
MAX_CPU_S = 2


def becomes_an_image_or_a_rejection(data: bytes) -> None:
    started = time.process_time()
    try:
        rgb = decode(data, MAX_PIXELS)
    except ImageError as error:
        assert str(error).isprintable()  # noqa: PT017 - it may as well be an image
        return
    finally:
        assert time.process_time() - started < MAX_CPU_S
    assert rgb.dtype == np.uint8
    assert rgb.shape[2:] == (3,)
    assert 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@examples(200, **UNCHECKED)
@given(random_bytes())
def test_random_bytes(data):
    becomes_an_image_or_a_rejection(data)


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@examples(1800, **UNCHECKED)
@given(changed_images())
def test_changed_images(data):
    becomes_an_image_or_a_rejection(data)
