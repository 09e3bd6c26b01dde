"""A model of the public models' structure, with random weights: conversion and equivalence."""

from pathlib import Path

import numpy as np
import pytest

from dctnet.conversion import network_conversion
from dctnet.conversion.model_conversion import ConversionResult, convert_model
from dctnet.conversion.trial_images import trial_images
from dctnet.models.folder import open_folder
from dctnet.models.networks import GENERATORS
from tests.equivalence.compare import TOLERANCE, difference, expected, load_engine
from tests.support.frozen_models import write_public_structure
from tests.support.images import SAMPLES
from tests.support.upstream import Upstream

# A group of its own: that of the other TensorFlow tests is the longest.
pytestmark = pytest.mark.xdist_group("public structure")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("public") / "anime"
    write_public_structure(folder)
    return folder


@pytest.fixture(scope="module")
def converted(source: Path) -> ConversionResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_conversion, "GENERATOR_IMAGE_STEP", 20)
        return convert_model(open_folder(source), source.with_name("anime-converted"))


def test_no_network_needs_tensorflow(converted):
    assert converted.networks is not None
    for name, network in converted.networks.items():
        assert network.record.reason == ""
        native = ("native",) if name in GENERATORS else ()
        assert network.record.runtimes == (*native, "onnxruntime")
    assert converted.folder.networks["head"].same_as == "background"


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
def test_engine_equals_upstream_on_28_images_with_up_to_ten_faces(source, converted):
    engine, upstream = load_engine(converted.folder.path), Upstream(source)
    images = [*(sample.image() for sample in SAMPLES), *trial_images()[::3]][:28]
    assert len(images) == 28
    faces = []
    for image in images:
        cartoon = engine.cartoonize(image)
        faces.append(cartoon.faces)
        # Upstream's cartoon is float32 where it has a head.
        levels = np.rint(expected(upstream, image))
        assert difference(levels, cartoon.image) <= TOLERANCE
    assert min(faces) == 0
    assert max(faces) >= 9
