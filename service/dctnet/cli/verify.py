"""``dctnet verify``: is a model folder what its manifest says, and what a digest says?"""

import argparse
import re

from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.folder import locate, open_folder


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this command to ``dctnet``'s."""
    parser = subparsers.add_parser(
        "verify",
        help="check a model folder",
        description="Check every file of a model folder against its manifest, and the manifest "
        "against a digest.",
        epilog="Without --digest this finds damage; with it, tampering too.",
    )
    parser.add_argument("folder", metavar="DIR", help="a model folder, or a fetched style's name")
    parser.add_argument(
        "--digest",
        type=_digest,
        metavar="D",
        help="the sha256 that the manifest must have; `dctnet fetch` prints it",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Verify, and print what the folder is."""
    folder = open_folder(locate(args.folder, settings.models_dir), args.digest)
    if folder.digest is None:
        raise ModelError(
            f"{folder.path} has every file of a model but no manifest, so there is nothing to "
            "check it against."
        )
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.path} is whole: {folder.style}, {folder.model}{revision}")
    print("Its manifest has the digest asked for:" if args.digest else "Its manifest's digest:")
    print(folder.digest)
    return 0


def _digest(text: str) -> str:
    digest = text.lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise argparse.ArgumentTypeError(f"{text!r} is not a sha256 of 64 hexadecimal digits")
    return digest
