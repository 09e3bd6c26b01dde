"""Canonical form of ONNX graphs: tf2onnx orders and names differ from run to run."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def make_canonical(graph: "onnx.GraphProto") -> None:
    """Order a graph's nodes and constants by use, and number their names and tensors.

    Keeps the computation and the names of inputs and outputs. Drops what no output needs.
    """
    kept = {value.name: value.name for value in (*graph.input, *graph.output)}
    _rewrite(graph, kept, count())


def _rewrite(graph: "onnx.GraphProto", names: Mapping[str, str], numbers: Iterator[int]) -> None:
    """Rewrite a graph; ``names`` maps the tensors from outside the graph to new names."""
    _order_attributes_and_loops(graph)
    nodes = _topological_order(graph, _names(graph.output))
    new = dict(names)
    constants = {constant.name: constant for constant in graph.initializer}
    used = []
    for node in nodes:
        for name in _input_names(node):
            if name in constants and name not in new:
                new[name] = f"constant_{next(numbers)}"
                used.append(constants[name])
        for name in node.output:
            new.setdefault(name, f"{node.op_type}_{next(numbers)}" if name else "")
    used += [constants[value.name] for value in graph.output if value.name in constants]
    for constant in used:
        constant.name = new[constant.name]
    for node in nodes:
        for body in _subgraphs(node):
            inputs = {value.name: f"input_{next(numbers)}" for value in body.input}
            _rewrite(body, new | inputs, numbers)
            body.name = f"{node.op_type}_{next(numbers)}"
            body.ClearField("doc_string")  # It has a name of tf2onnx.
        node.ClearField("name")
        if not node.domain:  # An empty domain that was set is serialized too.
            node.ClearField("domain")
        node.input[:] = [new[name] if name else "" for name in node.input]
        node.output[:] = [new[name] for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = new[value.name]
        _clear_dimension_names(value)
    _replace(graph.node, nodes)
    _replace(graph.initializer, used)
    del graph.value_info[:]


def _order_attributes_and_loops(graph: "onnx.GraphProto") -> None:
    for node in graph.node:
        node.attribute.sort(key=lambda attribute: attribute.name)
    # Consumers first: a loop's results are ordered as they are read.
    for node in reversed(_topological_order(graph, _names(graph.output))):
        if node.op_type == "Loop":
            _order_loop(node, _read_order(graph, _names(graph.output)))


def _clear_dimension_names(value: "onnx.ValueInfoProto") -> None:
    """Clear names of unknown dimensions, which contain numbers that vary from run to run."""
    for dimension in value.type.tensor_type.shape.dim:
        dimension.ClearField("dim_param")


def _order_loop(loop: "onnx.NodeProto", reading: dict[str, int]) -> None:
    """Order a loop's scan outputs as they are read, and its variables as its body reads them.

    Layout of inputs and outputs: https://onnx.ai/onnx/operators/onnx__Loop.html
    """
    (body,) = _subgraphs(loop)
    variables = len(loop.input) - 2  # The other two are the trip count and the condition.
    results = list(loop.output[variables:])
    ends = list(body.output[1 + variables :])
    order = sorted(range(len(results)), key=lambda i: reading.get(results[i], len(reading)))
    ends = [ends[i] for i in order]
    loop.output[variables:] = [results[i] for i in order]
    reading = _read_order(body, _names([body.output[0], *ends]))
    starts, states = list(body.input[2:]), list(body.output[1 : 1 + variables])
    order = sorted(range(variables), key=lambda i: reading.get(starts[i].name, len(reading)))
    loop.input[2:] = [loop.input[2 + i] for i in order]
    loop.output[:variables] = [loop.output[i] for i in order]
    _replace(body.input, [*body.input[:2], *(starts[i] for i in order)])
    _replace(body.output, [body.output[0], *(states[i] for i in order), *ends])


def _read_order(graph: "onnx.GraphProto", wanted: list[str]) -> dict[str, int]:
    """Number the tensors in the order in which the ``wanted`` tensors need them."""
    nodes = reversed(_topological_order(graph, wanted))
    read = [*wanted, *(name for node in nodes for name in _input_names(node))]
    return {name: number for number, name in enumerate(dict.fromkeys(read))}


def _topological_order(graph: "onnx.GraphProto", wanted: list[str]) -> "list[onnx.NodeProto]":
    """Return the nodes that ``wanted`` tensors need, in topological order."""
    producers = {name: node for node in graph.node for name in node.output if name}
    ordered: list[onnx.NodeProto] = []
    visited: set[int] = set()
    # A name means "compute this tensor", a node means "all its inputs are computed".
    stack: list[str | onnx.NodeProto] = [*reversed(wanted)]
    while stack:
        item = stack.pop()
        if not isinstance(item, str):
            ordered.append(item)
        elif item in producers and id(producers[item]) not in visited:
            producer = producers[item]
            visited.add(id(producer))
            stack.append(producer)
            stack.extend(reversed(list(_input_names(producer))))
    return ordered


def _input_names(node: "onnx.NodeProto") -> Iterator[str]:
    """Yield the tensors that a node and its subgraphs read, in order."""
    yield from (name for name in node.input if name)
    for body in _subgraphs(node):
        own = {value.name for value in (*body.input, *body.initializer)}
        own |= {name for inner in body.node for name in inner.output}
        inner_names = [name for inner in body.node for name in _input_names(inner)]
        yield from (n for n in (*inner_names, *_names(body.output)) if n not in own)


def _names(values: "Iterable[onnx.ValueInfoProto]") -> list[str]:
    return [value.name for value in values]


def _subgraphs(node: "onnx.NodeProto") -> "list[onnx.GraphProto]":
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _replace(field: Any, content: list[Any]) -> None:
    copies = [type(entry).FromString(entry.SerializeToString()) for entry in content]
    del field[:]
    field.extend(copies)
