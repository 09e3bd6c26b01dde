"""Hundreds of damaged, hostile and unusual images are decoded, or rejected with a reason."""

import cProfile
import os
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dctnet.imaging import DamagedImage, ImageError, decode, inspect
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES
from tests.support.corpus import ANY_SHAPE, FAMILIES, MAX_PIXELS, Sample, corpus

LONGEST_CPU_S = 5
"""Nearly every sample takes a few milliseconds."""

MEMORY_GROWTH_MIB = 64
"""Sixteen megapixels' worth of bytes for images of one, and room for what libraries keep."""


def test_corpus_is_large_with_unique_names():
    assert len(corpus()) >= 300
    assert len({sample.name for sample in corpus()}) == len(corpus())
    assert all(sample.errors or sample.shapes for sample in corpus())


CALLS_A_CHUNK = 10


@pytest.mark.promise("Input: a decompression bomb is rejected by its header")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_each_sample_is_decoded_or_rejected_and_inspected_cheaply(family, monkeypatch):
    for sample in family():
        print(sample.name)  # If this fails, the last sample is the cause.
        outcome = _decoded(sample.data)
        _require_right_outcome(sample, outcome)
        with monkeypatch.context() as patch:
            patch.setattr(Image, "open", _fail)
            patch.setattr(ImageFile.ImageFile, "__init__", _fail)
            inspected = _inspected_cheaply(sample.data)
        _require_agreement(inspected, outcome)


def _fail(*_: object, **__: object) -> None:
    raise AssertionError("Pillow was asked to open the image.")


def _decoded(data: bytes) -> NDArray[np.uint8] | ImageError:
    started = time.process_time()
    try:
        return decode(data, MAX_PIXELS)
    except ImageError as error:
        return error
    finally:
        assert time.process_time() - started < LONGEST_CPU_S


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


def _require_agreement(
    inspected: tuple[int, int] | ImageError, decoded: NDArray[np.uint8] | ImageError
) -> None:
    if isinstance(inspected, ImageError):
        assert (type(inspected), str(inspected)) == (type(decoded), str(decoded))
    elif isinstance(decoded, ImageError):
        assert type(decoded) is DamagedImage
    else:
        assert sorted(inspected) == sorted(decoded.shape[:2])


DECODER = """
import resource, struct, sys
from dctnet.imaging import ImageError, decode

limit, known = int(sys.argv[1]), int(sys.argv[2])
memory = []
while length := sys.stdin.buffer.read(4):
    data = sys.stdin.buffer.read(*struct.unpack("<I", length))
    try:
        decode(data, limit)
    except ImageError:
        pass
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.stdout.write(f"{len(memory)} {(memory[-1] - memory[known - 1]) // 1024}")
"""


def test_corpus_takes_bounded_memory_without_leaks(tmp_path):
    """Runs in its own process, for its memory and warnings."""
    harmless = sum(sample.name.startswith("whole ") for sample in corpus())
    samples = b"".join(struct.pack("<I", len(s.data)) + s.data for s in corpus())
    decoder = [sys.executable, "-c", DECODER, str(MAX_PIXELS), str(harmless)]
    # A process inherits the peak of the one that it replaces: here, a small shell.
    run = subprocess.run(
        ["sh", "-c", '"$0" "$@"; exit "$?"', *decoder],
        input=samples,
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    decoded, growth_mib = map(int, run.stdout.split())
    assert decoded == len(corpus())
    assert growth_mib <= MEMORY_GROWTH_MIB
    assert run.stderr == b""
    assert list(tmp_path.iterdir()) == []
