"""Writes the operations of a TFLite model again as TensorFlow operations.

Only what the two face networks use is known; anything else is rejected by its name. The format is
described by `schema.fbs` of TensorFlow Lite.
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
"""An operation bound to its weights: a function of the tensors that flow through the network."""

_DTYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT32": np.int32}
_DENSE, _SPARSE_CSR = 0, 1
_ACTIVATIONS: dict[int, Layer] = {0: lambda x: x, 1: tf.nn.relu}
_PADDINGS = ("SAME", "VALID")


class UnsupportedModelError(Exception):
    """The TFLite model uses something that is not translated; the message names it."""


class Network:
    """A TFLite model as a function of tensors, its weights shared by all calls."""

    def __init__(self, model: bytes) -> None:
        """Write the weights of a model of one subgraph and one input into the default graph.

        Raises UnsupportedModelError where the model uses what is not translated.
        """
        parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
        (graph,) = parsed.subgraphs
        (self._input,) = graph.inputs
        self._outputs = list(graph.outputs)
        self._layers: list[tuple[Layer, list[int], int]] = []
        types = {code: name for name, code in vars(schema.TensorType).items()}
        names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
        constants = {}
        for index, tensor in enumerate(graph.tensors):
            data = parsed.buffers[tensor.buffer].data
            if data is not None:
                constants[index] = _constant(tensor, data, types[tensor.type])
        for operator in graph.operators:
            code = parsed.operatorCodes[operator.opcodeIndex]
            # Codes past 127 do not fit the older of the two fields.
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            (output,) = operator.outputs
            weights = [constants[i] for i in operator.inputs if i in constants]
            flowing = [i for i in operator.inputs if i not in constants]
            if name in _OF_WEIGHTS and not flowing:
                (constants[output],) = weights
            elif name in _LAYERS:
                layer = _LAYERS[name](operator.builtinOptions, *weights)
                self._layers.append((layer, flowing, output))
            else:
                raise UnsupportedModelError(f"The operation {name} is not translated.")

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the model's outputs for x, NxHxWxC float32 in the graph of the weights."""
        values = {self._input: x}
        for layer, inputs, output in self._layers:
            values[output] = layer(*(values[index] for index in inputs))
        return [values[index] for index in self._outputs]


def _constant(tensor: Any, data: Array, kind: str) -> Array:
    """Return a constant tensor's values, sparse ones filled up with zeros."""
    if kind not in _DTYPES:
        raise UnsupportedModelError(f"Constants of the type {kind} are not translated.")
    values = data.view(_DTYPES[kind])
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

    The numbers of row i, all axes but the last being rows, are `values[segments[i]:segments[i+1]]`;
    they stand at the places `indices` of the last axis.
    """
    dense = np.zeros((int(np.prod(shape[:-1])), shape[-1]), values.dtype)
    rows = np.repeat(np.arange(len(dense)), np.diff(np.asarray(segments, np.int64)))
    dense[rows, indices] = values
    return dense.reshape(shape)


def _weights(values: Array) -> Tensor:
    """Write weights into the graph, as the float16 numbers of the file, widened when it runs."""
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
    weights = _weights(slope)
    return lambda x: tf.nn.relu(x) + weights * tf.minimum(x, 0.0)


def _resize_bilinear(options: Any, size: Array) -> Layer:
    if options.alignCorners or not options.halfPixelCenters:
        raise UnsupportedModelError("RESIZE_BILINEAR is translated with half-pixel centres only.")
    return lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, half_pixel_centers=True)


def _depth_to_space(options: Any) -> Layer:
    return lambda x: tf.nn.depth_to_space(x, options.blockSize)


def _reshape(_: Any, shape: Array) -> Layer:
    # The file's shape is that of a batch of one.
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

_OF_WEIGHTS = {"DENSIFY", "DEQUANTIZE"}
"""They only unpack weights, which are read as dense float16 numbers and widened where used."""
