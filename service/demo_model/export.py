"""Export of the trained generator to the frozen graphs of a model folder.

Both graphs have the same weights: in this model a head and its background differ only in scale.
"""

import argparse
from pathlib import Path

from demo_model import network
from demo_model.train import DEFAULT_WORK, Trainer

GRAPHS = ("cartoon_bg.pb", "cartoon_h.pb")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder")
    parser.add_argument(
        "--work", type=Path, default=DEFAULT_WORK, help="checkpoint folder of demo_model.train"
    )
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
