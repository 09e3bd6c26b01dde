"""Translation of ONNX graphs to TensorFlow operations.

Supports only the operations of the shipped face networks; rejects others by name. Operators:
https://onnx.ai/onnx/operators, version 18.
"""

from collections.abc import Callable, Mapping
from typing import Any

import onnx
import tensorflow.compat.v1 as tf

Tensor = Any


class UnsupportedGraphError(Exception):
    """The ONNX graph uses an unsupported operation or option, which the message names."""


def translate(graph: onnx.GraphProto, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translate a graph into TensorFlow's default graph; return its outputs by name.

    Raises UnsupportedGraphError if the graph uses an unsupported operation or option.
    """
    values: dict[str, Tensor] = {"": None, **inputs}
    values |= {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    for node in graph.node:
        if node.op_type not in _OPERATIONS:
            raise UnsupportedGraphError(f"The operation {node.op_type} is not translated.")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        arguments = [values[name] for name in node.input]
        try:
            results = _OPERATIONS[node.op_type](*arguments, **attributes)
        except TypeError as error:
            raise UnsupportedGraphError(f"{node.op_type}: {error}") from error
        results = results if isinstance(results, list) else [results]
        values |= dict(zip(node.output, results, strict=True))
    return {output.name: values[output.name] for output in graph.output}


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise UnsupportedGraphError(f"{what} is not translated.")


def _channels_last(x: Tensor) -> Tensor:
    return tf.transpose(x, [0, 2, 3, 1])


def _channels_first(x: Tensor) -> Tensor:
    return tf.transpose(x, [0, 3, 1, 2])


def _conv(
    x: Tensor,
    kernel: Any,
    bias: Any = None,
    *,
    group: int,
    strides: list[int],
    dilations: list[int],
    kernel_shape: list[int],
    pads: tuple[int, ...] = (0, 0, 0, 0),
    auto_pad: bytes = b"NOTSET",
) -> Tensor:
    _require(auto_pad == b"NOTSET" and dilations == [1, 1], "a convolution with dilations")
    _require(list(kernel.shape[2:]) == kernel_shape, "a convolution of another shape")
    top, left, bottom, right = pads
    x = tf.pad(_channels_last(x), [[0, 0], [top, bottom], [left, right], [0, 0]])
    steps = [1, *strides, 1]
    if group == 1:
        x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), steps, "VALID")
    else:
        _require(kernel.shape[:2] == (group, 1), "a convolution by groups of channels")
        x = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), steps, "VALID")
    return _channels_first(x if bias is None else x + bias)


def _pool(pool: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def operation(x: Tensor, *, kernel_shape: list[int], strides: list[int]) -> Tensor:
        return _channels_first(pool(_channels_last(x), kernel_shape, strides, "VALID"))

    return operation


def _resize(
    x: Tensor,
    _region: Any,
    scales: Any,
    *,
    mode: bytes,
    coordinate_transformation_mode: bytes,
    exclude_outside: int,
    nearest_mode: bytes,
) -> Tensor:
    del nearest_mode  # Used only in another mode.
    options = (mode, coordinate_transformation_mode, exclude_outside)
    _require(options == (b"linear", b"half_pixel", 0), "another way to resize than bilinear")
    size = [int(side * scale) for side, scale in zip(x.shape[2:], scales[2:], strict=True)]
    x = tf.raw_ops.ResizeBilinear(images=_channels_last(x), size=size, half_pixel_centers=True)
    return _channels_first(x)


def _pad(x: Tensor, pads: Tensor) -> Tensor:
    return tf.pad(x, tf.transpose(tf.reshape(pads, [2, -1])))


def _slice(x: Tensor, starts: Any, ends: Any, axes: Any, steps: Any = None) -> Tensor:
    _require(steps is None or all(step == 1 for step in steps), "a slice with steps")
    cut = [slice(None)] * x.shape.rank
    for start, end, axis in zip(starts, ends, axes, strict=True):
        cut[axis] = slice(int(start), int(end))
    return x[tuple(cut)]


def _squeeze(x: Tensor, axes: Any = None) -> Tensor:
    return tf.squeeze(x, None if axes is None else axes.tolist())


def _unsqueeze(x: Tensor, axes: Any) -> Tensor:
    for axis in sorted(axes):
        x = tf.expand_dims(x, axis)
    return x


def _reduce(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def operation(x: Tensor, axes: Any, *, keepdims: int, noop_with_empty_axes: int) -> Tensor:
        del noop_with_empty_axes  # There are always axes.
        return reduce(x, axes.tolist(), keepdims=bool(keepdims))

    return operation


def _gemm(x: Tensor, y: Tensor, z: Tensor, **transposed: int) -> Tensor:
    _require(not any(transposed.values()), "a product of a transposed matrix")
    return tf.matmul(x, y) + z


def _depth_to_space(x: Tensor, *, blocksize: int) -> Tensor:
    return _channels_first(tf.nn.depth_to_space(_channels_last(x), blocksize))


def _non_max_suppression(
    boxes: Tensor, scores: Tensor, most: Any, overlap: Any, least: Any
) -> Tensor:
    """Return the selected boxes, Nx3: indices of image, class and box."""
    kept = tf.image.non_max_suppression(
        boxes[0], scores[0, 0], int(most), float(overlap), float(least)
    )
    return tf.pad(tf.cast(kept, tf.int64)[:, tf.newaxis], [[0, 0], [2, 0]])


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": tf.add,
    "And": tf.logical_and,
    "Atan": tf.atan,
    "AveragePool": _pool(tf.nn.avg_pool2d),
    "Cast": lambda x, to: tf.cast(x, onnx.helper.tensor_dtype_to_np_dtype(to)),
    "Concat": lambda *parts, axis: tf.concat(parts, axis),
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Div": tf.divide,
    "Floor": tf.floor,
    "Gather": lambda x, indices, axis: tf.gather(x, indices, axis=axis),
    "GatherND": tf.gather_nd,
    "Gemm": _gemm,
    "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal,
    "LessOrEqual": tf.less_equal,
    "MatMul": tf.matmul,
    "Max": tf.maximum,
    "MaxPool": _pool(tf.nn.max_pool2d),
    "Min": tf.minimum,
    "Mul": tf.multiply,
    "Neg": tf.negative,
    "NonMaxSuppression": _non_max_suppression,
    "NonZero": lambda x: tf.transpose(tf.where(x)),
    "Not": tf.logical_not,
    "Pad": _pad,
    "ReduceMax": _reduce(tf.reduce_max),
    "ReduceMin": _reduce(tf.reduce_min),
    "ReduceSum": _reduce(tf.reduce_sum),
    "Relu": tf.nn.relu,
    "Reshape": tf.reshape,
    "Resize": _resize,
    "Shape": lambda x: tf.shape(x, out_type=tf.int64),
    "Sigmoid": tf.sigmoid,
    "Sign": tf.sign,
    "Slice": _slice,
    "Split": lambda x, axis, num_outputs: tf.split(x, num_outputs, axis),
    "Sqrt": tf.sqrt,
    "Squeeze": _squeeze,
    "Sub": tf.subtract,
    "Transpose": lambda x, perm=None: tf.transpose(x, perm),
    "Unsqueeze": _unsqueeze,
}
