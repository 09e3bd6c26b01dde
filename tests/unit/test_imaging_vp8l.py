"""Lossless WebP files are rejected if their Huffman codes take more memory than the pixels."""

import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import DECODE_FIXED_BYTES, DamagedImage, decode, vp8l, webp
from dctnet.imaging.vp8l import MAX_ENTROPY_PIXELS, MAX_TRANSFORM_PIXELS
from tests.support.decoding_cost import decoding_costs
from tests.support.encoded_images import encoded, gradient
from tests.support.formats import webp as riff
from tests.support.formats import webp_canvas, webp_chunk, webp_frame
from tests.support.vp8l import BitWriter, header, lossless, stream

TRANSFORMS = [(), (0,), (1,), (2,), (0, 1, 2), (2, 1, 0)]


@pytest.mark.parametrize("transforms", TRANSFORMS)
def test_entropy_image_pixel_limit(transforms):
    allowed, too_large = 4 * 50, 4 * 51
    assert 50 * 50 <= MAX_ENTROPY_PIXELS < 51 * 51
    data = lossless(allowed, 2, 2500, transforms=transforms)
    assert decode(data, 10**6).shape == (allowed, allowed, 3)
    data = lossless(too_large, 2, 1, transforms=transforms)
    with pytest.raises(DamagedImage, match="an entropy image of 2601 pixels; at most 2600"):
        decode(data, 10**6)


def test_indexed_image_bundles_pixels():
    assert decode(lossless(200, 2, 1, transforms=(3,)), 10**6).shape == (200, 200, 3)
    with pytest.raises(DamagedImage, match="2601 pixels"):
        decode(lossless(204, 2, 1, transforms=(3,)), 10**6)


def test_huffman_memory_is_within_documented_bound():
    """Of 65,536 groups, in 295 KB, libwebp made 368 MiB."""
    small = lossless(64, 2, 1)
    allowed, hostile = lossless(200, 2, 2500), lossless(1024, 2, 65_536)
    for cost in decoding_costs(small, allowed, hostile):
        assert cost.peak_bytes < DECODE_FIXED_BYTES
        assert cost.cpu_s < 0.5


def hostile_parts() -> dict[str, bytes]:
    side = 256
    bits = stream(side, 2, 1)
    image = webp_chunk(b"VP8L", header(side) + bits)
    lossy = encoded(Image.new("RGB", (side, side)), "WEBP")[12:]
    alpha = webp_chunk(b"ALPH", b"\1" + bits)
    return {
        "an image": riff(image),
        "an image on a canvas": riff(webp_canvas(side, side), image),
        "an alpha": riff(webp_canvas(side, side, flags=0x10), alpha, lossy),
        "a frame": riff(
            webp_canvas(side, side, flags=2),
            webp_chunk(b"ANIM", bytes(6)),
            webp_frame(riff(image), side, side),
        ),
        "the alpha of a frame": riff(
            webp_canvas(side, side, flags=0x12),
            webp_chunk(b"ANIM", bytes(6)),
            webp_frame(riff(alpha, lossy), side, side),
        ),
    }


@pytest.mark.parametrize("part", hostile_parts())
def test_large_entropy_image_is_rejected_anywhere(part):
    with pytest.raises(DamagedImage, match="an entropy image of 4096 pixels"):
        decode(hostile_parts()[part], 10**6)


def test_transform_block_limit():
    for blocks in 128, 129:
        bits = BitWriter()
        bits.put(3, 1)
        bits.put(3, 1)  # Of 8 pixels.
        data = riff(webp_chunk(b"VP8L", header(8 * blocks) + bits.getvalue() + bytes(9)))
        message = "16641 blocks" if blocks**2 > MAX_TRANSFORM_PIXELS else "code"
        with pytest.raises(DamagedImage, match=message):
            webp.check_decoding_cost(data)


@pytest.mark.parametrize("method", [0, 4, 6])
@pytest.mark.parametrize("colors", [0, 2, 4, 16, 256])
def test_libwebp_output_is_accepted(method, colors):
    noise = np.random.default_rng(0).integers(-9, 9, (61, 67, 3))
    opaque = Image.fromarray((gradient(61, 67) + noise).clip(0, 255).astype(np.uint8))
    if colors:
        opaque = opaque.quantize(colors).convert("RGB")
    transparent = opaque.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(opaque.size))
    for image in opaque, transparent:
        for options in {"lossless": True}, {"save_all": True, "append_images": [image]}:
            for quality in 0, 100:
                data = encoded(image, "WEBP", method=method, quality=quality, **options)
                webp.check_decoding_cost(data)
                assert decode(data, 10**6).shape == (61, 67, 3)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (((3, 0b101), (3, 0b101)), "a transform twice"),
        (((1, 0), (1, 1), (4, 12)), "color cache is too large"),
        (((3, 1), (3, 0), (1, 0), (1, 0), (4, 0), (12, 0)), "code that is not complete"),
        ((), "cut off"),
    ],
)
def test_undecodable_stream_is_damaged(bits, words):
    writer = BitWriter()
    for count, value in bits:
        writer.put(count, value)
    with pytest.raises(DamagedImage, match=words):
        vp8l.check_decoding_cost(writer.getvalue() if bits else b"", 100, 100)
