"""The whole generator compared with TensorFlow and with itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from dctnet.arrays import Pixels
from dctnet.conversion.generator_graph import read_weights
from dctnet.models.generator_weights import LAYERS, Weights
from dctnet.runtimes import Generator, native, native_library
from tests.support.images import SAMPLES
from tests.support.lazy_import import LazyModule
from tests.support.memoized import memoized
from tests.support.pixel_levels import MAX_SHARE, STEEP_SHARE, require_equivalent

tensorflow = LazyModule("dctnet.runtimes.tensorflow")

pytestmark = pytest.mark.xdist_group("tensorflow")

MODELS = ["background", "head", "random"]
SHARES = {"background": STEEP_SHARE, "head": STEEP_SHARE, "random": MAX_SHARE}

Pair = tuple[native.NativeGenerator, Generator]


def _random_graph(path: Path) -> bytes:
    """A graph with weights of He et al.'s initialisation for leaky ReLU, and small biases."""
    random = np.random.default_rng(7)
    graph = tensorflow.tf.GraphDef.FromString(path.read_bytes())
    nodes = {node.name: node for node in graph.node}

    def replace(name: str, values: np.ndarray) -> None:
        tensor = tensorflow.tf.make_tensor_proto(values.astype(np.float32))
        nodes[f"generator/{name}"].attr["value"].tensor.CopyFrom(tensor)

    for layer in LAYERS:
        shape = (layer.side, layer.side, layer.inputs, layer.outputs)
        deviation = np.sqrt(2 / (1 + 0.2**2) / np.prod(shape[:3]))
        # Blocks add to their input; the last layer should rarely leave -1..1.
        deviation *= 0.5 if layer.name.startswith("block") else 0.3 if layer.name == "Conv_9" else 1
        replace(layer.weights, deviation * random.standard_normal(shape))
        replace(layer.biases, 0.05 * random.standard_normal(layer.outputs))
    return bytes(graph.SerializeToString())


@pytest.fixture(scope="session")
def models(
    tmp_path_factory: pytest.TempPathFactory, upstream_comic: Path
) -> dict[str, tuple[Weights, Generator]]:
    """The weights of the shipped comic and random ones, with TensorFlow on their frozen graphs."""
    background, head = upstream_comic / "cartoon_bg.pb", upstream_comic / "cartoon_h.pb"
    random = tmp_path_factory.mktemp("graphs") / "random.pb"
    random.write_bytes(_random_graph(background))
    return {
        name: (read_weights(path), memoized(tensorflow.generator(path, threads=2)))
        for name, path in zip(MODELS, [background, head, random], strict=True)
    }


@pytest.fixture(scope="session")
def pairs(
    library: native_library.Library, models: dict[str, tuple[Weights, Generator]]
) -> dict[str, Pair]:
    """Both runtimes on each graph."""
    scratch_pool = native.ScratchPool(library)
    return {
        name: (native.NativeGenerator(weights, scratch_pool, threads=2), reference)
        for name, (weights, reference) in models.items()
    }


def _noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def _flat(level: int) -> Callable[[int, int], Pixels]:
    return lambda height, width: np.full((height, width, 3), level, np.uint8)


@pytest.mark.promise("Equivalence: a converted model is within one level of TensorFlow")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "make", [_noise, _flat(0), _flat(255), _flat(100)], ids=["noise", "black", "white", "grey"]
)
def test_artificial_images(pairs, model, make):
    found, expected = (runtime(make(208, 272)) for runtime in pairs[model])
    require_equivalent(found, expected, SHARES[model])


@pytest.mark.promise("Equivalence: a converted model is within one level of TensorFlow")
@pytest.mark.parametrize("model", MODELS)
def test_photographs(pairs, model):
    for sample in SAMPLES[:3]:
        image = cv2.resize(sample.image()[:, :, ::-1], (288, 288))
        found, expected = (runtime(image) for runtime in pairs[model])
        require_equivalent(found, expected, SHARES[model])


@pytest.mark.promise("Equivalence: a converted model is within one level of TensorFlow")
@pytest.mark.parametrize("model", ["background", "random"])
def test_all_remainders_of_the_sides(pairs, model):
    """Tiles are 6 pixels and 4, segments 48 and 96, bands 24, at full, half and quarter size.

    The remainders of multiples of 16 repeat after 48 rows and 96 columns; those of multiples of 4,
    which the graph also accepts, after 24 rows.
    """
    sizes = [(height, width) for height in (48, 64, 80) for width in range(96, 192, 16)]
    sizes += [(height, width) for height in range(4, 28, 4) for width in range(28, 52, 4)]
    both = [[runtime(_noise(*size)).ravel() for size in sizes] for runtime in pairs[model]]
    require_equivalent(*(np.concatenate(results) for results in both), SHARES[model])


@pytest.mark.parametrize(
    ("model", "size"), [*product(MODELS, [(16, 16), (4, 4)]), ("background", (720, 1280))]
)
def test_smallest_and_largest_working_size(pairs, model, size):
    found, expected = (runtime(_noise(*size)) for runtime in pairs[model])
    require_equivalent(found, expected, SHARES[model])


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
@pytest.mark.parametrize("size", [(16, 16), (64, 112), (288, 304)])
def test_cartoon_does_not_depend_on_thread_count(pairs, size):
    generator, _ = pairs["background"]
    results = [generator.generate(_noise(*size), threads) for threads in (1, 2, 3, 8)]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
def test_concurrent_calls_do_not_affect_each_other(pairs):
    generator, _ = pairs["background"]
    images = [_noise(64 + 16 * i, 96) for i in range(4)]
    alone = [generator(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for result, expected in zip(pool.map(generator, images), alone, strict=True):
                np.testing.assert_array_equal(result, expected)
