"""``dctnet fetch``: download and verify a public model."""

import argparse
import sys
from pathlib import Path

from dctnet.cli.arguments import argument_type
from dctnet.config import Settings
from dctnet.models.fetch import DEFAULT_REVISION, fetch
from dctnet.models.local_source import fetch_from
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "fetch",
        help="download a public model",
        description="Download a public model from the ModelScope hub, verify it, and print the "
        "digest that pins it.",
        epilog="Run the command again to resume an interrupted download.",
    )
    parser.add_argument("style", metavar="STYLE", help=f"one of {', '.join(STYLES)}")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="folder to create; default: STYLE in DCTNET_MODELS_DIR",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="folder, or tar or zip archive, with the model's files: nothing is downloaded",
    )
    parser.add_argument(
        "--digest",
        type=argument_type(Pin.parse),
        metavar="D",
        help="expected digest; any other download is deleted",
    )
    parser.add_argument(
        "--revision", metavar="R", help=f"branch or tag on the hub; default: {DEFAULT_REVISION}"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch; print the folder and how to pin it. The last line is the digest."""
    to = args.to or settings.models_dir / args.style
    if args.source:
        fetched = fetch_from(args.source, args.style, to, args.revision, args.digest)
    else:
        show_progress = sys.stderr.isatty()
        fetched = fetch(args.style, to, args.revision, args.digest, show_progress=show_progress)
    folder = fetched.folder
    how = "is fetched" if fetched.downloaded else "already exists and is verified"
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.style}{revision} {how}: {folder.path}")
    print("To pin it, converted or not, set DCTNET_MODEL_DIGEST to the digest of its files:")
    print(Pin(folder.source_digest, of_source=True))
    return 0
