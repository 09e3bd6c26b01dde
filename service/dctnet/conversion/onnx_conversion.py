"""A frozen TensorFlow graph converted for ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dctnet.conversion.canonical_onnx import make_canonical
from dctnet.models.generator_weights import Weights
from dctnet.models.open_files import Readable
from dctnet.runtimes.signatures import TRAINING, Signature

if TYPE_CHECKING:
    import onnx

OPSET = 18
"""The version of ONNX's operations: the newest that the converter is tested with."""

_LOGGERS = ("tf2onnx", "tensorflow")


class NotConvertible(Exception):
    """A graph cannot be converted; the message says which node stands in the way, if one does."""


def convert_to_onnx(path: Readable, signature: Signature) -> "onnx.ModelProto":
    """Convert a frozen graph; its inputs and outputs keep their names, its image a fixed rank.

    The flag for training is set to false, so that the result has one input. A graph without loops
    is converted to the same bytes in every run. Raises NotConvertible, and ModelError where the
    file is no frozen graph.
    """
    import tf2onnx.convert

    from dctnet.runtimes.stderr_filter import filtered_stderr
    from dctnet.runtimes.tensorflow import import_graph

    graph = import_graph(path)
    definition = graph.as_graph_def()
    _switch_off_training(definition)
    _add_axis_to_atan2(definition, graph)
    fixed = None if None in signature.shape else {signature.image: list(signature.shape)}
    with filtered_stderr(), _collect_errors() as errors:
        try:
            model, _ = tf2onnx.convert.from_graph_def(
                definition,
                input_names=[signature.image],
                output_names=list(signature.outputs),
                shape_override=fixed,
                opset=OPSET,
            )
        except Exception as error:  # What it raises of a graph that it was not made for.
            errors.append(f"tf2onnx: {str(error) or type(error).__name__}")
    if errors:
        raise NotConvertible(errors[0])
    converted: onnx.ModelProto = model
    make_canonical(converted.graph)
    return converted


def without_weights(model: "onnx.ModelProto", weights: Weights) -> "onnx.ModelProto":
    """Return a generator's graph that takes its weights, by their names, from outside.

    So the file of weights serves both runtimes, and the graph's is small. Raises NotConvertible
    where a weight is not found in the graph exactly once.
    """
    import onnx

    from dctnet.runtimes.onnxruntime import in_onnx_order

    result = onnx.ModelProto()
    result.CopyFrom(model)
    missing = in_onnx_order(weights)
    names = {_array_key(array): name for name, array in missing.items()}
    renamed = {}
    for initializer in result.graph.initializer:
        name = names.get(_array_key(onnx.numpy_helper.to_array(initializer)))
        if name is None:
            continue
        missing = {key: array for key, array in missing.items() if key != name}
        renamed[initializer.name] = initializer.name = name
        initializer.ClearField("raw_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        # ONNX wants a place; it is never looked at, since the runtime is given the values.
        initializer.external_data.add(key="location", value="weights")
    if missing:
        raise NotConvertible(f"the converted graph lacks {', '.join(missing)}")
    for node in result.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    return result


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
    """Compute every Atan2 of two numbers as one of two vectors of one number.

    tf2onnx 1.17 makes a vector of it in any case, where what follows expects a number.
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
    """Collect what the converter logs as errors, and keep its log from standard error.

    A node that it does not know it only logs, and leaves as it is.
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
        return f"the node {name!r}: the operation {operation} is not known to tf2onnx"
    if isinstance(record.args, tuple) and record.msg.startswith("Failed to convert node"):
        return f"the node {record.args[0]!r}: tf2onnx cannot convert it"
    return f"tf2onnx: {message}"
