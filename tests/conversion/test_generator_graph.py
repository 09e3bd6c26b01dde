"""Weights are read only from a frozen graph that equals the expected one, node by node."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dctnet.conversion import frozen_graph
from dctnet.conversion.frozen_graph import Graph, GraphMismatch, Node
from dctnet.conversion.generator_graph import OUTPUT, generator, read_weights
from dctnet.models import generator_weights as format
from dctnet.models.errors import ModelError
from shipped_styles.initial_weights import random_weights
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")
network = LazyModule("shipped_styles.network")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("graph") / "cartoon_bg.pb"
    weights = random_weights(0)
    path.write_bytes(network.frozen_graph(weights).SerializeToString())
    return frozen_graph.read(path)


def used(graph: Graph, name: str = OUTPUT) -> set[str]:
    """The nodes that the output depends on."""
    found, waiting = set(), [name]
    while waiting:
        node = graph[waiting.pop()]
        found.add(node.name)
        waiting += [name for name in node.inputs if name not in found]
    return found


def difference(graph: Graph, *changed: Node) -> GraphMismatch:
    with pytest.raises(GraphMismatch) as caught:
        frozen_graph.match({**graph, **{node.name: node for node in changed}}, OUTPUT, generator())
    return caught.value


@pytest.mark.parametrize("name", ["cartoon_bg.pb", "cartoon_h.pb"])
def test_weights_are_read_untransformed(upstream_comic, name):
    weights = read_weights(upstream_comic / name)
    definition = tf.GraphDef.FromString((upstream_comic / name).read_bytes())
    stored = {
        node.name.removeprefix("generator/"): tf.make_ndarray(node.attr["value"].tensor)
        for node in definition.node
        if node.op == "Const"
    }
    assert sorted(weights) == sorted(name for name, _ in format.shapes())
    assert weights[format.EPSILON] == np.float32(5e-3)
    for layer in format.LAYERS:
        assert np.array_equal(weights[layer.weights], stored[layer.weights])
        assert np.array_equal(weights[layer.biases], stored[layer.biases])


def other_values(value: Any) -> Iterator[Any]:
    """Yield changed values of an attribute, most of the same type."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case float():
            yield value * 1.01
        case str():
            yield {"NHWC": "NCHW", "SAME": "VALID", "float32": "float64"}.get(value, "int64")
        case np.ndarray():
            yield value + 1
            yield value.astype(np.float64)
            yield value[np.newaxis]
        case tuple():
            yield (*value, 1)
            for place in range(len(value)):
                yield (*value[:place], 7, *value[place + 1 :])
        case _:
            raise AssertionError(f"no other value of {value!r} is known")


def is_weight(node: Node) -> bool:
    return node.name.endswith(("/weights", "/biases"))


def test_any_changed_attribute_or_operation_is_detected(graph):
    tried = 0
    for name in used(graph):
        node = graph[name]
        for attribute, value in node.attributes.items():
            if attribute == "use_cudnn_on_gpu" or (attribute == "value" and is_weight(node)):
                continue
            if name == "add_6/y" and attribute == "value":
                continue  # The filter's epsilon may vary: see below.
            for other in other_values(value):
                changed = replace(node, attributes={**node.attributes, attribute: other})
                assert difference(graph, changed).node == name, (name, attribute, other)
                tried += 1
            without = {k: v for k, v in node.attributes.items() if k != attribute}
            assert difference(graph, replace(node, attributes=without)).node == name
        added = replace(node, attributes={**node.attributes, "new": 1})
        assert "new is 1, and should not be there" in str(difference(graph, added))
        found = difference(graph, replace(node, operation="Relu"))
        assert found.node == name
        assert "it is Relu, and should be " in str(found)
    assert tried > 700


def test_any_changed_connection_is_detected(graph):
    for name in used(graph):
        node = graph[name]
        for place, given in enumerate(node.inputs):
            for other in {"input_image", "sub", "LeakyRelu_2", "output_image:1", "none"} - {given}:
                inputs = (*node.inputs[:place], other, *node.inputs[place + 1 :])
                difference(graph, replace(node, inputs=inputs))
        if node.inputs:
            difference(graph, replace(node, inputs=(*node.inputs, "sub")))
            difference(graph, replace(node, inputs=node.inputs[:-1]))


def test_weight_of_wrong_shape_or_not_finite_is_rejected(graph):
    for layer in format.LAYERS:
        for name in (layer.weights, layer.biases):
            node = graph[f"generator/{name}"]
            value = np.asarray(node.attributes["value"])
            for other, message in (
                (value[..., :-1], "and should be float32 of shape"),
                (value.astype(np.float64), "it is float64"),
                (value * np.nan, "values that are not finite"),
            ):
                attributes = {"dtype": other.dtype.name, "value": other}
                found = difference(graph, replace(node, attributes=attributes))
                assert found.node == node.name
                assert message in str(found)


