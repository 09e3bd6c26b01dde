"""Sizes and padding equal upstream's resize_size and padTo16x."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctnet.engine.geometry import (
    MAX_SHORT_SIDE,
    largest_padded_size,
    output_size,
    pad_to_multiple,
    resize,
    working_size,
)
from tests.support.hypothesis_profiles import examples
from tests.support.upstream import cartoon

UNBOUNDED = 10**9

sides = st.integers(1, 1600)


@examples(60)
@given(height=sides, width=sides)
def test_working_image_equals_upstream(height, width):
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = cartoon.resize_size(image, size=720)
    found = resize(image, *working_size(height, width, UNBOUNDED))
    np.testing.assert_array_equal(found, expected)


@examples(60)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_padding_equals_upstream(height, width):
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected, padded_height, padded_width = cartoon.padTo16x(image)
    assert (padded_height, padded_width) == (height, width)
    np.testing.assert_array_equal(pad_to_multiple(image), expected)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (MAX_SHORT_SIDE, 1280, (720, 1280)),  # At both limits.
        (MAX_SHORT_SIDE + 1, 1280, (720, 1278)),  # One past the short side's.
        (MAX_SHORT_SIDE, 1281, (719, 1280)),  # One past the long side's.
        (4000, 16, (1280, 5)),
        (16, 4000, (5, 1280)),
        (1, 100_000, (1, 1280)),
        (3, 5, (3, 5)),
    ],
)
def test_working_size_is_bounded_and_positive(height, width, expected):
    assert working_size(height, width, 1280) == expected


@given(height=st.integers(1, 50_000), width=st.integers(1, 50_000), cap=st.integers(16, 4000))
def test_working_size_stays_within_max_side(height, width, cap):
    working = working_size(height, width, cap)
    assert 1 <= min(working) <= MAX_SHORT_SIDE
    assert max(working) <= cap
    if max(height, width) <= min(cap, MAX_SHORT_SIDE):
        assert working == (height, width)


@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    cap=st.sampled_from([256, 700, 1270, 1280]),
)
def test_padded_working_size_stays_within_reserved_memory(height, width, cap):
    working = np.zeros((*working_size(height, width, cap), 3), np.uint8)
    most_high, most_wide = largest_padded_size(cap)
    assert pad_to_multiple(working).size <= most_high * most_wide * 3


@given(
    height=st.integers(1, 1_000_000),
    width=st.integers(1, 1_000_000),
    max_side=st.integers(1, 70_000),
)
def test_output_size_keeps_the_ratio_and_never_enlarges(height, width, max_side):
    output = output_size(height, width, max_side)
    assert max(output) == min(max(height, width), max_side)
    scale = min(1, max_side / max(height, width))
    for side, image_side in zip(output, (height, width), strict=True):
        assert 1 <= side <= image_side
        assert abs(side - image_side * scale) < 1
    assert output_size(width, height, max_side) == output[::-1]


@pytest.mark.parametrize(
    ("max_side", "expected"),
    [(None, (300, 400)), (401, (300, 400)), (400, (300, 400)), (399, (299, 399)), (1, (1, 1))],
)
def test_output_size_at_its_limits(max_side, expected):
    assert output_size(300, 400, max_side) == expected
