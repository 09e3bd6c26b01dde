"""Export of a shipped style, which ships converted, to the upstream format.

    python -m shipped_styles.upstream FOLDER [STYLE]

The frozen graphs compute the same as the converted networks, from the same weights. The reference
runtime, upstream's pipeline and `dctnet prepare` can thus use it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import onnx
import tensorflow.compat.v1 as tf

from dctnet.models import generator_weights, manifest, networks
from dctnet.models.folder import (
    ALPHA,
    GOLDEN_INPUT,
    GOLDEN_OUTPUT,
    SHIPPED,
    ModelFolder,
    open_folder,
)
from dctnet.models.manifest import Manifest
from dctnet.models.styles import SHIPPED_STYLES
from dctnet.runtimes import signatures
from dctnet.runtimes.signatures import TRAINING, Signature
from shipped_styles import network
from shipped_styles.faces.onnx_graph import translate

CONFIGURATION = {
    "framework": "tensorflow",
    "task": "image-portrait-stylization",
    "pipeline": {"type": "unet-person-image-cartoon"},
}
"""Content of `configuration.json`, as in a public model, for the hub's client."""

COPIED_FILES = (ALPHA, GOLDEN_INPUT, GOLDEN_OUTPUT, "LICENSES.md")


def write_upstream_format(folder: Path, style: str = "comic") -> str:
    """Write a shipped style to an empty folder, return its manifest's digest."""
    converted = open_folder(SHIPPED / style)
    for name in networks.NETWORKS:
        graph = _graph(converted, name)
        path = folder / networks.file_name(name, "tensorflow")
        path.write_bytes(graph.SerializeToString(deterministic=True))
    for name in COPIED_FILES:
        (folder / name).write_bytes(converted.files.read(name))
    configuration = json.dumps(CONFIGURATION, indent=2) + "\n"
    (folder / "configuration.json").write_text(configuration, encoding="ascii")
    files = {path.name: manifest.record_file(path) for path in folder.iterdir()}
    return manifest.write(folder, Manifest(style, style, "", files))


def _graph(converted: ModelFolder, name: str) -> Any:
    """Return the frozen graph of a network."""
    stem = converted.networks[name].same_as or name
    if name in networks.GENERATORS:
        weights = generator_weights.read(converted.files[networks.file_name(stem, "native")])
        return network.frozen_graph({f"generator/{key}": array for key, array in weights.items()})
    signature = signatures.DETECTOR if name == "detector" else signatures.LANDMARKS
    return _face_graph(converted.files.read(networks.file_name(stem, "onnxruntime")), signature)


def _face_graph(model: bytes, signature: Signature) -> Any:
    """Return a face network's frozen graph, with upstream's tensors, from its ONNX model."""
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, signature.shape, _operation(signature.image))
        tf.placeholder(tf.bool, [], _operation(TRAINING))
        graph_of_onnx = onnx.load_model_from_string(model).graph
        outputs = translate(graph_of_onnx, {signature.image: image})
        for name in signature.outputs:
            tf.identity(outputs[name], name=_operation(name))
    return graph.as_graph_def()


def _operation(tensor: str) -> str:
    return tensor.removesuffix(":0")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder to create")
    parser.add_argument("style", nargs="?", default="comic", choices=SHIPPED_STYLES)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    print(write_upstream_format(arguments.folder, arguments.style))


if __name__ == "__main__":
    main()
