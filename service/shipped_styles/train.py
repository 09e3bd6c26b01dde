"""Training of a shipped style's generator towards its filter.

The style's pool of crops is made first. Training that is interrupted resumes from its last
checkpoint: a batch and its learning rate depend only on the step. `--until` ends it early.
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
import tensorflow as tf

from dctnet.arrays import Pixels
from shipped_styles import network, pool, training_images
from shipped_styles.filters import FILTERS
from shipped_styles.initial_weights import initial_weights, learning_rates

BATCH = 4
SIDES = ((9000, 96), (3500, 160))
"""Numbers of steps and the side of their patches, in pixels: wide surroundings come last."""
STEPS = sum(steps for steps, _ in SIDES)
LINE_STEPS = 1000
"""Last steps, which darken the lines: the others learn the median of where a line may be."""
PEAK_LEARNING_RATE = 8e-4
WARM_UP_STEPS = 200
FINAL_LEARNING_RATE, LINE_LEARNING_RATE = 0.02, 0.15
"""Learning rates when the last steps begin, and of these, as fractions of the peak."""
PALE_LINE_WEIGHT = 3.0
"""Weight of lines that are too light in the loss of the last steps."""
MEANS_WEIGHT, LAST_MEANS_WEIGHT = 0.5, 2.0
"""Weights of colour casts in the loss, and in that of the last steps: lines darken the mean."""
LINE_SIDE, LINE_DARKNESS = 9, 0.16
"""A pixel is on a line if it is that much darker than the mean of a square, of 2 and in pixels."""
AVERAGE_DECAY = 0.998
DEFAULT_WORK = Path("~/.cache/dctnet-training")
CHECKPOINT_STEPS = 250
VALIDATION_SIDE = 320
"""Shorter side of the held-out images for the validation loss, in pixels."""


class Trainer:
    """Weights, their moving average and optimizer state, all kept in a checkpoint."""

    def __init__(self, style: str, work: Path, precision: str) -> None:
        self._precision = tf.dtypes.as_dtype(precision)
        # Adam changes each variable by the learning rate, and so each weight by its factor of it.
        self._factors = learning_rates(style)
        initial = {
            name: value / self._factors[name]
            for name, value in initial_weights(style, pool.SEED).items()
        }
        self._weights = {name: tf.Variable(value) for name, value in initial.items()}
        self._average = {name: tf.Variable(value) for name, value in initial.items()}
        self._optimizer = tf.keras.optimizers.Adam(1e-3, beta_2=0.99, global_clipnorm=1.0)
        self._optimizer.build(list(self._weights.values()))
        self.step = tf.Variable(0, dtype=tf.int64)
        checkpoint = tf.train.Checkpoint(
            weights=list(self._weights.values()),
            average=list(self._average.values()),
            moments=self._optimizer.variables,
            step=self.step,
        )
        self._checkpoints = tf.train.CheckpointManager(checkpoint, str(work / style), max_to_keep=4)
        self._checkpoints.restore_or_initialize()

    def save(self) -> None:
        """Write a checkpoint."""
        self._checkpoints.save(self.step)

    def average(self) -> dict[str, np.ndarray]:
        """Return the averaged weights, for export, by name in the graph."""
        return {name: value.numpy() * self._factors[name] for name, value in self._average.items()}

    @tf.function(reduce_retracing=True)
    def update(self, x: Any, target: Any, learning_rate: Any, is_last: Any) -> Any:
        """Take one step of Adam and return the loss."""
        variables = list(self._weights.values())
        with tf.GradientTape() as tape:
            y = network.unet(
                x, lambda name: self._weights[name] * self._factors[name], self._precision
            )
            y = network.guided_filter(x, y)
            loss = distance(y, target) + is_last * line_loss(y, target)
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        step = tf.cast(self.step, tf.float32)
        # A lower decay at first, so that the average forgets the initial weights.
        decay = tf.minimum(AVERAGE_DECAY, (1 + step) / (10 + step))
        for name, variable in self._average.items():
            variable.assign(decay * variable + (1 - decay) * self._weights[name])
        self.step.assign_add(1)
        return loss

    @tf.function(reduce_retracing=True)
    def validate(self, x: Any, target: Any) -> Any:
        """Return the averaged weights' loss and mean squared error, in float32."""
        y = network.guided_filter(
            x, network.unet(x, lambda name: self._average[name] * self._factors[name])
        )
        error = tf.reduce_mean(tf.square(tf.clip_by_value(y, -1.0, 1.0) - target))
        return distance(y, target), error


