"""Lack of memory is told from a damaged image; memory and descriptors are not kept."""

import os
import resource
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dctnet.cartoon_options import WHITE
from dctnet.codecs.layout import Layout
from dctnet.codecs.pool import Codec, CodecPool
from dctnet.codecs.process import certain_pixels
from dctnet.config import MIB
from dctnet.imaging import MEDIA_TYPES, TRANSPARENT_FORMATS, DamagedImage, decode, inspect
from dctnet.memory import KEPT_ALPHA_FACTOR, SLOT_BYTES_PER_PIXEL
from tests.codecs.conftest import TIMEOUT_S, end
from tests.support.corpus import MAX_PIXELS
from tests.support.encoded_images import encoded, gradient, layered_avif
from tests.support.hypothesis_profiles import scaled
from tests.support.process import memory, reset_peak_memory
from tests.support.profile_samples import ordinary_profiles

SIDE = 600
FORMATS = {"JPEG": {"progressive": True}, "PNG": {}, "WEBP": {"method": 0}, "AVIF": {"speed": 10}}


def outcome(codec: Codec, data: bytes) -> str:
    try:
        codec.decode(data, inspect(data, MAX_PIXELS), TIMEOUT_S)
    except Exception as error:
        return type(error).__name__
    return "decoded"


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
@pytest.mark.parametrize("format", FORMATS)
def test_decoding_without_memory_raises_memory_error(format):
    """With each limit from 0.5 to 20 MiB, so that each allocation is the one that fails."""
    profile = ordinary_profiles()["RGB of tables, version 4"][1]
    image = Image.fromarray(gradient(SIDE, SIDE))
    options = {"icc_profile": profile, **FORMATS[format]}
    small, large = (encoded(each, format, **options) for each in (image.resize((64, 64)), image))
    outcomes = []
    with CodecPool(1, max_body_bytes=MIB, max_pixels=MAX_PIXELS) as pool:
        for margin in range(1, 41):
            with pool.borrow() as codec:
                assert outcome(codec, small) == "decoded"
                limit = memory(codec.pid, "VmSize") + margin * MIB // 2
                resource.prlimit(codec.pid, resource.RLIMIT_AS, (limit, limit))
                outcomes.append(outcome(codec, large))
                end(codec.pid)  # Another process has no such limit.
    assert outcomes[0] == "MemoryError"
    assert outcomes[-1] == "decoded"
    assert set(outcomes) == {"MemoryError", "decoded"}


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_encoding_without_memory_raises_memory_error(format):
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    outcomes = []
    with CodecPool(1, max_body_bytes=MIB, max_pixels=MAX_PIXELS) as pool:
        for margin in range(1, 25):
            with pool.borrow() as codec:
                codec.encode(noise[:64, :64], format, TIMEOUT_S)
                limit = memory(codec.pid, "VmSize") + margin * MIB // 4
                resource.prlimit(codec.pid, resource.RLIMIT_AS, (limit, limit))
                try:
                    codec.encode(noise, format, TIMEOUT_S)
                    outcomes.append("encoded")
                except Exception as error:
                    outcomes.append(type(error).__name__)
                end(codec.pid)  # Another process has no such limit.
    assert outcomes[0] == "MemoryError"
    assert outcomes[-1] == "encoded"
    assert set(outcomes) == {"MemoryError", "encoded"}


def test_damaged_image_is_not_a_lack_of_memory(pool):
    data = encoded(gradient(SIDE, SIDE))[:-200]
    with pool.borrow() as codec, pytest.raises(DamagedImage, match="damaged or cut off"):
        codec.decode(data, inspect(data, MAX_PIXELS), TIMEOUT_S)


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_image_of_more_pixels_than_surely_fit_is_decoded_or_rejected():
    max_pixels = 24_000_000
    assert certain_pixels("AVIF", max_pixels) == 15_272_727
    black = Image.new("RGB", (6000, 4000))
    image = encoded(black, "AVIF", speed=10)
    with CodecPool(1, max_body_bytes=MIB, max_pixels=max_pixels) as pool, pool.borrow() as codec:
        rgb = codec.decode(image, inspect(image, max_pixels), TIMEOUT_S)
        assert rgb.shape == (4000, 6000, 3)
        too_large = layered_avif(black, speed=10, subsampling="4:4:4")
        reason = "takes more memory to decode than the server allows; any AVIF of at most 15272727"
        for data in too_large, image[:-10]:
            with pytest.raises(DamagedImage, match=reason):
                codec.decode(data, inspect(data, max_pixels), TIMEOUT_S)


