"""Training of the demo model's generator towards the cartoon filter.

Three runs with fixed numbers of steps continue one another (`--run 1`, `--run 2`, `--run 3`). An
interrupted run resumes from its last checkpoint. A batch depends only on its step number.
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

from demo_model import network, training_images
from demo_model.filter import cartoon

SEED = 20
BATCH = 4
PATCH = 160
"""Side of a training patch in pixels: about twice the network's receptive field."""
STEPS = (5000, 5000, 5000)
"""Steps of each run."""
PEAK_LEARNING_RATE = (1e-3, 6e-4, 3e-4)
WARM_UP_STEPS = 150
FINAL_LEARNING_RATE = 0.02
"""Learning rate at the end of each run, as a fraction of the peak."""
AVERAGE_DECAY = 0.998
DEFAULT_WORK = Path("~/.cache/dctnet-training")
CHECKPOINT_STEPS = 400
VALIDATION_SIDE = 320
"""Shorter side of the held-out images for the validation loss, in pixels."""


class Trainer:
    """Weights, their moving average and optimizer state, all kept in a checkpoint."""

    def __init__(self, work: Path, precision: str) -> None:
        self._precision = tf.dtypes.as_dtype(precision)
        initial = network.initial_weights(SEED)
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
        self._checkpoints = tf.train.CheckpointManager(checkpoint, str(work), max_to_keep=4)
        self._checkpoints.restore_or_initialize()

    def save(self) -> str:
        """Write a checkpoint and return its path."""
        return str(self._checkpoints.save(self.step))

    def average(self) -> dict[str, np.ndarray]:
        """Return the averaged weights, for export, by name in the graph."""
        return {name: value.numpy() for name, value in self._average.items()}

    @tf.function
    def update(self, x: Any, target: Any, learning_rate: Any) -> Any:
        """Take one step of Adam and return the loss."""
        variables = list(self._weights.values())
        with tf.GradientTape() as tape:
            y = network.unet(
                tf.cast(x, self._precision),
                lambda name: tf.cast(self._weights[name], self._precision),
            )
            loss = distance(network.guided_filter(x, tf.cast(y, tf.float32)), target)
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        step = tf.cast(self.step, tf.float32)
        # A lower decay at first, so that the average forgets the random weights.
        decay = tf.minimum(AVERAGE_DECAY, (1 + step) / (10 + step))
        for name, variable in self._average.items():
            variable.assign(decay * variable + (1 - decay) * self._weights[name])
        self.step.assign_add(1)
        return loss

    @tf.function(reduce_retracing=True)
    def validate(self, x: Any, target: Any) -> Any:
        """Return the averaged weights' loss and mean squared error, in float32."""
        y = network.guided_filter(x, network.unet(x, self._average.__getitem__))
        error = tf.reduce_mean(tf.square(tf.clip_by_value(y, -1.0, 1.0) - target))
        return distance(y, target), error


def distance(y: Any, target: Any) -> Any:
    """Return the loss: L1 of pixels, of gradients (lines) and of 8x8 means (colour cast)."""
    error = y - target
    across = tf.reduce_mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]))
    down = tf.reduce_mean(tf.abs(error[:, 1:] - error[:, :-1]))
    means = tf.reduce_mean(tf.abs(tf.nn.avg_pool2d(error, 8, 8, "VALID")))
    return tf.reduce_mean(tf.abs(error)) + 0.5 * (across + down) + 0.5 * means


def learning_rate(step: int) -> float:
    """Return the learning rate: linear warm-up, then half a cosine, in each run."""
    run = run_of(step)
    step -= sum(STEPS[:run])
    fall = 0.5 * (1 + np.cos(np.pi * step / STEPS[run]))
    scale = FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * fall
    return float(PEAK_LEARNING_RATE[run] * scale * min(1.0, (step + 1) / WARM_UP_STEPS))


def run_of(step: int) -> int:
    """Return the index of the run that a step belongs to."""
    return next(run for run in range(len(STEPS)) if step < sum(STEPS[: run + 1]))


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a step's images and cartoons, BATCHxPATCHxPATCHx3 float32 BGR in [-1, 1]."""
    random = np.random.default_rng([SEED, step])
    inputs = np.stack([training_images.patch(random, PATCH) for _ in range(BATCH)])
    return normalise(inputs), normalise(np.stack([cartoon(x) for x in inputs]))


def normalise(x: np.ndarray) -> np.ndarray:
    """Scale 0..255 to [-1, 1]."""
    return x.astype(np.float32) / 127.5 - 1


def batches(start: int, stop: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the batches of steps start to stop, prepared ahead in a thread."""
    ahead = 8
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(batch, step) for step in range(start, min(start + ahead, stop))]
        for step in range(start, stop):
            if step + ahead < stop:
                pending.append(pool.submit(batch, step + ahead))
            yield pending.pop(0).result()


def validation_set() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the held-out images and their cartoons, each 1xHxWx3 float32 BGR in [-1, 1]."""
    inputs = [
        training_images.resize(p.read(), VALIDATION_SIDE) for p in training_images.HELD_OUT.values()
    ]
    return [(normalise(x)[np.newaxis], normalise(cartoon(x))[np.newaxis]) for x in inputs]


def train(run: int, work: Path, precision: str) -> None:
    """Run the remaining steps of a run; print the losses at each checkpoint."""
    trainer = Trainer(work, precision)
    held_out = validation_set()
    first, last = sum(STEPS[: run - 1]), sum(STEPS[:run])
    start = int(trainer.step)
    if not first <= start < last:
        raise SystemExit(f"run {run} covers steps {first} to {last}; {work} is at step {start}")
    losses: list[Any] = []
    began = time.monotonic()
    for step, (x, target) in enumerate(batches(start, last), start + 1):
        losses.append(trainer.update(x, target, np.float32(learning_rate(step - 1))))
        if step % CHECKPOINT_STEPS == 0 or step == last:
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
    parser.add_argument("--run", type=int, choices=(1, 2, 3), required=True)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument(
        "--precision",
        choices=("bfloat16", "float32"),
        default="bfloat16",
        help="precision of the convolutions; bfloat16 is 2.4 times as fast with AVX512_BF16",
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    train(arguments.run, arguments.work.expanduser(), arguments.precision)


if __name__ == "__main__":
    main()
