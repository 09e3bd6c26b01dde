"""Build of the shipped face networks and head mask.

First compares the outputs of each network with the TFLite interpreter. The build is reproducible.
"""

import argparse
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from shipped_styles.faces import detector, keypoints, mask, wheel
from shipped_styles.faces.tflite import Network

TOLERANCE = 2e-5
"""Largest difference from the interpreter, relative to an output's largest value."""

BATCH = 4
SEED = 3


def largest_difference(model: bytes) -> float:
    """Return the largest difference of the translated model from the TFLite interpreter.

    Over a batch of uniform noise in -1..1, 192x192x3; relative to each output's largest value.
    """
    from ai_edge_litert.interpreter import Interpreter

    images = np.random.default_rng(SEED).uniform(-1, 1, (BATCH, 192, 192, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        translated = session.run(Network(model)(tf.constant(images)))
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    difference = 0.0
    for index, image in enumerate(images):
        interpreter.set_tensor(entry["index"], image[np.newaxis])
        interpreter.invoke()
        for output, actual in zip(interpreter.get_output_details(), translated, strict=True):
            expected = interpreter.get_tensor(output["index"])[0]
            error = np.abs(actual[index] - expected).max() / np.abs(expected).max()
            difference = max(difference, float(error))
    return difference


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder")
    folder = parser.parse_args().folder
    weights = wheel.read_weights()
    for name, model in weights.items():
        difference = largest_difference(model)
        print(f"{name}: {difference:.1e} from the interpreter")
        if not difference <= TOLERANCE:
            raise SystemExit(f"{name} differs from the interpreter by more than {TOLERANCE:.0e}.")
    graphs = {
        "detector.pb": detector.build(weights[wheel.DETECTOR]),
        "keypoints.pb": keypoints.build(weights[wheel.MESH]),
    }
    files = {name: graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}
    files["alpha.jpg"] = mask.jpeg()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
