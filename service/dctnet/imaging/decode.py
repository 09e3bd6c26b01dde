"""An image's bytes to an RGB array."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final, NamedTuple

from PIL import AvifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from dctnet.arrays import Pixels
from dctnet.imaging import avif, jpeg, png, webp
from dctnet.imaging.container import Container, InputFormat
from dctnet.imaging.errors import DamagedImage, TooManyPixels, UnsupportedFormat
from dctnet.imaging.memory import is_out_of_memory
from dctnet.imaging.rgb import upright_rgb

MAX_SIDE: Final = 1_000_000
"""The longest side, in pixels, that is decoded: no answer could hold a longer one."""

DECODE_BYTES_PER_PIXEL: Final = {"JPEG": 12, "PNG": 8, "WEBP": 17, "AVIF": 22}
"""The most memory that decoding takes per pixel, in bytes, by format: what libraries need, the
decoded image and the result. An AVIF needs most that has layers and alpha."""

DECODE_FIXED_BYTES: Final = 72 * 1024 * 1024
"""The most memory that decoding takes on top, in bytes: above all the Huffman tables of a lossless
WebP, up to 54 MiB, or the tables of an ICC profile, up to 24 MiB, and the tile in conversion."""

DECODE_BYTES_PER_BODY_BYTE: Final = 2
"""The most copies of the file that decoding makes, besides the caller's."""

# Pillow would import its plugins with the first image, when there may be no file descriptor left.
Image.preinit()
_PLUGINS = AvifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

# The caller's limit is checked from the header; Pillow's own one would warn or fail before it.
Image.MAX_IMAGE_PIXELS = None


class ImageHeader(NamedTuple):
    """What an image's header says: sides in pixels, as stored, and its format."""

    width: int
    height: int
    format: InputFormat


def decode(data: bytes, max_pixels: int) -> Pixels:
    """Decode a JPEG, PNG, WebP or AVIF image to HxWx3 RGB of 0..255, as a viewer would show it.

    The format is told from the bytes. EXIF orientation is applied, an ICC profile is converted to
    sRGB, transparency is laid on white, and of an animation the first frame counts.

    Raises:
        UnsupportedFormat: The bytes are of another format, or no image.
        TooManyPixels: The header announces more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImage: The image is damaged or cut off, or built to be slow to decode.
        MemoryError: There is not enough memory to decode it.
    """
    container = _parse_within_limits(data, max_pixels)
    if container.format == "WEBP":
        webp.check_decoding_cost(container.data)
    with _load(container) as image:
        return upright_rgb(image, container.profile, container.orientation)


def inspect(data: bytes, max_pixels: int) -> ImageHeader:
    """Return the image's header; orientation may swap its sides.

    Nothing is decoded. Raises UnsupportedFormat, TooManyPixels, DamagedImage as ``decode`` does.
    """
    container = _parse_within_limits(data, max_pixels)
    return ImageHeader(container.width, container.height, container.format)


def _parse_within_limits(data: bytes, max_pixels: int) -> Container:
    container = _parse(data)
    _check_size(container.width, container.height, max_pixels)
    return container


def _parse(data: bytes) -> Container:
    """Tell the format from the first bytes, so that no damaged image is taken for another."""
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.read(data)
    if data.startswith(png.SIGNATURE):
        return png.read(data)
    if webp.is_webp(data):
        return webp.read(data)
    if avif.is_avif(data):
        return avif.read(data)
    raise UnsupportedFormat("This is no JPEG, PNG, WebP or AVIF image.")


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
def _load(container: Container) -> Iterator[Image.Image]:
    # Hostile bytes make Pillow's parsers raise far more than the documented OSError.
    try:
        image = Image.open(BytesIO(container.data), formats=[container.format])
    except Exception as error:
        _require_memory(error, container)
        raise DamagedImage("The image's header is damaged.") from error
    with image:
        if image.size != (container.width, container.height):
            raise DamagedImage("The image's headers contradict each other.")
        try:
            image.load()
        except Exception as error:
            _require_memory(error, container)
            raise DamagedImage("The image is damaged or cut off.") from error
        yield image


def _require_memory(error: Exception, container: Container) -> None:
    """Raise MemoryError where decoding failed for lack of memory."""
    needed = DECODE_FIXED_BYTES
    needed += DECODE_BYTES_PER_PIXEL[container.format] * container.width * container.height
    if is_out_of_memory(error, needed):
        raise MemoryError("There is not enough memory to decode the image.") from error
