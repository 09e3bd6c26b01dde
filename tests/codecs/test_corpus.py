"""Hundreds of damaged, hostile and unusual images are decoded, or rejected with a reason."""

import cProfile
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dctnet.codecs.pool import Codec, CodecPool
from dctnet.config import MIB
from dctnet.imaging import DamagedImage, ImageError, inspect
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES
from tests.codecs.conftest import MAX_BODY_BYTES, TIMEOUT_S
from tests.support.corpus import ANY_SHAPE, FAMILIES, MAX_PIXELS, Sample, corpus
from tests.support.process import memory

MEMORY_GROWTH_MIB = 128
"""Sixteen megapixels' worth of bytes for images of one, and room for what libraries keep."""


def test_corpus_is_large_with_unique_names():
    assert len(corpus()) >= 300
    assert len({sample.name for sample in corpus()}) == len(corpus())
    assert all(sample.errors or sample.shapes for sample in corpus())


CALLS_A_CHUNK = 10


@pytest.mark.promise("Input: a decompression bomb is rejected by its header")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_each_sample_is_decoded_or_rejected_and_inspected_cheaply(family, pool, monkeypatch):
    for sample in family():
        print(sample.name)  # If this fails, the last sample is the cause.
        with monkeypatch.context() as patch:
            patch.setattr(Image, "open", _fail)
            patch.setattr(ImageFile.ImageFile, "__init__", _fail)
            inspected = _inspected_cheaply(sample.data)
        if isinstance(inspected, ImageError):
            _require_right_outcome(sample, inspected)
            continue
        with pool.borrow() as codec:
            outcome = _decoded(codec, sample.data)
            _require_right_outcome(sample, outcome)
        if isinstance(outcome, ImageError):
            assert type(outcome) is DamagedImage
        else:
            assert sorted(inspected) == sorted(outcome.shape[:2])


def _fail(*_: object, **__: object) -> None:
    raise AssertionError("Pillow was asked to open the image.")


def _decoded(codec: Codec, data: bytes) -> NDArray[np.uint8] | ImageError:
    try:
        return codec.decode(data, inspect(data, MAX_PIXELS), TIMEOUT_S)
    except ImageError as error:
        return error


def _require_right_outcome(sample: Sample, outcome: NDArray[np.uint8] | ImageError) -> None:
    if isinstance(outcome, ImageError):
        assert type(outcome) in sample.errors, outcome
        assert str(outcome).endswith(".")
        assert str(outcome).isprintable()
    else:
        assert outcome.dtype == np.uint8
        assert outcome.shape[2:] == (3,)
        assert outcome.flags.c_contiguous
        assert outcome.shape[:2] in sample.shapes or sample.shapes == ANY_SHAPE


def _inspected_cheaply(data: bytes) -> tuple[int, int] | ImageError:
    """Inspect it with few calls and little memory.

    Calls, each of a tenth of a microsecond, are the same however busy the machine is.
    """
    profile = cProfile.Profile()
    tracemalloc.start()
    try:
        inspected = profile.runcall(_parse_within_limits, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(entry.callcount for entry in profile.getstats()) <= CALLS_A_CHUNK * MAX_CHUNKS
    assert peak <= 3 * len(data) + 2 * MAX_PROFILE_BYTES + 100_000
    return inspected


def _parse_within_limits(data: bytes) -> tuple[int, int] | ImageError:
    try:
        width, height, _ = inspect(data, MAX_PIXELS)
        return width, height
    except ImageError as error:
        return error


def test_corpus_takes_bounded_memory_and_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    limits = {"max_body_bytes": MAX_BODY_BYTES, "max_pixels": MAX_PIXELS}
    harmless = [sample for sample in corpus() if sample.name.startswith("whole ")]
    with CodecPool(1, **limits) as pool:
        peaks = [_peak_after(pool, sample.data) for sample in (*harmless, *corpus())]
        assert max(peaks) - peaks[len(harmless) - 1] <= MEMORY_GROWTH_MIB * MIB
    assert list(tmp_path.iterdir()) == []


def _peak_after(pool: CodecPool, data: bytes) -> int:
    """Decode an image, and return the peak memory of the process, in bytes."""
    with pool.borrow() as codec:
        _decoded(codec, data)
        return memory(codec.pid, "VmHWM") if codec.is_running else 0
