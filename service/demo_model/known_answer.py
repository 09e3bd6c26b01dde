"""Writes the demo model's known answer: a portrait, and what the reference runtime draws of it.

Its face is found and drawn, so that the answer is wrong where any of the four networks is.
"""

import argparse
from pathlib import Path

import numpy as np

from dctnet.engine import Engine, read_alpha
from dctnet.models.known_answer import KnownAnswer
from dctnet.runtimes import tensorflow
from demo_model.pictures import HELD_OUT

PORTRAIT = np.s_[16:240, 112:336]
"""The astronaut's head: small, since every slot draws it at every start."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the model folder, which gets two pictures")
    folder = parser.parse_args().folder
    engine = Engine(tensorflow.load(folder, threads=1), read_alpha(folder / "alpha.jpg"))
    portrait = np.ascontiguousarray(HELD_OUT["astronaut"].read()[PORTRAIT][..., ::-1])
    cartoon = engine.cartoonize(portrait)
    if cartoon.faces != 1:
        raise SystemExit(f"The portrait has one face, but {cartoon.faces} were drawn.")
    KnownAnswer(portrait, cartoon.picture).write(folder)


if __name__ == "__main__":
    main()
