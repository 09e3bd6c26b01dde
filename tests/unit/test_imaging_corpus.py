"""Hundreds of broken, hostile and odd pictures: each is decoded, or refused with reason."""

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dctnet.imaging import BrokenPicture, PictureError, decode, inspect
from dctnet.imaging.container import MAX_CHUNKS, MAX_PROFILE_BYTES
from tests.support.corpus import ANY_SHAPE, MAX_PIXELS, Sample, corpus

LONGEST_S = 5
"""For a loaded machine; nearly every sample takes a few milliseconds."""

MEMORY_GROWTH_MIB = 64
"""Sixteen megapixels' worth of bytes for pictures of one, and room for what libraries keep."""


def test_the_corpus_is_large_and_each_sample_has_its_name() -> None:
    assert len(corpus()) >= 300
    assert len({sample.name for sample in corpus()}) == len(corpus())
    assert all(sample.errors or sample.shapes for sample in corpus())


def sums() -> dict[str, str]:
    return {sample.name: hashlib.sha256(sample.data).hexdigest() for sample in corpus()}


def test_it_is_the_same_in_every_run() -> None:
    """In a process with other hashes, which makes it at least a second later than this one."""
    code = f"import json; from {__name__} import sums; print(json.dumps(sums()))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert json.loads(run.stdout) == sums()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_it_is_decoded_or_refused_for_the_right_reason(sample: Sample) -> None:
    started = time.perf_counter()
    outcome = _decoded(sample.data)
    assert time.perf_counter() - started < LONGEST_S
    if isinstance(outcome, PictureError):
        assert type(outcome) in sample.errors, outcome
        assert str(outcome).endswith(".")
        assert str(outcome).isprintable()
    else:
        assert outcome.dtype == np.uint8
        assert outcome.shape[2:] == (3,)
        assert outcome.flags.c_contiguous
        assert outcome.shape[:2] in sample.shapes or sample.shapes == ANY_SHAPE


def _decoded(data: bytes) -> NDArray[np.uint8] | PictureError:
    try:
        return decode(data, MAX_PIXELS)
    except PictureError as error:
        return error


def _inspected(data: bytes) -> tuple[int, int] | PictureError:
    try:
        width, height, _ = inspect(data, MAX_PIXELS)
        return width, height
    except PictureError as error:
        return error


@pytest.mark.promise("Input: a decompression bomb is rejected by its header")
@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_inspecting_it_asks_no_decoder_and_says_the_same(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = _decoded(sample.data)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("Pillow was asked to open the picture.")

    monkeypatch.setattr(Image, "open", fail)
    monkeypatch.setattr(ImageFile.ImageFile, "__init__", fail)
    inspected = _inspected(sample.data)
    if isinstance(inspected, PictureError):
        assert (type(inspected), str(inspected)) == (type(decoded), str(decoded))
    elif isinstance(decoded, PictureError):
        assert type(decoded) is BrokenPicture
    else:
        assert sorted(inspected) == sorted(decoded.shape[:2])


CALLS_A_CHUNK = 10


@pytest.mark.promise("Input: a decompression bomb is rejected by its header")
@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_inspecting_it_takes_few_calls_and_little_memory(sample: Sample) -> None:
    """Calls, each of a tenth of a microsecond, are the same however busy the machine is."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event.endswith("call")

    sys.setprofile(count)
    try:
        _inspected(sample.data)
    finally:
        sys.setprofile(None)
    assert calls <= CALLS_A_CHUNK * MAX_CHUNKS
    tracemalloc.start()
    try:
        _inspected(sample.data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 3 * len(sample.data) + 2 * MAX_PROFILE_BYTES + 100_000


DECODER = """
import resource, struct, sys
from dctnet.imaging import PictureError, decode

limit, known = int(sys.argv[1]), int(sys.argv[2])
memory = []
while length := sys.stdin.buffer.read(4):
    data = sys.stdin.buffer.read(*struct.unpack("<I", length))
    try:
        decode(data, limit)
    except PictureError:
        pass
    memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.stdout.write(f"{len(memory)} {(memory[-1] - memory[known - 1]) // 1024}")
"""


def test_all_of_them_cost_little_memory_and_leave_nothing_behind(tmp_path: Path) -> None:
    """In a process of its own, whose memory and warnings are its own."""
    harmless = sum(sample.name.startswith("whole ") for sample in corpus())
    samples = b"".join(struct.pack("<I", len(s.data)) + s.data for s in corpus())
    decoder = [sys.executable, "-c", DECODER, str(MAX_PIXELS), str(harmless)]
    # A process starts with the peak of the one that it replaces: here, of a small shell.
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
