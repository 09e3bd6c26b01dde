"""HEIC is decoded in the sandboxed process, in a thread of libde265."""

import numpy as np
import pytest

from dctnet.codecs.pool import CodecPool
from dctnet.config import MIB
from dctnet.imaging import DECODE_BYTES_PER_PIXEL, DamagedImage, decode, inspect
from tests.codecs.conftest import MAX_BODY_BYTES, TIMEOUT_S
from tests.support.corpus import MAX_PIXELS
from tests.support.encoded_images import encoded, gradient
from tests.support.heic_samples import SIDE, heic_file, heic_kinds, needs_decoder, tiled
from tests.support.hypothesis_profiles import scaled
from tests.support.process import memory

pytestmark = needs_decoder


def test_each_kind_is_decoded_in_a_sandboxed_process(heic_pool):
    (pid,) = (codec.pid for codec in heic_pool._idle)
    for data in heic_kinds().values():
        with heic_pool.borrow() as codec:
            rgb = codec.decode(data, inspect(data, MAX_PIXELS, heic=True), TIMEOUT_S)
            np.testing.assert_array_equal(rgb, decode(data, MAX_PIXELS, heic=True))
    assert codec.pid == pid
    assert "seccomp" in heic_pool.describe()


def test_other_formats_are_decoded_too(heic_pool):
    data = encoded(gradient(40, 24))
    with heic_pool.borrow() as codec:
        rgb = codec.decode(data, inspect(data, MAX_PIXELS), TIMEOUT_S)
        np.testing.assert_array_equal(rgb, gradient(40, 24))


def test_process_without_heic_decodes_none(pool):
    """It has neither libheif nor threads."""
    data = heic_file("gradient")
    with pool.borrow() as codec, pytest.raises((DamagedImage, RuntimeError)):
        codec.decode(data, inspect(data, MAX_PIXELS, heic=True), TIMEOUT_S)


@pytest.mark.promise("Input: decoding leaves neither memory nor file descriptors behind")
def test_heic_leaves_no_memory_behind(heic_pool):
    data = tiled(4, 4)
    sizes = []
    for _ in range(scaled(60)):
        with heic_pool.borrow() as codec:
            codec.decode(data, inspect(data, MAX_PIXELS, heic=True), TIMEOUT_S)
            sizes.append(memory(codec.pid, "VmSize"))
    assert sizes[-1] - sizes[len(sizes) // 3] <= 4 * MIB


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize(("name", "bytes_per_pixel"), [("gradient", 11), ("10-bit", 19)])
def test_decoding_memory_per_pixel_is_within_documented_bound(name, bytes_per_pixel):
    """Both are 4:4:4. Of 8 bits and 4:2:0, as in phones, they would take less."""
    rows, columns = 20, 40
    data, pixels = tiled(rows, columns, name=name), rows * columns * SIDE * SIDE
    pool = CodecPool(1, max_body_bytes=MAX_BODY_BYTES, max_pixels=2 * pixels, heic=True)
    with pool, pool.borrow() as codec:
        before = memory(codec.pid, "VmHWM")
        codec.decode(data, inspect(data, pixels, heic=True), TIMEOUT_S)
        # With the result, in shared memory.
        assert 6 < (memory(codec.pid, "VmHWM") - before) / pixels <= bytes_per_pixel + 3
    assert bytes_per_pixel <= DECODE_BYTES_PER_PIXEL["HEIC"]
