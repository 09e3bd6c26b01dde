"""Writes the trained generator as the frozen graphs of a model folder.

Both graphs get the same weights: the cartoon of a head differs from its background's in this model
only by the scale that it is drawn at.
"""

import argparse
from pathlib import Path

from demo_model import network
from demo_model.train import DEFAULT_WORK, Trainer

GRAPHS = ("cartoon_bg.pb", "cartoon_h.pb")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the graphs go")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="where train.py worked")
    arguments = parser.parse_args()
    trainer = Trainer(arguments.work.expanduser(), "float32")
    if int(trainer.step) == 0:
        raise SystemExit(f"{arguments.work} holds no checkpoint; run demo_model.train first.")
    graph = network.frozen_graph(trainer.average()).SerializeToString(deterministic=True)
    for name in GRAPHS:
        (arguments.folder / name).write_bytes(graph)
    print(f"step {int(trainer.step)}: {len(graph) / 1e6:.1f} MB each of {' and '.join(GRAPHS)}")


if __name__ == "__main__":
    main()
