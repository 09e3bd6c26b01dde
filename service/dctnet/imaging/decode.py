"""A picture's bytes to an RGB array."""

import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from dctnet.imaging.errors import BrokenPicture, TooManyPixels, UnsupportedFormat

# The caller's limit is checked from the header; Pillow's own one would warn or fail before it.
Image.MAX_IMAGE_PIXELS = None
# Of damaged metadata, which the picture does not need.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_FORMATS = ("JPEG", "PNG", "WEBP")
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_PROFILED_MODES = {"L", "RGB", "CMYK"}


def decode(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or WebP picture to HxWx3 RGB of 0..255, as a viewer would show it.

    The format is told from the bytes. EXIF orientation is applied, an ICC profile is converted to
    sRGB, transparency is laid on white, and of an animation the first frame counts.

    Raises:
        UnsupportedFormat: The bytes are of another format, or no picture.
        TooManyPixels: The header announces more than ``max_pixels``; nothing was decoded.
        BrokenPicture: The picture is damaged or cut off.
    """
    with _open(data, max_pixels) as image:
        try:
            image.load()
        except Exception as error:
            raise BrokenPicture("The picture is damaged or cut off.") from error
        return np.asarray(_to_rgb(_upright(image)))


def inspect(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Return the sides of the picture as it is stored, from its header alone.

    Raises UnsupportedFormat, TooManyPixels and BrokenPicture as ``decode`` does.
    """
    # A PNG may say at its very end that it is to be turned, so which side is which is not known.
    with _open(data, max_pixels) as image:
        return image.size


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """Read the header."""
    if not _is_allowed(data):
        raise UnsupportedFormat("This is no JPEG, PNG or WebP picture.")
    # Hostile bytes make Pillow's parsers raise far more than the documented OSError.
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except Exception as error:
        raise BrokenPicture("The picture's header is damaged.") from error
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise TooManyPixels(
            f"The picture has {image.width} x {image.height} = {pixels} pixels; "
            f"at most {max_pixels} are allowed."
        )
    return image


def _is_allowed(data: bytes) -> bool:
    """Tell from the first bytes, so that a damaged picture is not taken for another format."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Damaged EXIF data must not cost anyone the picture.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "I;16":
        image = _to_8_bits(image)
    if not image.has_transparency_data:
        known = image if image.mode in _PROFILED_MODES else image.convert("RGB")
        return _to_srgb(known, profile)
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(_to_srgb(image.convert("RGB"), profile), mask=image.getchannel("A"))
    return white


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit grey, which Pillow would clip, so that nearly all of it turned white."""
    wide = np.asarray(image).astype(np.uint32)
    narrow = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        narrow.putalpha(Image.fromarray(np.where(wide == transparent, 0, 255).astype(np.uint8)))
    return narrow


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        # Most photos say sRGB already, and a conversion costs as much as decoding them.
        if image.mode == "RGB" and ImageCms.getProfileDescription(source).startswith("sRGB"):
            return image
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # Damaged, or made for other channels.
        return image.convert("RGB")
    assert converted is not None  # Only a conversion in place returns nothing.
    return converted
