"""``dctnet fetch``: download and verify public models."""

import argparse
import sys
from pathlib import Path

from dctnet.cli.arguments import add_styles, argument_type, naming
from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.fetch import DEFAULT_REVISION, fetch
from dctnet.models.local_source import fetch_from
from dctnet.models.pins import Pin
from dctnet.models.styles import STYLES


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "fetch",
        help="download public models",
        description="Download public models from the ModelScope hub, one after another, verify "
        "them, and print the digests that pin them. A digest in DCTNET_STYLE_DIGESTS is expected.",
        epilog="Run the command again to resume an interrupted download.",
    )
    add_styles(parser, "STYLE", f"one or more of {', '.join(STYLES)}", "download every style")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="folder to create, for one style; default: STYLE in DCTNET_MODELS_DIR",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="folder, or tar or zip archive, with the files of one style: nothing is downloaded",
    )
    parser.add_argument(
        "--digest",
        type=argument_type(Pin.parse),
        metavar="D",
        help="expected digest of one style; any other download is deleted",
    )
    parser.add_argument(
        "--revision", metavar="R", help=f"branch or tag on the hub; default: {DEFAULT_REVISION}"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch; print each folder and how to pin it. The last line is the last digest."""
    styles = list(STYLES) if args.all else args.styles
    if len(styles) > 1 and (args.to or args.source or args.digest):
        raise ModelError("--to, --from and --digest are for one style.")
    for style in styles:
        with naming(style, styles):
            _fetch(style, args, settings)
    return 0


def _fetch(style: str, args: argparse.Namespace, settings: Settings) -> None:
    to = args.to or settings.models_dir / style
    pin = args.digest or settings.style_digests.get(style)
    if pin is not None and not (args.digest or pin.of_source):
        pin = None  # It pins a conversion, which `dctnet prepare` makes later.
    if args.source:
        fetched = fetch_from(args.source, style, to, args.revision, pin)
    else:
        show_progress = sys.stderr.isatty()
        fetched = fetch(style, to, args.revision, pin, show_progress=show_progress)
    folder = fetched.folder
    how = "is fetched" if fetched.downloaded else "already exists and is verified"
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.style}{revision} {how}: {folder.path}")
    print(f"To pin it, converted or not, set {folder.style}=DIGEST in DCTNET_STYLE_DIGESTS; its is")
    print(Pin(folder.source_digest, of_source=True), flush=True)
