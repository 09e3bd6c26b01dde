import hashlib
import subprocess
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.folder import (
    GOLDEN_CHECKSUMS,
    GOLDEN_PAIR,
    REQUIRED_FILES,
    SHIPPED,
    ModelFolder,
    locate,
    open_folder,
)
from dctnet.models.manifest import Conversion, Manifest
from dctnet.models.networks import NETWORKS, UNCONVERTED, NetworkRecord
from dctnet.models.pins import Pin
from dctnet.models.styles import SHIPPED_STYLES, STYLES
from tests.support.shipped import COMIC, COMIC_FILES, copy_shipped

MIB = 2**20


def an_upstream_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    for name in REQUIRED_FILES:
        (path / name).write_bytes(f"contents of {name}".encode())
    return path


def write_manifest(path: Path, names: tuple[str, ...] = REQUIRED_FILES) -> str:
    files = {name: manifest.record_file(path / name) for name in names}
    return manifest.write(path, Manifest("sketch", "iic/some-model", "v1.0", files))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = an_upstream_folder(tmp_path / "model")
    write_manifest(path)
    return path


GENERATOR = NetworkRecord(("native", "onnxruntime"))
CONVERTED = {
    "background": GENERATOR,
    "head": GENERATOR,
    "detector": NetworkRecord(("onnxruntime",)),
    "landmarks": NetworkRecord(("tensorflow",), "the node 'x': it is not known"),
}
CONVERTED_FILES = (
    "alpha.jpg",
    "cartoon_bg.npz",
    "cartoon_bg.onnx",
    "cartoon_h.npz",
    "cartoon_h.onnx",
    "detector.onnx",
    "keypoints.pb",
)


def write_converted(
    path: Path,
    names: tuple[str, ...] = CONVERTED_FILES,
    version: str = "0.1.0",
) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in (*names, *GOLDEN_PAIR):
        (path / name).write_bytes(f"contents of {name}".encode())
    checksums = {name: manifest.record_file(path / name) for name in GOLDEN_PAIR}
    (path / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(checksums))
    files = {name: manifest.record_file(path / name) for name in names}
    conversion = Conversion("ab" * 32, {"dctnet": version}, CONVERTED)
    manifest.write(path, Manifest("sketch", "iic/some-model", "v1.0", files, None, conversion))
    return path


