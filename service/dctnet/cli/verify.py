"""``dctnet verify``: check model folders against their manifests and digests."""

import argparse
import logging
import time
from math import ceil

from dctnet.cli.arguments import argument_type, naming
from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder, locate, open_folder, style_of
from dctnet.models.pins import Pin

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 1.0
"""Interval between two looks at a folder that is waited for, in seconds."""

MAX_WAIT_S = 86400
"""Largest value of ``--wait``, in seconds."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "verify",
        help="verify model folders",
        description="Verify the checksum of every file of model folders, and each manifest "
        "against a digest. A digest in DCTNET_STYLE_DIGESTS is expected.",
        epilog="Without a digest this detects damage; with one, also tampering.",
    )
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="model folder, or style of a fetched model; one or more",
    )
    parser.add_argument(
        "--digest",
        type=argument_type(Pin.parse),
        metavar="D",
        help="expected digest of one folder, as `dctnet fetch` and `dctnet prepare` print it: "
        "sha256 of the manifest, or source:sha256:… of the upstream files",
    )
    parser.add_argument(
        "--wait",
        type=argument_type(_seconds),
        default=0,
        metavar="SECONDS",
        help="wait until another process has written all folders, at most this long in total; "
        "default: 0",
    )
    parser.add_argument(
        "--wait-hint",
        default="",
        metavar="TEXT",
        help="sentence that ends the messages of --wait: what writes the folders, and where its "
        "log is",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Verify; print style, model and revision. The last line is the digest of a manifest."""
    if len(args.folders) > 1 and args.digest:
        raise ModelError("--digest is for one folder.")
    deadline = time.monotonic() + args.wait
    for named in args.folders:
        with naming(named, args.folders):
            _report(*_open_by(deadline, named, args, settings))
    return 0


def _open_by(
    deadline: float, named: str, args: argparse.Namespace, settings: Settings
) -> tuple[ModelFolder, Pin | None]:
    """Verify a folder, as often as needed until the deadline."""
    hint = f" {args.wait_hint}" if args.wait_hint else ""
    logged = ""
    while True:
        try:
            return _open(named, args.digest, settings)
        except ModelError as error:
            reason = str(error)
            left = deadline - time.monotonic()
            if not args.wait:
                raise
            if left <= 0:
                raise ModelError(f"Gave up after {args.wait:g} s: {reason}{hint}") from error
        if reason != logged:
            logger.info("Waiting for %s, for up to %d s: %s%s", named, ceil(left), reason, hint)
            logged = reason
        time.sleep(min(POLL_INTERVAL_S, left))


def _open(named: str, digest: Pin | None, settings: Settings) -> tuple[ModelFolder, Pin | None]:
    path = locate(named, settings.models_dir)
    pin = digest or settings.style_digests.get(style_of(path))
    folder = open_folder(path, pin)
    if folder.digest is None and pin is None:
        raise ModelError(
            f"{folder.path} has every file of a model but no manifest, so it cannot be verified."
            f" The digest of its upstream files is {Pin(folder.source_digest, of_source=True)}."
        )
    return folder, pin


def _report(folder: ModelFolder, pin: Pin | None) -> None:
    revision = f" at revision {folder.revision}" if folder.revision else ""
    print(f"{folder.path} is verified: {folder.style}, {folder.model}{revision}")
    source = Pin(folder.source_digest, of_source=True)
    expected = "The upstream files have the expected digest"
    print(f"{expected if pin == source else 'Digest of the upstream files'}: {source}")
    if folder.digest:
        by_manifest = pin == Pin(folder.digest)
        print("The manifest has the expected digest:" if by_manifest else "Digest of the manifest:")
        print(folder.digest, flush=True)


def _seconds(text: str) -> float:
    """Parse a number of seconds; raise ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= MAX_WAIT_S:
        raise ValueError(f"{text!r} is not a number of seconds from 0 to {MAX_WAIT_S}")
    return seconds
