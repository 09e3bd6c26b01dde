"""Commands and client programs in the documentation work.

The README's commands run in a copy of the repository that uses this environment as its `.venv`.
`.ci/run` tests the installation itself, in a clean clone.
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
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support import http_stub
from tests.support.markdown import Block, blocks, commands
from tests.support.polling import BOUND_S, until
from tests.support.process import free_ports
from tests.support.repo import ROOT, environment, repository_files

README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
PORTRAIT = ROOT / "docs" / "images" / "astronaut.jpg"

LIBRARIES = Path("service/dctnet/runtimes/lib")
"""Folder of the native runtime's libraries, which Git ignores."""


@dataclass(frozen=True)
class Clone:
    """A copy of the repository and a shell without settings or fetched models."""

    root: Path
    port: int
    management: int

    def run_block(self, block: Block, page: Path, folder: Path) -> None:
        """Run a block's commands; the first that fails fails the test with its output."""
        environ = self.environment()
        if page != README:  # The other pages expect the command on the PATH.
            environ["PATH"] = f"{self.root / '.venv' / 'bin'}:{environ['PATH']}"
        completed = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", self.with_free_ports(block)],
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
            DCTNET_MODELS_DIR=self.root / "none",
            PYTHONPATH=f"{self.root / 'service'}:{self.root}",
        )

    def with_free_ports(self, block: Block) -> str:
        """Return the block's text with free ports instead of 8080 and 9090."""
        text = re.sub(r"\b8080\b", str(self.port), block.text)
        return re.sub(r"\b9090\b", str(self.management), text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Copy the repository to a folder where commands may leave files."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    root = tmp_path_factory.mktemp("readme") / "dctnet"
    for name in repository_files():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)  # With its time, which make compares.
    (root / ".venv").symlink_to(sys.prefix)
    (root / LIBRARIES).symlink_to(ROOT / LIBRARIES)
    # Else the copy would install itself into the environment that runs this test.
    up_to_date = subprocess.run(["make", "--question", "install"], cwd=root, check=False)
    assert up_to_date.returncode == 0, (
        "the environment is older than its lock: run `make install-dev`"
    )
    return Clone(root, *free_ports(2))


@pytest.fixture(scope="module")
def server(clone: Clone) -> Iterator[Path]:
    """Start the server by the README's command, wait until it is ready, and yield its log."""
    (start,) = [block for block in commands(README) if block.keeps_running]
    log = clone.root.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-ec", clone.with_free_ports(start)],
            cwd=clone.root,
            env=clone.environment(),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: is_ready(clone.port), log.read_text, process=process)
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


def test_readme_commands_run_in_order(clone, server):
    for block in commands(README):
        if block.is_run and not block.keeps_running:
            clone.run_block(block, README, clone.root)
    portrait = np.asarray(Image.open(clone.root / "portrait.jpg"), dtype=float)
    for name in (
        "cartoon.png",
        "cartoon.webp",
        "cartoons/portrait-comic.png",
        "cartoons/portrait-poster.png",
    ):
        cartoon = np.asarray(Image.open(clone.root / name), dtype=float)
        assert cartoon.shape == portrait.shape, name
        # Differs from the photo, and still resembles it.
        assert 2 < np.abs(cartoon - portrait).mean() < 80, name
    assert (clone.root / "portrait-styles.png").exists()
    for line in ("the style comic is comic", "dctnet fetch sketch"):
        until(lambda line=line: line in server.read_text(), server.read_text)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", ["api.md", "capacity.md", "models.md", "operations.md"])
def test_page_commands_run_against_the_readme_server(name, clone, tmp_path):
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")
    page = ROOT / "docs" / name
    run = [block for block in commands(page) if block.is_run]
    assert run
    for block in run:
        clone.run_block(block, page, tmp_path)


class RejectsFirstRequest(http_stub.Handler):
    """Rejects the first request with ``Retry-After: 1`` and accepts the second."""

    def respond(self) -> None:
        self.body()
        if len(self.server.requests) == 1:
            self.send(429, b"{}", {"Retry-After": "1"})
        else:
            self.send(200, b"cartoon")


INTERPRETERS = {"python": (sys.executable, "py"), "js": ("node", "mjs")}
"""The interpreter of each language and the suffix of its files."""

Run = Callable[[int, Block], "subprocess.CompletedProcess[str]"]


def client_programs(*, retrying: bool = False) -> list[Any]:
    """Return docs/api.md's programs by language; ``retrying``: those that read ``Retry-After``."""
    programs = [
        pytest.param((language, block), id=f"{language}-line-{block.line}")
        for language in INTERPRETERS
        for block in blocks(API, language)
        if not retrying or "Retry-After" in block.text
    ]
    assert {param.values[0][0] for param in programs} == set(INTERPRETERS)
    return programs


@pytest.fixture
def run_program(tmp_path: Path) -> Run:
    """Run a program in a folder with an image, against the server at a port of this host."""
    shutil.copy(PORTRAIT, tmp_path / "portrait.jpg")

    def run(port: int, program: tuple[str, Block]) -> "subprocess.CompletedProcess[str]":
        language, block = program
        command, suffix = INTERPRETERS[language]
        if shutil.which(command) is None:
            pytest.skip(f"needs {command}: apt-get install nodejs")
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


@pytest.mark.parametrize("program", client_programs())
@pytest.mark.usefixtures("server")
def test_client_program_saves_the_cartoon(program, run_program, clone, tmp_path):
    completed = run_program(clone.port, program)
    assert completed.returncode == 0, completed.stderr
    with Image.open(tmp_path / "cartoon.webp") as cartoon:
        assert cartoon.format == "WEBP"
        assert cartoon.size == Image.open(tmp_path / "portrait.jpg").size


@pytest.mark.parametrize("program", client_programs(retrying=True))
def test_client_program_honours_retry_after(program, run_program, tmp_path):
    with http_stub.serving(RejectsFirstRequest) as busy:
        started = time.monotonic()
        completed = run_program(busy.server_port, program)
    assert completed.returncode == 0, completed.stderr
    assert time.monotonic() - started >= 1
    assert len(busy.requests) == 2
    assert (tmp_path / "cartoon.webp").read_bytes() == b"cartoon"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("program", client_programs(retrying=True))
def test_client_program_prints_the_problem(program, run_program, clone, tmp_path):
    (tmp_path / "portrait.jpg").write_text("hello")
    completed = run_program(clone.port, program)
    assert completed.returncode == 1
    rejection = requests.post(
        f"http://127.0.0.1:{clone.port}/v1/cartoons", data=b"hello", timeout=BOUND_S
    )
    assert rejection.status_code == 415
    problem = rejection.json()
    assert f"{problem['title']}: {problem['detail']}" in completed.stderr
    assert not (tmp_path / "cartoon.webp").exists()
