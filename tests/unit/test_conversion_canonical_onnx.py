"""Canonical form of converted graphs."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from dctnet.conversion.canonical_onnx import make_canonical


def a_model(*nodes: onnx.NodeProto, constants: dict[str, list[float]]) -> onnx.ModelProto:
    """A model from `x` to `y`, both of an unknown number of floats."""
    values = {n: np.asarray(v, np.float32) for n, v in constants.items()}
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["unknown__7"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["unknown__8"])],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def spelled(model: onnx.ModelProto) -> bytes:
    make_canonical(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def outputs(model: onnx.ModelProto, x: list[float]) -> list[float]:
    session = ort.InferenceSession(model.SerializeToString())
    (y,) = session.run(["y"], {"x": np.asarray(x, np.float32)})
    return y.tolist()


def test_names_order_and_unused_nodes_do_not_matter():
    one = a_model(
        helper.make_node("Mul", ["x", "two"], ["m"], name="times"),
        helper.make_node("Add", ["x", "three"], ["a"], domain=""),
        helper.make_node("Sub", ["m", "a"], ["y"]),
        constants={"two": [2], "three": [3]},
    )
    other = a_model(
        helper.make_node("Neg", ["x"], ["unused"]),
        helper.make_node("Add", ["x", "c__1"], ["t__4"], name="plus"),
        helper.make_node("Mul", ["x", "c__9"], ["t__3"]),
        helper.make_node("Sub", ["t__3", "t__4"], ["y"]),
        constants={"c__1": [3], "unused__5": [5], "c__9": [2]},
    )
    assert outputs(one, [1, 5]) == outputs(other, [1, 5]) == [-2, 2]
    assert spelled(one) == spelled(other)
    assert outputs(one, [1, 5]) == [-2, 2]
    different = a_model(
        helper.make_node("Mul", ["x", "two"], ["m"]),
        helper.make_node("Add", ["x", "three"], ["a"]),
        helper.make_node("Sub", ["a", "m"], ["y"]),
        constants={"two": [2], "three": [3]},
    )
    assert spelled(different) != spelled(one)


def a_loop(*, turned: bool) -> onnx.ModelProto:
    """Three iterations of p += x and q *= 2 that collect p and q; y is all p minus all q."""
    floats, one = TensorProto.FLOAT, [1]
    scalar = helper.make_tensor_value_info
    p, q = scalar("p", floats, one), scalar("q", floats, one)
    after = [scalar("p_after", floats, one), scalar("q_after", floats, one)]
    collected = [scalar("p_row", floats, one), scalar("q_row", floats, one)]
    starts, ends, results = ["p_start", "q_start"], ["p_end", "q_end"], ["ps", "qs"]
    places = [1, 0] if turned else [0, 1]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["p", "x"], ["p_after"]),
            helper.make_node("Mul", ["q", "two"], ["q_after"]),
            helper.make_node("Identity", ["p_after"], ["p_row"]),
            helper.make_node("Identity", ["q_after"], ["q_row"]),
        ],
        "body",
        [
            scalar("round", TensorProto.INT64, []),
            scalar("go", TensorProto.BOOL, []),
            *([p, q][i] for i in places),
        ],
        [
            scalar("go_on", TensorProto.BOOL, []),
            *(after[i] for i in places),
            *(collected[i] for i in places),
        ],
    )
    model = a_model(
        helper.make_node(
            "Loop",
            ["rounds", "true", *(starts[i] for i in places)],
            [*(ends[i] for i in places), *(results[i] for i in places)],
            body=body,
        ),
        helper.make_node("Sub", ["ps", "qs"], ["rows"]),
        helper.make_node("Squeeze", ["rows", "last"], ["y"]),
        constants={"p_start": [0], "q_start": [1], "two": [2]},
    )
    others = {"rounds": np.array(3), "true": np.array(True), "last": np.array([1])}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(value, name) for name, value in others.items()
    )
    return model


def test_order_of_loop_variables_does_not_matter():
    one, other = a_loop(turned=False), a_loop(turned=True)
    assert outputs(one, [10]) == outputs(other, [10]) == [10 - 2, 20 - 4, 30 - 8]
    assert one.SerializeToString() != other.SerializeToString()
    assert spelled(one) == spelled(other)
    assert outputs(other, [10]) == [10 - 2, 20 - 4, 30 - 8]
