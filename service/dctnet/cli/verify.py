"""``dctnet verify``: check a model folder against its manifest and a digest."""

import argparse

from dctnet.cli.arguments import argument_type
from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.folder import locate, open_folder
from dctnet.models.pins import Pin


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
        type=argument_type(Pin.parse),
        metavar="D",
        help="expected digest, as `dctnet fetch` and `dctnet prepare` print it: sha256 of the"
        " manifest, or source:sha256:… of the upstream files",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Verify; print style, model and revision. The last line is the digest of the manifest."""
    folder = open_folder(locate(args.folder, settings.models_dir), args.digest)
    if folder.digest is None and args.digest is None:
        raise ModelError(
            f"{folder.path} has every file of a model but no manifest, so it cannot be verified."
            f" The digest of its upstream files is {Pin(folder.source_digest, of_source=True)}."
        )
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.path} is verified: {folder.style}, {folder.model}{revision}")
    source = Pin(folder.source_digest, of_source=True)
    expected = "The upstream files have the expected digest"
    print(f"{expected if args.digest == source else 'Digest of the upstream files'}: {source}")
    if folder.digest:
        by_manifest = args.digest == Pin(folder.digest)
        print("The manifest has the expected digest:" if by_manifest else "Digest of the manifest:")
        print(folder.digest)
    return 0
