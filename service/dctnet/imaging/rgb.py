"""Conversion of decoded images to upright sRGB arrays, tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageCms

from dctnet.arrays import Pixels, empty
from dctnet.cartoon_options import WHITE, Colour
from dctnet.imaging import icc
from dctnet.imaging.container import swaps_sides
from dctnet.imaging.memory import is_out_of_memory

_TILE_WIDTH, _TILE_PIXELS = 256, 1 << 14
"""Size of a tile in pixels: conversions make copies of 4 bytes per pixel, which stay in the CPU's
cache, and below the size from which the C library maps each allocation separately."""

_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

_SWAPPED_BYTES: Final = 1 << 16
"""Bytes whose colours are swapped at once, at least a row."""

_STORED_VIEWS: Final[dict[int, Callable[[Pixels], Pixels]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}
"""By EXIF orientation, the view of an upright array in the file's pixel order."""


@dataclass(frozen=True, slots=True)
class Raster:
    """A decoded image in an array, of which Pillow need not make a copy of 4 bytes per pixel."""

    pixels: Pixels
    """HxW grey, HxWx3 RGB or HxWx4 RGBA."""
    alpha: Pixels | None = None
    """HxW alpha of HxWx3 RGB, if it is apart."""

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.pixels)

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.pixels[0])

    @property
    def mode(self) -> str:
        """Pillow's name of the channels."""
        if self.pixels.ndim == 2:
            return "L"
        return "RGB" if self.alpha is None and self.pixels.shape[2] == 3 else "RGBA"

    @property
    def has_transparency_data(self) -> bool:
        """Whether there is an alpha channel."""
        return self.mode == "RGBA"

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """Return a copy of the part in a box: left, top, right, bottom."""
        left, top, right, bottom = box
        area = slice(top, bottom), slice(left, right)
        tile = Image.fromarray(self.pixels[area])
        if self.alpha is not None:
            tile.putalpha(Image.fromarray(self.alpha[area]))
        return tile


def swap_colours(pixels: Pixels) -> None:
    """Exchange red and blue of HxWx3 or HxWx4 uint8, in place: OpenCV's order is BGR."""
    swap = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    rows = max(1, _SWAPPED_BYTES // pixels[0].size)
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        strip[:] = cv2.cvtColor(strip, swap)


AllocateAlpha = Callable[[tuple[int, int]], Pixels]
"""Function that returns an array of a shape for alpha."""


def upright_rgb(
    image: Image.Image | Raster,
    convert: Callable[[Image.Image], Image.Image],
    orientation: int,
    allocate: Callable[[tuple[int, int, int]], Pixels] = empty,
    *,
    background: Colour = WHITE,
    allocate_alpha: AllocateAlpha | None = None,
) -> Pixels:
    """Return a loaded image as HxWx3 uint8 sRGB, upright and composited on a background.

    ``convert`` converts a tile without alpha to sRGB. ``allocate_alpha`` is called if the image has
    transparency, and gets that too. Takes memory for one tile beside the image and the results.
    """
    height, width = image.height, image.width
    if swaps_sides(orientation):
        height, width = width, height
    upright = allocate((height, width, 3))
    stored = _STORED_VIEWS[orientation](upright)
    stored_alpha = None
    if allocate_alpha and image.has_transparency_data:
        stored_alpha = _STORED_VIEWS[orientation](allocate_alpha((height, width)))
    for box in _tiles(image.width, image.height):
        left, top, right, bottom = box
        area = slice(top, bottom), slice(left, right)
        rgb, alpha = _composite(image.crop(box), convert, background)
        stored[area] = np.asarray(rgb)
        if stored_alpha is not None:
            stored_alpha[area] = 255 if alpha is None else np.asarray(alpha)
    return upright


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the boxes (left, top, right, bottom) of tiles that cover the image."""
    across = min(width, _TILE_WIDTH)
    down = _TILE_PIXELS // across
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)


def _base_mode(image: Image.Image | Raster) -> str:
    """Return the mode without alpha: L, RGB or CMYK."""
    if image.mode == "CMYK":
        return "CMYK"
    return "L" if image.mode in {"1", "L", "LA", "I;16"} else "RGB"


def _composite(
    tile: Image.Image, convert: Callable[[Image.Image], Image.Image], background: Colour
) -> tuple[Image.Image, Image.Image | None]:
    """Return a tile on a background, and its alpha."""
    base = _base_mode(tile)
    if tile.mode == "I;16":
        tile = _to_8_bits(tile)
    if not tile.has_transparency_data:
        return convert(_in_mode(tile, base)), None
    tile = _in_mode(tile, "RGBA")
    alpha = tile.getchannel("A")
    composite = Image.new("RGB", tile.size, background)
    composite.paste(convert(tile.convert(base)), mask=alpha)
    return composite, alpha


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in a mode, without the copy that Pillow makes of one in this mode."""
    return image if image.mode == mode else image.convert(mode)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow would clip it, to mostly white."""
    wide = np.asarray(image).astype(np.uint32)
    narrow = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        narrow.putalpha(Image.fromarray(np.where(wide == transparent, 0, 255).astype(np.uint8)))
    return narrow


def to_srgb(image: Image.Image | Raster, profile: bytes) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts tiles of an image to sRGB.

    Ignores a profile that is damaged, has other channels, or is too costly to evaluate.
    """
    mode = _base_mode(image)
    without_profile = partial(_in_mode, mode="RGB")
    profile = icc.restrict(profile, mode)
    if not profile:
        return without_profile
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        # Most photos are sRGB already, and a conversion costs as much as decoding.
        if mode == "RGB" and ImageCms.getProfileDescription(source).startswith("sRGB"):
            return without_profile
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB").apply
    except (ImageCms.PyCMSError, OSError, ValueError) as error:  # Damaged.
        if is_out_of_memory(error, icc.MAX_COST_BYTES):
            raise MemoryError("There is not enough memory to evaluate the ICC profile.") from error
        return without_profile
