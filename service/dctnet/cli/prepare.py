"""``dctnet prepare``: a model folder as upstream ships it to one that needs no TensorFlow."""

import argparse
from pathlib import Path

from dctnet.cli.progress import Progress
from dctnet.config import Settings
from dctnet.models.folder import CONVERTED_SUFFIX, ModelFolder, locate, open_folder
from dctnet.models.styles import DEMO_STYLE, STYLES


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this command to ``dctnet``'s."""
    parser = subparsers.add_parser(
        "prepare",
        help="make a model that is served without TensorFlow",
        description="Prepare a model, once: read the generators' weights, convert the face "
        "networks for ONNX Runtime, and compare everything with TensorFlow. The prepared folder "
        "starts faster and is served without TensorFlow, but for the parts that are named.",
        epilog="Needs the `reference` extra. A folder that is there is replaced when it was "
        "prepared of the same model, and is left as it is when it is up to date.",
    )
    parser.add_argument("folder", metavar="DIR", help="a model folder, or a fetched style's name")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"default: DIR{CONVERTED_SUFFIX}, or STYLE{CONVERTED_SUFFIX} in DCTNET_MODELS_DIR",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace any model that is in the way, and work again"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Prepare, and print what came of it; the last line is the digest alone."""
    from dctnet.conversion.model_conversion import STEPS, convert_model

    source = open_folder(locate(args.folder, settings.models_dir, prefer_converted=False))
    to = args.output or _default_output(args.folder, source, settings.models_dir)
    with Progress(STEPS) as progress:
        done = iter(range(STEPS))
        result = convert_model(
            source, to, force=args.force, report=lambda step: progress.show(next(done), step)
        )
    folder = result.folder
    how = "is prepared" if result.converted else "was prepared already, and is whole"
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