def test_reduced_jpeg_is_decoded_and_its_cartoon_written_to_the_same_memory(pool):
    data = encoded(gradient(400, 240), "JPEG")
    header = inspect(data, MAX_PIXELS)
    with pool.borrow() as codec:
        reduced = codec.decode(data, header, TIMEOUT_S, 4)
        assert np.array_equal(reduced, decode(data, MAX_PIXELS, reduction=4))
        cartoon = codec.allocate((400, 240, 3))
        assert np.shares_memory(cartoon, reduced)
        cartoon[:] = gradient(400, 240)
        encoded_cartoon = codec.encode(cartoon, "png", TIMEOUT_S)
    assert np.array_equal(decode(encoded_cartoon, MAX_PIXELS), gradient(400, 240))


IMAGES = 500


@pytest.mark.promise("Input: decoding leaves neither memory nor file descriptors behind")
def test_images_leave_neither_memory_nor_descriptors(pool):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    files = [encoded(noise, format, **FORMATS[format]) for format in FORMATS]

    def draw(count: int) -> tuple[int, int, int, int, int]:
        for number in range(count):
            with pool.borrow() as codec:
                data = files[number % len(files)]
                rgb = codec.decode(data, inspect(data, MAX_PIXELS), TIMEOUT_S)
                codec.encode(rgb, list(MEDIA_TYPES)[number % 3], TIMEOUT_S)
        (codec,) = pool._idle
        shared = os.fstat(codec._descriptor).st_blocks
        processes = os.getpid(), codec.pid
        ours, theirs = (len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in processes)
        return shared, ours, theirs, codec.pid, memory(codec.pid, "VmSize")

    *before, space = draw(24)
    *after, space_after = draw(scaled(IMAGES))
    assert after == before
    assert before[0] == 0
    assert space_after - space <= 4 * MIB


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize("format", TRANSPARENT_FORMATS)
def test_noise_with_transparency_is_encoded_within_its_memory(format):
    """What is encoded is not what was decoded: a file of noise would be larger than is allowed."""
    side = 1500
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
    blank = encoded(Image.new("RGBA", (side, side)))
    max_pixels = KEPT_ALPHA_FACTOR * side * side
    with CodecPool(1, max_body_bytes=MIB, max_pixels=max_pixels) as pool, pool.borrow() as codec:
        before = reset_peak_memory(codec.pid)
        codec.decode(blank, inspect(blank, max_pixels), TIMEOUT_S, background=None)
        codec._layout.alpha_of(codec._memory, (side, side))[:] = noise[..., 3]
        cartoon = codec.allocate((side, side, 3))
        cartoon[:] = noise[..., :3]
        found = codec.encode(cartoon, format, TIMEOUT_S)
        peak = memory(codec.pid, "VmHWM") - before
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(found)))[..., 3], noise[..., 3])
    assert peak <= SLOT_BYTES_PER_PIXEL * max_pixels


def test_transparency_is_that_of_the_last_image(pool):
    transparent = encoded(np.full((4, 6, 4), 128, np.uint8))
    opaque = encoded(gradient(4, 6))
    modes = []
    for data, background in (transparent, None), (transparent, WHITE), (opaque, None):
        with pool.borrow() as codec:
            header = inspect(data, MAX_PIXELS)
            rgb = codec.decode(data, header, TIMEOUT_S, background=background)
            modes.append(Image.open(BytesIO(codec.encode(rgb, "png", TIMEOUT_S))).mode)
    assert modes == ["RGBA", "RGB", "RGB"]


def test_layout_limits():
    layout = Layout(max_body_bytes=1, max_pixels=6)
    alpha = layout.alpha_of(bytearray(layout.size), (1, 1))
    assert alpha.shape == (1, 1)
    with pytest.raises(ValueError, match="may be kept"):
        layout.alpha_of(bytearray(layout.size), (1, 2))
    whole = bytearray(layout.size)
    assert layout.image(whole, (2, 3, 3)).shape == (2, 3, 3)
    for shape in (7, 1, 3), (2, 3, 4), (0, 3, 3), (-2, -3, 3):
        with pytest.raises(ValueError, match="is not a shape"):
            layout.image(whole, shape)
    assert (layout.pixels, layout.alpha, layout.encoded) == (4096, 8192, 12288)


def test_server_survives_a_process_that_shrinks_the_memory(pool):
    (codec,) = pool._idle
    for size in 0, codec._layout.size - 1, codec._layout.size + 1:
        with pytest.raises(PermissionError):
            os.ftruncate(codec._descriptor, size)
