"""The demo model is served without TensorFlow; what needs it says so where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data

from dctnet.models.folder import DEMO
from tests.support.absent import run_without
from tests.support.encoded import encoded
from tests.support.process import serving
from tests.support.tiny_model import write_model_without_graphs

HEAVY = ("tensorflow", "tf2onnx", "onnx", "modelscope", "modelscope_hub")


def libraries(process: int) -> set[str]:
    """The files that a process has mapped into its memory."""
    maps = Path(f"/proc/{process}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in maps if "/" in line}


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_a_server_of_the_demo_model_has_loaded_no_tensorflow():
    with serving(DCTNET_MODEL=DEMO) as server:
        loaded = libraries(server.process.pid) | libraries(server.worker())
    assert any("onnxruntime" in path for path in loaded)
    assert [path for path in loaded if "tensorflow" in path.lower()] == []


def test_the_engine_of_the_demo_model_imports_nothing_that_prepares(tmp_path):
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


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_a_server_without_tensorflow_that_is_given_a_model_that_needs_it_ends_with_one_sentence(
    tmp_path, monkeypatch
):
    folder = tmp_path / "frozen"
    write_model_without_graphs(folder)
    monkeypatch.setenv("DCTNET_MODEL", str(folder))
    ended = run_without(
        set(HEAVY), "import sys; from dctnet.cli import main; sys.exit(main(['serve']))"
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        f"dctnet: The model example/tiny in {folder} needs TensorFlow, which is not installed, for"
        " cartoon_bg.pb (it is a frozen graph, as upstream ships it): prepare it with `dctnet"
        " prepare`, install dctnet with its `reference` extra, or take the `tensorflow` image.\n"
    )
