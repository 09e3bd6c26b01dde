"""Changes of a model folder after verification are neither served nor loaded."""

from pathlib import Path

import numpy as np
import pytest

from dctnet.config import Settings
from dctnet.engine import Engine
from dctnet.lifecycle.warm_up import check_golden_pair
from dctnet.model_loading import StyleModels, find_models, load_engines
from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.folder import GOLDEN_CHECKSUMS, ModelFolder
from dctnet.models.self_test import GoldenPair
from tests.support.file_swaps import SWAPS
from tests.support.shipped import COMIC_FILES, copy_shipped
from tests.support.tiny_model import write_model_without_graphs

NOT_LOADED = {manifest.FILE_NAME, GOLDEN_CHECKSUMS, "LICENSES.md", "cartoon_bg.onnx"}
LOADED_FILES_OF_COMIC = sorted(set(COMIC_FILES) - NOT_LOADED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_shipped(tmp_path / "model")
    return tmp_path / "model"


def settings(folder: Path) -> Settings:
    return Settings.from_environment({"DCTNET_STYLES": str(folder), "DCTNET_SLOTS": "1"})


def verify(folder: Path) -> ModelFolder:
    (model,) = find_models(settings(folder)).models.values()
    return model


def load(model: ModelFolder) -> Engine:
    (engine,) = load_engines(settings(model.path), StyleModels({"comic": model}))[0].values()
    return engine


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("swap", SWAPS)
def test_converted_model_loads_only_verified_files(folder, swap):
    model = verify(folder)
    for name in COMIC_FILES:
        swap(folder / name)
    check_golden_pair(load(model), model)


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("name", LOADED_FILES_OF_COMIC)
def test_file_changed_after_verification_is_not_loaded(folder, name):
    model = verify(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} has changed since it was opened"):
        check_golden_pair(load(model), model)


def test_unlisted_golden_pair_is_ignored(tmp_path):
    write_model_without_graphs(tmp_path / "model")
    black = np.zeros((8, 8, 3), np.uint8)
    GoldenPair(black, black).write(tmp_path / "model")
    model = verify(tmp_path / "model")
    assert GoldenPair.read(model.files) is None
    (tmp_path / "model" / manifest.FILE_NAME).unlink()
    assert GoldenPair.read(verify(tmp_path / "model").files) is not None


def test_model_may_consist_of_symbolic_links(folder, tmp_path):
    """As Kubernetes mounts a ConfigMap, and as caches of hubs keep files."""
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "..data").symlink_to(folder)
    for name in COMIC_FILES:
        (linked / name).symlink_to(f"..data/{name}")
    model = verify(linked)
    (linked / "..data").unlink()
    check_golden_pair(load(model), model)