def rejection(path: Path, pin: str | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        open_folder(path, Pin.parse(pin) if pin else None)
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_intact_folder_is_opened_and_pinned_by_digest(model):
    digest = manifest.digest((model / "manifest.json").read_bytes())
    assert open_folder(model, Pin(digest)).integrity == "pinned"
    source = source_digest(model)
    assert open_folder(model) == ModelFolder(
        model, "sketch", "iic/some-model", "v1.0", digest, "unpinned", source_digest=source
    )


def source_digest(path: Path) -> str:
    """The digest as a user computes it, with two calls of `sha256sum`."""
    names = ("alpha.jpg", "cartoon_bg.pb", "cartoon_h.pb", "detector.pb", "keypoints.pb")
    sums = subprocess.run(["sha256sum", *names], cwd=path, capture_output=True, check=True).stdout
    return hashlib.sha256(sums).hexdigest()


@pytest.mark.parametrize("has_manifest", [True, False])
def test_source_pin_covers_the_upstream_files(model, has_manifest):
    if not has_manifest:
        (model / "manifest.json").unlink()
    digest = source_digest(model)
    assert open_folder(model, Pin(digest, of_source=True)).integrity == "pinned"
    (model / "configuration.json").write_text("no cartoon depends on it")
    (model / "keypoints.pb").write_text("changed")
    if has_manifest:
        write_manifest(model)
    message = rejection(model, f"source:sha256:{digest}")
    assert f"have the digest {source_digest(model)}, but {digest} is expected" in message


def test_source_pin_holds_for_every_conversion_of_a_model(tmp_path):
    path = write_converted(tmp_path / "converted")
    pin = f"source:sha256:{'ab' * 32}"
    before = open_folder(path, Pin.parse(pin))
    write_converted(path, version="0.2.0")
    after = open_folder(path, Pin.parse(pin))
    assert before.integrity == after.integrity == "pinned"
    assert before.digest != after.digest
    assert "is another model" in rejection(path, f"source:{'0' * 64}")


def test_golden_pair_is_verified_but_not_part_of_the_digest(tmp_path):
    path = write_converted(tmp_path / "converted")
    digest = open_folder(path).digest
    for name in GOLDEN_PAIR:
        flip(path / name, 0.5)
        assert f"{path / name} does not match" in rejection(path)
        flip(path / name, 0.5)
    (path / "golden-output.png").write_bytes(b"computed by another CPU")
    checksums = {name: manifest.record_file(path / name) for name in GOLDEN_PAIR}
    (path / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(checksums))
    assert open_folder(path).digest == digest
    del checksums["golden-input.png"]
    (path / GOLDEN_CHECKSUMS).write_bytes(manifest.encode_records(checksums))
    assert "does not list golden-input.png and golden-output.png" in rejection(path)
    (path / GOLDEN_CHECKSUMS).write_bytes(b"[]")
    assert "is not a valid list of checksums" in rejection(path)
    (path / GOLDEN_CHECKSUMS).unlink()
    assert rejection(path) == f"The model file {path / GOLDEN_CHECKSUMS} is missing."


def test_converted_model_lists_runtimes_of_each_network(tmp_path):
    folder = open_folder(write_converted(tmp_path / "converted"))
    assert folder.is_converted
    assert folder.networks == CONVERTED
    assert (folder.style, folder.model, folder.revision) == ("sketch", "iic/some-model", "v1.0")


def test_upstream_format_needs_tensorflow(model):
    folder = open_folder(model)
    assert not folder.is_converted
    assert folder.networks == dict.fromkeys(NETWORKS, UNCONVERTED)


@pytest.mark.parametrize("name", CONVERTED_FILES)
def test_converted_model_must_have_and_list_required_files(tmp_path, name):
    path = write_converted(tmp_path / "converted")
    (path / name).unlink()
    assert rejection(path) == f"The model file {path / name} is missing."
    write_converted(path, tuple(other for other in CONVERTED_FILES if other != name))
    assert rejection(path) == f"The manifest of {path} does not list {name}, which a model needs."


def test_network_with_same_as_needs_no_own_files(tmp_path):
    path = write_converted(tmp_path / "converted")
    described = manifest.decode((path / "manifest.json").read_bytes(), path)
    assert described.conversion is not None
    networks = CONVERTED | {"head": replace(GENERATOR, same_as="background")}
    files = {name: file for name, file in described.files.items() if "cartoon_h" not in name}
    conversion = replace(described.conversion, networks=networks)
    manifest.write(path, replace(described, files=files, conversion=conversion))
    (path / "cartoon_h.npz").unlink()
    assert open_folder(path).networks["head"].same_as == "background"
    (path / "cartoon_bg.npz").unlink()
    assert rejection(path) == f"The model file {path / 'cartoon_bg.npz'} is missing."


def flip(path: Path, position: float) -> None:
    """Flip a bit of a file, at a share of its length."""
    content = bytearray(path.read_bytes())
    content[int(position * (len(content) - 1))] ^= 1
    path.write_bytes(content)


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.parametrize("name", COMIC_FILES)
def test_flipped_bit_in_any_file_is_detected(tmp_path, name):
    """The pinned digest covers the manifest, which covers the other files."""
    path = tmp_path / "comic"
    copy_shipped(path)
    digest = open_folder(path).digest
    for position in (0.0, 0.5, 1.0):
        flip(path / name, position)
        error_message = rejection(path, digest)
        flip(path / name, position)
        if name == manifest.FILE_NAME:
            assert error_message.startswith(f"The manifest of {path} has the digest ")
        elif name == GOLDEN_CHECKSUMS:
            assert error_message
        else:
            assert error_message.startswith(
                f"The model file {path / name} does not match the manifest: "
            )


def test_upstream_folder_is_opened_without_manifest(tmp_path):
    path = an_upstream_folder(tmp_path / "whatever")
    assert open_folder(path) == ModelFolder(
        path, "whatever", "whatever", "", None, "no manifest", source_digest=source_digest(path)
    )


def test_wrong_or_missing_digest_is_rejected(model):
    found = manifest.digest((model / "manifest.json").read_bytes())
    error_message = rejection(model, "0" * 64)
    assert (
        f"The manifest of {model} has the digest {found}, but {'0' * 64} is expected"
        in error_message
    )
    (model / "manifest.json").unlink()
    assert rejection(model, "0" * 64) == (
        f"{model} has no manifest.json, so it cannot be checked against the digest {'0' * 64}."
    )


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
def test_digest_detects_change_of_file_and_manifest(model):
    digest = manifest.digest((model / "manifest.json").read_bytes())
    (model / "cartoon_bg.pb").write_bytes(b"other weights")
    write_manifest(model)
    assert open_folder(model).integrity == "unpinned"
    assert "it was changed" in rejection(model, digest)


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_missing_file_is_named(model, name):
    (model / name).unlink()
    assert rejection(model) == f"The model file {model / name} is missing."
    (model / "manifest.json").unlink()
    assert rejection(model) == f"{model} is not a complete model: it lacks {name}."


def without_the_last_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def with_one_byte_more(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "error_message"),
    [
        (without_the_last_byte, "is truncated: it has 22 of 23 bytes."),
        (lambda path: flip(path, 0), "does not match the manifest: "),
        (with_one_byte_more, "does not match the manifest: "),
        (as_a_folder, "is missing."),
    ],
)
def test_changed_file_is_named(model, change, error_message):
    path = model / "detector.pb"
    change(path)
    assert rejection(model).startswith(f"The model file {path} {error_message}")


