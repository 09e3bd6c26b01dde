"""Encoders of the codec benchmark: what they write, and the table of ratios."""

import numpy as np
import pytest

from benchmarks.codecs import ENCODERS, Total, encoding_table, filtered, psnr
from tests.support.encoded_images import decoded, gradient


@pytest.mark.parametrize("format", ENCODERS)
def test_each_encoder_preserves_the_image(format):
    image = gradient(40, 24)
    for name, encoder in ENCODERS[format]().items():
        error = np.abs(decoded(encoder(image)).astype(int) - image).mean()
        assert error <= (0 if format == "png" else 3), name


@pytest.mark.parametrize("format", ENCODERS)
def test_candidates_differ_from_the_reference(format):
    """A parameter that is ignored would make a row that says nothing."""
    image = np.random.default_rng(0).integers(0, 32, (120, 80, 3), np.uint8)
    image += gradient(120, 80)
    sizes = {name: len(encoder(image)) for name, encoder in ENCODERS[format]().items()}
    reference, *others = sizes
    same = {name for name in others if sizes[name] == sizes[reference]}
    assert same <= {"Pillow, 4:2:0", "Pillow, method 2"}


@pytest.mark.parametrize(("filter", "axis"), [(1, 1), (2, 0)], ids=["sub", "up"])
def test_filter_is_that_of_png(filter, axis):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    kept = []
    filtered(lambda rows: kept.append(rows.copy()) or b"", filter)(image)
    (rows,) = kept
    assert set(rows[:, 0]) == {filter}
    differences = rows[:, 1:].reshape(image.shape)
    np.testing.assert_array_equal(np.add.accumulate(differences, axis, np.uint8), image)


def test_psnr():
    image = np.full((8, 8, 3), 100, np.uint8)
    png = next(iter(ENCODERS["png"]().values()))
    assert psnr(png(image), image) == float("inf")
    assert psnr(png(image + 1), image) == pytest.approx(20 * np.log10(255))


def test_table_has_ratios_to_the_first_encoder():
    totals = {
        "first": {"noise": Total(200, 4.0, [40.0, 42.0])},
        "second": {"noise": Total(100, 1.0, [30.0, 31.0])},
    }
    lines = encoding_table(totals, lossy=True).splitlines()
    assert lines[0] == "| encoder | noise: bytes | CPU | PSNR |"
    assert lines[2:] == ["| first | 1.00 | 1.00 | 41.0 |", "| second | 0.50 | 0.25 | 30.5 |"]
    with pytest.raises(AssertionError, match="first changes pixels"):
        encoding_table(totals, lossy=False)
