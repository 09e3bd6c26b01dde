"""``dctnet cartoonize``: cartoonize image files."""

import argparse
import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dctnet.cartoon_options import (
    KEEP,
    MAX_SIZE,
    MIN_SIZE,
    WHITE,
    parse_background,
    parse_size,
    parse_strength,
)
from dctnet.cli.arguments import argument_type
from dctnet.cli.progress import Progress
from dctnet.cli.remote import Server, ServerError, parse_url
from dctnet.config import Settings, SettingsError, parse_styles

logger = logging.getLogger(__name__)

Cartoonize = Callable[[bytes], list[bytes]]
"""Returns the cartoons of an image file, encoded, one per style."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "cartoonize",
        help="cartoonize image files",
        description="Cartoonize image files, each in every given style. A cartoon has the size of "
        "its image, unless --size limits it.",
        epilog="A cartoon is named after its image, with the suffix of the format, and with the "
        "style if there are several. Existing "
        "files are replaced, except images and cartoons of the same call: the second a.png "
        "becomes a-2.png. Images that cannot be read, or have more than DCTNET_MAX_PIXELS, are "
        "reported and skipped; the exit status is then 1.",
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IN", help="JPEG, PNG, WebP or AVIF image"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="output folder; created if missing"
    )
    parser.add_argument(
        "--style",
        type=argument_type(parse_styles),
        metavar="NAME,...",
        help="styles, or model folders; see `dctnet styles`; default: the first of DCTNET_STYLES",
    )
    parser.add_argument(
        "--server",
        type=argument_type(parse_url),
        metavar="URL",
        help="send the images to a dctnet server, such as http://127.0.0.1:8080, instead of drawing"
        " them here; the styles are then the server's",
    )
    parser.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="file whose first line is the API key of the server",
    )
    parser.add_argument(
        "--format",
        choices=["png", "jpeg", "webp"],
        default="png",
        help="output format; default: png",
    )
    parser.add_argument(
        "--strength",
        type=argument_type(parse_strength),
        default=1.0,
        metavar="S",
        help="strength of the style, from 0, the image, to 1, the cartoon; default: 1",
    )
    parser.add_argument(
        "--size",
        type=argument_type(parse_size),
        metavar="PIXELS",
        help=f"limit of the cartoon's longest side, {MIN_SIZE} to {MAX_SIZE} pixels; an image is "
        "never enlarged; default: its own size",
    )
    parser.add_argument(
        "--background",
        type=argument_type(parse_background),
        default=WHITE,
        metavar="COLOUR",
        help="what is behind the transparency of an image: white, hexadecimal digits such as "
        f"ff8800, or {KEEP} to keep it in a PNG or WebP; default: white",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Cartoonize every readable image; return 1 if one was skipped."""
    from dctnet.imaging import TRANSPARENT_FORMATS, ImageError

    if args.background is None and args.format not in TRANSPARENT_FORMATS:
        formats = ", ".join(TRANSPARENT_FORMATS)
        raise SettingsError(f"--background {KEEP} needs a --format with transparency: {formats}.")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.error("Cannot create the folder %s: %s.", args.out, error.strerror)
        return 1
    styles, cartoonize = _remote(args) if args.server else _local(args, settings)
    names = [
        f"{image.stem}-{style}" if len(styles) > 1 else image.stem
        for image in args.images
        for style in styles
    ]
    outputs = iter(output_paths(args.images, args.out, args.format, names))
    status = 0
    with Progress(len(args.images)) as progress:
        for done, image in enumerate(args.images):
            progress.show(done, str(image))
            paths = list(itertools.islice(outputs, len(styles)))
            try:
                cartoons = cartoonize(image.read_bytes())
            except (OSError, ImageError, MemoryError, ServerError) as error:
                reason = _reason(error)
                progress.clear()
                logger.error("%s is skipped: %s", image, reason)
                status = 1
                continue
            for path, cartoon in zip(paths, cartoons, strict=True):
                path.write_bytes(cartoon)
                progress.clear()
                _print_path(path)
    return status


def _reason(error: Exception) -> str:
    """Return the reason for skipping an image, as a sentence."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)


def output_paths(
    images: Sequence[Path], out: Path, format: str, names: Sequence[str]
) -> list[Path]:
    """Return a path for each name, distinct from all images and other cartoons."""
    taken = {os.path.realpath(image) for image in images}
    candidates: dict[str, Iterator[Path]] = {}
    paths = []
    for name in names:
        # One sequence for each name, so that a thousand images of one name stay fast.
        numbered = candidates.setdefault(name, _numbered(out, name, format))
        path = next(path for path in numbered if os.path.realpath(path) not in taken)
        taken.add(os.path.realpath(path))
        paths.append(path)
    return paths


def _numbered(out: Path, stem: str, format: str) -> Iterator[Path]:
    yield out / f"{stem}.{format}"
    for number in itertools.count(2):
        yield out / f"{stem}-{number}.{format}"


def _print_path(path: Path) -> None:
    # Bytes, because a file name need not be valid text.
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.flush()


def _local(args: argparse.Namespace, settings: Settings) -> tuple[list[str], Cartoonize]:
    """Return the styles, and what cartoonizes an image file in each with its own engine."""
    import numpy as np

    from dctnet.arrays import Pixels
    from dctnet.engine.geometry import output_size
    from dctnet.imaging import decode, encode, require_encodable
    from dctnet.model_loading import find_models, load_engines, restricted

    settings = restricted(settings, args.style)
    engines, _ = load_engines(settings, find_models(settings))

    def cartoonize(data: bytes) -> list[bytes]:
        alpha: Pixels | None = None

        def allocate_alpha(shape: tuple[int, int]) -> Pixels:
            nonlocal alpha
            alpha = np.empty(shape, np.uint8)
            return alpha

        rgb = decode(
            data,
            settings.max_pixels,
            heic=settings.heic,
            background=args.background or WHITE,
            allocate_alpha=None if args.background else allocate_alpha,
        )
        height, width = output_size(rgb.shape[0], rgb.shape[1], args.size)
        require_encodable(width, height, args.format)
        return [
            encode(engine.cartoonize(rgb, args.strength, args.size).image, args.format, alpha=alpha)
            for engine in engines.values()
        ]

    return list(engines), cartoonize


def _remote(args: argparse.Namespace) -> tuple[list[str], Cartoonize]:
    """Return the styles, and what sends an image file to the server for each."""
    server = Server(args.server, args.api_key_file)
    options = {"format": args.format, "strength": str(args.strength)}
    if args.size is not None:
        options["size"] = str(args.size)
    if args.background != WHITE:
        options["background"] = bytes(args.background).hex() if args.background else KEEP
    # Without a style, the server has a default.
    requests = [options | {"style": style} for style in args.style or ()] or [options]

    def cartoonize(data: bytes) -> list[bytes]:
        return [server.cartoonize(data, parameters) for parameters in requests]

    return list(args.style or ("",)), cartoonize
