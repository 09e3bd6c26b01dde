"""Translation of TFLite models to TensorFlow operations.

Supports only the operations of the two face networks; rejects others by name. File format:
`schema.fbs` of TensorFlow Lite.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

Array = NDArray[Any]
Tensor = Any
Layer = Callable[..., Tensor]
"""An operation with bound weights: a function of activation tensors."""

_DTYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT32": np.int32}
_DENSE, _SPARSE_CSR = 0, 1
_ACTIVATIONS: dict[int, Layer] = {0: lambda x: x, 1: tf.nn.relu}
_PADDINGS = ("SAME", "VALID")
_SAME = _PADDINGS.index("SAME")
_ONE_PIXEL = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])


class UnsupportedModelError(Exception):
    """The TFLite model uses an unsupported operation or option, which the message names."""


class Network:
    """A TFLite model as a function of tensors; all calls share its weights."""

    def __init__(self, model: bytes, channels: int | None = None) -> None:
        """Add the weights of a model with one subgraph and one input to the default graph.

        Its first output keeps only its first `channels`, from the layers that compute them on; None
        for all. Raises UnsupportedModelError if the model uses an unsupported operation or option.
        """
        parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
        (graph,) = parsed.subgraphs
        (self._input,) = graph.inputs
        self._outputs = list(graph.outputs)
        self._layers: list[tuple[Layer, list[int], int]] = []
        types = {code: name for name, code in vars(schema.TensorType).items()}
        names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
        constants = {}
        kept = {} if channels is None else _kept_channels(parsed, graph, names, channels)
        for index, tensor in enumerate(graph.tensors):
            data = parsed.buffers[tensor.buffer].data
            if data is not None:
                constants[index] = _constant(tensor, data, types[tensor.type])
        padded = {}
        for operator in graph.operators:
            name = _operation(parsed, operator, names)
            (output,) = operator.outputs
            weights = [constants[i] for i in operator.inputs if i in constants]
            activations = [i for i in operator.inputs if i not in constants]
            if output in kept:
                weights = _KEEP_CHANNELS[name](kept[output], weights)
            options = operator.builtinOptions
            if activations and activations[0] in padded and _is_same_padding(options):
                # One operation instead of two, because the detector has eleven copies of each.
                activations[0] = padded[activations[0]]
                options.padding = _SAME
            if name in _WEIGHT_OPERATIONS and not activations:
                (constants[output],) = weights
            elif name in _LAYERS:
                if name == "PAD" and np.array_equal(weights[0], _ONE_PIXEL):
                    padded[output] = activations[0]
                layer = _LAYERS[name](options, *weights)
                self._layers.append((layer, activations, output))
            else:
                raise UnsupportedModelError(f"The operation {name} is not translated.")

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the model's outputs for x, NxHxWxC float32 in the graph of the weights."""
        values = {self._input: x}
        for layer, inputs, output in self._layers:
            values[output] = layer(*(values[index] for index in inputs))
        return [values[index] for index in self._outputs]


def _operation(parsed: Any, operator: Any, names: dict[int, str]) -> str:
    code = parsed.operatorCodes[operator.opcodeIndex]
    # Codes above 127 do not fit the deprecated field.
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _is_same_padding(options: Any) -> bool:
    """Return whether a padding of one pixel before a layer equals its own padding SAME."""
    convolutions = (schema.Conv2DOptionsT, schema.DepthwiseConv2DOptionsT)
    return isinstance(options, convolutions) and (options.strideH, options.strideW) == (1, 1)


def _kept_channels(
    parsed: Any, graph: Any, names: dict[int, str], channels: int
) -> dict[int, NDArray[np.int64]]:
    """Return the channels of tensors of which the first `channels` of the first output depend.

    Back to the last layer that mixes channels.
    """
    kept = {graph.outputs[0]: np.arange(channels)}
    for operator in reversed(graph.operators):
        wanted = kept.get(operator.outputs[0])
        if wanted is None:
            continue
        name, source = _operation(parsed, operator, names), operator.inputs[0]
        if name == "DEPTH_TO_SPACE":
            blocks = operator.builtinOptions.blockSize**2
            depth = graph.tensors[source].shape[-1] // blocks
            kept[source] = np.concatenate([wanted + block * depth for block in range(blocks)])
        elif name in {"RESHAPE", "DEPTHWISE_CONV_2D", "PAD"}:
            kept[source] = wanted
        elif name == "CONV_2D":
            return kept
        else:
            break
    raise UnsupportedModelError("Channels are kept of a convolution's output only.")


