"""The generator of DCT-Net: a U-Net of 32 channels with four residual blocks and a guided filter.

The same code builds the trained network and the exported graph. Names and order of the operations
follow the frozen graphs of the public models (architecture: DCT-Net, Men et al., SIGGRAPH 2022,
after White-box Cartoonization, Wang and Yu, CVPR 2020), so that `dctnet prepare` accepts the graph.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

Weights = Callable[[str], Any]
"""Function from a weight's name, such as `generator/Conv/weights`, to its tensor."""

GUIDED_FILTER_EPSILON = 5e-3
# Clipping limit of the public graphs, just inside [-1, 1].
CLIP = 0.999999


def _convolution(x: Any, layer: str, weights: Weights, stride: int = 1) -> Any:
    scope = f"generator/{layer}"
    kernel = _cast(weights(f"{scope}/weights"), x.dtype)
    bias = _cast(weights(f"{scope}/biases"), x.dtype)
    x = tf.raw_ops.Conv2D(
        input=x,
        filter=kernel,
        strides=[1, stride, stride, 1],
        padding="SAME",
        name=f"{scope}/Conv2D",
    )
    return tf.raw_ops.BiasAdd(value=x, bias=bias, name=f"{scope}/BiasAdd")


def _cast(x: Any, dtype: Any) -> Any:
    # The exported graph has no casts.
    return x if x.dtype == dtype else tf.cast(x, dtype)


def _activation(x: Any) -> Any:
    return tf.raw_ops.LeakyRelu(features=x, alpha=0.2, name="LeakyRelu")


def _upsample(x: Any) -> Any:
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    return tf.compat.v1.image.resize_bilinear(x, [height * 2, width * 2])


def unet(x: Any, weights: Weights, block_precision: Any = tf.float32) -> Any:
    """Map images in [-1, 1] to unfiltered cartoons, NxHxWx3 float32, sides multiples of 4.

    `block_precision` is that of the convolutions in the residual blocks, most of the computation.
    """
    full = _activation(_convolution(x, "Conv", weights))
    half = _activation(_convolution(full, "Conv_1", weights, stride=2))
    half = _activation(_convolution(half, "Conv_2", weights))
    quarter = _activation(_convolution(half, "Conv_3", weights, stride=2))
    quarter = _activation(_convolution(quarter, "Conv_4", weights))
    for block in range(4):
        inner = _cast(quarter, block_precision)
        inner = _activation(_convolution(inner, f"block_{block}/conv1", weights))
        inner = _convolution(inner, f"block_{block}/conv2", weights)
        quarter = _cast(inner, quarter.dtype) + quarter
    quarter = _activation(_convolution(quarter, "Conv_5", weights))
    half = _upsample(quarter) + half
    half = _activation(_convolution(half, "Conv_6", weights))
    half = _activation(_convolution(half, "Conv_7", weights))
    full = _upsample(half) + full
    full = _activation(_convolution(full, "Conv_8", weights))
    return _convolution(full, "Conv_9", weights)


def _box(x: Any, channels: int) -> Any:
    kernel = tf.constant(np.full((3, 3, channels, 1), 1 / 9, np.float32))
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def guided_filter(guide: Any, x: Any) -> Any:
    """Guided filter of radius 1, channel by channel; all NxHxWx3.

    He, Sun and Tang, "Guided image filtering" (ECCV 2010).
    """
    shape = tf.shape(guide)
    count = _box(tf.ones((1, shape[1], shape[2], 1)), 1)
    mean_guide = _box(guide, 3) / count
    mean_x = _box(x, 3) / count
    covariance = _box(guide * x, 3) / count - mean_guide * mean_x
    variance = _box(guide * guide, 3) / count - mean_guide * mean_guide
    slope = covariance / (variance + GUIDED_FILTER_EPSILON)
    offset = mean_x - slope * mean_guide
    mean_slope = _box(slope, 3) / count
    return mean_slope * guide + _box(offset, 3) / count


def frozen_graph(weights: dict[str, np.ndarray]) -> Any:
    """Return the generator's GraphDef in the form of the public models.

    From `input_image:0`, float32 HxWx3 BGR in 0..255 with sides multiples of 4, to
    `output_image:0`, uint8 HxWx3 BGR.
    """
    with tf.Graph().as_default() as graph:
        define_generator(lambda name: tf.constant(weights[name], name=name))
    return graph.as_graph_def()


def define_generator(weights: Weights) -> None:
    """Define the generator in the current graph, as upstream's exporter does."""
    image = tf.compat.v1.placeholder(tf.float32, [None, None, 3], "input_image")
    x = image[:, :, :][tf.newaxis] / 127.5 - 1.0
    y = tf.clip_by_value(guided_filter(x, unet(x, weights))[0], -CLIP, CLIP)
    tf.cast((y + 1.0) * 127.5, tf.uint8, name="output_image")
