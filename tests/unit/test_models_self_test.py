"""The golden pair of a model folder, and its errors."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from dctnet.engine import Engine, read_alpha
from dctnet.lifecycle.warm_up import MAX_MEAN_DIFFERENCE
from dctnet.models.errors import ModelError
from dctnet.models.folder import GOLDEN_INPUT, GOLDEN_OUTPUT, SHIPPED_COMMON, open_folder
from dctnet.models.open_files import OpenFiles
from dctnet.models.self_test import GoldenPair
from dctnet.runtimes import selection
from tests.support.encoded_images import encoded, gradient
from tests.support.shipped import COMIC

KNOWN = GoldenPair(
    np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3), np.full((4, 5, 3), 100, np.uint8)
)

JPEG = encoded(gradient(5, 4), "JPEG")
"""Both files are PNG: no other decoder may open them."""


def files_in(folder: Path) -> OpenFiles:
    return OpenFiles(folder, (path.name for path in folder.iterdir()))


def test_golden_pair_round_trip(tmp_path):
    assert GoldenPair.read(files_in(tmp_path)) is None
    KNOWN.write(tmp_path)
    read = GoldenPair.read(files_in(tmp_path))
    assert read is not None
    np.testing.assert_array_equal(read.image, KNOWN.image)
    np.testing.assert_array_equal(read.cartoon, KNOWN.cartoon)


@pytest.mark.parametrize("name", [GOLDEN_INPUT, GOLDEN_OUTPUT])
@pytest.mark.parametrize("content", [None, b"no image", JPEG], ids=["none", "text", "JPEG"])
def test_unreadable_golden_pair_is_named(tmp_path, name, content):
    KNOWN.write(tmp_path)
    if content is None and name == GOLDEN_INPUT:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content or b"")
    with pytest.raises(ModelError, match=f"Cannot read the golden pair .*{name}"):
        GoldenPair.read(files_in(tmp_path))


def test_difference_is_the_mean_over_all_values():
    assert KNOWN.difference(KNOWN.cartoon) == 0
    one_off = KNOWN.cartoon.copy()
    one_off[0, 0, 0] = 40
    assert KNOWN.difference(one_off) == 1
    assert KNOWN.difference(KNOWN.cartoon[:-1]) == inf


def test_golden_pair_uses_all_networks():
    known = GoldenPair.read(open_folder(COMIC).files)
    assert known is not None
    networks = selection.load(open_folder(COMIC), threads=1)
    alpha = read_alpha(SHIPPED_COMMON / "alpha.jpg")

    def difference(**changed: object) -> float:
        engine = Engine(replace(networks, **changed), alpha)  # type: ignore[arg-type]
        return known.difference(engine.cartoonize(known.image).image)

    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    assert difference() < MAX_MEAN_DIFFERENCE / 4
    assert difference(background=lambda image: image) > MAX_MEAN_DIFFERENCE
    assert difference(head=lambda image: image) > MAX_MEAN_DIFFERENCE
    assert difference(detector=lambda _: nothing) > MAX_MEAN_DIFFERENCE
    landmarks = networks.landmarks
    assert difference(landmarks=lambda face: landmarks(face) + 0.1) > MAX_MEAN_DIFFERENCE
