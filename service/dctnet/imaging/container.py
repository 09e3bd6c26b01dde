"""Parsed image files, before decoding."""

from dataclasses import dataclass
from typing import Final, Literal

from dctnet.imaging import colour
from dctnet.imaging.errors import DamagedImage

InputFormat = Literal["JPEG", "PNG", "WEBP", "AVIF", "HEIC"]

MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024
"""Size limit of ICC profiles; those of printers have up to 3 MiB."""


MAX_CHUNKS: Final = 65_536
"""Limit of chunks in a PNG or WebP: 0.5 GB of pixels in chunks of 8 KiB, as libpng writes them."""


def swaps_sides(orientation: int) -> bool:
    """Return whether an EXIF orientation swaps height and width."""
    return orientation >= 5


@dataclass(frozen=True, slots=True)
class Container:
    """Header and metadata of an image, and the bytes that a decoder needs."""

    format: InputFormat
    width: int
    """Width in pixels as stored, before orientation."""
    height: int
    """Height in pixels as stored, before orientation."""
    data: bytes
    """The file without parts that the image does not need, where a decoder would read them."""
    profile: bytes = b""
    """The ICC profile, not yet validated; empty if there is none, or for sRGB."""
    hdr: colour.Coding | None = None
    """How HDR is coded, which has no profile."""
    orientation: int = 1
    """EXIF orientation, 1 to 8."""
    is_animated: bool = False
    """Whether a WebP is an animation."""
    is_ended: bool = True
    """Whether the file has its end marker."""
    coded_pixels: int = 0
    """Pixels that a decoder makes, which may crop them."""

    def __post_init__(self) -> None:
        if not self.width or not self.height:
            raise DamagedImage(f"The image has no pixels: {self.width} x {self.height}.")
