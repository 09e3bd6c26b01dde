"""What the documentation says to type works, both languages say the same, and links lead somewhere.

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support.markdown import Block, anchors, blocks, commands, heading_levels, links
from tests.support.process import free_ports
from tests.support.repo import ROOT

README = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
PAGES = [
    README,
    CHINESE,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "k8s").glob("*.md")),
    ROOT / "single-host" / "README.md",
]

LIBRARIES = Path("service/dctnet/runtimes/lib")
"""Where the native runtime is built, which is not kept in the repository."""

BOUND_S = 120
"""How long anything may take here, on a busy machine too."""


def copied_files() -> list[Path]:
    """Return what a clone would hold if the working tree were committed as it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [Path(name) for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, where commands may leave files."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    copy = tmp_path_factory.mktemp("readme") / "dctnet"
    for name in copied_files():
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
    server, management = free_ports(2)
    return {"8080": server, "9090": management}


@pytest.fixture(scope="module")
def environ(copy: Path, ports: dict[str, int]) -> dict[str, str]:
    """What a newcomer's shell has: nothing set, no model fetched."""
    environ = {
        k: v for k, v in os.environ.items() if not k.startswith(("DCTNET_", "MAKE", "MFLAGS"))
    }
    return environ | {
        "DCTNET_BIND": f"127.0.0.1:{ports['8080']}",
        "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{ports['9090']}",
        "DCTNET_MODELS_DIR": str(copy / "none"),
    }


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
        deadline = time.monotonic() + BOUND_S
        while not is_ready(ports["8080"]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
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
    said = server.read_text()
    assert "the model is demo" in said
    assert "dctnet fetch anime" in said


@pytest.mark.parametrize("page", ["api.md", "models.md", "serving.md"])
def test_what_a_page_says_to_type_works_beside_the_readme_s_server(
    page: str,
    copy: Path,
    server: Path,
    ports: dict[str, int],
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    shutil.copy(copy / "docs" / "images" / "astronaut.jpg", tmp_path / "portrait.jpg")
    environ = environ | {"PATH": f"{copy / '.venv' / 'bin'}:{environ['PATH']}"}
    blocks = [block for block in commands(copy / "docs" / page) if block.is_run]
    assert blocks
    for block in blocks:
        run(block, copy / "docs" / page, tmp_path, environ, ports)


class Busy(BaseHTTPRequestHandler):
    """Draws at the second request, having asked at the first to wait."""

    tries = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).tries += 1
        status, body = (429, b"{}") if self.tries == 1 else (200, b"drawn")
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[int]:
    """The port of a server that is busy at first."""
    Busy.tries = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as stand_in:
        Thread(target=stand_in.serve_forever).start()
        yield stand_in.server_port
        stand_in.shutdown()


PROGRAMS = {"python": (sys.executable, "py"), "js": ("node", "mjs")}
"""What runs a program of a language, and the end of its file's name."""


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a page's program beside a picture, with a server at a port."""
    command, suffix = PROGRAMS[request.param]
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}: apt-get install nodejs")
    shutil.copy(ROOT / "docs" / "images" / "astronaut.jpg", tmp_path / "portrait.jpg")

    def run(port: int, page: Path = ROOT / "docs" / "api.md") -> Any:
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


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "api.md"], ids=lambda page: page.name)
def test_a_program_draws(
    page: Path, program: Callable[..., Any], server: Path, ports: dict[str, int], tmp_path: Path
) -> None:
    done = program(ports["8080"], page)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "cartoon.webp") as cartoon:
        assert cartoon.format == "WEBP"
        assert cartoon.size == Image.open(tmp_path / "portrait.jpg").size


def test_a_program_of_the_api_s_page_waits_as_long_as_it_is_told(
    program: Callable[..., Any], busy: int, tmp_path: Path
) -> None:
    started = time.monotonic()
    done = program(busy)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started >= 1
    assert Busy.tries == 2
    assert (tmp_path / "cartoon.webp").read_bytes() == b"drawn"


def test_a_program_of_the_api_s_page_says_what_is_wrong(
    program: Callable[..., Any], server: Path, ports: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "portrait.jpg").write_text("hello")
    done = program(ports["8080"])
    assert done.returncode == 1
    assert "The picture's format is not supported: This is no JPEG" in done.stderr
    assert not (tmp_path / "cartoon.webp").exists()


@pytest.mark.parametrize("language", ["sh", *PROGRAMS])
def test_both_readmes_have_the_same_commands_and_programs(language: str) -> None:
    assert [(block.text, block.note) for block in blocks(README, language)] == [
        (block.text, block.note) for block in blocks(CHINESE, language)
    ]


def test_both_readmes_have_the_same_headings_and_links() -> None:
    assert heading_levels(README) == heading_levels(CHINESE)
    english, chinese = (
        [link for link in links(page) if not link.startswith("README")]
        for page in (README, CHINESE)
    )
    assert english == chinese
    assert CHINESE.name in links(README)
    assert README.name in links(CHINESE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_to_a_file_that_is_kept(page: Path) -> None:
    kept = {place for name in copied_files() for place in (name, *name.parents)}
    for link in links(page):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.relative_to(ROOT) in kept, link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_in_blocks_that_the_tests_know(page: Path) -> None:
    languages = set(re.findall(r"^```(\w+)", page.read_text(), re.MULTILINE))
    assert languages <= {"js", "json", "python", "sh", "text"}
    notes = re.findall(r"^<!-- (.*) -->$", page.read_text(), re.MULTILINE)
    # They mark where figures are written, such as those of benchmarks/one_worker.py.
    notes = [note for note in notes if not re.match(r"(end of )?figures\b", note)]
    assert [note for note in notes if not re.match(r"not run: \w|keeps running$", note)] == []
    # Each note is right before the block that it speaks of.
    assert len(notes) == sum(bool(block.note) for block in commands(page))
