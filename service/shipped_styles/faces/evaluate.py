"""Evaluation of the shipped face networks on images with one face at a known position.

Prints two Markdown tables, by size and by variant: detections and landmark errors.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage.data

from dctnet.arrays import Floats, Pixels
from dctnet.engine.detection import find_faces
from dctnet.engine.landmarks import find_landmarks
from dctnet.models import folder
from dctnet.runtimes import Landmarker, Networks, selection
from shipped_styles.faces.scenes import Placement, Points, collage, paste

SHAPES = ((720, 720), (720, 1080), (720, 1440), (1440, 720))
"""Height and width of the scenes in pixels: working sizes with an aspect ratio up to 2."""

SIZES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7)
"""Sides of the faces, as fractions of the image's shorter side."""

PROMISED_SIZE = 0.1
"""Size from which every face must be found."""

BOX_RANGE = (0.7, 2.0)
"""Range of a box's side, in sides of its face."""


@dataclass(frozen=True)
class Scene:
    """One face in one image."""

    size: float
    change: str
    shape: tuple[int, int]
    seed: int
    placement: Placement

    def image(self) -> Pixels:
        """Render the scene, HxWx3 uint8 RGB."""
        return paste(collage(*self.shape, self.seed), self.placement)


@dataclass(frozen=True)
class Result:
    """Result of the networks on a scene."""

    scene: Scene
    found: bool
    others: int
    """Number of boxes without a face."""
    error: float | None
    """Mean landmark error, in distances between the eyes' outer corners; None if the face is not
    found or too small."""


def _at_border(placement: Placement, height: int, width: int, edge: int) -> Placement:
    x, y = placement.middle
    half = placement.side / 2
    middle = ((half, y), (width - half, y), (x, half), (x, height - half))[edge]
    return replace(placement, middle=middle)


CHANGES: dict[str, Callable[[Placement, int, int, int], Placement]] = {
    "none": lambda placement, *_: placement,
    "turned by -30°": lambda placement, *_: replace(placement, roll=-30),
    "turned by -15°": lambda placement, *_: replace(placement, roll=-15),
    "turned by 15°": lambda placement, *_: replace(placement, roll=15),
    "turned by 30°": lambda placement, *_: replace(placement, roll=30),
    "mirrored": lambda placement, *_: replace(placement, mirrored=True),
    "dimmed to 0.4": lambda placement, *_: replace(placement, brightness=0.4),
    "touching the border": _at_border,
}
"""Variants: functions of placement, image height and width, and an edge, 0..3."""


def scenes() -> Iterator[Scene]:
    """Yield every size in every variant and shape, at random positions with a fixed seed."""
    random = np.random.default_rng(1)
    for seed, (size, change, shape) in enumerate(
        (size, change, shape) for size in SIZES for change in CHANGES for shape in SHAPES
    ):
        height, width = shape
        side = size * min(shape)
        x = random.uniform(0.6 * side, width - 0.6 * side)
        y = random.uniform(0.6 * side, height - 0.6 * side)
        placement = CHANGES[change](Placement(side, (x, y)), height, width, seed % 4)
        yield Scene(size, change, shape, seed, placement)


def measure(scene: Scene, networks: Networks, truth: Points) -> Result:
    """Evaluate a scene; `truth` is 68x2, the landmarks in the astronaut's image."""
    image = scene.image()
    boxes = find_faces(image, networks.detector)
    hits = [box for box in boxes if holds(box, scene.placement)]
    if not hits:
        return Result(scene, False, len(boxes), None)
    landmarks = landmarks_in(image, hits[0], networks.landmarks)
    wanted = scene.placement.move(truth)
    error = None if landmarks is None else relative_error(landmarks, wanted)
    return Result(scene, True, len(boxes) - 1, error)


def landmarks_in(image: Pixels, box: Floats, landmarker: Landmarker) -> Points | None:
    """Return the landmarks of the face in a box, 68x2 as x, y; None if it is too small."""
    landmarks = find_landmarks(image, box, landmarker)
    # They are truncated to whole pixels; half a pixel corrects this on average.
    return None if landmarks is None else landmarks.astype(np.float64) + 0.5


def holds(box: Floats, placement: Placement) -> bool:
    """Return whether a box, x1, y1, x2, y2, fits the face: size, and center in its middle half."""
    side = (box[2:] - box[:2]).max()
    offset = np.abs((box[:2] + box[2:]) / 2 - placement.middle).max()
    smallest, largest = BOX_RANGE
    return bool(offset < side / 4 and smallest < side / placement.side < largest)


def relative_error(landmarks: Points, wanted: Points) -> float:
    """Return the mean landmark distance, in distances between the outer eye corners."""
    between_eyes = np.linalg.norm(wanted[45] - wanted[36])
    return float(np.linalg.norm(landmarks - wanted, axis=1).mean() / between_eyes)


def row(name: str, results: Iterable[Result]) -> str:
    """Return a table row."""
    group = list(results)
    found = sum(result.found for result in group)
    errors = [result.error for result in group if result.error is not None]
    mean, worst = (
        (f"{100 * np.mean(errors):.1f} %", f"{100 * max(errors):.1f} %") if errors else ("–", "–")
    )
    others = sum(result.others for result in group)
    return f"| {name} | {found} of {len(group)} | {others} | {mean} | {worst} |"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", type=Path, nargs="?", default=folder.SHIPPED / "comic", help="a model folder"
    )
    networks = selection.load(folder.open_folder(parser.parse_args().model), threads=1)
    astronaut = skimage.data.astronaut()
    (box,) = find_faces(astronaut, networks.detector)
    truth = landmarks_in(astronaut, box, networks.landmarks)
    if truth is None:
        raise SystemExit("The face of the unmodified image is too small.")
    results = [measure(scene, networks, truth) for scene in scenes()]
    columns = "found | other boxes | landmark error, mean | worst |\n|---|---|---|---|---|"
    print(f"| side of the face, of the shorter side | {columns}")
    for size in SIZES:
        print(row(f"{size}", (result for result in results if result.scene.size == size)))
    print(f"\n| variant, from size {PROMISED_SIZE} on | {columns}")
    promised = [result for result in results if result.scene.size >= PROMISED_SIZE]
    for change in CHANGES:
        print(row(change, (result for result in promised if result.scene.change == change)))


if __name__ == "__main__":
    main()
