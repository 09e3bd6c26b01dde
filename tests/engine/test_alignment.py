"""Head alignment equals upstream's warp_and_crop_face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.arrays import Floats
from dctnet.engine.alignment import HEAD_SIDE, REFERENCE_POINTS, align, crop_head
from tests.support.hypothesis_profiles import examples
from tests.support.lazy_import import LazyModule
from tests.support.upstream import cartoon

align_trans = LazyModule("modelscope.models.cv.cartoon.mtcnn_pytorch.src.align_trans")

IMAGE = np.random.default_rng(0).integers(0, 256, (200, 260, 3), dtype=np.uint8)


def moved(points: Floats, scale: float, degrees: float, shift: tuple[float, float]) -> Floats:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (scale * points @ rotation.T + shift).astype(np.float32)


@examples(200)
@given(
    scale=st.floats(0.1, 3),
    degrees=st.floats(-180, 180),
    shift=st.tuples(st.floats(-200, 400), st.floats(-200, 400)),
    noise=st.floats(0, 40),
    mirrored=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_alignment_equals_upstream(scale, degrees, shift, noise, mirrored, seed):
    points = REFERENCE_POINTS + np.random.default_rng(seed).normal(0, noise, (5, 2))
    points = moved(points * ([-1, 1] if mirrored else [1, 1]), scale, degrees, shift)
    expected_head, expected_back = cartoon.warp_and_crop_face(
        IMAGE,
        points,
        ratio=0.75,
        reference_pts=align_trans.get_reference_facial_points(default_square=True),
        crop_size=(HEAD_SIDE, HEAD_SIDE),
        return_trans_inv=True,
    )
    alignment = align(points)
    assert alignment is not None
    np.testing.assert_array_equal(alignment.to_image, expected_back)
    np.testing.assert_array_equal(crop_head(IMAGE, alignment), expected_head)


@pytest.mark.parametrize("degrees", [0, 30, -120])
def test_template_shaped_face_maps_to_the_template(degrees):
    points = moved(REFERENCE_POINTS, 0.5, degrees, (70, 40))
    alignment = align(points)
    assert alignment is not None
    upright = points @ alignment.to_head[:, :2].T + alignment.to_head[:, 2]
    np.testing.assert_allclose(upright, REFERENCE_POINTS, atol=1e-3)
    back = REFERENCE_POINTS @ alignment.to_image[:, :2].T + alignment.to_image[:, 2]
    np.testing.assert_allclose(back, points, atol=1e-3)


def test_coinciding_points_have_no_alignment():
    assert align(np.full((5, 2), 77, np.float32)) is None
