"""Weights files: reproducible, read unchanged, invalid files rejected."""

import ast
import io
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident

import numpy as np
import pytest

from dctnet.models import generator_weights
from dctnet.models.errors import ModelError


def some_weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        name: random.standard_normal(shape).astype(np.float32)
        for name, shape in generator_weights.shapes()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    generator_weights.write(tmp_path / "cartoon_bg.npz", some_weights())
    return tmp_path / "cartoon_bg.npz"


def test_weights_round_trip_in_layer_order(path):
    weights = generator_weights.read(path)
    assert list(weights) == [name for name, _ in generator_weights.shapes()]
    for name, value in some_weights().items():
        assert np.array_equal(weights[name], value)
        assert weights[name].dtype == np.float32
        assert weights[name].flags.c_contiguous


def test_weights_that_float16_holds_exactly_take_half_the_space(path):
    rounded = {
        name: value.astype(np.float16).astype(np.float32) for name, value in some_weights().items()
    }
    rounded["Conv/biases"][0] = 1e5  # Beyond float16.
    rounded["Conv_1/biases"][0] = 1 + 2**-12  # Finer than float16.
    half = path.with_name("half.npz")
    generator_weights.write(half, rounded)
    assert half.stat().st_size < 0.502 * path.stat().st_size
    weights = generator_weights.read(half)
    assert list(weights) == list(rounded)
    for name, value in rounded.items():
        assert np.array_equal(weights[name], value)
        assert weights[name].dtype == np.float32


def test_array_headers_are_parsed_in_one_thread_at_a_time(path, monkeypatch):
    """CPython before 3.11.8 raises SystemError if a collection comes between: gh-106905."""
    parse, threads, most = ast.literal_eval, set(), []

    def recording(text: str) -> object:
        threads.add(get_ident())
        time.sleep(0.001)
        most.append(len(threads))
        threads.remove(get_ident())
        return parse(text)

    monkeypatch.setattr(ast, "literal_eval", recording)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(generator_weights.read, [path] * 4))) == 4
    assert len(most) == 4 * len(some_weights())
    assert max(most) == 1


def test_weights_file_is_reproducible(path):
    turned = dict(reversed(list(some_weights().items())))
    generator_weights.write(path.parent / "again.npz", turned)
    assert path.read_bytes() == (path.parent / "again.npz").read_bytes()


def test_weights_file_is_a_plain_npz(path):
    """Uncompressed `.npy` arrays in a zip archive, as numpy documents them."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        assert entries[0].filename == "Conv/weights.npy"
        assert entries[-1].filename == "guided_filter/epsilon.npy"
        first = np.load(io.BytesIO(archive.read(entries[0])), allow_pickle=False)
    assert np.array_equal(first, some_weights()["Conv/weights"])


def test_network_has_18_convolutions_and_a_filter():
    assert len(generator_weights.LAYERS) == 18
    assert sum(np.prod(shape, dtype=int) for _, shape in generator_weights.shapes()) == 1_467_076


def rejection(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        generator_weights.read(path)
    return str(caught.value)


def test_reading_weights_imports_nothing(path):
    program = (
        "import sys, pathlib\n"
        "from dctnet.models import generator_weights\n"
        "before = set(sys.modules)\n"
        "generator_weights.read(pathlib.Path(sys.argv[1]))\n"
        "print(sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def test_missing_weights_file_is_named(tmp_path):
    assert rejection(tmp_path / "w.npz") == (
        f"The weights {tmp_path / 'w.npz'} cannot be read: No such file or directory."
    )


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: b"no archive",
        lambda content: b"PK\x03\x04" + b"0" * 100,
        lambda content: content[:-100],
        flipped,
    ],
    ids=["empty", "text", "a head alone", "cut short", "a flipped bit"],
)
def test_damaged_weights_file_is_rejected(path, change):
    path.write_bytes(change(path.read_bytes()))
    assert rejection(path) == f"{path} is not a weights file."


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, allow_pickle=True, **{"Conv/weights": np.array([{}], object)})
    assert rejection(path) == f"{path} is not a weights file."


def test_additional_or_missing_array_is_rejected(tmp_path):
    weights = some_weights()
    np.savez(tmp_path / "more.npz", **weights, more=np.zeros(1))
    del weights["Conv_9/biases"]
    np.savez(tmp_path / "fewer.npz", **weights)
    for name in ("more", "fewer"):
        assert "does not have the arrays of a DCT-Net generator" in rejection(
            tmp_path / f"{name}.npz"
        )


@pytest.mark.parametrize(
    "other", [np.zeros((3, 3, 64, 63), np.float32), np.zeros((3, 3, 64, 64), np.float64)]
)
def test_array_of_wrong_shape_or_type_is_named(tmp_path, other):
    np.savez(tmp_path / "w.npz", **some_weights() | {"Conv_6/weights": other})
    assert f"Conv_6/weights is {other.dtype} of shape {other.shape}" in rejection(
        tmp_path / "w.npz"
    )
