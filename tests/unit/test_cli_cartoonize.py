"""``dctnet cartoonize``, by calls of its main function and as a process."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dctnet.cli import main
from dctnet.cli.cartoonize import output_paths
from tests.support.encoded import decoded, encoded, gradient
from tests.support.tiny_model import write_tiny_model

PICTURE = gradient(40, 24)
DCTNET = Path(sys.executable).with_name("dctnet")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return folder


@pytest.fixture(autouse=True)
def _surroundings(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with two pictures, and the tiny model in the settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DCTNET_MODEL", str(tiny))
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(tmp_path / "models"))
    Path("a.png").write_bytes(encoded(PICTURE))
    Path("b.jpg").write_bytes(encoded(PICTURE, "JPEG"))


def lines(captured: Captured) -> tuple[list[str], list[str]]:
    out, err = captured.readouterr()
    return out.splitlines(), err.splitlines()


def test_each_picture_gets_a_cartoon_in_a_new_folder(capsys: Captured) -> None:
    assert main(["cartoonize", "a.png", "b.jpg", "--out", "new/folder"]) == 0
    assert lines(capsys) == (["new/folder/a.png", "new/folder/b.png"], [])
    cartoon = decoded(Path("new/folder/a.png").read_bytes())
    np.testing.assert_array_equal(cartoon, 255 - PICTURE)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_the_format_is_what_is_asked_for(format: str) -> None:
    assert main(["cartoonize", "a.png", "--out", "out", "--format", format]) == 0
    (path,) = Path("out").iterdir()
    assert path.name == f"a.{format}"
    assert np.abs(decoded(path.read_bytes()).astype(int) - (255 - PICTURE)).mean() < 3


def test_a_bad_picture_is_named_and_left_out(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCTNET_MAX_PIXELS", "960")
    Path("text.png").write_text("hello")
    Path("cut.png").write_bytes(encoded(PICTURE)[:-50])
    Path("large.png").write_bytes(encoded(gradient(31, 31)))
    Path("folder.png").mkdir()
    bad = ["none.png", "text.png", "cut.png", "large.png", "folder.png", "new\nline.png"]
    assert main(["cartoonize", *bad, "a.png", "--out", "out"]) == 1
    assert lines(capsys) == (
        ["out/a.png"],
        [
            "dctnet: none.png is left out: No such file or directory.",
            "dctnet: text.png is left out: This is no JPEG, PNG, WebP or AVIF picture.",
            "dctnet: cut.png is left out: The PNG is damaged or cut off.",
            (
                "dctnet: large.png is left out: "
                "The picture has 31 x 31 = 961 pixels; at most 960 are allowed."
            ),
            "dctnet: folder.png is left out: Is a directory.",
            "dctnet: new?line.png is left out: No such file or directory.",
        ],
    )
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]


def test_pictures_of_one_name_do_not_overwrite_one_another() -> None:
    Path("other").mkdir()
    Path("other/a.jpg").write_bytes(encoded(PICTURE[::-1], "JPEG", quality=100))
    assert main(["cartoonize", "a.png", "other/a.jpg", "a.png", "--out", "out"]) == 0
    first, second, third = (
        decoded(Path("out", f"a{n}.png").read_bytes()) for n in ("", "-2", "-3")
    )
    np.testing.assert_array_equal(first, third)
    assert np.abs(second.astype(int) - first[::-1]).max() < 9


def test_no_picture_is_overwritten_by_its_own_cartoon() -> None:
    before = Path("a.png").read_bytes()
    assert main(["cartoonize", "a.png", "--out", "."]) == 0
    assert Path("a.png").read_bytes() == before
    np.testing.assert_array_equal(decoded(Path("a-2.png").read_bytes()), 255 - PICTURE)


def test_places_are_chosen_around_all_pictures_of_the_call() -> None:
    pictures = [Path("x/a.jpg"), Path("a.png"), Path("./a-2.png"), Path("y/a.jpg")]
    assert output_paths(pictures, Path(), "png") == [
        Path("a-3.png"),
        Path("a-4.png"),
        Path("a-2-2.png"),
        Path("a-5.png"),
    ]


def test_a_second_run_replaces_the_cartoons_of_the_first() -> None:
    for _ in range(2):
        assert main(["cartoonize", "a.png", "--out", "out"]) == 0
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "a.png"], "Cannot make the folder a.png: File exists."),
        (["--out", "a.png/x"], "Cannot make the folder a.png/x: Not a directory."),
        (["--out", "out", "--model", "/none"], "There is no model folder /none."),
        (["--out", "out", "--style", "sketch"], "fetch it with `dctnet fetch sketch`."),
        (["--out", "out", "--style", "baroque"], "There is no style and no folder 'baroque'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    capsys: Captured, arguments: list[str], sentence: str
) -> None:
    assert main(["cartoonize", "a.png", *arguments]) == 1
    out, (line,) = lines(capsys)
    assert out == []
    assert line.startswith("dctnet: ")
    assert sentence in line


def test_a_place_that_cannot_be_written_ends_the_run(capsys: Captured) -> None:
    Path("out/a.png").mkdir(parents=True)
    assert main(["cartoonize", "a.png", "b.jpg", "--out", "out"]) == 1
    assert lines(capsys) == ([], ["dctnet: out/a.png: Is a directory."])


def test_a_bad_setting_is_one_sentence(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCTNET_MAX_PIXELS", "none")
    assert main(["cartoonize", "a.png", "--out", "out"]) == 1
    (line,) = lines(capsys)[1]
    assert line == (
        "dctnet: DCTNET_MAX_PIXELS is 'none', "
        "but it must be a whole number of pixels from 1 to 500000000."
    )


def test_a_variable_that_is_no_setting_is_named_and_nothing_more(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCTNET_PORT", "tcp://10.0.0.1:80")
    assert main(["cartoonize", "a.png", "--out", "out"]) == 0
    assert lines(capsys)[1] == [
        "dctnet: These variables are no settings and have no effect: DCTNET_PORT."
    ]


def test_an_image_without_enough_memory_is_left_out(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_memory(data: bytes, max_pixels: int) -> None:
        raise MemoryError

    monkeypatch.setattr("dctnet.imaging.decode", without_memory)
    assert main(["cartoonize", "a.png", "--out", "out"]) == 1
    assert lines(capsys)[1] == ["dctnet: a.png is left out: There is not enough memory for it."]


def test_the_process_writes_nothing_but_the_cartoons_names() -> None:
    """A file's name need not be text, nor its cartoon's."""
    name = b"\xff.png"
    Path(os.fsdecode(name)).write_bytes(encoded(PICTURE))
    run = subprocess.run(
        [DCTNET, "cartoonize", name, "--out", "out"], capture_output=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"out/" + name + b"\n", b"")


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end() -> None:
    master, slave = pty.openpty()
    command = [DCTNET, "cartoonize", "a.png", "none.png", "b.jpg", "--out", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = read_all(master)
    assert process.returncode == 1
    assert "0/3 a.png" in shown
    assert "[########----------------] 1/3 none.png" in shown
    assert "2/3 b.jpg" in shown
    assert "\r\x1b[Kdctnet: none.png is left out: No such file or directory.\r\n" in shown
    assert shown.endswith("\r\x1b[K")


def read_all(terminal: int) -> str:
    data = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            data += os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side is closed.
            break
    os.close(terminal)
    return data.decode()


def test_ctrl_c_ends_a_run_without_a_word_of_its_own() -> None:
    command = [DCTNET, "cartoonize", *["a.png"] * 2000, "--out", "out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdout.readline() == "out/a.png\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert len(list(Path("out").iterdir())) < 2000


def test_a_reader_that_has_enough_ends_a_run_without_a_word() -> None:
    command = [DCTNET, "cartoonize", *["a.png"] * 2000, "--out", "out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 1
    assert err == ""
