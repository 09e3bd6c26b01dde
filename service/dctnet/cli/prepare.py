"""``dctnet prepare``: convert a model so that serving it needs no TensorFlow."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dctnet.cli.progress import Progress
from dctnet.config import Settings
from dctnet.models.folder import CONVERTED_SUFFIX, ModelFolder, locate, open_folder
from dctnet.models.networks import NetworkRecord
from dctnet.models.pins import Pin
from dctnet.models.styles import DEMO_STYLE, STYLES

if TYPE_CHECKING:
    from dctnet.conversion.comparison import Comparison


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "prepare",
        help="convert a model to serve it without TensorFlow",
        description="Convert a model: extract the generators' weights, convert the networks to "
        "ONNX, and compare all of them with TensorFlow. The converted model loads faster and needs "
        "no TensorFlow, except for networks that are reported.",
        epilog="Needs the `reference` extra. An existing conversion of the same model is replaced, "
        "or kept if it is up to date.",
    )
    parser.add_argument("folder", metavar="DIR", help="model folder, or style of a fetched model")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder to create; default: DIR{CONVERTED_SUFFIX}, or STYLE{CONVERTED_SUFFIX} in"
        " DCTNET_MODELS_DIR",
    )
    parser.add_argument(
        "--style", type=_style, metavar="NAME", help="name of your own style: a-z, 0-9 and hyphens"
    )
    parser.add_argument("--title", help="display name of your own style")
    parser.add_argument(
        "--force",
        action="store_true",
        help="convert again, and replace any other model in the output folder",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Convert; print what was recognized in each network. The last line is the digest."""
    from dctnet.conversion.model_conversion import STEPS, convert_model

    source = open_folder(locate(args.folder, settings.models_dir, prefer_converted=False))
    to = args.output or _default_output(args.folder, source, settings.models_dir)
    source = replace(source, style=args.style or source.style, title=args.title or source.title)
    with Progress(STEPS) as progress:
        done = iter(range(STEPS))
        result = convert_model(
            source, to, force=args.force, report=lambda step: progress.show(next(done), step)
        )
    folder = result.folder
    how = "is already converted and verified" if result.networks is None else "is converted"
    print(f"{folder.model} {how}: {folder.path}")
    for name, network in folder.networks.items():
        comparison = result.networks[name].comparison if result.networks else None
        print(f"  {name} for {' or '.join(network.runtimes)}{_describe(network, comparison)}")
    print(f"To serve it, set DCTNET_MODEL to {folder.path}; to pin it, set DCTNET_MODEL_DIGEST to")
    print(f"{Pin(folder.source_digest, of_source=True)} for any conversion, or for this one to")
    print(folder.digest)
    return 0


def _describe(network: NetworkRecord, comparison: "Comparison | None") -> str:
    if network.same_as:
        return f": the same as the {network.same_as}"
    if network.reason or comparison is None:
        return f": {network.reason}" if network.reason else ""
    differences = " and ".join(
        f"{output} within {largest:.1g}" for output, largest in comparison.differences.items()
    )
    ties = f", {comparison.near_ties} of them near-ties" if comparison.near_ties else ""
    return f": {differences} of TensorFlow on {comparison.inputs} inputs{ties}"


def _style(text: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", text) or text in (*STYLES, DEMO_STYLE):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name of 1 to 32 characters a-z, 0-9 and hyphens, or is taken"
        )
    return text


def _default_output(named: str, source: ModelFolder, models_dir: Path) -> Path:
    if named in STYLES or named == DEMO_STYLE:
        return models_dir / f"{named}{CONVERTED_SUFFIX}"
    path = source.path.resolve()
    return path.parent / f"{path.name}{CONVERTED_SUFFIX}"
