"""Translation of the shipped face networks to TensorFlow operations."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
onnx_graph = LazyModule("shipped_styles.faces.onnx_graph")

SHAPE = (1, 4, 6, 6)
RANDOM = np.random.default_rng(0)


def a_model(operation: str, *constants: np.ndarray, **attributes: Any) -> onnx.ModelProto:
    """A model of one operation, from `x`, 1x4x6x6, to `y`."""
    names = [f"constant_{place}" for place in range(len(constants))]
    graph = helper.make_graph(
        [helper.make_node(operation, ["x", *names], ["y"], **attributes)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(c, n) for c, n in zip(constants, names, strict=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


CONV = {"dilations": [1, 1], "kernel_shape": [3, 3], "strides": [2, 2]}


@pytest.mark.parametrize(
    "model",
    [
        a_model("Conv", floats(5, 4, 3, 3), floats(5), group=1, pads=[1, 0, 1, 2], **CONV),
        a_model("Conv", floats(4, 1, 3, 3), group=4, pads=[0, 0, 1, 1], **CONV),
        a_model("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        a_model("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
        a_model("DepthToSpace", blocksize=2),
        a_model("Pad", np.array([0, 1, 0, 2, 0, 0, 3, 0])),
        a_model("Slice", np.array([1, -4]), np.array([3, 2**31 - 1]), np.array([1, 3])),
        a_model("Slice", np.array([1]), np.array([3]), np.array([2]), np.array([1])),
        a_model("Unsqueeze", np.array([0, 5])),
        a_model("Squeeze"),
        a_model("ReduceMax", np.array([2, 3]), keepdims=0, noop_with_empty_axes=1),
        a_model("Transpose", perm=[0, 2, 3, 1]),
        a_model("Gather", np.array([[3, 0]]), axis=1),
        a_model("GatherND", np.array([[0, 3], [0, 1]])),
    ],
    ids=lambda model: model.graph.node[0].op_type,
)
def test_operation_equals_onnx_runtime(model):
    x = floats(*SHAPE)
    (expected,) = ort.InferenceSession(model.SerializeToString()).run(["y"], {"x": x})
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(onnx_graph.translate(model.graph, {"x": tf.constant(x)})["y"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_nonzero_equals_onnx_runtime():
    model = a_model("NonZero")
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    x = np.float32(RANDOM.integers(0, 2, SHAPE))
    (expected,) = ort.InferenceSession(model.SerializeToString()).run(["y"], {"x": x})
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(onnx_graph.translate(model.graph, {"x": tf.constant(x)})["y"])
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (a_model("Slice", *(np.array([n]) for n in (0, 6, 2, 2))), "a slice with steps"),
        (a_model("Celu"), "The operation Celu is not translated"),
        (a_model("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), "MaxPool: .*ceil_"),
        (a_model("Conv", floats(4, 2, 3, 3), group=2, **CONV), "by groups of channels"),
        (a_model("Conv", floats(5, 4, 3, 3), group=1, **CONV | {"dilations": [2, 2]}), "dilations"),
    ],
    ids=["steps", "operation", "attribute", "groups", "dilations"],
)
def test_unsupported_operation_is_rejected_by_name(model, message):
    with tf.Graph().as_default(), pytest.raises(onnx_graph.UnsupportedGraphError, match=message):
        onnx_graph.translate(model.graph, {"x": tf.placeholder(tf.float32, SHAPE)})
