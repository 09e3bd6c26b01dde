"""Evaluation of the demo generator on held-out images against its training target.

Prints a Markdown table for three sizes: PSNR to the filter's cartoon, the largest difference of a
channel's mean, and the energy at the Nyquist frequency of cartoon and photo.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tensorflow.compat.v1 as tf

from dctnet.arrays import Pixels
from demo_model import training_images
from demo_model.filter import cartoon

SIDES = (256, 512, 1024)
"""Shorter sides of the measured images, in pixels."""


def generator(path: Path) -> Callable[[Pixels], Pixels]:
    """Load a frozen generator: HxWx3 uint8 BGR in and out, sides multiples of 16."""
    definition = tf.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    session = tf.Session(graph=graph)
    return session.make_callable("output_image:0", ["input_image:0"])


def psnr(cartoon: Pixels, target: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return float(cv2.PSNR(cartoon, target))


def colour_shift(cartoon: Pixels, target: Pixels) -> float:
    """Return the largest difference of a channel's mean, in levels of 255."""
    return float(np.abs(cartoon.mean((0, 1)) - target.mean((0, 1))).max())


def nyquist_energy(image: Pixels) -> float:
    """Return the mean square amplitude at the Nyquist frequency, in levels.

    A checkerboard or stripes of one pixel are at the Nyquist frequency: the rows and columns of the
    discrete Fourier transform at half the sampling rate. A Hann window suppresses the discontinuity
    between opposite borders.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    height, width = (side // 2 * 2 for side in grey.shape)
    grey = grey[:height, :width]
    window = np.hanning(height)[:, np.newaxis] * np.hanning(width)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    return float((power[height // 2].sum() + power[:, width // 2].sum()) / window.sum() ** 2)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "graph", type=Path, help="frozen graph of a generator, such as cartoon_bg.pb"
    )
    generate = generator(parser.parse_args().graph)
    print("| image | shorter side | PSNR, dB | colour shift, levels | Nyquist energy | photo's |")
    print("|---|---|---|---|---|---|")
    for name, image in training_images.HELD_OUT.items():
        for side in SIDES:
            photo = training_images.resize(image.read(), side)
            generated, target = generate(photo), cartoon(photo)
            print(
                f"| {name} | {side} | {psnr(generated, target):.1f} "
                f"| {colour_shift(generated, target):.1f} "
                f"| {nyquist_energy(generated):.4f} | {nyquist_energy(photo):.4f} |"
            )


if __name__ == "__main__":
    main()
