"""``dctnet fetch``: a public model from the hub to a verified folder."""

import argparse
import sys
from pathlib import Path

from dctnet.config import Settings
from dctnet.models.fetch import DEFAULT_REVISION, fetch
from dctnet.models.styles import STYLES


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this command to ``dctnet``'s."""
    parser = subparsers.add_parser(
        "fetch",
        help="download a public model",
        description="Download a public model from the ModelScope hub, check it, and print the "
        "digest that pins it.",
        epilog="A download that broke off goes on where it stopped when the command is run again.",
    )
    parser.add_argument("style", metavar="STYLE", help=", ".join(STYLES))
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="default: STYLE in DCTNET_MODELS_DIR"
    )
    parser.add_argument(
        "--revision", metavar="R", help=f"a branch or tag of the hub; default: {DEFAULT_REVISION}"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Fetch, and print where the model is and how to pin it; the last line is the digest alone."""
    to = args.to or settings.models_dir / args.style
    fetched = fetch(args.style, to, args.revision, show_progress=sys.stderr.isatty())
    folder = fetched.folder
    how = "is fetched" if fetched.downloaded else "was there already, and is whole"
    print(f"{folder.style} at revision {folder.revision} {how}: {folder.path}")
    print("To pin it, set DCTNET_MODEL_DIGEST to the digest of its manifest:")
    print(folder.digest)
    return 0
