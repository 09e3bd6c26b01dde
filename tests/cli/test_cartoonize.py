"""``dctnet cartoonize`` as a process: streams, terminal and signals."""

import os
import pty
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S
from tests.support.repo import DCTNET
from tests.support.shipped import COMIC
from tests.support.tiny_model import write_tiny_model

IMAGE = gradient(40, 24)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with two images, and the shipped comic in the settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DCTNET_STYLES", str(COMIC))
    Path("a.png").write_bytes(encoded(IMAGE))
    Path("b.jpg").write_bytes(encoded(IMAGE, "JPEG"))


@pytest.mark.xdist_group("tensorflow")
def test_stdout_contains_only_cartoon_paths(tmp_path, monkeypatch):
    """File names need not be valid text; TensorFlow's log lines are ignored."""
    write_tiny_model(tmp_path / "tiny")
    monkeypatch.setenv("DCTNET_STYLES", "./tiny")
    name = b"\xff.png"
    Path(os.fsdecode(name)).write_bytes(encoded(IMAGE))
    run = subprocess.run(
        [DCTNET, "cartoonize", name, "--out", "out"], capture_output=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"out/" + name + b"\n", b"")


def test_terminal_shows_progress_bar_and_clears_it():
    master, slave = pty.openpty()
    command = [DCTNET, "cartoonize", "a.png", "none.png", "b.jpg", "--out", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = read_all(master)
    assert process.returncode == 1
    assert "0/3 a.png" in shown
    assert "[########----------------] 1/3 none.png" in shown
    assert "2/3 b.jpg" in shown
    assert "\r\x1b[Kdctnet: none.png is skipped: No such file or directory.\r\n" in shown
    assert shown.endswith("\r\x1b[K")


def read_all(terminal: int) -> str:
    data = b""
    while select.select([terminal], [], [], BOUND_S)[0]:
        try:
            data += os.read(terminal, 4096)
        except OSError:  # Linux reports this when the other side is closed.
            break
    os.close(terminal)
    return data.decode()


def test_ctrl_c_exits_silently():
    with many() as process:
        assert process.stdout.readline() == "out/a.png\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=BOUND_S)
    assert (process.returncode, err) == (130, "")
    assert len(list(Path("out").iterdir())) < 2000


def test_closed_stdout_exits_silently():
    with many() as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (1, "")


def many() -> "subprocess.Popen[str]":
    """Start a run with more images than a test waits for."""
    command = [DCTNET, "cartoonize", *["a.png"] * 2000, "--out", "out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True)
