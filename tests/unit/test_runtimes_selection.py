"""Runtime selection: the fastest available runtime that can read the network."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dctnet.models import generator_weights, manifest
from dctnet.models.errors import ModelError
from dctnet.models.folder import SHIPPED_COMMON, ModelFolder, open_folder
from dctnet.models.networks import NETWORKS, NetworkRecord
from dctnet.runtimes import native_library
from dctnet.runtimes.selection import explain, load, select
from tests.support.shipped import COMIC, copy_shipped

FACES = {"detector": NetworkRecord(("onnxruntime",)), "landmarks": NetworkRecord(("onnxruntime",))}
GENERATORS = dict.fromkeys(("background", "head"), NetworkRecord(("native", "onnxruntime")))
CONVERTED = ModelFolder(
    Path("/m/anime"),
    "anime",
    "iic/anime",
    "master",
    "ab" * 32,
    "unpinned",
    GENERATORS | FACES,
    is_converted=True,
)
UPSTREAM = ModelFolder(Path("/m"), "m", "mine", "", None, "no manifest")
NODE = "the node 'map/while/X': tf2onnx does not support the operation X"
PARTLY_CONVERTED = replace(
    CONVERTED, networks=CONVERTED.networks | {"detector": NetworkRecord(("tensorflow",), NODE)}
)


@pytest.fixture(autouse=True)
def _without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a CPU without native variant."""
    monkeypatch.setattr(native_library.platform, "machine", lambda: "vax")


def test_native_runtime_is_selected_if_available(monkeypatch):
    monkeypatch.setattr(native_library, "unavailable_reason", lambda: "")
    faces = dict.fromkeys(("detector", "landmarks"), "onnxruntime")
    assert select(CONVERTED) == dict.fromkeys(("background", "head"), "native") | faces


def test_converted_model_needs_no_tensorflow():
    assert select(CONVERTED) == dict.fromkeys(NETWORKS, "onnxruntime")


def test_unconverted_network_uses_tensorflow():
    assert select(PARTLY_CONVERTED) == dict.fromkeys(NETWORKS, "onnxruntime") | {
        "detector": "tensorflow"
    }


def test_upstream_model_uses_tensorflow():
    assert select(UPSTREAM) == dict.fromkeys(NETWORKS, "tensorflow")


def rejection(folder: ModelFolder, requested: str | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        select(folder, requested)
    return str(caught.value)


def test_requested_runtime_runs_the_generators(monkeypatch):
    monkeypatch.setattr(native_library, "unavailable_reason", lambda: "")
    assert select(CONVERTED, "onnxruntime") == dict.fromkeys(NETWORKS, "onnxruntime")
    assert rejection(CONVERTED, "tensorflow") == (
        "DCTNET_RUNTIME is tensorflow, but the background of the model iic/anime in /m/anime is for"
        " native or onnxruntime."
    )


def test_unavailable_requested_runtime_is_named():
    assert rejection(CONVERTED, "native") == (
        "DCTNET_RUNTIME is native, which cannot be used here."
        " The native runtime is not built for vax."
    )


def test_explanation_names_runtime_and_reason(monkeypatch):
    assert explain(CONVERTED) == (
        "onnxruntime runs background and head: The native runtime is not built for vax"
    )
    assert explain(CONVERTED, "onnxruntime") == (
        "onnxruntime runs background and head: set by DCTNET_RUNTIME"
    )
    assert explain(UPSTREAM) == (
        "tensorflow runs background and head: it is a frozen graph, as upstream ships it"
    )
    half = replace(
        CONVERTED, networks=CONVERTED.networks | {"head": NetworkRecord(("tensorflow",), NODE)}
    )
    assert explain(half) == (
        "onnxruntime runs background: The native runtime is not built for vax;"
        f" tensorflow runs head: {NODE}"
    )
    assert explain(CONVERTED, "native") == rejection(CONVERTED, "native")
    monkeypatch.setattr(native_library, "select_variant", lambda: "vax-11")
    assert explain(CONVERTED) == (
        "native (vax-11) runs background and head: the fastest for this machine and model"
    )


def test_missing_tensorflow_error_names_model_file_node_and_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert rejection(PARTLY_CONVERTED) == (
        "The model iic/anime in /m/anime needs TensorFlow, which is not installed, for detector.pb"
        f" ({NODE}): install dctnet with its `reference` extra, or use the `tensorflow` image."
    )
    assert rejection(UPSTREAM) == (
        "The model mine in /m needs TensorFlow, which is not installed, for cartoon_bg.pb (it is a"
        " frozen graph, as upstream ships it): convert it with `dctnet prepare`, install dctnet"
        " with its `reference` extra, or use the `tensorflow` image."
    )


def test_missing_onnx_runtime_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = rejection(
        replace(CONVERTED, networks=dict.fromkeys(NETWORKS, NetworkRecord(("onnxruntime",))))
    )
    assert "needs onnxruntime, which is not installed" in message


def test_equal_generators_are_loaded_once(tmp_path, monkeypatch):
    monkeypatch.undo()
    shared = load(open_folder(COMIC), 1)
    assert shared.head is shared.background

    path = Path(copy_shipped(tmp_path / "distinct"))
    described = manifest.decode((path / "manifest.json").read_bytes(), path)
    weights = generator_weights.read(COMIC / "cartoon_bg.npz")
    paler = {name: array * np.float32(0.97) for name, array in weights.items()}
    generator_weights.write(path / "cartoon_h.npz", paler)
    (path / "cartoon_h.onnx").write_bytes((SHIPPED_COMMON / "cartoon_bg.onnx").read_bytes())
    files = dict(described.files) | {
        name: manifest.record_file(path / name) for name in ("cartoon_h.npz", "cartoon_h.onnx")
    }
    assert described.conversion is not None
    networks = dict(described.conversion.networks)
    networks["head"] = replace(networks["head"], same_as="")
    conversion = replace(described.conversion, networks=networks)
    manifest.write(path, replace(described, files=files, conversion=conversion))
    distinct = load(open_folder(path), 1)
    assert distinct.head is not distinct.background
    image = np.full((16, 16, 3), 90, np.uint8)
    assert not np.array_equal(distinct.head(image), distinct.background(image))


def test_loading_threads_import_nothing():
    """In CPython 3.11 concurrent imports can fail (gh-91351)."""
    program = (
        "import sys, threading\n"
        "from dctnet.models.folder import SHIPPED, open_folder\n"
        "from dctnet.runtimes import selection\n"
        "main, found = threading.get_ident(), []\n"
        "def note(event, args):\n"
        "    if event == 'import' and threading.get_ident() != main:\n"
        "        found.append(args[0])\n"
        "sys.addaudithook(note)\n"
        "selection.load(open_folder(SHIPPED / 'comic'), threads=2)\n"
        "print(found)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
