"""``dctnet prepare``: convert models so that serving them needs no TensorFlow."""

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dctnet.cli.arguments import add_styles, naming
from dctnet.cli.progress import Progress
from dctnet.config import Settings
from dctnet.models.errors import ModelError
from dctnet.models.folder import CONVERTED_SUFFIX, ModelFolder, locate, open_folder
from dctnet.models.networks import NetworkRecord
from dctnet.models.pins import Pin
from dctnet.models.styles import SHIPPED_STYLES, STYLES

if TYPE_CHECKING:
    from dctnet.conversion.comparison import Comparison


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "prepare",
        help="convert models to serve them without TensorFlow",
        description="Convert models, one after another: extract the generators' weights, convert "
        "the networks to ONNX, and compare all of them with TensorFlow. A converted model loads "
        "faster and needs no TensorFlow, except for networks that are reported.",
        epilog="Needs the `reference` extra. An existing conversion of the same model is replaced, "
        "or kept if it is up to date.",
    )
    add_styles(
        parser,
        "MODEL",
        "style of a fetched model, or model folder; one or more",
        "convert every fetched style",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder to create, for one model; default: MODEL{CONVERTED_SUFFIX}, that of a style"
        " in DCTNET_MODELS_DIR",
    )
    parser.add_argument(
        "--style",
        type=_style,
        metavar="NAME",
        help="name of your own style, for one model: a-z, 0-9 and hyphens",
    )
    parser.add_argument("--title", help="display name of your own style, for one model")
    parser.add_argument(
        "--force",
        action="store_true",
        help="convert again, and replace any other model in the output folder",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Convert; print what was recognized in each network. The last line is the last digest."""
    from dctnet.conversion.model_conversion import STEPS

    fetched = (style for style in STYLES if (settings.models_dir / style).is_dir())
    models = list(fetched) if args.all else args.styles
    if not models:
        raise ModelError(f"No style is in {settings.models_dir}: fetch some with `dctnet fetch`.")
    if len(models) > 1 and (args.output or args.style or args.title):
        raise ModelError("--output, --style and --title are for one model.")
    with Progress(STEPS * len(models)) as progress:
        for index, model in enumerate(models):
            steps = iter(range(index * STEPS, (index + 1) * STEPS))
            with naming(model, models):
                _prepare(model, args, settings, progress, steps)
    return 0


def _prepare(
    model: str,
    args: argparse.Namespace,
    settings: Settings,
    progress: Progress,
    steps: Iterator[int],
) -> None:
    from dctnet.conversion.model_conversion import convert_model

    source = open_folder(locate(model, settings.models_dir, prefer_converted=False))
    to = args.output or _default_output(model, source, settings.models_dir)
    source = replace(source, style=args.style or source.style, title=args.title or source.title)
    result = convert_model(
        source,
        to,
        force=args.force,
        report=lambda step: progress.show(next(steps), f"{source.style}: {step}"),
    )
    progress.clear()
    folder = result.folder
    how = "is already converted and verified" if result.networks is None else "is converted"
    print(f"{folder.model} {how}: {folder.path}")
    for name, network in folder.networks.items():
        comparison = result.networks[name].comparison if result.networks else None
        print(f"  {name} for {' or '.join(network.runtimes)}{_describe(network, comparison)}")
    served = folder.style if to.parent == settings.models_dir else folder.path
    print(f"To serve it, add {served} to DCTNET_STYLES; to pin it, set {folder.style}=DIGEST in")
    print("DCTNET_STYLE_DIGESTS. The digest for any conversion, and then for this one only, is")
    print(Pin(folder.source_digest, of_source=True))
    print(folder.digest, flush=True)


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
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", text) or text in (*STYLES, *SHIPPED_STYLES):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name of 1 to 32 characters a-z, 0-9 and hyphens, or is taken"
        )
    return text


def _default_output(named: str, source: ModelFolder, models_dir: Path) -> Path:
    if named in STYLES:
        return models_dir / f"{named}{CONVERTED_SUFFIX}"
    path = source.path.resolve()
    return path.parent / f"{path.name}{CONVERTED_SUFFIX}"
