"""Every shipped style in upstream's pipeline and in the engine, and all in eight threads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dctnet.config import Settings
from dctnet.engine import Engine
from dctnet.model_loading import find_models, load_engines
from dctnet.models.styles import SHIPPED_STYLES
from dctnet.runtimes.native import limit_hot_generators, weight_cache
from tests.equivalence.compare import TOLERANCE, difference, expected
from tests.equivalence.golden import NAMES
from tests.support.hypothesis_profiles import scaled
from tests.support.images import SAMPLES
from tests.support.upstream import Upstream

pytestmark = pytest.mark.xdist_group("tensorflow")

THREADS = 8
CALLS = scaled(48)


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    settings = Settings.from_environment({"DCTNET_STYLES": ",".join(SHIPPED_STYLES)})
    return dict(load_engines(settings, find_models(settings))[0])


@pytest.fixture
def two_hot_generators() -> Iterator[None]:
    """With three styles, most calls need a switch."""
    limit_hot_generators(2)
    yield
    limit_hot_generators(None)


# The default style has tests of its own.
@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
@pytest.mark.parametrize("style", SHIPPED_STYLES[1:])
def test_cartoons_equal_upstream(engines, style, tmp_path: Path):
    from shipped_styles.upstream import write_upstream_format  # TensorFlow costs seconds.

    write_upstream_format(tmp_path, style)
    upstream = Upstream(tmp_path)
    for sample in SAMPLES:
        if sample.name in NAMES:
            found = engines[style].cartoonize(sample.image())
            assert found.faces == sample.faces
            # The engine rounds its background and heads, upstream only the result.
            rounded = np.rint(expected(upstream, sample.image()))
            assert difference(rounded, found.image) <= TOLERANCE


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
def test_eight_threads_with_mixed_styles_give_identical_cartoons(engines, two_hot_generators):
    random = np.random.default_rng(0)
    sample = next(sample for sample in SAMPLES if sample.name == "face alone").image()
    images = [sample, *random.integers(0, 256, (2, 96, 128, 3), np.uint8)]
    alone = {
        (style, index): engine.cartoonize(image).image
        for style, engine in engines.items()
        for index, image in enumerate(images)
    }
    keys = list(alone)
    order = [keys[k] for k in random.integers(0, len(keys), CALLS)]
    switches = weight_cache.switches
    with ThreadPoolExecutor(THREADS) as pool:
        together = pool.map(lambda key: engines[key[0]].cartoonize(images[key[1]]).image, order)
        for key, cartoon in zip(order, together, strict=True):
            assert np.array_equal(cartoon, alone[key])
    assert weight_cache.switches > switches + 10
    assert len(weight_cache) <= 2
