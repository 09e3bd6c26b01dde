"""Conversion of frozen TensorFlow graphs to ONNX."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dctnet.conversion import frozen_graph
from dctnet.conversion.canonical_onnx import make_canonical
from dctnet.conversion.generator_graph import weight_nodes
from dctnet.conversion.ordered_sets import ordered_sets
from dctnet.models.generator_weights import EPSILON, Weights
from dctnet.models.open_files import Readable
from dctnet.runtimes import signatures
from dctnet.runtimes.signatures import TRAINING, Signature

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""Version of the ONNX operators: the newest with which tf2onnx is tested."""

_LOGGERS = ("tf2onnx", "tensorflow")


class NotConvertible(Exception):
    """A graph cannot be converted; the message names the node, if there is one."""


def convert_to_onnx(path: Readable, signature: Signature) -> "onnx.ModelProto":
    """Convert a frozen graph; inputs and outputs keep their names, the image its rank.

    The training flag becomes the constant false, so that the result has one input. The same graph
    gives the same result in every process. Raises NotConvertible, and ModelError if the file does
    not contain a frozen graph.
    """
    from dctnet.runtimes.tensorflow import import_graph

    graph = import_graph(path)
    definition = graph.as_graph_def()
    _switch_off_training(definition)
    _add_axis_to_atan2(definition, graph)
    return _convert(definition, signature)


def convert_generator_to_onnx(path: Readable) -> "onnx.ModelProto":
    """Convert a generator's frozen graph; its weights become external data, by name.

    So both runtimes use the weights file, and the graph's file is small. During the conversion, all
    layers have other values, each its own, so that equal or zero weights are neither merged nor
    folded. Raises NotConvertible, GraphMismatch, and ModelError as `convert_to_onnx`.
    """
    import tensorflow as tf

    from dctnet.runtimes.tensorflow import import_graph

    definition = import_graph(path).as_graph_def()
    nodes = {node.name: node for node in definition.node}
    random = np.random.default_rng(0)
    placeholders = {}
    for name, node in weight_nodes(frozen_graph.from_definition(definition)).items():
        if name == EPSILON:
            continue
        tensor = nodes[node].attr["value"].tensor
        shape = [side.size for side in tensor.tensor_shape.dim]
        placeholders[name] = random.standard_normal(shape).astype(np.float32)
        tensor.CopyFrom(tf.make_tensor_proto(placeholders[name]))
    return with_external_weights(_convert(definition, signatures.GENERATOR), placeholders)


def _convert(definition: Any, signature: Signature) -> "onnx.ModelProto":
    import tf2onnx.convert

    from dctnet.runtimes.stderr_filter import filtered_stderr

    fixed = None if None in signature.shape else {signature.image: list(signature.shape)}
    with filtered_stderr(), _collect_errors() as errors, ordered_sets("tf2onnx"):
        try:
            model, _ = tf2onnx.convert.from_graph_def(
                definition,
                input_names=[signature.image],
                output_names=list(signature.outputs),
                shape_override=fixed,
                opset=OPSET,
            )
        except Exception as error:  # tf2onnx raises any error for an unsupported graph.
            errors.append(f"tf2onnx: {str(error) or type(error).__name__}")
    if errors:
        raise NotConvertible(errors[0])
    converted: onnx.ModelProto = model
    make_canonical(converted.graph)
    return converted


def with_external_weights(model: "onnx.ModelProto", values: Weights) -> "onnx.ModelProto":
    """Name the initializers that have these ``values``, and replace their data by a reference."""
    import onnx

    from dctnet.runtimes.onnxruntime import in_onnx_order

    missing = in_onnx_order(values)
    names = {_array_key(array): name for name, array in missing.items()}
    renamed = {}
    for initializer in model.graph.initializer:
        name = names.get(_array_key(onnx.numpy_helper.to_array(initializer)))
        if name is None:
            continue
        missing = {key: array for key, array in missing.items() if key != name}
        renamed[initializer.name] = initializer.name = name
        initializer.ClearField("raw_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        # ONNX requires a location; it is unused, because the runtime gets the values.
        initializer.external_data.add(key="location", value="weights")
    if missing:
        raise NotConvertible(f"the converted graph lacks {', '.join(missing)}")
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    return model


def _array_key(array: Any) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def _switch_off_training(definition: Any) -> None:
    import tensorflow as tf

    for node in definition.node:
        if node.name == TRAINING.removesuffix(":0") and node.op == "Placeholder":
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = tf.bool.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(False))


def _add_axis_to_atan2(definition: Any, graph: Any) -> None:
    """Rewrite every Atan2 of two scalars as one of two vectors of length 1.

    tf2onnx 1.17 returns a vector in any case, where the next node expects a scalar.
    """
    import tensorflow as tf

    def add(name: str, operation: str, inputs: list[str], **attributes: Any) -> str:
        node = definition.node.add(name=name, op=operation, input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(value)
        return name

    def constant(name: str, value: list[int]) -> str:
        tensor = tf.make_tensor_proto(value, tf.int32, [len(value)])
        return add(name, "Const", [], dtype=int32, value=tf.compat.v1.AttrValue(tensor=tensor))

    int32 = tf.compat.v1.AttrValue(type=tf.int32.as_datatype_enum)
    for node in [node for node in definition.node if node.op == "Atan2"]:
        name, dtype = node.name, node.attr["T"]
        if graph.get_tensor_by_name(f"{name}:0").shape.rank != 0:
            continue
        vector, number = constant(f"{name}/vector", [1]), constant(f"{name}/number", [])
        types = {"T": dtype, "Tshape": int32}
        for index, source in enumerate(list(node.input)):
            node.input[index] = add(f"{name}/{index}", "Reshape", [source, vector], **types)
        node.name = f"{name}/angle"
        add(name, "Reshape", [node.name, number], **types)


@contextmanager
def _collect_errors() -> Iterator[list[str]]:
    """Collect the converter's logged errors, and keep its log from standard error.

    The converter only logs an unknown node and leaves it unchanged.
    """
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)

    def emit(record: logging.LogRecord) -> None:
        errors.append(_error_text(record))

    handler.emit = emit  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield errors
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


def _error_text(record: logging.LogRecord) -> str:
    message = record.getMessage().split("\n")[0]
    if isinstance(record.args, tuple) and record.msg.startswith("Tensorflow op ["):
        name, operation = record.args
        return f"the node {name!r}: tf2onnx does not support the operation {operation}"
    if isinstance(record.args, tuple) and record.msg.startswith("Failed to convert node"):
        return f"the node {record.args[0]!r}: tf2onnx cannot convert it"
    return f"tf2onnx: {message}"
