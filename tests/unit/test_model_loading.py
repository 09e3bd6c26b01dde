"""Model loading: model, engine and label."""

from pathlib import Path

import pytest

from dctnet.config import Settings
from dctnet.cpus import available_cpus
from dctnet.model_loading import find_model, network_threads
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from tests.support.tiny_model import write_model_without_graphs


def settings(**variables: object) -> Settings:
    return Settings.from_environment({f"DCTNET_{k.upper()}": str(v) for k, v in variables.items()})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    write_model_without_graphs(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_digest_setting_pins_the_model(tiny):
    digest = find_model(settings(model=tiny)).digest
    assert find_model(settings(model=tiny, model_digest=digest)).integrity == "pinned"
    with pytest.raises(ModelError, match="another model"):
        find_model(settings(model=tiny, model_digest="0" * 64))


def test_threads_default_to_the_cpus():
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
def test_label_is_one_printable_word(style, revision, word):
    model = ModelFolder(Path("folder"), style, "folder", revision, None, "no manifest")
    assert model.label == word
