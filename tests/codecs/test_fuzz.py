"""Any bytes are decoded or rejected, and cost no codec process."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given

from dctnet.codecs.pool import CodecPool
from dctnet.imaging import ImageError, inspect
from tests.codecs.conftest import TIMEOUT_S
from tests.support.fuzz import changed_heic, changed_images, random_bytes
from tests.support.heic_samples import needs_decoder
from tests.support.hypothesis_profiles import examples

UNCHECKED = {"suppress_health_check": list(HealthCheck)}
MAX_PIXELS = 100_000


def require_image_or_rejection(pool: CodecPool, data: bytes, *, heic: bool = False) -> None:
    with pool.borrow() as codec:
        pid = codec.pid
        try:
            rgb = codec.decode(data, inspect(data, MAX_PIXELS, heic=heic), TIMEOUT_S)
        except ImageError as error:
            assert str(error).isprintable()  # noqa: PT017 - it may as well be an image
        else:
            assert rgb.dtype == np.uint8
            assert rgb.shape[2:] == (3,)
            assert 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS
        assert codec.pid == pid


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@examples(200, **UNCHECKED)
@given(random_bytes())
def test_random_bytes(pool, data):
    require_image_or_rejection(pool, data)


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@pytest.mark.filterwarnings("error")
@examples(1800, **UNCHECKED)
@given(changed_images())
def test_changed_images(pool, data):
    require_image_or_rejection(pool, data)


@pytest.mark.promise("Input: whatever the bytes, the response is a cartoon or a clear 4xx")
@needs_decoder
@pytest.mark.filterwarnings("error")
@examples(600, **UNCHECKED)
@given(changed_heic())
def test_changed_heic(heic_pool, data):
    require_image_or_rejection(heic_pool, data, heic=True)