def _constant(tensor: Any, data: Array, type_name: str) -> Array:
    """Return the values of a constant tensor, sparse ones made dense."""
    if type_name not in _DTYPES:
        raise UnsupportedModelError(f"Constants of the type {type_name} are not translated.")
    values = data.view(_DTYPES[type_name])
    if tensor.sparsity is None:
        return values.reshape(tensor.shape)
    *outer, last = tensor.sparsity.dimMetadata
    in_order = list(tensor.sparsity.traversalOrder) == list(range(len(tensor.shape)))
    if (
        not in_order
        or tensor.sparsity.blockMap is not None
        or any(dimension.format != _DENSE for dimension in outer)
        or last.format != _SPARSE_CSR
    ):
        raise UnsupportedModelError("Weights sparse in more than their last axis are not known.")
    return expand(values, last.arraySegments.values, last.arrayIndices.values, tensor.shape)


def expand(values: Array, segments: Array, indices: Array, shape: Array) -> Array:
    """Return a dense array from compressed sparse rows.

    All axes but the last are rows. Row i has the values `values[segments[i]:segments[i+1]]` at
    these `indices` of the last axis.
    """
    dense = np.zeros((int(np.prod(shape[:-1])), shape[-1]), values.dtype)
    rows = np.repeat(np.arange(len(dense)), np.diff(np.asarray(segments, np.int64)))
    dense[rows, indices] = values
    return dense.reshape(shape)


def _weights(values: Array) -> Tensor:
    """Add weights to the graph as float16, as in the file, widened at run time."""
    return tf.cast(tf.constant(values), tf.float32)


def _convolution(options: Any, kernel: Array, bias: Array) -> Layer:
    weights, offset = _weights(kernel.transpose(1, 2, 3, 0)), _weights(bias)

    def layer(x: Tensor) -> Tensor:
        y = tf.nn.conv2d(x, weights, _strides(options), _PADDINGS[options.padding])
        return _ACTIVATIONS[options.fusedActivationFunction](tf.nn.bias_add(y, offset))

    return layer


def _depthwise_convolution(options: Any, kernel: Array, bias: Array) -> Layer:
    weights, offset = _weights(kernel.transpose(1, 2, 3, 0)), _weights(bias)

    def layer(x: Tensor) -> Tensor:
        padding = _PADDINGS[options.padding]
        y = tf.nn.depthwise_conv2d_native(x, weights, _strides(options), padding)
        return _ACTIVATIONS[options.fusedActivationFunction](tf.nn.bias_add(y, offset))

    return layer


def _add(options: Any) -> Layer:
    return lambda x, y: _ACTIVATIONS[options.fusedActivationFunction](x + y)


def _max_pool(options: Any) -> Layer:
    window = [1, options.filterHeight, options.filterWidth, 1]
    return lambda x: tf.nn.max_pool2d(x, window, _strides(options), _PADDINGS[options.padding])


def _pad(_: Any, paddings: Array) -> Layer:
    return lambda x: tf.pad(x, paddings)


def _prelu(_: Any, slope: Array) -> Layer:
    # Both terms are depthwise convolutions, which ONNX Runtime computes in its blocked layout; an
    # elementwise product with a channel's slope would convert to and from that layout.
    weights = tf.reshape(_weights(slope), [1, 1, -1, 1])
    ones = [1, 1, 1, 1]

    def layer(x: Tensor) -> Tensor:
        positive = tf.nn.depthwise_conv2d_native(tf.nn.relu(x), 1.0 - weights, ones, "VALID")
        return positive + tf.nn.depthwise_conv2d_native(x, weights, ones, "VALID")

    return layer


def _resize_bilinear(options: Any, size: Array) -> Layer:
    if options.alignCorners or not options.halfPixelCenters:
        raise UnsupportedModelError("RESIZE_BILINEAR is translated with half-pixel centres only.")
    return lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, half_pixel_centers=True)


def _depth_to_space(options: Any) -> Layer:
    return lambda x: tf.nn.depth_to_space(x, options.blockSize)


def _reshape(_: Any, shape: Array) -> Layer:
    # The shape in the file is for a batch of one.
    return lambda x: tf.reshape(x, [x.shape[0], *shape[1:]])


def _strides(options: Any) -> list[int]:
    return [1, options.strideH, options.strideW, 1]


_LAYERS: dict[str, Callable[..., Layer]] = {
    "ADD": _add,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise_convolution,
    "DEPTH_TO_SPACE": _depth_to_space,
    "MAX_POOL_2D": _max_pool,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize_bilinear,
}

_KEEP_CHANNELS: dict[str, Callable[[Array, list[Array]], list[Array]]] = {
    "CONV_2D": lambda kept, weights: [array[kept] for array in weights],
    "DEPTHWISE_CONV_2D": lambda kept, weights: [array[..., kept] for array in weights],
    "DEPTH_TO_SPACE": lambda _, weights: weights,
    "PAD": lambda _, weights: weights,
    "RESHAPE": lambda kept, weights: [np.array([*weights[0][:-1], len(kept)])],
}
"""Weights of an operation that computes only the kept channels."""

_WEIGHT_OPERATIONS = {"DENSIFY", "DEQUANTIZE"}
"""Operations that only unpack weights, which are read as dense float16 and widened where used."""
