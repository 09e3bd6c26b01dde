"""Model of a running server: imports, verified files, and what it reports."""

import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import skimage.data

from dctnet.models import manifest
from dctnet.models.folder import open_folder
from dctnet.models.networks import NetworkRecord
from dctnet.runtimes import selection
from tests.server.conftest import post
from tests.support.encoded_images import encoded
from tests.support.missing_modules import run_without
from tests.support.polling import BOUND_S
from tests.support.process import serving
from tests.support.repo import DCTNET
from tests.support.shipped import copy_shipped
from tests.support.tiny_model import write_model_without_graphs

HEAVY = {"tensorflow", "tf2onnx", "onnx", "modelscope", "modelscope_hub"}
NODE = "the node 'tower_0/scores': tf2onnx does not support the operation Erfinv"


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_shipped_styles_server_imports_neither_tensorflow_nor_opentelemetry(tmp_path):
    command = [sys.executable, "-X", "importtime", DCTNET, "serve"]
    with serving(tmp_path / "log", command, DCTNET_STYLES="comic") as server:
        response = post(server, encoded(skimage.data.astronaut()))
        assert (response.status_code, response.headers["X-Dctnet-Faces"]) == (200, "1")
        libraries = [
            Path(f"/proc/{p}/maps").read_text() for p in (server.process.pid, server.worker())
        ]
        assert server.stop() == 0
    imported = {line.rpartition("|")[2].strip() for line in server.lines()}
    assert "dctnet.runtimes.signatures" in imported  # By the worker, when it loaded the model.
    roots = {module.partition(".")[0] for module in imported}
    assert not roots & (HEAVY | {"opentelemetry"})
    assert "onnxruntime" in libraries[1]
    assert "tensorflow" not in "".join(libraries).lower()


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_model_that_needs_missing_tensorflow_fails_with_one_message(tmp_path, monkeypatch):
    folder = tmp_path / "frozen"
    write_model_without_graphs(folder)
    monkeypatch.setenv("DCTNET_STYLES", str(folder))
    ended = run_without(HEAVY, "import sys; from dctnet.cli import main; sys.exit(main(['serve']))")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert json.loads(ended.stderr)["message"] == (
        f"The model example/tiny in {folder} needs TensorFlow, which is not installed, for"
        " cartoon_bg.pb (it is a frozen graph, as upstream ships it): convert it with `dctnet"
        " prepare`, install dctnet with its `reference` extra, or use the `tensorflow` image."
    )


@pytest.mark.promise("Models: the files served are the files that were verified")
def test_server_and_restarted_worker_use_the_verified_files(start, tmp_path):
    folder, secret = tmp_path / "model", tmp_path / "secret"
    copy_shipped(folder)
    secret.write_text("a secret")
    server = start(folder, DCTNET_SLOTS=1)
    server.wait_for(200)
    for path in list(folder.iterdir()):
        path.unlink()
        path.symlink_to(secret)

    def sample() -> bytes:
        return requests.get(f"{server.url}/v1/styles/comic/sample", timeout=BOUND_S).content

    expected = sample()
    assert len(expected) > 1000
    shutil.rmtree(folder)
    os.kill(server.worker(), signal.SIGKILL)
    server.until(lambda: sum("ready;" in line for line in server.messages()) == 2)
    server.wait_for(200)
    assert sample() == expected
    assert post(server).status_code == 200


@pytest.fixture
def unconverted(tmp_path: Path, upstream_comic: Path) -> Path:
    """The shipped comic as `prepare` leaves it if the detector cannot be converted."""
    folder = tmp_path / "unconverted"
    copy_shipped(folder)
    (folder / "detector.onnx").unlink()
    shutil.copy(upstream_comic / "detector.pb", folder)
    described = manifest.decode((folder / manifest.FILE_NAME).read_bytes(), folder)
    assert described.conversion is not None
    networks = {**described.conversion.networks, "detector": NetworkRecord(("tensorflow",), NODE)}
    files = {
        path.name: manifest.record_file(path)
        for path in folder.iterdir()
        if path.name != manifest.FILE_NAME
    }
    conversion = replace(described.conversion, networks=networks)
    manifest.write(folder, replace(described, files=files, conversion=conversion))
    return folder


def test_readyz_and_model_info_name_runtimes_and_fallback_reason(unconverted):
    runtime = selection.summary(open_folder(unconverted))
    # Native if it is built.
    assert runtime.removeprefix("native+") == "onnxruntime+tensorflow"
    with serving(DCTNET_STYLES=unconverted) as server:
        readiness = requests.get(f"{server.management}/readyz?verbose", timeout=BOUND_S).text
        assert f", runtime: {runtime}, detector needs TensorFlow: {NODE}, " in readiness
        assert server.metric("dctnet_model_info", runtime=runtime) == 1
