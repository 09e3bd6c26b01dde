"""Decoding of images to RGB arrays."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import Final, NamedTuple

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from dctnet.arrays import Pixels, empty
from dctnet.cartoon_options import WHITE, Colour
from dctnet.imaging import foreign, heic, heif, jpeg, png, webp
from dctnet.imaging.colour import tone_mapper
from dctnet.imaging.container import Container, InputFormat, swaps_sides
from dctnet.imaging.errors import DamagedImage, TooManyPixels, UnsupportedFormat
from dctnet.imaging.rgb import AllocateAlpha, Raster, to_srgb, upright_rgb

MAX_SIDE: Final = 1_000_000
"""Limit of a side in pixels: no output format can hold a longer one."""

DECODE_BYTES_PER_PIXEL: Final[dict[InputFormat, int]] = {
    "JPEG": 11,
    "PNG": 5,
    "WEBP": 9,
    "AVIF": 19,
    "HEIC": 19,
}
"""Upper bound of decoding memory in bytes per pixel, by format, beside the result: libraries and
decoded image. AVIFs with layers and alpha need most: others of 8 bits take 9."""

DECODE_FIXED_BYTES: Final = 72 * 1024 * 1024
"""Upper bound of additional decoding memory in bytes: mainly the Huffman tables of a lossless WebP,
up to 54 MiB, or the tables of an ICC profile, up to 24 MiB, and the tile in conversion."""

DECODE_BYTES_PER_BODY_BYTE: Final = 2
"""Upper bound of copies of the file that decoding makes, besides the caller's."""

# Pillow imports its plugins with the first image, when no file descriptor may be left.
Image.preinit()
_PLUGINS = JpegImagePlugin, PngImagePlugin, WebPImagePlugin

_ARRAY_DECODERS: Final[dict[InputFormat, Callable[[Container], Raster]]] = {
    "WEBP": webp.decode,
    "AVIF": heif.decode_avif,
}
"""Decoders that need less memory than Pillow's."""

# The caller's limit is checked from the header; Pillow's own limit would warn or fail first.
Image.MAX_IMAGE_PIXELS = None


class ImageHeader(NamedTuple):
    """Width and height in pixels, as displayed, and format of an image."""

    width: int
    height: int
    format: InputFormat


def decode(
    data: bytes,
    max_pixels: int,
    allocate: Callable[[tuple[int, int, int]], Pixels] = empty,
    reduction: int = 1,
    *,
    heic: bool = False,
    background: Colour = WHITE,
    allocate_alpha: AllocateAlpha | None = None,
) -> Pixels:
    """Decode an image to HxWx3 uint8 RGB, as a viewer shows it: JPEG, PNG, WebP, AVIF, maybe HEIC.

    Detects the format from the bytes, applies the EXIF orientation, converts from the ICC profile
    to sRGB, composites transparency on the background, and takes the first frame of an animation.
    ``allocate`` returns an array of a shape for the result, and ``allocate_alpha``, which is called
    for an image with transparency, one for its HxW uint8 alpha. A JPEG, whose sides are multiples
    of ``reduction``, may be reduced by the factor 2, 4 or 8: libjpeg then takes less time and
    memory. With ``heic`` a HEIC is decoded too, for which its package must be installed.

    Images can be made that take far more time and memory than others of their size: decode those of
    strangers in a process with limits, as ``dctnet.codecs`` does.

    Raises:
        UnsupportedFormat: The bytes have another format or are no image.
        TooManyPixels: The header announces more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImage: The image is damaged or truncated, or there was not enough memory: libraries
            do not say which.
        MemoryError: There is not enough memory to decode it.
    """
    container = _parse_within_limits(data, max_pixels, heic)
    if container.is_ended:
        return _decode(container, allocate, reduction, background, allocate_alpha)
    # A decoder makes up what is missing before the end, in another way if other bytes follow.
    digests = [
        hashlib.sha256(
            _decode(replace(container, data=container.data + end), allocate, reduction).data
        ).digest()
        for end in (jpeg.OTHER_END, jpeg.END)
    ]
    if len(set(digests)) > 1:
        raise DamagedImage("The image is damaged or cut off.")
    return _decode(replace(container, data=container.data + jpeg.END), allocate, reduction)


def _decode(
    container: Container,
    allocate: Callable[[tuple[int, int, int]], Pixels],
    reduction: int,
    background: Colour = WHITE,
    allocate_alpha: AllocateAlpha | None = None,
) -> Pixels:
    with _load(container, reduction) as image:
        hdr = container.hdr
        convert = tone_mapper(hdr) if hdr else to_srgb(image, container.profile)
        return upright_rgb(
            image,
            convert,
            container.orientation,
            allocate,
            background=background,
            allocate_alpha=allocate_alpha,
        )


def inspect(data: bytes, max_pixels: int, *, heic: bool = False) -> ImageHeader:
    """Return the image's header, without decoding.

    Raises UnsupportedFormat, TooManyPixels and DamagedImage as ``decode`` does.
    """
    container = _parse_within_limits(data, max_pixels, heic)
    width, height = container.width, container.height
    if swaps_sides(container.orientation):
        width, height = height, width
    return ImageHeader(width, height, container.format)


def _parse_within_limits(data: bytes, max_pixels: int, heic: bool) -> Container:
    container = _parse(data, heic)
    _check_size(container.width, container.height, max_pixels)
    if container.coded_pixels > max_pixels:
        raise TooManyPixels(
            f"The image is cropped from {container.coded_pixels} pixels; at most {max_pixels} are"
            " allowed."
        )
    return container


def _parse(data: bytes, heic: bool) -> Container:
    """Parse the format that the first bytes announce."""
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.read(data)
    if data.startswith(png.SIGNATURE):
        return png.read(data)
    if webp.is_webp(data):
        return webp.read(data)
    if heif.is_avif(data):
        return heif.read_avif(data)
    if heic and heif.is_heic(data):
        return heif.read_heic(data)
    raise UnsupportedFormat(foreign.describe(data, heic=heic))


def _check_size(width: int, height: int, max_pixels: int) -> None:
    pixels = width * height
    if pixels > max_pixels:
        raise TooManyPixels(
            f"The image has {width} x {height} = {pixels} pixels; at most {max_pixels} are allowed."
        )
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(
            f"The image has {width} x {height} pixels; at most {MAX_SIDE} are allowed on a side."
        )


@contextmanager
def _load(container: Container, reduction: int) -> Iterator[Image.Image | Raster]:
    if decode_array := _ARRAY_DECODERS.get(container.format):
        yield decode_array(container)
        return
    # With hostile input Pillow raises more than the documented OSError.
    try:
        if container.format == "HEIC":
            image = heic.load(container.data)
        else:
            image = Image.open(BytesIO(container.data), formats=[container.format])
    except MemoryError:
        raise
    except Exception as error:
        raise DamagedImage("The image's header is damaged.") from error
    with image:
        if image.size != (container.width, container.height):
            raise DamagedImage("The image's headers contradict each other.")
        if reduction > 1:
            image.draft(None, (image.width // reduction, image.height // reduction))
        try:
            image.load()
        except MemoryError:
            raise
        except Exception as error:
            raise DamagedImage("The image is damaged or cut off.") from error
        yield image
