"""``dctnet verify``: check a model folder against its manifest and a digest."""

import argparse
import re

from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.folder import locate, open_folder


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "verify",
        help="verify a model folder",
        description="Verify the checksum of every file of a model folder, and the manifest "
        "against a digest.",
        epilog="Without --digest this detects damage; with it, also tampering.",
    )
    parser.add_argument("folder", metavar="DIR", help="model folder, or style of a fetched model")
    parser.add_argument(
        "--digest",
        type=_digest,
        metavar="D",
        help="expected sha256 of the manifest, as `dctnet fetch` prints it",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Verify; print style, model and revision. The last line is the digest."""
    folder = open_folder(locate(args.folder, settings.models_dir), args.digest)
    if folder.digest is None:
        raise ModelError(
            f"{folder.path} has every file of a model but no manifest, so it cannot be verified."
        )
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.path} is verified: {folder.style}, {folder.model}{revision}")
    print("The manifest has the expected digest:" if args.digest else "Digest of the manifest:")
    print(folder.digest)
    return 0


def _digest(text: str) -> str:
    digest = text.lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise argparse.ArgumentTypeError(f"{text!r} is not a sha256 of 64 hexadecimal digits")
    return digest
