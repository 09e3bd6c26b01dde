"""The test models have the structure of the public ones, as upstream's code writes it."""

from collections import Counter

import pytest

from tests.support.frozen_models import frozen_detector, frozen_generator, frozen_landmark_network
from tests.support.lazy_import import LazyModule

tf = LazyModule("tensorflow.compat.v1")

# Counted in graphs that upstream's code wrote in TensorFlow 1.13.2 and 1.14.0.
GENERATOR = {
    "Placeholder": 1,
    "Const": 84,
    "Identity": 36,
    "Conv2D": 18,
    "BiasAdd": 18,
    "LeakyRelu": 13,
    "Add": 9,
    "Mul": 11,
    "RealDiv": 8,
    "StridedSlice": 9,
    "Shape": 5,
    "Sub": 4,
    "Pack": 3,
    "ResizeBilinear": 2,
    "Fill": 1,
    "DepthwiseConv2dNative": 7,
    "Minimum": 1,
    "Maximum": 1,
    "Cast": 1,
}
DETECTOR = {
    "Placeholder": 2,
    "Switch": 266,
    "Merge": 34,
    "FusedBatchNorm": 58,
    "Enter": 13,
    "Exit": 3,
    "NonMaxSuppressionV3": 1,
    "Where": 1,
}
LANDMARKS = {
    "Placeholder": 2,
    "Switch": 504,
    "Merge": 56,
    "FusedBatchNorm": 112,
    "DepthwiseConv2dNative": 20,
    "Split": 13,
    "Transpose": 13,
    "Mean": 3,
}


@pytest.mark.parametrize(
    ("write", "nodes", "operations", "outputs"),
    [
        (frozen_generator, 232, GENERATOR, {"output_image": None}),
        (
            frozen_detector,
            1113,
            DETECTOR,
            {
                "tower_0/boxes": [None, 100, 4],
                "tower_0/scores": [None, 100],
                "tower_0/num_detections": [None],
            },
        ),
        (frozen_landmark_network, 1853, LANDMARKS, {"tower_0/prediction": [None, 143]}),
    ],
)
def test_graph_has_the_operations_and_outputs_of_the_public_model(
    write, nodes, operations, outputs
):
    definition = tf.GraphDef.FromString(write())
    found = Counter(node.op for node in definition.node)
    assert {name: found[name] for name in operations} == operations
    assert found.total() == nodes
    if write is frozen_generator:
        assert found == operations
    else:
        assert all("_output_shapes" in node.attr for node in definition.node)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    for name, shape in outputs.items():
        tensor = graph.get_tensor_by_name(f"{name}:0")
        assert shape is None or tensor.shape.as_list() == shape
