"""Each type of layer compared with float64, within the rounding error of float32."""

from ctypes import c_float, c_void_p
from typing import Any

import numpy as np
import pytest

from tests.native import reference
from tests.native.reference import gamma

SIZES = [(4, 4), (8, 20), (16, 16), (36, 44), (52, 100)]
"""Heights and widths: smaller than a tile, and with every remainder."""


def _call(function: Any, shape: tuple[int, ...], *arguments: Any, kind: Any = np.float32) -> Any:
    """Call a layer with arrays (as float32) and numbers; return what it wrote, in float64."""
    arrays = [
        np.ascontiguousarray(a, np.float32) if isinstance(a, np.ndarray) else a for a in arguments
    ]
    result = np.full(shape, 77, kind)
    function.restype = None
    function(
        *(c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arrays),
        c_void_p(result.ctypes.data),
    )
    return result.astype(np.float64)


def _float32(random: np.random.Generator, *shape: int) -> reference.Array:
    """Return normal numbers that float32 holds exactly."""
    return random.standard_normal(shape).astype(np.float32).astype(np.float64)


def _require_within(found: reference.Array, true: reference.Array, bound: reference.Array) -> None:
    error = np.abs(found - true)
    assert np.all(error <= bound), f"{np.max(error / bound):.2f} of the bound"


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("inputs", "outputs"), [(32, 32), (32, 64), (64, 32), (128, 128)])
@pytest.mark.parametrize("residual", [False, True])
def test_3x3_convolution(layers, inputs, outputs, height, width, residual):
    random = np.random.default_rng(inputs + outputs + height)
    x = _float32(random, height, width, inputs)
    weights = _float32(random, 3, 3, inputs, outputs)
    bias = _float32(random, outputs)
    other = _float32(random, height, width, outputs)

    found = _call(
        layers.layer_conv3x3,
        (height, width, outputs),
        *(x, height, width, inputs, outputs, weights, bias),
        other if residual else None,
    )

    exact = reference.conv(x, weights, 1, 1) + bias
    true = exact + other if residual else reference.leaky(exact)
    # A term's roundings: two passes of Bᵀ (at most four fused terms and a sum each), the filter's
    # one, a sum over the channels, two passes of Aᵀ (a sum, three fused terms, two sums each), the
    # bias and what comes after.
    roundings = 2 * 5 + 1 + inputs + 2 * 6 + 2
    magnitude = (
        reference.winograd_2d_magnitude(x, weights) + np.abs(bias) + residual * np.abs(other)
    )
    _require_within(found, true, gamma(roundings) * magnitude)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [32, 64])
def test_strided_3x3_convolution(layers, channels, height, width):
    random = np.random.default_rng(channels + height)
    x = _float32(random, height, width, channels)
    weights = _float32(random, 3, 3, channels, channels)
    bias = _float32(random, channels)

    shape = (height // 2, width // 2, channels)
    found = _call(layers.layer_conv3x3_strided, shape, x, height, width, channels, weights, bias)

    true = reference.leaky(reference.conv(x, weights, 0, 1, stride=2) + bias)
    magnitude = reference.conv(np.abs(x), np.abs(weights), 0, 1, stride=2) + np.abs(bias)
    _require_within(found, true, gamma(9 * channels + 2) * magnitude)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("which", ["first", "last"])
def test_7x7_convolution(layers, which, height, width):
    random = np.random.default_rng(height)
    inputs, outputs = (3, 32) if which == "first" else (32, 3)
    x = _float32(random, height, width, inputs)
    weights = _float32(random, 7, 7, inputs, outputs)
    bias = _float32(random, outputs)

    layer = getattr(layers, f"layer_conv7x7_{which}")
    found = _call(layer, (height, width, outputs), x, height, width, weights, bias)

    exact = reference.conv(x, weights, 3, 3) + bias
    true = reference.leaky(exact) if which == "first" else exact
    # Bᵀ: at most five fused terms and a sum; the filter's rounding; the sum over a row's taps;
    # Aᵀ: a sum, four fused terms and two sums; the bias and the leaky ReLU.
    roundings = 6 + 1 + 7 * inputs + 7 + 2
    magnitude = reference.winograd_1d_magnitude(x, weights) + np.abs(bias)
    _require_within(found, true, gamma(roundings) * magnitude)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [32, 64])
def test_upsample_with_skip(layers, channels, height, width):
    random = np.random.default_rng(height)
    low = _float32(random, height // 2, width // 2, channels)
    skip = _float32(random, height, width, channels)

    found = _call(layers.layer_upsample_add, skip.shape, low, skip, height, width, channels)

    true = reference.enlarged(low) + skip
    # Each direction takes a difference and a fused sum; a + (b - a) / 2 has |a| thrice at most
    # where the mean has it once.
    magnitude = 9 * reference.enlarged(np.abs(low)) + np.abs(skip)
    _require_within(found, true, gamma(5) * magnitude)


@pytest.mark.xdist_group("tensorflow")
def test_upsample_equals_tensorflow():
    low = np.arange(12.0).reshape(2, 3, 2)
    tf = pytest.importorskip("tensorflow").compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        expected = session.run(tf.image.resize_bilinear(low[np.newaxis], (4, 6)))[0]
    np.testing.assert_array_equal(reference.enlarged(low), expected)


@pytest.mark.parametrize(("height", "width"), [*SIZES, (4, 100), (100, 4)])
@pytest.mark.parametrize("contrast", [0.0, 0.01, 1.0])
def test_guided_filter(layers, height, width, contrast):
    random = np.random.default_rng(height)
    epsilon = float(np.float32(0.005))
    x, t = (
        (0.3 + contrast * random.uniform(-1, 1, (height, width, 3))).astype(np.float32)
        for _ in range(2)
    )
    found = _call(
        layers.layer_guided_filter,
        (height, width, 3),
        *(x, t, height, width, c_float(epsilon)),
        kind=np.uint8,
    )

    x, t = x.astype(np.float64), t.astype(np.float64)
    mean_x, mean_t = reference.box_mean(x), reference.box_mean(t)
    variance = reference.box_mean(x * x) - mean_x**2
    covariance = reference.box_mean(x * t) - mean_x * mean_t
    slope = covariance / (variance + epsilon)
    offset = mean_t - slope * mean_x
    value = reference.box_mean(slope) * x + reference.box_mean(offset)
    levels = (np.clip(value, -0.999999, 0.999999) + 1) * 127.5

    # A mean is nine terms, a reciprocal and a correction at the border; a product's has one more.
    mean = gamma(9 + 3)
    size_x, size_t = reference.box_mean(np.abs(x)), reference.box_mean(np.abs(t))
    covariance_error = (mean + gamma(3)) * 3 * (reference.box_mean(np.abs(x * t)) + size_x * size_t)
    variance_error = (mean + gamma(3)) * 3 * (reference.box_mean(x * x) + size_x**2)
    below = variance + epsilon - variance_error
    slope_error = (covariance_error + np.abs(slope) * variance_error) / below + gamma(3) * np.abs(
        slope
    )
    offset_error = (mean + gamma(3)) * (size_t + np.abs(slope) * size_x) + slope_error * (
        size_x + mean
    )
    error = reference.box_mean(slope_error) * np.abs(x) + reference.box_mean(offset_error)
    error += (mean + gamma(3)) * (
        reference.box_mean(np.abs(slope)) * np.abs(x) + reference.box_mean(np.abs(offset))
    )
    slack = 127.5 * error + gamma(3) * 255
    assert np.all(found >= np.floor(levels - slack))
    assert np.all(found <= np.floor(levels + slack))
    assert np.all(slack < 0.5)


def test_normalisation_equals_the_graph(layers):
    pixels = np.arange(256, dtype=np.uint8)
    values = np.empty(256, np.float32)
    layers.layer_normalise(c_void_p(pixels.ctypes.data), 256, c_void_p(values.ctypes.data))
    expected = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(values, expected)