def test_manifest_without_required_file_is_rejected(model):
    write_manifest(model, REQUIRED_FILES[1:])
    assert rejection(model) == (
        f"The manifest of {model} does not list alpha.jpg, which a model needs."
    )


def test_invalid_or_unreadable_manifest_is_rejected(model):
    path = model / "manifest.json"
    path.write_text("{")
    assert rejection(model).startswith(f"{path} is not a valid manifest")
    as_a_folder(path)
    assert rejection(model) == f"Cannot read the model {path}: Is a directory."


def test_path_without_model_is_named(tmp_path):
    assert rejection(tmp_path / "gone") == f"There is no model folder {tmp_path / 'gone'}."
    (tmp_path / "file").touch()
    assert rejection(tmp_path / "file") == (
        f"{tmp_path / 'file'} is not a folder, so it cannot be a model."
    )
    assert rejection(tmp_path) == (
        f"{tmp_path} is not a complete model: it lacks {', '.join(REQUIRED_FILES)}."
    )


def test_old_file_names_error_says_what_to_rename(tmp_path):
    path = an_upstream_folder(tmp_path / "model")
    (path / "cartoon_bg.pb").rename(path / "cartoon_anime_bg.pb")
    (path / "cartoon_h.pb").rename(path / "cartoon_anime_h.pb")
    assert rejection(path) == (
        f"{path} is not a complete model: it lacks cartoon_bg.pb, cartoon_h.pb. Rename"
        " cartoon_anime_bg.pb to cartoon_bg.pb and cartoon_anime_h.pb to cartoon_h.pb."
    )


def test_error_message_is_printable(tmp_path):
    error_message = rejection(tmp_path / "\x1b[31m\nred")
    assert error_message.endswith("?[31m red.")


def test_verification_streams_files(tmp_path):
    path = an_upstream_folder(tmp_path / "model")
    with (path / "cartoon_bg.pb").open("wb") as file:
        file.truncate(64 * MIB)
    write_manifest(path)
    tracemalloc.start()
    try:
        open_folder(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MIB


def test_model_is_located_by_path_or_style(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    (tmp_path / "models" / "sketch").mkdir(parents=True)
    assert locate(str(tmp_path / "any"), tmp_path / "models") == tmp_path / "any"
    assert locate("mine", tmp_path / "models") == Path("mine")
    assert locate("sketch", tmp_path / "models") == tmp_path / "models" / "sketch"


def test_style_takes_precedence_over_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sketch").mkdir()
    Path("comic").mkdir()
    (tmp_path / "models" / "sketch").mkdir(parents=True)
    assert locate("sketch", tmp_path / "models") == tmp_path / "models" / "sketch"
    assert locate("comic", tmp_path / "models") == COMIC


def test_missing_style_error_names_the_remedy(tmp_path):
    with pytest.raises(ModelError) as caught:
        locate("3d", tmp_path)
    assert (
        str(caught.value) == f"The style 3d is not in {tmp_path}: fetch it with `dctnet fetch 3d`."
    )


def test_unknown_style_error_lists_the_styles(tmp_path):
    with pytest.raises(ModelError) as caught:
        locate("mange", tmp_path)
    assert "no style and no folder 'mange'" in str(caught.value)
    for name in (*STYLES, *SHIPPED_STYLES):
        assert name in str(caught.value)


def test_fetched_style_takes_precedence_over_a_shipped_one_of_that_name(tmp_path):
    assert locate("sketch", tmp_path) == SHIPPED / "sketch"
    (tmp_path / "sketch").mkdir()
    assert locate("sketch", tmp_path) == tmp_path / "sketch"
    (tmp_path / "comic").mkdir()  # No public style.
    assert locate("comic", tmp_path) == COMIC


def test_converted_model_takes_precedence_over_fetched_one(tmp_path):
    for name in ("anime", "anime-converted"):
        (tmp_path / name).mkdir()
    assert locate("anime", tmp_path) == tmp_path / "anime-converted"
    assert locate("anime", tmp_path, prefer_converted=False) == tmp_path / "anime"
