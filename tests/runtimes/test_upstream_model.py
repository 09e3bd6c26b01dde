"""A model in the upstream format, from its path to cartoons by TensorFlow."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dctnet.config import Settings
from dctnet.model_loading import find_models, load_engine, load_engines
from dctnet.models import manifest
from tests.support.encoded_images import gradient
from tests.support.file_swaps import SWAPS
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.xdist_group("tensorflow")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, whose networks are frozen graphs; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


def settings(folder: Path, **variables: object) -> Settings:
    environ = {f"DCTNET_{name.upper()}": str(value) for name, value in variables.items()}
    return Settings.from_environment(environ | {"DCTNET_STYLES": str(folder)})


def test_named_model_is_loaded_with_max_working_side(tiny):
    image = np.random.default_rng(0).integers(0, 256, (300, 600, 3), dtype=np.uint8)
    small = load_engine(settings(tiny, max_working_side=256))
    large = load_engine(settings(tiny))
    np.testing.assert_array_equal(large.cartoonize(image).image, 255 - image)
    assert small.cartoonize(image).image.std() < 0.8 * image.std()


@pytest.mark.promise("Models: the files served are the files that were verified")
@pytest.mark.parametrize("has_manifest", [True, False])
@pytest.mark.parametrize("swap", SWAPS)
def test_upstream_model_loads_only_verified_files(tiny, tmp_path, swap, has_manifest):
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    if not has_manifest:
        (folder / manifest.FILE_NAME).unlink()
    verified = find_models(settings(folder))
    for path in list(folder.iterdir()):
        swap(path)
    image = gradient(40, 24)
    (engine,) = load_engines(settings(folder), verified)[0].values()
    np.testing.assert_array_equal(engine.cartoonize(image).image, 255 - image)
