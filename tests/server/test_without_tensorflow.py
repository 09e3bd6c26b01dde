"""The demo model is served without TensorFlow; what needs it says so where there is none."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import skimage.data

from dctnet.models import manifest
from dctnet.models.folder import DEMO, open_folder
from tests.support.absent import run_without
from tests.support.encoded import encoded
from tests.support.process import Server, free_ports
from tests.support.repo import DCTNET

HEAVY = ("tensorflow", "tf2onnx", "onnx", "modelscope", "modelscope_hub")


def libraries(process: int) -> set[str]:
    """The files that a process has mapped into its memory."""
    maps = Path(f"/proc/{process}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in maps if "/" in line}


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_a_server_of_the_demo_model_has_loaded_no_tensorflow(
    start: Callable[[Path], Server],
) -> None:
    server = start(DEMO)
    server.wait_for(200)
    loaded = libraries(server.process.pid) | libraries(server.worker())
    assert any("onnxruntime" in path for path in loaded)
    assert [path for path in loaded if "tensorflow" in path.lower()] == []


def test_the_engine_of_the_demo_model_imports_nothing_that_prepares(tmp_path: Path) -> None:
    (tmp_path / "astronaut.png").write_bytes(encoded(skimage.data.astronaut()))
    program = (
        "import sys; from dctnet.cli import main; status = main(sys.argv[1:]);"
        f"print(sorted({set(HEAVY)} & set(sys.modules))); sys.exit(status)"
    )
    arguments = ["cartoonize", str(tmp_path / "astronaut.png"), "--out", str(tmp_path / "drawn")]
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--model", "demo"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == [str(tmp_path / "drawn/astronaut.png"), "[]"]


@pytest.fixture
def _addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    port, management = free_ports(2)
    monkeypatch.setenv("DCTNET_BIND", f"127.0.0.1:{port}")
    monkeypatch.setenv("DCTNET_MANAGEMENT_BIND", f"127.0.0.1:{management}")


SERVE = "import sys; from dctnet.cli import main; sys.exit(main(['serve']))"


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
@pytest.mark.usefixtures("_addresses")
def test_a_server_without_tensorflow_that_is_given_a_model_that_needs_it_ends_with_one_sentence(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCTNET_MODEL", str(tiny))
    ended = run_without(set(HEAVY), SERVE)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        f"dctnet: The model example/tiny in {tiny} needs TensorFlow, which is not installed, for"
        " cartoon_bg.pb (it is a frozen graph, as upstream ships it): prepare it with `dctnet"
        " prepare`, install dctnet with its `reference` extra, or take the `tensorflow` image.\n"
    )


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.usefixtures("_addresses")
@pytest.mark.parametrize("name", ["cartoon_bg.npz", "detector.onnx", "known-answer.png"])
def test_a_flipped_bit_stops_the_start_with_a_sentence_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(DEMO, folder)
    flip(folder / name)
    said = start_fails(folder, monkeypatch)
    assert said.startswith(f"dctnet: The model file {folder / name} is not the one in the manifest")


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.usefixtures("_addresses")
def test_a_flipped_bit_of_the_manifest_stops_the_start_of_a_pinned_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(DEMO, folder)
    monkeypatch.setenv("DCTNET_MODEL_DIGEST", str(open_folder(folder).digest))
    flip(folder / manifest.FILE_NAME)
    said = start_fails(folder, monkeypatch)
    assert said.startswith(f"dctnet: The manifest of {folder} has the digest ")


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def start_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Start a server that must not start, and return the one line that it writes."""
    monkeypatch.setenv("DCTNET_MODEL", str(folder))
    run = subprocess.run([DCTNET, "serve"], capture_output=True, text=True, check=False)
    (line,) = (run.stdout + run.stderr).splitlines()
    assert run.returncode == 3
    return line
