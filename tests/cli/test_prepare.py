"""``dctnet prepare``: conversion of a model, to serve it without TensorFlow."""

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dctnet import __version__
from dctnet.cli import main
from dctnet.conversion import network_conversion
from dctnet.conversion.model_conversion import convert_model
from dctnet.conversion.trial_images import PHOTOS
from dctnet.engine import Engine, read_alpha
from dctnet.models import generator_weights, manifest
from dctnet.models.folder import open_folder
from dctnet.models.manifest import HubReport, Manifest
from dctnet.models.networks import GENERATORS, NETWORKS
from dctnet.runtimes import selection
from shipped_styles.initial_weights import random_weights
from tests.support.lazy_import import LazyModule
from tests.support.missing_modules import run_without
from tests.support.shipped import COMIC
from tests.support.tiny_model import describe, write_tiny_model

tf = LazyModule("tensorflow.compat.v1")
network = LazyModule("shipped_styles.network")

pytestmark = pytest.mark.xdist_group("tensorflow")

Captured = pytest.CaptureFixture[str]

HUB = HubReport("https://hub.example", {"Revision": "master", "CreatedAt": 1660000000}, None)

MAIN = "import sys; from dctnet.cli import main; sys.exit(main(sys.argv[1:]))"

EXPECTED_FILES = {
    "alpha.jpg",
    "golden-checksums.json",
    "golden-input.png",
    "golden-output.png",
    "cartoon_bg.npz",
    "cartoon_bg.onnx",
    "cartoon_h.npz",
    "cartoon_h.onnx",
    "detector.onnx",
    "keypoints.onnx",
    "README.md",
    "manifest.json",
}


@pytest.fixture(scope="module", autouse=True)
def _few_images() -> Iterator[None]:
    """Use all images for the face networks and few for the generators; create them once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_conversion, "GENERATOR_IMAGE_STEP", 20)
        patch.setattr(network_conversion, "trial_images", cache(network_conversion.trial_images))
        yield


def describe_as_fetched(folder: Path) -> str:
    paths = [path for path in folder.iterdir() if path.name != manifest.FILE_NAME]
    files = {path.name: manifest.record_file(path) for path in paths}
    return manifest.write(folder, Manifest("sketch", "iic/sketch", "master", files, HUB))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, upstream_comic: Path) -> Path:
    """A fetched style: two generators of DCT-Net and the tiny model's face networks."""
    folder = tmp_path_factory.mktemp("models") / "sketch"
    write_tiny_model(folder)
    shutil.copyfile(upstream_comic / "cartoon_bg.pb", folder / "cartoon_bg.pb")
    weights = generator_weights.read(COMIC / "cartoon_bg.npz")
    paler = {f"generator/{name}": array * np.float32(0.97) for name, array in weights.items()}
    (folder / "cartoon_h.pb").write_bytes(network.frozen_graph(paler).SerializeToString())
    (folder / "README.md").write_text("the model's licence")
    describe_as_fetched(folder)
    return folder


@pytest.fixture(autouse=True)
def _models_dir(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCTNET_MODELS_DIR", str(source.parent))


@pytest.fixture(scope="module")
def converted(source: Path) -> Path:
    target = source.parent / "sketch-converted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCTNET_MODELS_DIR", str(source.parent))
        assert main(["prepare", "sketch"]) == 0
    return target


def names(path: Path) -> set[str]:
    return {child.name for child in path.iterdir()}


def conversion(path: Path) -> dict[str, Any]:
    found = json.loads((path / "manifest.json").read_text())["conversion"]
    assert isinstance(found, dict)
    return found


def error_line(captured: Captured, *arguments: str) -> str:
    assert main(["prepare", *arguments]) == 1
    out, err = captured.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line.removeprefix("dctnet: ")


def test_converted_model_has_all_files_and_records_its_source(source, converted):
    assert names(converted) == EXPECTED_FILES
    assert (converted / "README.md").read_text() == "the model's licence"
    described = json.loads((converted / "manifest.json").read_text())
    assert (described["style"], described["model"]) == ("sketch", "iic/sketch")
    assert described["revision"] == "master"
    assert described["hub"]["revision"] == HUB.revision
    assert set(described["files"]) == EXPECTED_FILES - {
        *("golden-checksums.json", "golden-input.png", "golden-output.png", "manifest.json")
    }
    record = conversion(converted)
    assert record["source"] == open_folder(source).source_digest
    assert record["tools"]["dctnet"] == __version__
    assert set(record["tools"]) == {
        "dctnet",
        "onnx",
        "onnxruntime",
        "tensorflow",
        "tf2onnx",
    }


