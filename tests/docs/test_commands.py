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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a clone and a shell: nothing set, no model fetched."""

    clone: Path
    port: int
    management: int

    def types(self, block: Block, page: Path, folder: Path) -> None:
        """Type a block's commands; the first that fails ends the test with what it said."""
        environ = self.environment()
        if page != README:  # The other pages expect the command on the path.
            environ["PATH"] = f"{self.clone / '.venv' / 'bin'}:{environ['PATH']}"
        completed = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", self.words(block)],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
        assert completed.returncode == 0, f"{page.name}:{block.line}:\n{completed.stdout}"

    def environment(self) -> dict[str, str]:
        return environment(
            DCTNET_BIND=f"127.0.0.1:{self.port}",
            DCTNET_MANAGEMENT_BIND=f"127.0.0.1:{self.management}",
            DCTNET_MODELS_DIR=self.clone / "none",
            PYTHONPATH=self.clone / "service",
        )

    def words(self, block: Block) -> str:
        """The block with free ports instead of the documentation's."""
        text = re.sub(r"\b8080\b", str(self.port), block.text)
        return re.sub(r"\b9090\b", str(self.management), text)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    """One with a copy of the repository, where commands may leave files."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    clone = tmp_path_factory.mktemp("readme") / "dctnet"
    for name in kept_files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)  # With its time, by which make decides.
    (clone / ".venv").symlink_to(sys.prefix)
    (clone / LIBRARIES).symlink_to(ROOT / LIBRARIES)
    # Otherwise the copy would install itself into the environment that runs this test.
    question = subprocess.run(["make", "--question", "install"], cwd=clone, check=False)
    assert question.returncode == 0, (
        "the environment is older than its lock: run `make install-dev`"
    )
    return Newcomer(clone, *free_ports(2))


@pytest.fixture(scope="module")
def server(newcomer: Newcomer) -> Iterator[Path]:
    """The server that the README starts, ready; gives its log."""
    (start,) = [block for block in commands(README) if block.keeps_running]
    log = newcomer.clone.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-ec", newcomer.words(start)],
            cwd=newcomer.clone,
            env=newcomer.environment(),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: is_ready(newcomer.port), log.read_text, process=process)
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


def test_what_the_readme_says_to_type_works_in_its_order(newcomer, server):
    for block in commands(README):
        if block.is_run and not block.keeps_running:
            newcomer.types(block, README, newcomer.clone)
    portrait = np.asarray(Image.open(newcomer.clone / "portrait.jpg"), dtype=float)
    for name in ("cartoon.png", "cartoon.webp", "cartoons/portrait.png"):
        cartoon = np.asarray(Image.open(newcomer.clone / name), dtype=float)
        assert cartoon.shape == portrait.shape, name
        # Another image than the photo, and yet an image of it.
        assert 2 < np.abs(cartoon - portrait).mean() < 40, name
    for said in ("the model is demo", "dctnet fetch anime"):
        until(lambda said=said: said in server.read_text(), server.read_text)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", ["api.md", "models.md", "serving.md"])
def test_what_a_page_says_to_type_works_beside_the_readme_s_server(name, newcomer, tmp_path):
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")
    page = ROOT / "docs" / name
    run = [block for block in commands(page) if block.is_run]
    assert run
    for block in run:
        newcomer.types(block, page, tmp_path)


class Busy(http_stub.Handler):
    """Draws at the second request, having asked at the first to wait."""

    def respond(self) -> None:
        self.body()
        if len(self.server.requests) == 1:
            self.answer(429, b"{}", {"Retry-After": "1"})
        else:
            self.answer(200, b"drawn")


PROGRAMS = {"python": (sys.executable, "py"), "js": ("node", "mjs")}
"""What runs a program of a language, and the end of its file's name."""

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Runs a page's program beside an image, with a server at a port."""
    command, suffix = PROGRAMS[request.param]
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}: apt-get install nodejs")
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")

    def run(port: int, page: Path = API) -> "subprocess.CompletedProcess[str]":
        (block,) = blocks(page, request.param)
        file = tmp_path / f"program.{suffix}"
        file.write_text(re.sub(r"\b8080\b", str(port), block.text))
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
@pytest.mark.usefixtures("server")
def test_a_program_draws(page, program, newcomer, tmp_path):
    done = program(newcomer.port, page)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "cartoon.webp") as cartoon:
        assert cartoon.format == "WEBP"
        assert cartoon.size == Image.open(tmp_path / "portrait.jpg").size


def test_a_program_of_the_api_s_page_waits_as_long_as_it_is_told(program, tmp_path):
    with http_stub.serving(Busy) as busy:
        started = time.monotonic()
        done = program(busy.server_port)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started >= 1
    assert len(busy.requests) == 2
    assert (tmp_path / "cartoon.webp").read_bytes() == b"drawn"


@pytest.mark.usefixtures("server")
def test_a_program_of_the_api_s_page_says_what_is_wrong(program, newcomer, tmp_path):
    (tmp_path / "portrait.jpg").write_text("hello")
    done = program(newcomer.port)
    assert done.returncode == 1
    assert "The image's format is not supported: This is not a JPEG" in done.stderr
    assert not (tmp_path / "cartoon.webp").exists()
