"""The engine on TensorFlow answers as upstream does, live, both with the demo model."""

import pytest

from dctnet.engine import Engine
from tests.equivalence.compare import TOLERANCE, difference, expected
from tests.support.pictures import SAMPLES, Sample
from tests.support.upstream import Upstream


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_engine_draws_what_upstream_draws(
    reference: Engine, upstream: Upstream, sample: Sample
) -> None:
    picture = sample.picture()
    cartoon = reference.cartoonize(picture)
    assert cartoon.faces == sample.faces
    assert difference(expected(upstream, picture), cartoon.picture) <= TOLERANCE


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
def test_the_samples_are_many_sizes_with_no_one_and_two_faces() -> None:
    assert len({sample.picture().shape for sample in SAMPLES}) >= 8
    assert {sample.faces for sample in SAMPLES} == {0, 1, 2}
