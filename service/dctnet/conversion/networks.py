"""Makes of a frozen graph what other runtimes read, and compares that with TensorFlow.

A network that is not known, cannot be converted or computes something else when it is converted
keeps its frozen graph, with the reason: slower, never wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dctnet.conversion import comparison
from dctnet.conversion.comparison import Compared, Differs
from dctnet.conversion.frozen_graph import Difference
from dctnet.conversion.generator_graph import read_weights
from dctnet.conversion.onnx_conversion import NotConvertible, convert, without_weights
from dctnet.conversion.trial_images import images
from dctnet.cpus import available_cpus
from dctnet.models import generator_weights, networks
from dctnet.models.errors import ModelError
from dctnet.models.networks import GENERATORS, Part
from dctnet.models.open_files import OpenFiles, Readable
from dctnet.runtimes import signatures

DRAWN = 3
"""Every how many-th image is drawn, by both generators: that takes longest."""

Network = TypeVar("Network")


def prepare_networks(
    source: OpenFiles, folder: Path, report: Callable[[str], None]
) -> dict[str, Part]:
    """Put the files of all parts of the model ``source`` into ``folder``, equal ones once.

    Returns who can read them. Raises ModelError where a frozen graph cannot be read, and OSError.
    """
    made: dict[str, Part] = {}
    for part in networks.PARTS:
        report(part)
        twin = next((other for other in made if _are_equal(source, part, other)), None)
        made[part] = (
            replace(made[twin], same_as=twin) if twin else prepare_network(part, source, folder)
        )
    return made


def _are_equal(source: OpenFiles, *pair: str) -> bool:
    one, other = (source.read(networks.file(part, "tensorflow")) for part in pair)
    return one == other


def prepare_network(part: str, source: OpenFiles, folder: Path) -> Part:
    """Put the files of a part of the model ``source`` into ``folder`` and say who can read them.

    Raises ModelError where its frozen graph cannot be read, and OSError.
    """
    prepare = _prepare_generator if part in GENERATORS else _prepare_face_network
    prepared = prepare(part, source, folder)
    if "tensorflow" in prepared.runtimes:
        name = networks.file(part, "tensorflow")
        (folder / name).write_bytes(source.read(name))
    return prepared


def _prepare_generator(part: str, source: OpenFiles, folder: Path) -> Part:
    frozen = source[networks.file(part, "tensorflow")]
    try:
        weights = read_weights(frozen)
    except Difference as difference:
        return Part(("tensorflow",), f"it is not the generator of DCT-Net: {difference}")
    generator_weights.write(folder / networks.file(part, "native"), weights)
    path = folder / networks.file(part, "onnxruntime")
    try:
        model = without_weights(convert(frozen, signatures.GENERATOR), weights)
        path.write_bytes(model.SerializeToString(deterministic=True))
        compared = _compare_generators(path, frozen)
    except (NotConvertible, Differs) as error:
        path.unlink(missing_ok=True)
        return Part(("native", "tensorflow"), str(error))
    return Part(("native", "onnxruntime"), "", compared.inputs, compared.differences)


def _prepare_face_network(part: str, source: OpenFiles, folder: Path) -> Part:
    frozen = source[networks.file(part, "tensorflow")]
    path = folder / networks.file(part, "onnxruntime")
    signature = signatures.DETECTOR if part == "detector" else signatures.LANDMARKS
    try:
        path.write_bytes(convert(frozen, signature).SerializeToString(deterministic=True))
        if part == "detector":
            compared = _compare_detectors(path, frozen)
        else:
            detector = source[networks.file("detector", "tensorflow")]
            compared = _compare_landmarkers(path, frozen, detector)
    except (NotConvertible, Differs) as error:
        path.unlink(missing_ok=True)
        return Part(("tensorflow",), str(error))
    return Part(("onnxruntime",), "", compared.inputs, compared.differences)


def _compare_generators(path: Path, frozen: Readable) -> Compared:
    from dctnet.runtimes import onnxruntime, tensorflow

    ours = _load_converted(onnxruntime.generator, path)
    reference = tensorflow.generator(frozen, threads())
    drawn = [comparison.drawable(photo) for photo in images()[::DRAWN]]
    return comparison.compare_generators(ours, reference, drawn)


def _compare_detectors(path: Path, frozen: Readable) -> Compared:
    from dctnet.runtimes import onnxruntime, tensorflow

    ours = _load_converted(onnxruntime.detector, path)
    reference = tensorflow.detector(frozen, threads())
    return comparison.compare_detectors(ours, reference, images())


def _compare_landmarkers(path: Path, frozen: Readable, detector: Readable) -> Compared:
    from dctnet.runtimes import onnxruntime, tensorflow

    ours = _load_converted(onnxruntime.landmarker, path)
    reference = tensorflow.landmarker(frozen, threads())
    crops = comparison.face_crops(images(), tensorflow.detector(detector, threads()))
    return comparison.compare_landmarkers(ours, reference, crops)


def _load_converted(load: Callable[[Path, int], Network], path: Path) -> Network:
    try:
        return load(path, threads())
    except ModelError as error:
        raise NotConvertible(f"ONNX Runtime does not take it: {error.__cause__}") from error


def threads() -> int:
    """Return how many threads a network is given here."""
    return max(1, int(available_cpus()))
