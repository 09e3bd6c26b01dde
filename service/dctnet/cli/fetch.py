"""``dctnet fetch``: download and verify a public model."""

import argparse
import sys
from pathlib import Path

from dctnet.config import Settings
from dctnet.models.fetch import DEFAULT_REVISION, fetch
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
        "--revision", metavar="R", help=f"branch or tag on the hub; default: {DEFAULT_REVISION}"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch; print the folder and how to pin it. The last line is the digest."""
    to = args.to or settings.models_dir / args.style
    fetched = fetch(args.style, to, args.revision, show_progress=sys.stderr.isatty())
    folder = fetched.folder
    how = "is fetched" if fetched.downloaded else "already exists and is verified"
    print(f"{folder.style} at revision {folder.revision} {how}: {folder.path}")
    print("To pin it, set DCTNET_MODEL_DIGEST to the digest of its manifest:")
    print(folder.digest)
    return 0
