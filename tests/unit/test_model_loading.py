"""Model loading: styles, their models, pins and labels."""

from pathlib import Path

import pytest

from dctnet.config import Settings
from dctnet.cpus import available_cpus
from dctnet.model_loading import find_models, load_engines, network_threads, restricted
from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.folder import CONVERTED_SUFFIX, SHIPPED, ModelFolder, default_styles, style_of
from dctnet.models.styles import SHIPPED_STYLES
from tests.support.shipped import copy_shipped
from tests.support.tiny_model import write_model_without_graphs


def settings(**variables: object) -> Settings:
    return Settings.from_environment({f"DCTNET_{k.upper()}": str(v) for k, v in variables.items()})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A converted model of the style `comic` in a folder of another name."""
    return copy_shipped(tmp_path / "tiny")


def test_shipped_styles_are_served_if_nothing_is_converted(tmp_path):
    assert default_styles(tmp_path) == tuple(SHIPPED_STYLES)
    (tmp_path / "anime").mkdir()  # Fetched only.
    assert default_styles(tmp_path) == tuple(SHIPPED_STYLES)
    found = find_models(settings(models_dir=tmp_path))
    assert list(found.models) == list(SHIPPED_STYLES)
    assert [model.path.parent for model in found.models.values()] == [SHIPPED] * len(SHIPPED_STYLES)


def test_every_converted_style_is_served_anime_first(tmp_path):
    for style in ("sd-design", "3d", "anime"):
        (tmp_path / f"{style}{CONVERTED_SUFFIX}").mkdir()
    assert default_styles(tmp_path) == ("anime", "3d", "sd-design")


def test_first_listed_style_is_the_default(tiny):
    found = find_models(settings(styles=f"{tiny},{SHIPPED / 'poster'}"))
    assert list(found.models) == ["comic", "poster"]


def test_digest_pins_a_style_by_name(tiny):
    digest = find_models(settings(styles=tiny)).models["comic"].digest
    pinned = find_models(settings(styles=tiny, style_digests=f"comic={digest}"))
    assert pinned.models["comic"].integrity == "pinned"
    with pytest.raises(ModelError, match="another model"):
        find_models(settings(styles=tiny, style_digests=f"comic={'0' * 64}"))


def test_pin_of_a_style_that_is_not_listed_fails(tiny):
    """A folder that claims another style must not escape its pin."""
    with pytest.raises(ModelError, match="pins anime, but the styles are comic"):
        find_models(settings(styles=tiny, style_digests=f"anime={'0' * 64}"))


def test_folder_without_manifest_is_named_after_itself(tmp_path):
    folder = tmp_path / "my, style\n"
    write_model_without_graphs(folder)
    (folder / manifest.FILE_NAME).unlink()
    assert style_of(folder) == "my--style-"


def test_two_models_of_one_style_are_rejected(tiny):
    with pytest.raises(ModelError, match=f"{tiny} and .* are both the style comic"):
        find_models(settings(styles=f"{tiny},{SHIPPED / 'comic'}"))


def test_broken_style_fails_the_start_unless_styles_are_optional(tiny, tmp_path):
    (tiny / "cartoon_bg.npz").write_bytes(b"")
    styles = f"{tiny},{SHIPPED / 'poster'},anime"
    listed = {"styles": styles, "models_dir": tmp_path}
    with pytest.raises(ModelError, match="truncated"):
        find_models(settings(**listed))
    found = find_models(settings(**listed, styles_optional="true"))
    assert list(found.models) == ["poster"]
    assert "truncated" in found.broken[str(tiny)]
    assert "dctnet fetch anime" in found.broken["anime"]
    with pytest.raises(ModelError, match=f"No style can be used. {tiny}: .* truncated"):
        find_models(settings(styles=tiny, styles_optional="true"))


def test_styles_share_face_networks():
    one = settings(styles=f"{SHIPPED / 'comic'},{SHIPPED / 'poster'}")
    engines, broken = load_engines(one, find_models(one))
    comic, poster = (engine._networks for engine in engines.values())
    assert comic.detector is poster.detector
    assert comic.landmarks is poster.landmarks
    assert comic.background is not poster.background
    assert comic.background is comic.head
    assert not broken


def test_restriction_keeps_the_pins_of_its_styles():
    pins = f"comic={'1' * 64},poster={'2' * 64}"
    every = settings(styles="comic,poster", style_digests=pins)
    assert list(restricted(every).style_digests) == ["comic"]
    assert restricted(every).styles == ("comic",)
    assert list(restricted(every, ("poster",)).style_digests) == ["poster"]


def test_threads_default_to_the_cpus():
    assert network_threads(settings(threads=7)) == 7
    assert network_threads(settings()) == max(1, int(available_cpus()))


@pytest.mark.parametrize(
    ("style", "revision", "word"),
    [
        ("comic", "", "comic"),
        ("anime", "v1.0.0", "anime@v1.0.0"),
        ("anime", "ü\n", "anime@??"),
    ],
)
def test_label_is_one_printable_word(style, revision, word):
    model = ModelFolder(Path("folder"), style, "folder", revision, None, "no manifest")
    assert model.label == word
