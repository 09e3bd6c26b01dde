"""``dctnet prepare``: convert a model so that serving it needs no TensorFlow."""

import argparse
from pathlib import Path

from dctnet.cli.progress import Progress
from dctnet.config import Settings
from dctnet.models.folder import CONVERTED_SUFFIX, ModelFolder, locate, open_folder
from dctnet.models.styles import DEMO_STYLE, STYLES


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
        "--force",
        action="store_true",
        help="convert again, and replace any other model in the output folder",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Convert; print the runtimes of each network. The last line is the digest."""
    from dctnet.conversion.model_conversion import STEPS, convert_model

    source = open_folder(locate(args.folder, settings.models_dir, prefer_converted=False))
    to = args.output or _default_output(args.folder, source, settings.models_dir)
    with Progress(STEPS) as progress:
        done = iter(range(STEPS))
        result = convert_model(
            source, to, force=args.force, report=lambda step: progress.show(next(done), step)
        )
    folder = result.folder
    how = "is converted" if result.converted else "is already converted and verified"
    print(f"{folder.model} {how}: {folder.path}")
    for name, network in folder.networks.items():
        reason = f": {network.reason}" if network.reason else ""
        print(f"  {name} for {' or '.join(network.runtimes)}{reason}")
    print(f"To serve it, set DCTNET_MODEL to {folder.path}; to pin it, set DCTNET_MODEL_DIGEST to")
    print(folder.digest)
    return 0


def _default_output(named: str, source: ModelFolder, models_dir: Path) -> Path:
    if named in STYLES or named == DEMO_STYLE:
        return models_dir / f"{named}{CONVERTED_SUFFIX}"
    path = source.path.resolve()
    return path.parent / f"{path.name}{CONVERTED_SUFFIX}"
