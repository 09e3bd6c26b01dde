"""Evaluation of a shipped style's generator on held-out images against its filter.

Prints a Markdown table for three sizes. Lightness is CIE L*, 0 to 100.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from dctnet.arrays import Pixels
from dctnet.models import generator_weights
from dctnet.models.folder import SHIPPED
from dctnet.runtimes import native, native_library
from shipped_styles import training_images
from shipped_styles.filters import FILTERS
from shipped_styles.filters.smoothing import Plane, blur, slope, to_lab

SIDES = (256, 512, 1024)
"""Shorter sides of the measured images, in pixels."""

FLAT_SLOPE = 0.5
"""A pixel is flat if lightness changes by less, per pixel."""

LINE_SIGMA, LINE_DARKNESS = 4.0, 8.0
"""A pixel is on a line if it is that much darker than its surroundings, of that deviation."""


class Results(NamedTuple):
    """Comparison of a generated cartoon with the filter's."""

    psnr: float
    """Peak signal-to-noise ratio, in dB."""
    ssim: float
    """Structural similarity, of 1."""
    flat_share: float
    """Flat area, relative to the filter's."""
    line_contrast: float
    """Darkness of the filter's lines, relative to the filter's."""
    colour_shift: float
    """Largest difference of a channel's mean, in levels of 255."""
    psnr_to_photo: float
    """How much of a photo is left, in dB."""


def evaluate(photo: Pixels, generated: Pixels, target: Pixels) -> Results:
    """Compare a generated cartoon of a photo with the filter's; each HxWx3 uint8 BGR."""
    light, expected = (to_lab(image)[..., 0] for image in (generated, target))
    lines = darkness(expected) > LINE_DARKNESS
    return Results(
        psnr=cv2.PSNR(generated, target),
        ssim=float(structural_similarity(generated, target, channel_axis=2)),
        flat_share=flat_share(light) / flat_share(expected),
        line_contrast=float(darkness(light)[lines].mean() / darkness(expected)[lines].mean()),
        colour_shift=float(np.abs(generated.mean((0, 1)) - target.mean((0, 1))).max()),
        psnr_to_photo=cv2.PSNR(generated, photo),
    )


def flat_share(light: Plane) -> float:
    """Return the share of pixels whose lightness hardly changes."""
    return float((slope(light) < FLAT_SLOPE).mean())


def darkness(light: Plane) -> Plane:
    """Return how much darker each pixel is than its surroundings."""
    return blur(light, LINE_SIGMA) - light


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


def generator_of(style: str) -> Callable[[Pixels], Pixels]:
    """Return the generator of a shipped style: HxWx3 uint8 BGR, sides multiples of 16."""
    pool = native.ScratchPool(native_library.library(native_library.select_variant()))
    weights = generator_weights.read(SHIPPED / style / "cartoon_bg.npz")
    return native.NativeGenerator(weights, pool)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("styles", nargs="*", default=list(FILTERS), help="default: all")
    print(
        "| style | image | shorter side | PSNR, dB | SSIM | flat area | line contrast"
        " | colour shift, levels | PSNR to the photo, dB | Nyquist energy | filter's |"
    )
    print(f"|{'---|' * 11}")
    for style in parser.parse_args().styles:
        generate = generator_of(style)
        for name, image in training_images.HELD_OUT.items():
            for side in SIDES:
                photo = training_images.resize(image.read(), side)
                generated, target = generate(photo), FILTERS[style](photo)
                r = evaluate(photo, generated, target)
                print(
                    f"| {style} | {name} | {side} | {r.psnr:.1f} | {r.ssim:.2f}"
                    f" | {r.flat_share:.0%} | {r.line_contrast:.0%} | {r.colour_shift:.1f}"
                    f" | {r.psnr_to_photo:.1f} | {nyquist_energy(generated):.4f}"
                    f" | {nyquist_energy(target):.4f} |"
                )


if __name__ == "__main__":
    main()
