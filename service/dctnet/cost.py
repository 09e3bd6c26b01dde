"""Cost model: a job's slot time, in working pixels of the generator.

The generator's time grows with its working pixels. Decoding, resizing and encoding grow with the
image's own pixels, which for a thin image are thousands of times as many. The constants are
measured by ``benchmarks/cost.py``: CPU seconds for a pixel, in those of a working pixel on one
thread. They are those of photos in the files that are slowest to decode. Noise takes up to 2.2
times as much.
"""

from typing import Final

from dctnet.engine.geometry import output_size, working_size
from dctnet.imaging import Format, ImageHeader, InputFormat

MIN_COST: Final = 256 * 256
"""Least generator cost, in working pixels: tiny images take more time per pixel, which would make
predictions for large images far too long."""

DECODE_COST: Final[dict[InputFormat, float]] = {
    "JPEG": 0.06,
    "PNG": 0.08,
    "WEBP": 0.09,
    "AVIF": 0.2,
    "HEIC": 0.2,
}
"""Cost of decoding one pixel and converting its colours, by the image's format."""

RESIZE_COST: Final = 0.02
"""Cost of resizing one pixel down to the working size and back up. Mixing at a reduced size takes
at most as much again; it is not counted, as few requests mix in a size close to the image's."""

ENCODE_COST: Final[dict[Format, float]] = {"png": 0.02, "jpeg": 0.01, "webp": 0.3}
"""Cost of encoding one pixel, by the response's format."""


SWITCH_COST: Final = 40_000
"""Cost of transforming the weights of a style's two generators, if they are not kept."""


def job_cost(
    image: ImageHeader,
    response: Format,
    max_working_side: int,
    generator_threads: float = 1.0,
    max_side: int | None = None,
    *,
    is_hot: bool = True,
) -> float:
    """Return the cost of a job.

    ``max_side`` limits the longest side of the cartoon, in pixels, and so the cost of encoding.
    ``generator_threads`` is how many threads the generator has when all slots compute: the stages
    before and after it have one, so that each of their seconds costs as many of its pixels more.
    ``is_hot`` says whether the style's weights are ready.
    """
    working_height, working_width = working_size(image.height, image.width, max_working_side)
    output_height, output_width = output_size(image.height, image.width, max_side)
    decoding = image.height * image.width * (DECODE_COST[image.format] + RESIZE_COST)
    encoding = output_height * output_width * ENCODE_COST[response]
    generating = max(working_height * working_width, MIN_COST)
    rest = decoding + encoding + (0 if is_hot else SWITCH_COST)
    return generating + rest * generator_threads
