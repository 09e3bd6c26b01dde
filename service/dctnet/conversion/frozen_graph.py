"""Frozen TensorFlow graphs as plain values, and their comparison with an expected graph.

Imports TensorFlow when a graph is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dctnet.models.open_files import Readable

Array = NDArray[Any]

_IGNORED_ATTRIBUTES = frozenset({"use_cudnn_on_gpu"})
"""Attributes without effect on the result; neither do those that start with `_`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    """Names of nodes, with `:NUMBER` for another output than the first."""
    attributes: Mapping[str, object]
    """Numbers, strings, names of NumPy types, tuples of them; the value of a constant."""


Graph = Mapping[str, Node]
"""Nodes of a graph by name."""


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """An expected operation. The same object twice means the same node twice."""

    names: tuple[str, ...]
    """Accepted operation names, which compute the same."""
    inputs: tuple["Expected", ...]
    attributes: Mapping[str, object]
    """All attributes of the node, except ignored ones."""


@dataclass(frozen=True, eq=False, slots=True)
class Constant:
    """An expected constant of this type, shape and value."""

    value: Array


@dataclass(frozen=True, eq=False, slots=True)
class Weight:
    """An expected float32 constant of this shape, whose finite values are read."""

    name: str
    shape: tuple[int, ...]
    positive: bool = False


Expected: TypeAlias = Operation | Constant | Weight


class GraphMismatch(Exception):
    """A graph differs from the expected one; the message names node, actual and expected."""

    def __init__(self, node: str, what: str) -> None:
        super().__init__(f"the node {node!r}: {what}")
        self.node = node


def read(path: Readable) -> Graph:
    """Read a frozen graph; raise ModelError if the file is unreadable or none."""
    from dctnet.runtimes.tensorflow import import_graph

    # TensorFlow adds the defaults of attributes that an older version did not have.
    return from_definition(import_graph(path).as_graph_def())


def from_definition(definition: Any) -> Graph:
    """Return the nodes of a graph that TensorFlow has imported."""
    return {
        node.name: Node(
            name=node.name,
            operation=node.op,
            inputs=tuple(node.input),
            attributes={name: _plain_value(value) for name, value in node.attr.items()},
        )
        for node in definition.node
    }


def _plain_value(attribute: Any) -> object:
    """Return the value of a node's attribute without TensorFlow's types."""
    from dctnet.runtimes.tensorflow import tf

    kind = attribute.WhichOneof("value")
    value: Any = getattr(attribute, kind) if kind else None
    match kind:
        case "type":
            return tf.as_dtype(value).name
        case "s":
            return value.decode(errors="replace")
        case "shape":
            sides = tuple(None if side.size < 0 else side.size for side in value.dim)
            return None if value.unknown_rank else sides
        case "tensor":
            return tf.make_ndarray(value)
        case "list":
            return tuple(number for _, numbers in value.ListFields() for number in numbers)
        case _:
            return value


def match(graph: Graph, output: str, expected: Expected) -> dict[str, str]:
    """Compare every node from `output` back to the input; return the node of each weight.

    Skips `Identity`, which freezing leaves of a variable. Raises GraphMismatch at the first
    difference.
    """
    if output not in graph:
        raise GraphMismatch(output, "it is missing")
    matcher = _GraphMatcher(graph)
    matcher.visit(output, expected)
    return {
        weight.name: node for weight, node in matcher.matched.items() if isinstance(weight, Weight)
    }


def constant(node: Node) -> Array:
    """Return a constant's value; raise GraphMismatch if the node is not a constant."""
    value = node.attributes.get("value")
    if node.operation != "Const" or not isinstance(value, np.ndarray):
        raise GraphMismatch(node.name, f"it is {node.operation}, and should be Const")
    _compare_attributes(node, {"dtype": value.dtype.name, "value": value})
    return value


@dataclass(slots=True)
class _GraphMatcher:
    graph: Graph
    matched: dict[Expected, str] = field(default_factory=dict)
    """Names of the nodes that matched, by expected node."""

    def visit(self, name: str, expected: Expected) -> None:
        node = self.graph[name]
        match expected:
            case Constant():
                _compare_constant(node, expected.value)
            case Weight():
                self.matched[expected] = name
                _compare_weight(node, expected)
            case Operation():
                self.matched[expected] = name
                self._compare(node, expected)

    def _compare(self, node: Node, expected: Operation) -> None:
        if node.operation not in expected.names:
            names = " or ".join(expected.names)
            raise GraphMismatch(node.name, f"it is {node.operation}, and should be {names}")
        _compare_attributes(node, expected.attributes)
        if len(node.inputs) != len(expected.inputs):
            raise GraphMismatch(
                node.name,
                f"it has {len(node.inputs)} inputs, and should have {len(expected.inputs)}",
            )
        for given, wanted in zip(node.inputs, expected.inputs, strict=True):
            source = self._source(given)
            known = self.matched.get(wanted, source)
            if source not in self.graph:
                raise GraphMismatch(node.name, f"its input {given!r} is not the output of a node")
            if source != known:
                raise GraphMismatch(node.name, f"its input is {given!r}, and should be {known!r}")
            if wanted not in self.matched:
                self.visit(source, wanted)

    def _source(self, name: str) -> str:
        """Return the name of the source node of an input, past `Identity` nodes."""
        node = self.graph.get(name.removesuffix(":0"))
        while node is not None and node.operation == "Identity" and len(node.inputs) == 1:
            name = node.inputs[0]
            node = self.graph.get(name.removesuffix(":0"))
        return name.removesuffix(":0")


def _compare_constant(node: Node, wanted: Array) -> None:
    found = constant(node)
    same_kind = found.dtype == wanted.dtype and found.shape == wanted.shape
    if not same_kind or not np.array_equal(found, wanted):
        raise GraphMismatch(
            node.name, f"it is {_describe_values(found)}, and should be {_describe_values(wanted)}"
        )


def _compare_weight(node: Node, expected: Weight) -> None:
    found = constant(node)
    if found.dtype != np.float32 or found.shape != expected.shape:
        raise GraphMismatch(
            node.name,
            f"it is {found.dtype} of shape {found.shape},"
            f" and should be float32 of shape {expected.shape}",
        )
    if not np.isfinite(found).all():
        raise GraphMismatch(node.name, "it has values that are not finite, and should have none")
    if expected.positive and not (found > 0).all():
        raise GraphMismatch(node.name, f"it is {_describe_values(found)}, and should be positive")


def _compare_attributes(node: Node, wanted: Mapping[str, object]) -> None:
    found = {
        name: value
        for name, value in node.attributes.items()
        if name not in _IGNORED_ATTRIBUTES and not name.startswith("_")
    }
    for name in sorted(found.keys() | wanted.keys()):
        if name not in wanted:
            raise GraphMismatch(node.name, f"{name} is {found[name]}, and should not be there")
        if name not in found:
            raise GraphMismatch(node.name, f"{name} is not there, and should be {wanted[name]}")
        if found[name] is not wanted[name] and found[name] != wanted[name]:
            raise GraphMismatch(node.name, f"{name} is {found[name]}, and should be {wanted[name]}")


def _describe_values(value: Array) -> str:
    values = np.unique(value)
    if values.size == 1:
        text = str(values[0])
    elif value.size <= 8:
        text = str(value.tolist())
    else:
        text = f"{values.size} different values"
    return f"{value.dtype} {text} of shape {value.shape}"
