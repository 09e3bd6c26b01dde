"""Export of trained generators to the package: frozen graphs, conversion, golden pairs.

    python -m shipped_styles.export [--keep-generators] FACES [STYLE ...]

With --keep-generators, only the face networks change; no checkpoint is needed.

FACES is a folder with the face networks and the head mask, from `python -m shipped_styles.faces`.
Both generators of a style have the same weights: a head and its background differ only in scale.
Weights are rounded to float16 first, so that every runtime has the same and the files are small.
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dctnet.conversion.model_conversion import convert_model
from dctnet.models import generator_weights, manifest
from dctnet.models.folder import (
    GOLDEN_CHECKSUMS,
    GOLDEN_OUTPUT,
    SHIPPED,
    SHIPPED_COMMON,
    open_folder,
)
from shipped_styles import network
from shipped_styles.filters import FILTERS
from shipped_styles.train import DEFAULT_WORK, Trainer
from shipped_styles.upstream import CONFIGURATION

GENERATORS = ("cartoon_bg.pb", "cartoon_h.pb")

OWN_FILES = (manifest.FILE_NAME, "cartoon_bg.npz", GOLDEN_OUTPUT, GOLDEN_CHECKSUMS)
"""Files of each style; the styles share all others."""


def trained_weights(style: str, work: Path) -> dict[str, Any]:
    """Return the weights of a style's last checkpoint, rounded to float16; raise SystemExit."""
    trainer = Trainer(style, work, "float32")
    if int(trainer.step) == 0:
        raise SystemExit(f"{work} holds no checkpoint of {style}; run shipped_styles.train first.")
    print(f"{style} at step {int(trainer.step)}")
    return {
        name: value.astype(np.float16).astype(np.float32)
        for name, value in trainer.average().items()
    }


def shipped_weights(style: str) -> dict[str, Any]:
    """Return the weights of a style in the package."""
    arrays = generator_weights.read(SHIPPED / style / "cartoon_bg.npz")
    return {f"generator/{name}": array for name, array in arrays.items()}


def export(style: str, faces: Path, weights: dict[str, Any]) -> None:
    """Write a style with these generator weights to the package."""
    graph = network.frozen_graph(weights).SerializeToString(deterministic=True)
    with TemporaryDirectory() as folder:
        source, converted = Path(folder, style), Path(folder, "converted")
        shutil.copytree(faces, source)
        for name in GENERATORS:
            (source / name).write_bytes(graph)
        (source / "configuration.json").write_text(json.dumps(CONFIGURATION, indent=2) + "\n")
        shutil.copy(SHIPPED_COMMON / "LICENSES.md", source)
        opened = replace(open_folder(source), style=style, model=style)
        convert_model(opened, converted, force=False, report=print)
        (SHIPPED / style).mkdir(exist_ok=True)
        for path in converted.iterdir():
            shutil.copy(path, SHIPPED / style if path.name in OWN_FILES else SHIPPED_COMMON)
    print(f"{style} is in {SHIPPED / style}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder of face networks and head mask")
    parser.add_argument("styles", nargs="*", default=list(FILTERS), help="default: all")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder of checkpoints")
    parser.add_argument("--keep-generators", action="store_true", help="keep generator weights")
    arguments = parser.parse_args()
    work = arguments.work.expanduser()
    for style in arguments.styles:
        weights = (
            shipped_weights(style) if arguments.keep_generators else trained_weights(style, work)
        )
        export(style, arguments.faces, weights)


if __name__ == "__main__":
    main()