def distance(y: Any, target: Any) -> Any:
    """Return the loss: L1 of pixels, of gradients (lines, flats) and of 8x8 means (colour cast)."""
    error = y - target
    across = tf.reduce_mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]))
    down = tf.reduce_mean(tf.abs(error[:, 1:] - error[:, :-1]))
    return tf.reduce_mean(tf.abs(error)) + 0.5 * (across + down) + MEANS_WEIGHT * means(error)


def means(error: Any) -> Any:
    """Return the mean magnitude of 8x8 means."""
    return tf.reduce_mean(tf.abs(tf.nn.avg_pool2d(error, 8, 8, "VALID")))


def line_loss(y: Any, target: Any) -> Any:
    """Return what the last steps add to the loss: lines that are too light, and colour casts."""
    light = tf.reduce_mean(target, axis=3, keepdims=True)
    surroundings = tf.nn.avg_pool2d(light, LINE_SIDE, 1, "SAME")
    lines = tf.cast(surroundings - light > LINE_DARKNESS, tf.float32)
    pale = tf.reduce_mean(lines * tf.nn.relu(y - target))
    return PALE_LINE_WEIGHT * pale + (LAST_MEANS_WEIGHT - MEANS_WEIGHT) * means(y - target)


def learning_rate(step: int) -> float:
    """Return the learning rate: linear warm-up, half a cosine, and a linear fall to zero."""
    cosine_steps = STEPS - LINE_STEPS
    if step >= cosine_steps:
        return PEAK_LEARNING_RATE * LINE_LEARNING_RATE * (STEPS - step) / LINE_STEPS
    fall = 0.5 * (1 + np.cos(np.pi * step / cosine_steps))
    scale = FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * fall
    return float(PEAK_LEARNING_RATE * scale * min(1.0, (step + 1) / WARM_UP_STEPS))


def side_of(step: int) -> int:
    """Return the side of a step's patches, in pixels."""
    for steps, side in SIDES:
        if step < steps:
            return side
        step -= steps
    raise ValueError(step)


def normalise(x: Pixels) -> np.ndarray:
    """Scale 0..255 to [-1, 1]."""
    return x.astype(np.float32) / 127.5 - 1


def batches(crops: pool.Pool, start: int, stop: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the batches of steps start to stop, prepared ahead in a thread."""

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        inputs, targets = crops.batch(step, BATCH, side_of(step))
        return normalise(inputs), normalise(targets)

    ahead = 4
    with ThreadPoolExecutor(1) as thread:
        pending = [thread.submit(batch, step) for step in range(start, min(start + ahead, stop))]
        for step in range(start, stop):
            if step + ahead < stop:
                pending.append(thread.submit(batch, step + ahead))
            yield pending.pop(0).result()


def validation_set(style: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the held-out images and their drawings, each 1xHxWx3 float32 BGR in [-1, 1]."""
    inputs = [
        training_images.resize(p.read(), VALIDATION_SIDE) for p in training_images.HELD_OUT.values()
    ]
    return [(normalise(x)[np.newaxis], normalise(FILTERS[style](x))[np.newaxis]) for x in inputs]


def train(style: str, work: Path, precision: str, threads: int, until: int) -> None:
    """Train up to the step `until`; print the losses at each checkpoint."""
    crops = pool.read(style, work, threads)
    trainer = Trainer(style, work, precision)
    held_out = validation_set(style)
    start = int(trainer.step)
    losses: list[Any] = []
    began = time.monotonic()
    for step, (x, target) in enumerate(batches(crops, start, until), start + 1):
        is_last = np.float32(step > STEPS - LINE_STEPS)
        losses.append(trainer.update(x, target, np.float32(learning_rate(step - 1)), is_last))
        if step % CHECKPOINT_STEPS == 0 or step == until:
            results = np.array([trainer.validate(*pair) for pair in held_out]).mean(axis=0)
            trainer.save()
            print(
                f"step {step} loss {np.mean(losses):.5f} validation loss {results[0]:.5f} "
                f"PSNR {10 * np.log10(4 / results[1]):.2f} dB "
                f"{(time.monotonic() - began) / (step - start):.3f} s/step",
                flush=True,
            )
            losses.clear()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("style", choices=FILTERS)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="pools and checkpoints")
    parser.add_argument("--until", type=int, default=STEPS, help=f"last step, {STEPS} by default")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of TensorFlow; results vary with it"
    )
    parser.add_argument(
        "--precision",
        choices=("bfloat16", "float32"),
        default="bfloat16",
        help="precision of the residual blocks; bfloat16 is faster with AVX512_BF16",
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    work = arguments.work.expanduser()
    train(arguments.style, work, arguments.precision, arguments.threads, arguments.until)


if __name__ == "__main__":
    main()
