"""An image's file, taken apart before anything is decoded."""

from dataclasses import dataclass
from typing import Final, Literal

from dctnet.imaging.errors import DamagedImage

InputFormat = Literal["JPEG", "PNG", "WEBP", "AVIF"]

MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024
"""The largest ICC profile that is used; those of printers have up to 3 MiB."""


MAX_CHUNKS: Final = 65_536
"""The most chunks of a PNG or a WebP: half a gigabyte of pixels, in 8 KiB as libpng writes them."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the file says of its image, and the bytes that a decoder needs."""

    format: InputFormat
    width: int
    """Pixels, as stored: before the orientation is applied."""
    height: int
    data: bytes
    """The file without what the image does not need, where a decoder would read that first."""
    profile: bytes = b""
    """The ICC profile, which nobody has looked into; empty if there is none to be used."""
    orientation: int = 1
    """The orientation of EXIF, 1 to 8."""

    def __post_init__(self) -> None:
        if not self.width or not self.height:
            raise DamagedImage(f"The image has no pixels: {self.width} x {self.height}.")
