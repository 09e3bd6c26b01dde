"""Conversion of each network of a model, and its comparison with TensorFlow.

A network that is unknown, cannot be converted, or differs after conversion keeps its frozen graph,
and its record says why: slower, never wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from dctnet.conversion import comparison
from dctnet.conversion.comparison import Comparison, OutputMismatch
from dctnet.conversion.frozen_graph import GraphMismatch
from dctnet.conversion.generator_graph import read_weights
from dctnet.conversion.onnx_conversion import (
    NotConvertible,
    convert_generator_to_onnx,
    convert_to_onnx,
)
from dctnet.conversion.trial_images import trial_images
from dctnet.cpus import available_cpus
from dctnet.models import generator_weights, networks
from dctnet.models.errors import ModelError
from dctnet.models.networks import GENERATORS, NetworkRecord
from dctnet.models.open_files import OpenFiles, Readable
from dctnet.runtimes import signatures

GENERATOR_IMAGE_STEP = 3
"""Generators are compared on every third trial image, because they are slow."""

Network = TypeVar("Network")


@dataclass(frozen=True, slots=True)
class ConvertedNetwork:
    """What the conversion of a network found."""

    record: NetworkRecord
    comparison: Comparison | None = None
    """Comparison with TensorFlow; None if the network keeps its frozen graph only."""


def convert_networks(
    source: OpenFiles, folder: Path, report: Callable[[str], None]
) -> dict[str, ConvertedNetwork]:
    """Convert all networks of ``source`` into ``folder``; equal ones share their files.

    Raises OSError, and ModelError if a frozen graph cannot be read.
    """
    converted: dict[str, ConvertedNetwork] = {}
    for name in networks.NETWORKS:
        report(name)
        twin = next((other for other in converted if _are_equal(source, name, other)), None)
        if twin is None:
            converted[name] = convert_network(name, source, folder)
        else:
            record = replace(converted[twin].record, same_as=twin)
            converted[name] = replace(converted[twin], record=record)
    return converted


def _are_equal(source: OpenFiles, *pair: str) -> bool:
    """Return whether two networks have the same graph, or are generators with equal weights."""
    files = [source[networks.file_name(name, "tensorflow")] for name in pair]
    if files[0].read_bytes() == files[1].read_bytes():
        return True
    if not set(pair) <= set(GENERATORS):
        return False
    try:
        one, other = (read_weights(file) for file in files)
    except GraphMismatch:
        return False
    return all(np.array_equal(one[name], other[name]) for name in one)


def convert_network(name: str, source: OpenFiles, folder: Path) -> ConvertedNetwork:
    """Convert a network of ``source`` into ``folder``.

    Raises OSError, and ModelError if its frozen graph cannot be read.
    """
    convert_one = _convert_generator if name in GENERATORS else _convert_face_network
    converted = convert_one(name, source, folder)
    if "tensorflow" in converted.record.runtimes:
        frozen = networks.file_name(name, "tensorflow")
        (folder / frozen).write_bytes(source.read(frozen))
    return converted


def _convert_generator(name: str, source: OpenFiles, folder: Path) -> ConvertedNetwork:
    frozen = source[networks.file_name(name, "tensorflow")]
    try:
        weights = read_weights(frozen)
    except GraphMismatch as mismatch:
        reason = f"it is not the generator of DCT-Net: {mismatch}"
        return ConvertedNetwork(NetworkRecord(("tensorflow",), reason))
    generator_weights.write(folder / networks.file_name(name, "native"), weights)
    path = folder / networks.file_name(name, "onnxruntime")
    try:
        path.write_bytes(convert_generator_to_onnx(frozen).SerializeToString(deterministic=True))
        comparison_result = _compare_generators(path, frozen)
    except (NotConvertible, OutputMismatch) as error:
        path.unlink(missing_ok=True)
        return ConvertedNetwork(NetworkRecord(("native", "tensorflow"), str(error)))
    return ConvertedNetwork(NetworkRecord(("native", "onnxruntime")), comparison_result)


def _convert_face_network(name: str, source: OpenFiles, folder: Path) -> ConvertedNetwork:
    frozen = source[networks.file_name(name, "tensorflow")]
    path = folder / networks.file_name(name, "onnxruntime")
    signature = signatures.DETECTOR if name == "detector" else signatures.LANDMARKS
    try:
        path.write_bytes(convert_to_onnx(frozen, signature).SerializeToString(deterministic=True))
        if name == "detector":
            comparison_result = _compare_detectors(path, frozen)
        else:
            detector = source[networks.file_name("detector", "tensorflow")]
            comparison_result = _compare_landmarkers(path, frozen, detector)
    except (NotConvertible, OutputMismatch) as error:
        path.unlink(missing_ok=True)
        return ConvertedNetwork(NetworkRecord(("tensorflow",), str(error)))
    return ConvertedNetwork(NetworkRecord(("onnxruntime",)), comparison_result)


def _compare_generators(path: Path, frozen: Readable) -> Comparison:
    from dctnet.runtimes import onnxruntime, tensorflow

    converted = _load_converted(onnxruntime.generator, path)
    reference = tensorflow.generator(frozen, conversion_threads())
    inputs = [comparison.generator_input(photo) for photo in trial_images()[::GENERATOR_IMAGE_STEP]]
    return comparison.compare_generators(converted, reference, inputs)


def _compare_detectors(path: Path, frozen: Readable) -> Comparison:
    from dctnet.runtimes import onnxruntime, tensorflow

    converted = _load_converted(onnxruntime.detector, path)
    reference = tensorflow.detector(frozen, conversion_threads())
    return comparison.compare_detectors(converted, reference, trial_images())


def _compare_landmarkers(path: Path, frozen: Readable, detector: Readable) -> Comparison:
    from dctnet.runtimes import onnxruntime, tensorflow

    converted = _load_converted(onnxruntime.landmarker, path)
    reference = tensorflow.landmarker(frozen, conversion_threads())
    crops = comparison.face_crops(
        trial_images(), tensorflow.detector(detector, conversion_threads())
    )
    return comparison.compare_landmarkers(converted, reference, crops)


def _load_converted(load: Callable[[Path, int], Network], path: Path) -> Network:
    try:
        return load(path, conversion_threads())
    except ModelError as error:
        raise NotConvertible(f"ONNX Runtime cannot load it: {error.__cause__}") from error


def conversion_threads() -> int:
    """Return the number of threads of a network during conversion."""
    return max(1, int(available_cpus()))
