"""Expected graph of DCT-Net's generator, node by node, as in its frozen graphs.

Upstream: `modelscope/exporters/cv/cartoon_translation_exporter.py`, `unet_generator` in
`modelscope/models/cv/cartoon/network.py` and `guided_filter` in `loss.py` beside it. Names and
order are the same here.
"""

from typing import Any

import numpy as np

from dctnet.conversion import frozen_graph
from dctnet.conversion.frozen_graph import Constant, Expected, Graph, Operation, Weight
from dctnet.models.generator_weights import BLOCKS, DOWN, EPSILON, UP, Layer, Weights
from dctnet.models.open_files import Readable

OUTPUT = "output_image"
"""Name of the last node."""

SLOPE = 0.2
"""Slope of LeakyReLU for negative inputs."""

RADIUS = 1
"""Radius of the guided filter's boxes, in pixels."""

CLIP = 0.999999
"""Limit to which the filtered cartoon is clipped on both sides before it becomes 0..255."""

FLOAT, INT = "float32", "int32"

_NO_MASKS = dict.fromkeys(
    ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0
)


def read_weights(path: Readable) -> Weights:
    """Return the weights of a generator's frozen graph, untransformed.

    Raises GraphMismatch if the graph is not the expected one, and ModelError if the file does not
    contain a frozen graph.
    """
    graph = frozen_graph.read(path)
    return {name: frozen_graph.constant(graph[node]) for name, node in weight_nodes(graph).items()}


def weight_nodes(graph: Graph) -> dict[str, str]:
    """Return the name of the node of each weight; raise GraphMismatch."""
    return frozen_graph.match(graph, OUTPUT, generator())


def generator() -> Expected:
    """Return the graph from an image, HxWx3 in 0..255, to its cartoon, HxWx3 uint8."""
    image = _operation("Placeholder", dtype=FLOAT, shape=(None, None, 3))
    everything = _slice(image, FLOAT, [0, 0, 0], [0, 0, 0], begin_mask=0b111, end_mask=0b111)
    batch = _slice(everything, FLOAT, [0], [0], new_axis_mask=1)
    photo = _subtract(_divide(batch, _scalar(127.5)), _scalar(1.0))
    cartoon = _item(_guided_filter(photo, _unet(photo)), 0, FLOAT)
    clipped = _float_operation(
        "Maximum", _float_operation("Minimum", cartoon, _scalar(CLIP)), _scalar(-CLIP)
    )
    levels = _multiply(_add(clipped, _scalar(1.0)), _scalar(127.5))
    return _operation("Cast", levels, SrcT=FLOAT, DstT="uint8", Truncate=False)


def _unet(photo: Expected) -> Expected:
    x0 = _conv_leaky_relu(photo, DOWN[0])
    x1 = _conv_leaky_relu(_conv_leaky_relu(x0, DOWN[1]), DOWN[2])
    x2 = _conv_leaky_relu(_conv_leaky_relu(x1, DOWN[3]), DOWN[4])
    for first, second in BLOCKS:
        x2 = _add(_conv_bias(_conv_leaky_relu(x2, first), second), x2)
    x2 = _conv_leaky_relu(x2, UP[0])
    x3 = _conv_leaky_relu(_conv_leaky_relu(_add(_upsample(x2), x1), UP[1]), UP[2])
    x4 = _conv_leaky_relu(_add(_upsample(x3), x0), UP[3])
    return _conv_bias(x4, UP[4])


