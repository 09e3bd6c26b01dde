"""``dctnet cartoonize``: images in files to cartoons in files."""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dctnet.cli.progress import Progress
from dctnet.config import Settings
from dctnet.messages import say

if TYPE_CHECKING:
    from dctnet.engine import Engine
    from dctnet.imaging import Format


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this command to ``dctnet``'s."""
    parser = subparsers.add_parser(
        "cartoonize",
        help="turn images into cartoons",
        description="Turn images into cartoons of the same size.",
        epilog="A cartoon has its image's name with the format's suffix. One that is there "
        "already is replaced, but no image of this call is ever overwritten, nor is a cartoon "
        "of this call: the second a.png is called a-2.png. An image that cannot be read, or has "
        "more than DCTNET_MAX_PIXELS, is named and left out, and the exit status is then 1.",
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IN", help="a JPEG, PNG, WebP or AVIF"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the cartoons go; made if new"
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--style", metavar="NAME", help="a fetched style; `dctnet styles` lists all")
    model.add_argument("--model", metavar="DIR", help="a model folder")
    parser.add_argument(
        "--format", choices=["png", "jpeg", "webp"], default="png", help="default: png"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Draw every image that can be read; return 1 when any could not."""
    from dctnet.imaging import ImageError
    from dctnet.model_loading import load_engine

    if args.style or args.model:
        settings = replace(settings, model=args.style or args.model)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say(f"Cannot make the folder {args.out}: {error.strerror}.")
        return 1
    engine, _ = load_engine(settings)
    outputs = output_paths(args.images, args.out, args.format)
    status = 0
    with Progress(len(args.images)) as progress:
        for done, (image, output) in enumerate(zip(args.images, outputs, strict=True)):
            progress.show(done, str(image))
            try:
                cartoon = _cartoonize_file(engine, image, args.format, settings.max_pixels)
            except (OSError, ImageError, MemoryError) as error:
                reason = _reason(error)
                progress.clear()
                say(f"{image} is left out: {reason}")
                status = 1
                continue
            output.write_bytes(cartoon)
            progress.clear()
            _print_path(output)
    return status


def _reason(error: Exception) -> str:
    """Return a sentence on why an image is left out."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)


def output_paths(images: Sequence[Path], out: Path, format: str) -> list[Path]:
    """Return where each image's cartoon goes: never onto an image, nor twice to one place."""
    taken = {os.path.realpath(image) for image in images}
    candidates: dict[str, Iterator[Path]] = {}
    paths = []
    for image in images:
        # One sequence a name, so that a thousand images of one name stay quick.
        numbered = candidates.setdefault(image.stem, _numbered(out, image.stem, format))
        path = next(path for path in numbered if os.path.realpath(path) not in taken)
        taken.add(os.path.realpath(path))
        paths.append(path)
    return paths


def _numbered(out: Path, stem: str, format: str) -> Iterator[Path]:
    yield out / f"{stem}.{format}"
    for number in itertools.count(2):
        yield out / f"{stem}-{number}.{format}"


def _print_path(path: Path) -> None:
    # Bytes, because a file's name need not be text.
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.flush()


def _cartoonize_file(engine: "Engine", image: Path, format: "Format", max_pixels: int) -> bytes:
    from dctnet.imaging import decode, encode, require_encodable

    rgb = decode(image.read_bytes(), max_pixels)
    require_encodable(rgb.shape[1], rgb.shape[0], format)
    return encode(engine.cartoonize(rgb).image, format)
