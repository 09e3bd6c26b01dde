"""The shipped comic in upstream's pipeline, in the engine on TensorFlow, and converted."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from dctnet.conversion import comparison
from dctnet.conversion.trial_images import trial_images
from dctnet.engine import Cartoon, Engine, read_alpha
from dctnet.models.folder import SHIPPED_COMMON, open_folder
from dctnet.models.manifest import digest
from dctnet.runtimes import Detector, Networks, selection
from tests.equivalence.compare import THREADS, TOLERANCE, difference, expected
from tests.equivalence.golden import FOLDER, NAMES, RECORD, sha256
from tests.support.hypothesis_profiles import scaled
from tests.support.images import SAMPLES, Sample
from tests.support.memoized import memoized
from tests.support.pixel_levels import STEEP_SHARE, require_equivalent
from tests.support.shipped import COMIC
from tests.support.upstream import Upstream

pytestmark = pytest.mark.xdist_group("tensorflow")

GOLDEN = json.loads(RECORD.read_text())
REMAKE = "make the golden images again: .venv/bin/python -m tests.equivalence.golden"

RUNS = {"engine": scaled(48), "reference": scaled(24)}
POOL = 8


@pytest.fixture(scope="module")
def converted() -> Networks:
    return selection.load(open_folder(COMIC), THREADS)


@pytest.fixture(scope="module")
def engine(converted: Networks) -> Engine:
    return Engine(converted, read_alpha(SHIPPED_COMMON / "alpha.jpg"))


@pytest.fixture(scope="module")
def upstreams(upstream_comic: Path) -> Networks:
    return selection.load(open_folder(upstream_comic), THREADS)


@pytest.fixture(scope="module")
def reference(upstreams: Networks, upstream_comic: Path) -> Engine:
    """The engine on TensorFlow."""
    return Engine(upstreams, read_alpha(upstream_comic / "alpha.jpg"))


@pytest.fixture(scope="module")
def reference_cartoon(reference: Engine) -> Callable[[Sample], Cartoon]:
    """Cartoon of a sample by the engine on TensorFlow, computed once for all tests."""
    return cache(lambda sample: reference.cartoonize(sample.image()))


@pytest.fixture(scope="module")
def detector(upstreams: Networks) -> Detector:
    """TensorFlow's face detector, which processes each image once."""
    return memoized(upstreams.detector)


@pytest.fixture(scope="module")
def upstream(upstream_comic: Path) -> Upstream:
    """Upstream's own pipeline."""
    return Upstream(upstream_comic)


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_cartoon_equals_upstream(reference_cartoon, upstream, sample):
    cartoon = reference_cartoon(sample)
    assert cartoon.faces == sample.faces
    assert difference(expected(upstream, sample.image()), cartoon.image) <= TOLERANCE


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
def test_samples_cover_sizes_and_face_counts():
    assert len({sample.image().shape for sample in SAMPLES}) >= 8
    assert {sample.faces for sample in SAMPLES} == {0, 1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_cartoon_equals_golden_image(reference_cartoon, name):
    """The golden image is upstream's cartoon, stored in a file."""
    golden = GOLDEN["images"][name]
    sample = next(sample for sample in SAMPLES if sample.name == name)
    assert sha256(sample.image()) == golden["input"], REMAKE
    cartoon = reference_cartoon(sample)
    assert cartoon.faces == golden["faces"]
    with Image.open(FOLDER / golden["file"]) as expected:
        assert difference(np.asarray(expected), cartoon.image) <= TOLERANCE


def test_golden_images_belong_to_this_model():
    assert GOLDEN["model"] == digest((COMIC / "manifest.json").read_bytes()), REMAKE
    assert set(GOLDEN["images"]) == set(NAMES)


@pytest.mark.promise("Equivalence: a converted model is within one level of TensorFlow")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_cartoon_differs_by_at_most_one_level(engine, reference_cartoon, sample):
    found, expected = engine.cartoonize(sample.image()), reference_cartoon(sample)
    assert found.faces == expected.faces == sample.faces
    require_equivalent(found.image, expected.image, STEEP_SHARE)


def test_detectors_agree(converted, detector):
    compared = comparison.compare_detectors(converted.detector, detector, trial_images())
    assert compared.inputs >= 50


def test_landmark_networks_agree(converted, upstreams, detector):
    crops = comparison.face_crops(trial_images(), detector)
    compared = comparison.compare_landmarkers(converted.landmarks, upstreams.landmarks, crops)
    assert compared.inputs >= 50


@pytest.fixture(scope="module")
def small_images() -> list[np.ndarray]:
    """Five sizes, with one face, two, none, one cut by the border, and none in a strip."""
    portrait = skimage.data.astronaut()
    two_faces = np.hstack([portrait[20:280, 110:350], portrait[20:280, 350:110:-1]])
    return [
        np.ascontiguousarray(portrait[30:190, 140:310]),
        cv2.resize(two_faces, (336, 182), interpolation=cv2.INTER_AREA),
        cv2.resize(skimage.data.coffee(), (150, 100), interpolation=cv2.INTER_AREA),
        np.ascontiguousarray(portrait[60:200, 205:300]),
        np.zeros((16, 400, 3), np.uint8),
    ]


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
@pytest.mark.promise("Load: concurrent requests get their own responses")
@pytest.mark.parametrize("runtime", RUNS)
def test_concurrent_calls_give_identical_cartoons(request, small_images, runtime):
    engine = request.getfixturevalue(runtime)
    alone = [engine.cartoonize(image) for image in small_images]
    assert {cartoon.faces for cartoon in alone} == {0, 1, 2}
    order = np.random.default_rng(0).integers(0, len(alone), RUNS[runtime]).tolist()
    with ThreadPoolExecutor(POOL) as pool:
        together = list(pool.map(lambda i: engine.cartoonize(small_images[i]), order))
    for i, cartoon in zip(order, together, strict=True):
        assert cartoon.faces == alone[i].faces
        assert np.array_equal(cartoon.image, alone[i].image)
