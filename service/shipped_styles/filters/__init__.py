"""The training targets of the shipped styles: one classical filter for each.

A filter maps a photo to a drawing, both HxWx3 uint8 BGR. A pixel depends on those within 45 pixels
alone: no palette of the image, no noise and no position, so that a convolutional network can learn
it.
"""

from collections.abc import Callable

from dctnet.arrays import Pixels
from shipped_styles.filters import comic, poster, sketch

Filter = Callable[[Pixels], Pixels]

FILTERS: dict[str, Filter] = {"comic": comic.draw, "sketch": sketch.draw, "poster": poster.draw}