def _guided_filter(x: Expected, y: Expected) -> Expected:
    """Guided filter by channel: He, Sun and Tang, "Guided image filtering" (ECCV 2010)."""
    shape = _shape(x)
    one = Constant(np.array(1, np.int32))
    size = _pack(one, _item(shape, 1, INT), _item(shape, 2, INT), Constant(np.array(1, np.int32)))
    ones = _operation("Fill", size, _scalar(1.0), T=FLOAT, index_type=INT)
    n = _box_filter(ones, 1)
    mean_x, mean_y = _divide(_box_filter(x), n), _divide(_box_filter(y), n)
    cov_xy = _subtract(_divide(_box_filter(_multiply(x, y)), n), _multiply(mean_x, mean_y))
    var_x = _subtract(_divide(_box_filter(_multiply(x, x)), n), _multiply(mean_x, mean_x))
    a = _divide(cov_xy, _add(var_x, Weight(EPSILON, (), positive=True)))
    b = _subtract(mean_y, _multiply(a, mean_x))
    mean_a, mean_b = _divide(_box_filter(a), n), _divide(_box_filter(b), n)
    return _add(_multiply(mean_a, x), mean_b)


def _box_filter(x: Expected, channels: int = 3) -> Expected:
    side = 2 * RADIUS + 1
    kernel = Constant(np.full((side, side, channels, 1), 1 / side**2, np.float32))
    return _convolve("DepthwiseConv2dNative", x, kernel, stride=1)


def _conv_leaky_relu(x: Expected, layer: Layer) -> Expected:
    alpha = float(np.float32(SLOPE))
    return _float_operation("LeakyRelu", _conv_bias(x, layer), alpha=alpha)


def _conv_bias(x: Expected, layer: Layer) -> Expected:
    kernel = Weight(layer.weights, (layer.side, layer.side, layer.inputs, layer.outputs))
    y = _convolve("Conv2D", x, kernel, layer.stride)
    return _float_operation(
        "BiasAdd", y, Weight(layer.biases, (layer.outputs,)), data_format="NHWC"
    )


def _convolve(name: str, x: Expected, kernel: Expected, stride: int) -> Expected:
    return _float_operation(
        name,
        x,
        kernel,
        strides=(1, stride, stride, 1),
        padding="SAME",
        explicit_paddings=(),
        dilations=(1, 1, 1, 1),
        data_format="NHWC",
    )


def _upsample(x: Expected) -> Expected:
    """Bilinear enlargement by 2 with aligned top left corners."""
    two = Constant(np.array(2, np.int32))
    height, width = (_operation("Mul", _item(_shape(x), axis, INT), two, T=INT) for axis in (1, 2))
    size = _pack(height, width)
    return _float_operation(
        "ResizeBilinear", x, size, align_corners=False, half_pixel_centers=False
    )


def _shape(x: Expected) -> Expected:
    return _operation("Shape", x, T=FLOAT, out_type=INT)


def _pack(*numbers: Expected) -> Expected:
    return _operation("Pack", *numbers, N=len(numbers), axis=0, T=INT)


def _item(x: Expected, index: int, kind: str) -> Expected:
    return _slice(x, kind, [index], [index + 1], shrink_axis_mask=1)


def _slice(x: Expected, kind: str, begin: list[int], end: list[int], **masks: int) -> Expected:
    places = (begin, end, [1] * len(begin))
    constants = (Constant(np.array(numbers, np.int32)) for numbers in places)
    return _operation("StridedSlice", x, *constants, T=kind, Index=INT, **(_NO_MASKS | masks))


def _add(x: Expected, y: Expected) -> Expected:
    return Operation(("AddV2", "Add"), (x, y), {"T": FLOAT})


def _subtract(x: Expected, y: Expected) -> Expected:
    return _float_operation("Sub", x, y)


def _multiply(x: Expected, y: Expected) -> Expected:
    return _float_operation("Mul", x, y)


def _divide(x: Expected, y: Expected) -> Expected:
    return _float_operation("RealDiv", x, y)


def _scalar(value: float) -> Expected:
    return Constant(np.array(value, np.float32))


def _float_operation(name: str, *inputs: Expected, **attributes: Any) -> Expected:
    return _operation(name, *inputs, T=FLOAT, **attributes)


def _operation(name: str, *inputs: Expected, **attributes: Any) -> Expected:
    return Operation((name,), inputs, attributes)
