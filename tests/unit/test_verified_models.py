"""Changes of a model folder after verification are neither served nor loaded."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dctnet.app import create_app
from dctnet.config import Settings
from dctnet.engine import Engine
from dctnet.lifecycle.warm_up import check_golden_pair
from dctnet.model_loading import find_model, load_engine
from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.folder import DEMO, GOLDEN_CHECKSUMS, GOLDEN_OUTPUT, ModelFolder
from dctnet.models.self_test import GoldenPair
from dctnet.replica import Replica
from tests.support.file_swaps import SWAPS
from tests.support.tiny_model import write_model_without_graphs

DEMO_FILES = sorted(path.name for path in DEMO.iterdir())
NOT_LOADED = {manifest.FILE_NAME, GOLDEN_CHECKSUMS, "LICENSES.md", "cartoon_bg.onnx"}
LOADED_OF_DEMO = sorted(set(DEMO_FILES) - NOT_LOADED)
SAMPLE = (DEMO / GOLDEN_OUTPUT).read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DEMO, tmp_path / "model")
    return tmp_path / "model"


def settings(folder: Path) -> Settings:
    return Settings.from_environment({"DCTNET_MODEL": str(folder), "DCTNET_SLOTS": "1"})


def verify(folder: Path) -> ModelFolder:
    return find_model(settings(folder))


def load(model: ModelFolder) -> Engine:
    engine, loaded = load_engine(settings(model.path), model)
    assert loaded is model
    return engine


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("swap", SWAPS)
def test_converted_model_loads_only_verified_files(folder, swap):
    model = verify(folder)
    for name in DEMO_FILES:
        swap(folder / name)
    check_golden_pair(load(model), model)


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("name", LOADED_OF_DEMO)
def test_file_changed_after_verification_is_not_loaded(folder, name):
    model = verify(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} has changed since it was opened"):
        check_golden_pair(load(model), model)


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("swap", SWAPS)
def test_sample_is_the_verified_file(folder, swap):
    client = create_app(Replica(settings(folder), verify(folder))).test_client()
    swap(folder / GOLDEN_OUTPUT)
    assert client.get("/v1/styles/demo/sample").data == SAMPLE
    shutil.rmtree(folder)
    assert client.get("/v1/styles/demo/sample").data == SAMPLE
    assert client.get("/v1/styles").get_json()["styles"][0]["sample"] == "styles/demo/sample"


def test_unlisted_golden_pair_is_ignored(tmp_path):
    write_model_without_graphs(tmp_path / "model")
    black = np.zeros((8, 8, 3), np.uint8)
    GoldenPair(black, black).write(tmp_path / "model")
    model = verify(tmp_path / "model")
    assert model.sample is None
    assert GoldenPair.read(model.files) is None
    (tmp_path / "model" / manifest.FILE_NAME).unlink()
    assert verify(tmp_path / "model").sample is not None


def test_model_may_consist_of_symbolic_links(folder, tmp_path):
    """As Kubernetes mounts a ConfigMap, and as caches of hubs keep files."""
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "..data").symlink_to(folder)
    for name in DEMO_FILES:
        (linked / name).symlink_to(f"..data/{name}")
    model = verify(linked)
    (linked / "..data").unlink()
    check_golden_pair(load(model), model)
    assert model.sample == SAMPLE
