"""Whatever the bytes, they become a picture or one refusal."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given

from dctnet.imaging import PictureError, decode
from tests.support.fuzz import changed_pictures, random_bytes
from tests.support.hypothesis_profiles import examples

LIMITS = {"deadline": timedelta(seconds=2), "suppress_health_check": list(HealthCheck)}
MAX_PIXELS = 100_000


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
@examples(200, **LIMITS)
@given(random_bytes())
def test_random_bytes(data):
    becomes_a_picture_or_a_refusal(data)


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@examples(1800, **LIMITS)
@given(changed_pictures())
def test_changed_pictures(data):
    becomes_a_picture_or_a_refusal(data)
