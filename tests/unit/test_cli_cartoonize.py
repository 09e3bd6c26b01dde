"""``dctnet cartoonize`` through its main function; `tests/cli` runs it as a process."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dctnet.cli import main
from dctnet.cli.cartoonize import output_paths
from dctnet.cli.contact_sheet import LABEL_HEIGHT, MARGIN
from dctnet.runtimes import selection
from tests.support.encoded_images import decoded, encoded, gradient
from tests.support.tiny_model import NEGATIVE

IMAGE = gradient(40, 24)


Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with two images, and the shipped styles with other networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selection.NetworkLoader, "load", lambda *_: NEGATIVE)
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path / "models"))
    Path("a.png").write_bytes(encoded(IMAGE))
    Path("b.jpg").write_bytes(encoded(IMAGE, "JPEG"))


def lines(captured: Captured) -> tuple[list[str], list[str]]:
    out, err = captured.readouterr()
    return out.splitlines(), err.splitlines()


def test_each_image_gets_a_cartoon_in_a_new_folder(capsys):
    assert main(["cartoonize", "a.png", "b.jpg", "--out", "new/folder"]) == 0
    assert lines(capsys) == (["new/folder/a.png", "new/folder/b.png"], [])
    cartoon = decoded(Path("new/folder/a.png").read_bytes())
    np.testing.assert_array_equal(cartoon, 255 - IMAGE)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_format_option_and_replacement_of_existing_cartoons(format):
    for _ in range(2):
        assert main(["cartoonize", "a.png", "--out", "out", "--format", format]) == 0
    (path,) = Path("out").iterdir()
    assert path.name == f"a.{format}"
    assert np.abs(decoded(path.read_bytes()).astype(int) - (255 - IMAGE)).mean() < 3


def test_transparency_may_be_kept_or_composited_on_a_colour(capsys):
    rgba = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 0, np.uint8)])
    Path("cutout.png").write_bytes(encoded(rgba))
    command = ["cartoonize", "cutout.png", "b.jpg", "--out", "out", "--background"]
    assert main([*command, "keep", "--format", "webp"]) == 0
    with Image.open("out/cutout.webp") as kept, Image.open("out/b.webp") as opaque:
        assert (kept.mode, opaque.mode) == ("RGBA", "RGB")
        assert not np.asarray(kept)[..., 3].any()
    assert main([*command, "#f80"]) == 0
    cartoon = decoded(Path("out/cutout.png").read_bytes())
    np.testing.assert_array_equal(cartoon[0, 0], [0, 255 - 0x88, 255])
    capsys.readouterr()
    assert main([*command, "keep", "--format", "jpeg"]) == 1
    assert "--background keep needs a --format with transparency" in capsys.readouterr().err


def test_several_styles_give_one_cartoon_each(capsys):
    command = ["cartoonize", "a.png", "b.jpg", "--out", "out", "--style", "poster,comic"]
    assert main(command) == 0
    names = ["a-poster.png", "a-comic.png", "b-poster.png", "b-comic.png"]
    assert lines(capsys) == ([f"out/{name}" for name in names], [])
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(names)


def test_bad_list_of_styles_is_wrong_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["cartoonize", "a.png", "--out", "out", "--style", "comic,comic"])
    assert "argument --style: 'comic,comic' is not at most" in capsys.readouterr().err


def test_contact_sheet_has_the_photo_and_every_style(capsys):
    assert main(["contact-sheet", "a.png"]) == 0
    assert lines(capsys) == (["a-styles.png"], [])
    height, width = IMAGE.shape[:2]
    sheet = decoded(Path("a-styles.png").read_bytes())
    cell = height + MARGIN + LABEL_HEIGHT, width + MARGIN  # Photo, comic, sketch and poster.
    assert sheet.shape == (2 * cell[0] + MARGIN, 2 * cell[1] + MARGIN, 3)
    for index, expected in enumerate((IMAGE, *[255 - IMAGE] * 3)):
        top = MARGIN + LABEL_HEIGHT + index // 2 * cell[0]
        left = MARGIN + index % 2 * cell[1]
        np.testing.assert_array_equal(sheet[top : top + height, left : left + width], expected)
        assert sheet[top - LABEL_HEIGHT : top, left : left + width].min() < 64  # The label.
    assert main(["contact-sheet", "a.png", "--style", "poster", "--out", "one.png"]) == 0
    assert decoded(Path("one.png").read_bytes()).shape == (
        cell[0] + MARGIN,
        2 * cell[1] + MARGIN,
        3,
    )
    assert main(["contact-sheet", "none.png"]) == 1
    Path("text.png").write_text("hello")
    assert main(["contact-sheet", "text.png"]) == 1
    assert "dctnet: text.png: This is text, not a JPEG" in capsys.readouterr().err


def test_strength_and_size_options():
    assert main(["cartoonize", "a.png", "--out", "out", "--strength", "0"]) == 0
    np.testing.assert_array_equal(decoded(Path("out/a.png").read_bytes()), IMAGE)
    assert main(["cartoonize", "a.png", "--out", "out", "--size", "20"]) == 0
    cartoon = decoded(Path("out/a.png").read_bytes())
    assert cartoon.shape == (20, 12, 3)
    assert np.abs(cartoon.mean() - (255 - IMAGE).mean()) < 1


def test_size_option_brings_a_long_image_below_the_limit_of_the_format():
    Path("long.png").write_bytes(encoded(np.zeros((1, 20_000, 3), np.uint8)))
    command = ["cartoonize", "long.png", "--out", "out", "--format", "webp"]
    assert main([*command, "--size", "16384"]) == 1
    assert main([*command, "--size", "16383"]) == 0


@pytest.mark.parametrize("option", [["--strength", "1.01"], ["--size", "15"], ["--size", "65536"]])
def test_invalid_strength_or_size_is_wrong_usage(capsys, option):
    with pytest.raises(SystemExit, match="2"):
        main(["cartoonize", "a.png", "--out", "out", *option])
    assert f"argument {option[0]}: '{option[1]}' is not a" in capsys.readouterr().err
    assert not Path("out").exists()


def test_bad_image_is_reported_and_skipped(capsys, monkeypatch):
    monkeypatch.setenv("DCTNET_MAX_PIXELS", "960")
    Path("text.png").write_text("hello")
    Path("cut.png").write_bytes(encoded(IMAGE)[:-50])
    Path("large.png").write_bytes(encoded(gradient(31, 31)))
    Path("folder.png").mkdir()
    bad = ["none.png", "text.png", "cut.png", "large.png", "folder.png", "new\nline.png"]
    assert main(["cartoonize", *bad, "a.png", "--out", "out"]) == 1
    assert lines(capsys) == (
        ["out/a.png"],
        [
            "dctnet: none.png is skipped: No such file or directory.",
            "dctnet: text.png is skipped: This is text, not a JPEG, PNG, WebP or AVIF image.",
            "dctnet: cut.png is skipped: The PNG is damaged or cut off.",
            (
                "dctnet: large.png is skipped: "
                "The image has 31 x 31 = 961 pixels; at most 960 are allowed."
            ),
            "dctnet: folder.png is skipped: Is a directory.",
            "dctnet: new?line.png is skipped: No such file or directory.",
        ],
    )
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]


def test_images_with_equal_names_get_distinct_cartoons():
    Path("other").mkdir()
    Path("other/a.jpg").write_bytes(encoded(IMAGE[::-1], "JPEG", quality=100))
    assert main(["cartoonize", "a.png", "other/a.jpg", "a.png", "--out", "out"]) == 0
    first, second, third = (
        decoded(Path("out", f"a{n}.png").read_bytes()) for n in ("", "-2", "-3")
    )
    np.testing.assert_array_equal(first, third)
    assert np.abs(second.astype(int) - first[::-1]).max() < 9


def test_cartoon_never_overwrites_its_image():
    before = Path("a.png").read_bytes()
    assert main(["cartoonize", "a.png", "--out", "."]) == 0
    assert Path("a.png").read_bytes() == before
    np.testing.assert_array_equal(decoded(Path("a-2.png").read_bytes()), 255 - IMAGE)


def test_output_paths_avoid_all_images_of_the_call():
    images = [Path("x/a.jpg"), Path("a.png"), Path("./a-2.png"), Path("y/a.jpg")]
    assert output_paths(images, Path(), "png", [image.stem for image in images]) == [
        Path("a-3.png"),
        Path("a-4.png"),
        Path("a-2-2.png"),
        Path("a-5.png"),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "a.png"], "Cannot create the folder a.png: File exists."),
        (["--out", "a.png/x"], "Cannot create the folder a.png/x: Not a directory."),
        (["--out", "out", "--style", "/none"], "There is no model folder /none."),
        (["--out", "out", "--style", "3d"], "fetch it with `dctnet fetch 3d`."),
        (["--out", "out", "--style", "baroque"], "There is no style and no folder 'baroque'"),
    ],
)
def test_errors_are_one_sentence(capsys, arguments, sentence):
    assert main(["cartoonize", "a.png", *arguments]) == 1
    out, (line,) = lines(capsys)
    assert out == []
    assert line.startswith("dctnet: ")
    assert sentence in line


def test_unwritable_output_stops_the_run(capsys):
    Path("out/a.png").mkdir(parents=True)
    assert main(["cartoonize", "a.png", "b.jpg", "--out", "out"]) == 1
    assert lines(capsys) == ([], ["dctnet: out/a.png: Is a directory."])


def test_invalid_setting_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setenv("DCTNET_MAX_PIXELS", "none")
    assert main(["cartoonize", "a.png", "--out", "out"]) == 1
    (line,) = lines(capsys)[1]
    assert line == (
        "dctnet: DCTNET_MAX_PIXELS is 'none', "
        "but it must be a whole number of pixels from 1 to 500000000."
    )


def test_unknown_variable_is_reported(capsys, monkeypatch):
    monkeypatch.setenv("DCTNET_PORT", "tcp://10.0.0.1:80")
    assert main(["cartoonize", "a.png", "--out", "out"]) == 0
    assert lines(capsys)[1] == [
        "dctnet: These variables are not settings and have no effect: DCTNET_PORT."
    ]


def test_image_without_enough_memory_is_skipped(capsys, monkeypatch):
    def without_memory(data: bytes, max_pixels: int, **_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("dctnet.imaging.decode", without_memory)
    assert main(["cartoonize", "a.png", "--out", "out"]) == 1
    assert lines(capsys)[1] == ["dctnet: a.png is skipped: There is not enough memory for it."]
