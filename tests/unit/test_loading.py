"""From settings to a model, its engine and its name."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dctnet.config import Settings
from dctnet.cpus import available_cpus
from dctnet.loading import find_model, label, load_engine, network_threads
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from tests.support.encoded import gradient
from tests.support.tiny_model import write_tiny_model


def settings(**variables: object) -> Settings:
    return Settings.from_environment({f"DCTNET_{k.upper()}": str(v) for k, v in variables.items()})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


def test_the_model_that_is_named_is_loaded(tiny: Path) -> None:
    engine, model = load_engine(settings(model=tiny))
    assert model.model == "example/tiny"
    np.testing.assert_array_equal(
        engine.cartoonize(gradient(40, 24)).picture, 255 - gradient(40, 24)
    )


def test_pictures_are_worked_on_at_the_side_that_is_set(tiny: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 600, 3), dtype=np.uint8)
    small, _ = load_engine(settings(model=tiny, max_working_side=256))
    large, _ = load_engine(settings(model=tiny))
    np.testing.assert_array_equal(large.cartoonize(picture).picture, 255 - picture)
    assert small.cartoonize(picture).picture.std() < 0.8 * picture.std()


def test_the_digest_that_is_set_pins_the_model(tiny: Path) -> None:
    digest = find_model(settings(model=tiny)).digest
    assert find_model(settings(model=tiny, model_digest=digest)).integrity == "pinned"
    with pytest.raises(ModelError, match="another model"):
        find_model(settings(model=tiny, model_digest="0" * 64))


def test_without_tensorflow_it_is_said_what_to_install(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ModelError, match="install dctnet with its `reference` extra"):
        load_engine(settings(model=tiny))


def test_threads_are_those_that_are_set_or_the_processors() -> None:
    assert network_threads(settings(threads=7)) == 7
    assert network_threads(settings()) == max(1, int(available_cpus()))


@pytest.mark.parametrize(
    ("style", "revision", "word"),
    [
        ("demo", "", "demo"),
        ("anime", "v1.0.0", "anime@v1.0.0"),
        ("an ime", "ü\n", "an?ime@??"),
        ("unknown", "", "folder"),
    ],
)
def test_a_model_is_named_in_one_printable_word(style: str, revision: str, word: str) -> None:
    model = ModelFolder(Path("folder"), style, "folder", revision, None, "no manifest")
    assert label(model) == word
