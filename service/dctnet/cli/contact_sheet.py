"""``dctnet contact-sheet``: an image in every style, as one labelled image."""

import argparse
from collections.abc import Mapping
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from dctnet.cli.arguments import argument_type
from dctnet.cli.progress import Progress
from dctnet.config import Settings, parse_styles

if TYPE_CHECKING:
    from PIL import Image

    from dctnet.arrays import Pixels

SIDE = 512
"""Longest side of each image on the sheet, in pixels."""

MARGIN, LABEL_HEIGHT, FONT_SIZE = 16, 36, 24
"""Lengths in pixels."""

PAPER, TEXT = (255, 255, 255), (32, 32, 32)
"""Colours, RGB."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "contact-sheet",
        help="draw an image in every style",
        description="Cartoonize an image in every style, and write one image with the photo and "
        "all cartoons, each with the name of its style.",
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="JPEG, PNG, WebP or AVIF image")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="PNG file to write; default: IMAGE-styles.png"
    )
    parser.add_argument(
        "--style",
        type=argument_type(parse_styles),
        metavar="NAME,...",
        help="styles, or model folders; default: DCTNET_STYLES",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Cartoonize; print the path of the sheet."""
    from dctnet.imaging import ImageError, decode
    from dctnet.model_loading import find_models, load_engines, restricted
    from dctnet.models.errors import ModelError

    if args.style:
        settings = restricted(settings, args.style)
    engines, _ = load_engines(settings, find_models(settings))
    try:
        photo = decode(args.image.read_bytes(), settings.max_pixels, heic=settings.heic)
    except ImageError as error:
        raise ModelError(f"{args.image}: {error}") from error
    images = {"photo": photo}
    with Progress(len(engines)) as progress:
        for done, (style, engine) in enumerate(engines.items()):
            progress.show(done, style)
            images[style] = engine.cartoonize(photo, max_side=SIDE).image
    out = args.out or args.image.with_name(f"{args.image.stem}-styles.png")
    sheet(images).save(out, "PNG")
    print(out)
    return 0


def sheet(images: Mapping[str, "Pixels"]) -> "Image.Image":
    """Return a grid of images, HxWx3 uint8 RGB of one aspect ratio, each under its name."""
    from PIL import Image, ImageDraw, ImageFont

    cells = {name: Image.fromarray(pixels) for name, pixels in images.items()}
    for cell in cells.values():
        cell.thumbnail((SIDE, SIDE))
    width = MARGIN + max(cell.width for cell in cells.values())
    height = MARGIN + LABEL_HEIGHT + max(cell.height for cell in cells.values())
    columns = ceil(sqrt(len(cells)))
    rows = ceil(len(cells) / columns)
    grid = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), PAPER)
    draw = ImageDraw.Draw(grid)
    font = ImageFont.load_default(FONT_SIZE)
    for index, (name, cell) in enumerate(cells.items()):
        left, top = MARGIN + index % columns * width, MARGIN + index // columns * height
        draw.text((left, top), name, TEXT, font)
        grid.paste(cell, (left, top + LABEL_HEIGHT))
    return grid
