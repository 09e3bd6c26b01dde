"""A model of the public models' structure, with random weights: conversion and equivalence."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dctnet.conversion import network_conversion
from dctnet.conversion.comparison import compare_landmarkers, face_crops
from dctnet.conversion.model_conversion import ConversionResult, convert_model
from dctnet.conversion.trial_images import trial_images
from dctnet.engine.detection import find_faces
from dctnet.models import networks
from dctnet.models.folder import open_folder
from dctnet.models.networks import GENERATORS
from dctnet.runtimes import onnxruntime
from tests.equivalence.compare import TOLERANCE, difference, expected, load_engine
from tests.support.frozen_models import write_public_structure
from tests.support.images import SAMPLES, RgbImage
from tests.support.lazy_import import LazyModule
from tests.support.repo import environment
from tests.support.upstream import Upstream

tensorflow = LazyModule("dctnet.runtimes.tensorflow")

# A group of its own: that of the other TensorFlow tests is the longest.
pytestmark = pytest.mark.xdist_group("public structure")

SHORT_SIDE = 320
"""Limit of a sample's short side in pixels: larger ones take seconds."""

CONVERT = """
import sys
from pathlib import Path
from dctnet.conversion.onnx_conversion import convert_generator_to_onnx, convert_to_onnx
from dctnet.runtimes.signatures import DETECTOR, LANDMARKS
source, target = map(Path, sys.argv[1:])
models = {
    "detector": convert_to_onnx(source / "detector.pb", DETECTOR),
    "landmarks": convert_to_onnx(source / "keypoints.pb", LANDMARKS),
    "background": convert_generator_to_onnx(source / "cartoon_bg.pb"),
}
for name, model in models.items():
    (target / name).write_bytes(model.SerializeToString(deterministic=True))
"""


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


def test_detector_computes_the_same(converted):
    """Batch normalization by `training_flag`, and a non-maximum suppression in `map_fn`'s loop."""
    compared = converted.networks["detector"].comparison
    assert compared.inputs == len(trial_images())
    assert compared.differences["boxes"] < 1e-5
    assert compared.differences["scores"] < 1e-5
    detector = onnxruntime.detector(converted.folder.path / "detector.onnx", 1)
    faces = []

    def counting(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, scores = detector(square)
        faces.append((scores > 0.8).sum())
        return boxes, scores

    for image in trial_images()[::4]:
        find_faces(image, counting)
    assert min(faces) == 0
    assert max(faces) >= 10


def test_landmark_network_computes_the_same(source, converted):
    ours = onnxruntime.landmarker(converted.folder.path / "keypoints.onnx", 1)
    reference = tensorflow.landmarker(source / "keypoints.pb", 1)
    detector = onnxruntime.detector(converted.folder.path / "detector.onnx", 1)
    crops = face_crops(trial_images()[::8], detector)
    assert compare_landmarkers(ours, reference, crops).differences["landmarks"] < 1e-5
    assert max(np.ptp(reference(crop) - reference(crops[0])) for crop in crops) > 0.01


@pytest.mark.promise("Models: the same source is converted to the same digest")
def test_conversion_does_not_depend_on_the_process(source, converted, tmp_path):
    """Addresses in memory and the seed of string hashes differ between processes."""
    command = [sys.executable, "-c", CONVERT, source, tmp_path]
    subprocess.run(command, check=True, capture_output=True, env=environment(PYTHONHASHSEED=1))
    for path in tmp_path.iterdir():
        first = converted.folder.path / networks.file_name(path.name, "onnxruntime")
        assert path.read_bytes() == first.read_bytes(), path.name
    assert {path.name for path in tmp_path.iterdir()} == set(networks.NETWORKS) - {"head"}


def shrink(image: RgbImage) -> RgbImage:
    scale = min(1, SHORT_SIDE / min(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


@pytest.mark.promise("Equivalence: the engine is within 1 of 255 of the upstream pipeline")
def test_engine_equals_upstream_on_28_images_with_up_to_ten_faces(source, converted):
    engine, upstream = load_engine(converted.folder.path), Upstream(source)
    images = [*(shrink(sample.image()) for sample in SAMPLES), *trial_images()[::3]][:28]
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
