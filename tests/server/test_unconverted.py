"""A server of a prepared model whose detector does not convert names it and the reason."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from dctnet.models import manifest
from dctnet.models.folder import DEMO, open_folder
from dctnet.models.parts import Part
from dctnet.runtimes import choice
from tests.support.polling import BOUND_S
from tests.support.process import serving

NODE = "the node 'tower_0/scores': the operation Erfinv is not known to tf2onnx"


@pytest.fixture
def folder(tmp_path: Path, upstream_demo: Path) -> Path:
    """The demo model as `prepare` leaves it where the detector keeps its frozen graph."""
    folder = tmp_path / "unconverted"
    shutil.copytree(DEMO, folder)
    (folder / "detector.onnx").unlink()
    shutil.copy(upstream_demo / "detector.pb", folder)
    described = manifest.decode((folder / manifest.FILE_NAME).read_bytes(), folder)
    assert described.preparation is not None
    parts = {**described.preparation.parts, "detector": Part(("tensorflow",), NODE)}
    files = {
        path.name: manifest.record(path)
        for path in folder.iterdir()
        if path.name != manifest.FILE_NAME
    }
    preparation = replace(described.preparation, parts=parts)
    manifest.write(folder, replace(described, files=files, preparation=preparation))
    return folder


def test_readyz_and_the_metric_name_the_runtimes_and_the_part_with_its_reason(folder):
    runtime = choice.summary(open_folder(folder))
    # Native where it is built.
    assert runtime.removeprefix("native+") == "onnxruntime+tensorflow"
    with serving(DCTNET_MODEL=folder) as server:
        said = requests.get(f"{server.management}/readyz?verbose", timeout=BOUND_S).text
        assert f", runtime: {runtime}, detector needs TensorFlow: {NODE}, " in said
        assert server.metric("dctnet_model_info", runtime=runtime) == 1
