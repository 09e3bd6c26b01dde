"""The constants of a frozen graph, read and replaced with TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dctnet.runtimes.chatter import without_chatter

with without_chatter():
    import tensorflow.compat.v1 as tf

Constants = dict[str, NDArray[Any]]


def constants(path: Path) -> Constants:
    """Return the constants of a frozen graph by their names."""
    return {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in _graph(path).node
        if node.op == "Const"
    }


def write_with(path: Path, replaced: Mapping[str, NDArray[Any]], target: Path) -> None:
    """Write the graph once more, with other values for some of its constants."""
    graph = _graph(path)
    for node in graph.node:
        if node.name in replaced:
            value = np.asarray(replaced[node.name], np.float32)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    target.write_bytes(graph.SerializeToString())


def _graph(path: Path) -> Any:
    graph = tf.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph
