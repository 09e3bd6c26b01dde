"""Head blending equals upstream's formula on the whole image."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.engine.alignment import HEAD_SIDE
from dctnet.engine.blending import blend, read_alpha
from dctnet.models.errors import ModelError
from tests.support.hypothesis_profiles import examples

RNG = np.random.default_rng(0)
HEAD = RNG.integers(0, 256, (HEAD_SIDE, HEAD_SIDE, 3), dtype=np.uint8)
ALPHA = cv2.GaussianBlur(RNG.random((HEAD_SIDE, HEAD_SIDE), dtype=np.float32), (0, 0), 3)
CANVAS = RNG.integers(0, 256, (240, 320, 3)).astype(np.float32)


@examples(200)
@given(
    scale=st.floats(0.05, 3),
    angle=st.floats(-np.pi, np.pi),
    shift=st.tuples(st.floats(-600, 700), st.floats(-600, 700)),
)
def test_blend_equals_upstream(scale, angle, shift):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    to_image = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    size = (CANVAS.shape[1], CANVAS.shape[0])
    head = cv2.warpAffine(HEAD, to_image, size, borderValue=(0, 0, 0))
    alpha = np.expand_dims(cv2.warpAffine(ALPHA, to_image, size, borderValue=(0, 0, 0)), 2)
    expected = alpha * head + (1 - alpha) * CANVAS

    canvas = CANVAS.copy()
    blend(canvas, HEAD, ALPHA, to_image)
    # OpenCV rounds the last pixels of a row differently: 1e-5 of a level here.
    np.testing.assert_allclose(canvas, expected, atol=1e-3)


def test_head_outside_the_image_changes_nothing():
    canvas = CANVAS.copy()
    blend(canvas, HEAD, ALPHA, np.array([[1.0, 0, 1000], [0, 1, 0]]))
    np.testing.assert_array_equal(canvas, CANVAS)


def test_mask_equals_upstream(tmp_path):
    mask = RNG.integers(0, 256, (400, 300, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "alpha.jpg"), mask)
    expected = cv2.imread(str(tmp_path / "alpha.jpg"))
    expected = cv2.resize(expected, (288, 288), interpolation=cv2.INTER_AREA)
    expected = cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255.0
    alpha = read_alpha(tmp_path / "alpha.jpg")
    np.testing.assert_array_equal(alpha, expected)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() < alpha.max() <= 1


def test_invalid_mask_error_is_one_line(tmp_path):
    path = tmp_path / "alpha.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(ModelError, match=r"alpha\.jpg is not an image"):
        read_alpha(path)
