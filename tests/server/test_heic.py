"""With `DCTNET_HEIC=on`, uploads of phones are cartoonized."""

import pytest

from tests.server.conftest import post
from tests.support.encoded_images import decoded
from tests.support.heic_samples import heic_kinds, needs_decoder
from tests.support.process import serving
from tests.support.shipped import COMIC


@needs_decoder
@pytest.mark.promise("Input: an image of any allowed kind comes back upright and at its own size")
def test_heic_is_cartoonized():
    with serving(DCTNET_STYLES=COMIC, DCTNET_SLOTS=1, DCTNET_HEIC="on") as server:
        for kind, data in heic_kinds().items():
            response = post(server, data)
            assert response.status_code == 200, kind
            height, width, _ = decoded(response.content).shape
            assert (height, width) == SIZES.get(kind, (64, 64))
        assert server.metric("dctnet_codec_failures_total", reason="crash") == 0


SIZES = {"cropped": (40, 24), "tiles": (128, 192), "turned tiles": (192, 128)}
"""Height and width in pixels, of all but the simple ones."""
