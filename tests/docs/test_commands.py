"""What the documentation says to type works.

The README's commands run in a copy of the repository that has this environment as its `.venv`: the
installation itself is what `.ci/run` tries in a clean clone.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support import http_stub
from tests.support.markdown import Block, blocks, commands
from tests.support.polling import BOUND_S, until
from tests.support.process import free_ports
from tests.support.repo import ROOT, environment, kept_files

README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
PORTRAIT = ROOT / "docs" / "images" / "astronaut.jpg"

LIBRARIES = Path("service/dctnet/runtimes/lib")
"""Where the native runtime is built, which is not kept in the repository."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, where commands may leave files."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    copy = tmp_path_factory.mktemp("readme") / "dctnet"
    for name in kept_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)  # With its time, by which make decides.
    (copy / ".venv").symlink_to(sys.prefix)
    (copy / LIBRARIES).symlink_to(ROOT / LIBRARIES)
    # Otherwise the copy would install itself into the environment that runs this test.
    question = subprocess.run(["make", "--question", "install"], cwd=copy, check=False)
    assert question.returncode == 0, (
        "the environment is older than its lock: run `make install-dev`"
    )
    return copy


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """Free ports, instead of the documentation's."""
    return dict(zip(("8080", "9090"), free_ports(2), strict=True))


@pytest.fixture(scope="module")
def environ(copy: Path, ports: dict[str, int]) -> dict[str, str]:
    """What a newcomer's shell has: nothing set, no model fetched, the command on its path."""
    return environment(
        DCTNET_BIND=f"127.0.0.1:{ports['8080']}",
        DCTNET_MANAGEMENT_BIND=f"127.0.0.1:{ports['9090']}",
        DCTNET_MODELS_DIR=copy / "none",
        PATH=f"{copy / '.venv' / 'bin'}:{os.environ['PATH']}",
        PYTHONPATH=copy / "service",
    )


@pytest.fixture(scope="module")
def server(copy: Path, ports: dict[str, int], environ: dict[str, str]) -> Iterator[Path]:
    """The server that the README starts, ready; gives its log."""
    (start,) = [block for block in commands(README) if block.keeps_running]
    log = copy.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-ec", typed(start, ports)],
            cwd=copy,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: is_ready(ports["8080"]), log.read_text, process=process)
        yield log
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches make and the server alike.
        try:
            process.wait(BOUND_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=BOUND_S).ok
    except requests.ConnectionError:
        return False


def typed(block: Block, ports: dict[str, int]) -> str:
    text = block.text
    for documented, port in ports.items():
        text = re.sub(rf"\b{documented}\b", str(port), text)
    return text


def run(
    block: Block, page: Path, folder: Path, environ: dict[str, str], ports: dict[str, int]
) -> str:
    """Type a block's commands; the first that fails ends the test with what it said."""
    place = f"{page.name}:{block.line}"
    completed = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", typed(block, ports)],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert completed.returncode == 0, f"{place}:\n{completed.stdout}"
    return completed.stdout


def test_what_the_readme_says_to_type_works_in_its_order(
    copy: Path, server: Path, ports: dict[str, int], environ: dict[str, str]
) -> None:
    for block in commands(README):
        if block.is_run and not block.keeps_running:
            run(block, README, copy, environ, ports)
    portrait = np.asarray(Image.open(copy / "portrait.jpg"), dtype=float)
    for name in ("cartoon.png", "cartoon.webp", "cartoons/portrait.png"):
        cartoon = np.asarray(Image.open(copy / name), dtype=float)
        assert cartoon.shape == portrait.shape, name
        # Another picture than the photo, and yet a picture of it.
        assert 2 < np.abs(cartoon - portrait).mean() < 40, name
    for said in ("the model is demo", "dctnet fetch anime"):
        until(lambda said=said: said in server.read_text(), server.read_text)


@pytest.mark.parametrize("page", ["api.md", "models.md", "serving.md"])
def test_what_a_page_says_to_type_works_beside_the_readme_s_server(
    page: str,
    copy: Path,
    server: Path,
    ports: dict[str, int],
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")
    blocks = [block for block in commands(copy / "docs" / page) if block.is_run]
    assert blocks
    for block in blocks:
        run(block, copy / "docs" / page, tmp_path, environ, ports)


class Busy(http_stub.Handler):
    """Draws at the second request, having asked at the first to wait."""

    tries = 0

    def do_POST(self) -> None:  # noqa: N802
        self.body()
        type(self).tries += 1
        if self.tries == 1:
            self.answer(429, b"{}", {"Retry-After": "1"})
        else:
            self.answer(200, b"drawn")


PROGRAMS = {"python": (sys.executable, "py"), "js": ("node", "mjs")}
"""What runs a program of a language, and the end of its file's name."""


Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Runs a page's program beside a picture, with a server at a port."""
    command, suffix = PROGRAMS[request.param]
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}: apt-get install nodejs")
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")

    def run(port: int, page: Path = API) -> "subprocess.CompletedProcess[str]":
        (block,) = blocks(page, request.param)
        file = tmp_path / f"program.{suffix}"
        file.write_text(typed(block, {"8080": port}))
        return subprocess.run(
            [command, file],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    return run


@pytest.mark.parametrize("page", [README, API], ids=lambda page: page.name)
def test_a_program_draws(
    page: Path, program: Program, server: Path, ports: dict[str, int], tmp_path: Path
) -> None:
    done = program(ports["8080"], page)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "cartoon.webp") as cartoon:
        assert cartoon.format == "WEBP"
        assert cartoon.size == Image.open(tmp_path / "portrait.jpg").size


def test_a_program_of_the_api_s_page_waits_as_long_as_it_is_told(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Busy, "tries", 0)
    with http_stub.serving(Busy) as busy:
        started = time.monotonic()
        done = program(busy.server_port)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started >= 1
    assert Busy.tries == 2
    assert (tmp_path / "cartoon.webp").read_bytes() == b"drawn"


def test_a_program_of_the_api_s_page_says_what_is_wrong(
    program: Program, server: Path, ports: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "portrait.jpg").write_text("hello")
    done = program(ports["8080"])
    assert done.returncode == 1
    assert "The picture's format is not supported: This is no JPEG" in done.stderr
    assert not (tmp_path / "cartoon.webp").exists()
