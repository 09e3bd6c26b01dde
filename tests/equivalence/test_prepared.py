"""The prepared demo model, without TensorFlow, draws what its upstream form draws with it."""

from pathlib import Path

import pytest

from dctnet.engine import Engine
from dctnet.models.folder import DEMO, open_folder
from dctnet.preparing import comparison
from dctnet.preparing.pictures import pictures
from dctnet.runtimes import Networks, choice
from tests.support.levels import require_equivalent
from tests.support.pictures import SAMPLES, Sample


@pytest.fixture(scope="module")
def prepared() -> Networks:
    return choice.load(open_folder(DEMO), threads=2)


@pytest.fixture(scope="module")
def upstreams(upstream_demo: Path) -> Networks:
    return choice.load(open_folder(upstream_demo), threads=2)


@pytest.mark.promise("Equivalence: a prepared model is within one level of TensorFlow")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_cartoon_is_at_most_a_level_off(
    engine: Engine, reference: Engine, sample: Sample
) -> None:
    found, expected = (side.cartoonize(sample.picture()) for side in (engine, reference))
    assert found.faces == expected.faces == sample.faces
    require_equivalent(found.picture, expected.picture)


def test_the_detectors_find_the_same(prepared: Networks, upstreams: Networks) -> None:
    compared = comparison.compare_detectors(prepared.detector, upstreams.detector, pictures())
    assert compared.inputs >= 50


def test_the_landmarks_are_the_same(prepared: Networks, upstreams: Networks) -> None:
    crops = comparison.face_crops(pictures(), upstreams.detector)
    compared = comparison.compare_landmarkers(prepared.landmarks, upstreams.landmarks, crops)
    assert compared.inputs >= 50