@pytest.mark.parametrize(("epsilon", "good"), [(1e-2, True), (1e-8, True), (0, False), (-1, False)])
def test_epsilon_is_read_from_the_graph(graph, epsilon, good):
    node = graph["add_6/y"]
    value = np.array(epsilon, np.float32)
    changed = replace(node, attributes={**node.attributes, "value": value})
    if good:
        other = {**graph, node.name: changed}
        nodes = frozen_graph.match(other, OUTPUT, generator())
        assert frozen_graph.constant(other[nodes[format.EPSILON]]) == value
    else:
        assert "and should be positive" in str(difference(graph, changed))


def test_wrong_skip_connection_is_named(graph):
    node = graph["add_5"]
    found = difference(graph, replace(node, inputs=(node.inputs[0], "LeakyRelu_12")))
    assert str(found) == "the node 'add_5': its input is 'LeakyRelu_12', and should be 'LeakyRelu'"


@pytest.mark.parametrize(
    ("node", "change", "message"),
    [
        (
            "generator/Conv_1/Conv2D",
            {"strides": (1, 1, 1, 1)},
            "strides is (1, 1, 1, 1), and should be (1, 2, 2, 1)",
        ),
        ("generator/Conv_9/Conv2D", {"padding": "VALID"}, "padding is VALID, and should be SAME"),
        (
            "ResizeBilinear",
            {"half_pixel_centers": True},
            "half_pixel_centers is True, and should be False",
        ),
        ("LeakyRelu_3", {"alpha": 0.1}, "alpha is 0.1, and should be 0.2"),
        ("output_image", {"DstT": "int8"}, "DstT is int8, and should be uint8"),
        (
            "Const_1",
            {"value": np.full((5, 5, 3, 1), 1 / 25, np.float32)},
            "it is float32 0.04 of shape (5, 5, 3, 1), and should be float32 0.11111111 of shape",
        ),
        (
            "clip_by_value/y",
            {"value": np.array(-1, np.float32)},
            "it is float32 -1.0 of shape (), and should be float32 -0.999999 of shape ()",
        ),
    ],
)
def test_mismatch_names_actual_and_expected(graph, node, change, message):
    changed = replace(graph[node], attributes={**graph[node].attributes, **change})
    assert str(difference(graph, changed)).startswith(f"the node {node!r}: {message}")


def test_graph_with_another_output_is_rejected(graph):
    with pytest.raises(GraphMismatch, match="the node 'output_image': it is missing"):
        frozen_graph.match({"x": graph["sub"]}, OUTPUT, generator())


def as_tensorflow_1_freezes_it(graph: Graph) -> Graph:
    """Variables are read through an Identity, additions are `Add`."""
    nodes: dict[str, Node] = {}
    for node in graph.values():
        inputs = tuple(f"{name}/read" if is_weight(graph[name]) else name for name in node.inputs)
        operation = "Add" if node.operation == "AddV2" else node.operation
        nodes[node.name] = replace(node, operation=operation, inputs=inputs)
        if is_weight(node):
            read = Node(f"{node.name}/read", "Identity", (f"{node.name}:0",), {"T": "float32"})
            nodes[read.name] = read
    return nodes


def test_graph_frozen_by_tensorflow_1_is_accepted(graph):
    frozen = as_tensorflow_1_freezes_it(graph)
    nodes = frozen_graph.match(frozen, OUTPUT, generator())
    assert nodes == frozen_graph.match(graph, OUTPUT, generator())


def test_unused_nodes_are_ignored(graph):
    loose = Node("loose", "Assert", ("sub",), {})
    frozen_graph.match({**graph, "loose": loose}, OUTPUT, generator())
    assert "depthwise/Shape" in graph.keys() - used(graph)


def test_missing_attribute_has_its_default(upstream_comic, tmp_path):
    definition = tf.GraphDef.FromString((upstream_comic / "cartoon_bg.pb").read_bytes())
    for node in definition.node:
        for name in ("half_pixel_centers", "explicit_paddings", "Truncate"):
            node.attr.pop(name, None)
    (tmp_path / "old.pb").write_bytes(definition.SerializeToString())
    assert read_weights(tmp_path / "old.pb")


@pytest.mark.parametrize("write", [lambda path: None, lambda path: path.write_bytes(b"no graph")])
def test_invalid_graph_file_is_named(tmp_path, write):
    path = tmp_path / "cartoon_h.pb"
    write(path)
    with pytest.raises(ModelError, match=r"cartoon_h\.pb"):
        read_weights(path)