def test_every_network_is_compared_with_tensorflow(source, converted, tmp_path):
    """The second conversion, into another folder, has the same digest."""
    result = convert_model(open_folder(source), tmp_path / "again")
    assert result.folder.digest == open_folder(converted).digest
    assert result.networks is not None
    assert set(result.networks) == set(NETWORKS)
    for name, network in result.networks.items():
        assert network.record.reason == network.record.same_as == ""
        assert network.comparison is not None
        if name in GENERATORS:
            assert network.record.runtimes == ("native", "onnxruntime")
            assert network.comparison.differences["levels"] <= 1
        else:
            assert network.record.runtimes == ("onnxruntime",)
            assert network.comparison.inputs >= 50
            assert all(0 <= found < 1e-5 for found in network.comparison.differences.values())


def test_converted_model_matches_tensorflow(source, converted, astronaut):
    def cartoon(folder: Path) -> np.ndarray:
        networks = selection.load(open_folder(folder), 1)
        return Engine(networks, read_alpha(folder / "alpha.jpg")).cartoonize(astronaut).image

    assert np.abs(cartoon(source).astype(int) - cartoon(converted)).max() <= 1


def test_converted_model_runs_without_tensorflow(converted, tmp_path):
    program = (
        "import sys; from dctnet.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(status or 'tensorflow' in sys.modules)"
    )
    photo = PHOTOS / "coffee.jpg"
    arguments = ("cartoonize", str(photo), "--out", str(tmp_path), "--style", str(converted))
    ended = run_without({"tensorflow", "tf2onnx", "onnx"}, program, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{tmp_path / 'coffee.png'}\n"


def test_up_to_date_conversion_is_kept_and_digest_is_last_line(converted, capsys):
    before = (converted / "manifest.json").stat()
    assert main(["prepare", "sketch"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"iic/sketch is already converted and verified: {converted}"
    assert "  detector for onnxruntime" in lines
    assert lines[-1] == manifest.digest((converted / "manifest.json").read_bytes())
    assert err == ""
    assert (converted / "manifest.json").stat() == before


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_folder_without_model_is_never_replaced(source, tmp_path, capsys, options):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").touch()
    target = tmp_path / "letters"
    message = error_line(capsys, str(source), "--output", str(target), *options)
    assert (
        message == f"{target} already exists and is not a converted model: choose another folder."
    )
    assert names(target) == {"dear.txt"}


def test_converted_model_and_overlapping_folders_are_rejected(source, converted, capsys):
    assert error_line(capsys, str(converted)) == f"{converted} is already converted."
    for target in (source, source / "inside", source.parent):
        message = error_line(capsys, str(source), "--output", str(target), "--force")
        assert "contains the other: choose another folder with --output." in message


def test_missing_tensorflow_error_names_the_remedy(source):
    ended = run_without({"tensorflow", "tf2onnx", "onnx"}, MAIN, "prepare", str(source))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "dctnet: Converting a model needs tensorflow and tf2onnx and onnx, which is not installed:"
        " run `make install-reference`, `pip install 'dctnet[reference]'`, or use the `tensorflow`"
        " image.\n"
    )


def test_unwritable_folder_is_named(source, tmp_path, capsys):
    (tmp_path / "file").touch()
    message = error_line(capsys, str(source), "--output", str(tmp_path / "file" / "in"))
    assert message.startswith(f"Cannot write {tmp_path / 'file'}: ")
    assert message.endswith("or choose another folder with --output.")


def export_like_the_trainer(path: Path) -> None:
    """Export a generator from the trainer's graph, which has one already: `generator_1/...`."""
    initial = random_weights(7)

    def variable(name: str) -> Any:
        scope = name.replace("generator/", "generator_1/")
        return tf.get_variable(scope, initializer=initial[name], use_resource=False)

    with tf.Graph().as_default() as graph, tf.Session() as session:
        trained = tf.placeholder(tf.float32, [1, 64, 64, 3])
        network.unet(trained, lambda name: tf.constant(initial[name], name=name))
        network.define_generator(variable)
        session.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["output_image"]
        )
    path.write_bytes(frozen.SerializeToString())


def test_own_style_as_upstream_exports_it_is_served_natively(tmp_path, capsys):
    folder = tmp_path / "mine"
    write_tiny_model(folder)
    (folder / manifest.FILE_NAME).unlink()
    export_like_the_trainer(folder / "cartoon_bg.pb")
    # The same weights in another graph: as if exported again.
    named = network.frozen_graph(random_weights(7))
    (folder / "cartoon_h.pb").write_bytes(named.SerializeToString())
    arguments = ("--style", "mine", "--title", "My style")
    assert main(["prepare", str(folder), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  background for native or onnxruntime: levels within 1 of TensorFlow" in lines[1]
    assert lines[2] == "  head for native or onnxruntime: the same as the background"
    converted = open_folder(tmp_path / "mine-converted")
    assert (converted.style, converted.title, converted.model) == ("mine", "My style", "mine")
    assert selection.summary(converted) == "native+onnxruntime"

    assert main(["prepare", str(folder), *arguments]) == 0
    assert "is already converted and verified" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "My", "-a", "a" * 33, "anime", "comic"])
def test_style_name_that_is_taken_or_malformed_is_a_usage_error(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", ".", f"--style={name}"])
    assert stopped.value.code == 2
    assert "is not a name of 1 to 32 characters" in capsys.readouterr().err


@pytest.fixture(scope="module")
def partly_converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A converted model with unknown generators and unsupported landmark network."""
    folder = tmp_path_factory.mktemp("partly_converted") / "tiny"
    write_tiny_model(folder)
    with tf.Graph().as_default() as landmarks:
        images = tf.placeholder(tf.float32, [1, 160, 160, 3], "tower_0/images")
        tf.placeholder(tf.bool, [], "training_flag")
        share = tf.math.betainc(2.0, 3.0, tf.reduce_mean(images) / 255, name="tower_0/beta")
        tf.fill([1, 143], share, name="tower_0/prediction")
    (folder / "keypoints.pb").write_bytes(landmarks.as_graph_def().SerializeToString())
    describe(folder)
    assert main(["prepare", str(folder)]) == 0
    return folder.parent / "tiny-converted", "the node 'tower_0/beta'"


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_unconverted_network_keeps_frozen_graph_and_reason(partly_converted):
    folder, node = partly_converted
    networks = conversion(folder)["networks"]
    for name, found in (("background", "'sub': it is Sub"), ("head", "'add': it is AddV2")):
        assert networks[name]["runtimes"] == ["tensorflow"]
        assert networks[name]["reason"] == (
            f"it is not the generator of DCT-Net: the node {found}, and should be Mul"
        )
    assert networks["detector"]["runtimes"] == ["onnxruntime"]
    assert networks["landmarks"]["runtimes"] == ["tensorflow"]
    assert (
        networks["landmarks"]["reason"] == f"{node}: tf2onnx does not support the operation Betainc"
    )
    graphs = {name for name in names(folder) if name.endswith((".pb", ".onnx", ".npz"))}
    assert graphs == {"cartoon_bg.pb", "cartoon_h.pb", "keypoints.pb", "detector.onnx"}


def test_damaged_conversion_is_converted_again(partly_converted, tmp_path):
    folder, _ = partly_converted
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "detector.onnx").write_bytes(b"damaged")
    assert main(["prepare", str(folder.parent / "tiny"), "--output", str(copy)]) == 0
    assert open_folder(copy).is_converted
    assert names(tmp_path) == {"copy", ".copy.lock"}


def test_equal_networks_share_files_and_force_replaces_another_model(
    converted, tmp_path, capsys, monkeypatch
):
    """Only ``--force`` replaces another model."""
    write_tiny_model(tmp_path / "twins")
    shutil.copyfile(tmp_path / "twins/cartoon_bg.pb", tmp_path / "twins/cartoon_h.pb")
    describe(tmp_path / "twins")
    folder = tmp_path / "copy"
    shutil.copytree(converted, folder)
    arguments = (str(tmp_path / "twins"), "--output", str(folder))
    assert error_line(capsys, *arguments) == (
        f"{folder} already holds another model, iic/sketch: choose another folder with --output, or"
        " replace it with --force."
    )
    assert main(["prepare", *arguments, "--force"]) == 0
    assert open_folder(folder).model == "example/tiny"
    graphs = {name for name in names(folder) if name.endswith((".pb", ".onnx", ".npz"))}
    assert graphs == {"cartoon_bg.pb", "detector.onnx", "keypoints.onnx"}
    networks = conversion(folder)["networks"]
    assert networks["head"] == networks["background"] | {"same_as": "background"}
    assert networks["landmarks"]["same_as"] == ""
    capsys.readouterr()
    monkeypatch.setenv("DCTNET_STYLES", str(folder))
    assert main(["doctor", "--json"]) == 0
    assert "seconds" in json.loads(capsys.readouterr().out)["inference"]


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
def test_partly_converted_model_uses_two_runtimes(partly_converted, capsys, monkeypatch):
    folder, node = partly_converted
    monkeypatch.setenv("DCTNET_STYLES", str(folder))
    assert main(["doctor", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["styles"].values()
    assert model["converted"] is True
    assert model["runtime"] == "onnxruntime+tensorflow"
    assert node in model["landmarks_needs_tensorflow"]
