import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dctnet.models import manifest
from dctnet.models.errors import ModelError
from dctnet.models.manifest import Conversion, FileRecord, HubReport, Manifest
from dctnet.models.networks import NETWORKS, NetworkRecord

SUM_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
HERE = Path("model/manifest.json")


def a_manifest() -> Manifest:
    return Manifest(
        style="sketch",
        model="iic/some-model",
        revision="v1.0",
        files={"b.pb": FileRecord(SUM_OF_ABC, 3), "a/ä.jpg": FileRecord(SUM_OF_ABC, 3)},
        hub=HubReport("https://hub.example", {"Revision": "v1.0", "CreatedAt": 1660000000}, None),
    )


def a_conversion() -> Conversion:
    networks = dict.fromkeys(NETWORKS, NetworkRecord(("native", "onnxruntime")))
    networks["head"] = replace(networks["head"], same_as="background")
    networks["detector"] = NetworkRecord(
        ("tensorflow",), "the node 'nms': tf2onnx does not support the operation X"
    )
    return Conversion("ab" * 32, {"dctnet": "0.1.0", "tensorflow": "2.21.0"}, networks)


def converted(**changes: object) -> bytes:
    """The manifest of a converted model, with changes to the conversion record."""
    described = replace(a_manifest(), conversion=a_conversion())
    data = json.loads(manifest.encode(described))
    data["conversion"] |= changes
    return json.dumps(data).encode()


def document(**changes: object) -> bytes:
    data = json.loads(manifest.encode(a_manifest()))
    return json.dumps(data | changes).encode()


def test_file_record_has_size_and_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert manifest.record_file(tmp_path / "file") == FileRecord(SUM_OF_ABC, 3)


@pytest.mark.parametrize(
    "written",
    [
        *(
            replace(a_manifest(), hub=hub)
            for hub in (a_manifest().hub, None, HubReport("http://h", None, "2024-01-01"))
        ),
        replace(a_manifest(), conversion=a_conversion(), title="Mine"),
    ],
)
def test_manifest_round_trip(tmp_path, written):
    manifest.write(tmp_path, written)
    path = tmp_path / "manifest.json"
    assert manifest.decode(path.read_bytes(), path) == written


def test_manifest_without_conversion_has_no_conversion_key():
    assert "conversion" not in json.loads(manifest.encode(a_manifest()))


def networks(**changes: object) -> dict[str, object]:
    """The network records of a conversion, with changes to the head's."""
    every = {name: asdict(network) for name, network in a_conversion().networks.items()}
    return every | {"head": every["head"] | changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (converted(networks={}), "its networks are not background, head, detector, landmarks"),
        (converted(networks=[]), "the networks is missing or of the wrong type"),
        (converted(tools=None), "the tools is missing"),
        (converted(source=7), "the source is missing or of the wrong type"),
        (converted(source="ab" * 31), "the source is not a sha256"),
        (converted(networks=networks(runtimes=[])), "the runtimes of head are"),
        (converted(networks=networks(runtimes=["gpu"])), "the runtimes of head are"),
        (converted(networks=networks(reason=None)), "the reason of head is missing"),
        (converted(networks=networks(same_as=None)), "the same_as of head is missing"),
        (converted(networks=networks(same_as="tail")), "'tail' is not one of its networks, "),
        (document(conversion="x"), "the conversion is missing or of the wrong type"),
    ],
)
def test_invalid_conversion_record_is_rejected(content, message):
    with pytest.raises(ModelError) as caught:
        manifest.decode(content, HERE)
    assert message in str(caught.value)


def test_digest_is_the_sha256_of_the_manifest(tmp_path):
    digest = manifest.write(tmp_path, a_manifest())
    assert digest == hashlib.sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()


def test_manifest_is_canonical():
    described = a_manifest()
    turned = Manifest(
        described.style,
        described.model,
        described.revision,
        dict(reversed(list(described.files.items()))),
        described.hub,
    )
    content = manifest.encode(described)
    assert manifest.encode(turned) == content
    assert content.endswith(b"}\n")
    assert list(json.loads(content)) == sorted(json.loads(content))


def test_write_replaces_the_manifest_atomically(tmp_path):
    (tmp_path / "manifest.json").write_text("old")
    manifest.write(tmp_path, a_manifest())
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"\xff", "codec can't decode"),
        (b"[" * 100_000, "recursion"),
        (b"[]", "the document is missing or of the wrong type"),
        (document(format=2), "its format is 2, and this version reads 1"),
        (document(format=None), "its format is None"),
        (document(style=7), "style is missing or of the wrong type"),
        (document(revision=None), "revision is missing"),
        (document(title=None), "title is missing"),
        (document(files=["a"]), "files is missing or of the wrong type"),
        (document(files={"a": "b"}), "a is missing or of the wrong type"),
        (document(files={"a": {"sha256": SUM_OF_ABC}}), "the size of a is missing"),
        (document(files={"a": {"sha256": SUM_OF_ABC, "size": True}}), "the size of a is"),
        (
            document(files={"a": {"sha256": SUM_OF_ABC[1:], "size": 1}}),
            "the checksum of a is not a",
        ),
        (
            document(files={"a": {"sha256": SUM_OF_ABC.upper(), "size": 1}}),
            "the checksum of a is not",
        ),
        (document(hub="x"), "hub is missing or of the wrong type"),
        (document(hub={}), "the hub's endpoint is missing"),
    ],
)
def test_invalid_manifest_is_rejected(content, message):
    with pytest.raises(ModelError, match=message) as caught:
        manifest.decode(content, HERE)
    assert str(caught.value).startswith("model/manifest.json is not a valid manifest: ")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/", "..\\x", "", "."]
)
def test_path_outside_the_folder_is_rejected(name):
    files = {name: {"sha256": SUM_OF_ABC, "size": 3}}
    with pytest.raises(ModelError, match="which is not a path inside the folder"):
        manifest.decode(document(files=files), HERE)


def test_command_writes_a_manifest_of_every_file(tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "licence.md").write_bytes(b"abc")
    (tmp_path / "alpha.jpg").write_bytes(b"abc")
    (tmp_path / "manifest.json").write_text("old")
    options = ["--style", "demo", "--model", "dctnet/demo", "--revision", "1", "--title", "Mine"]
    assert manifest.main([str(tmp_path), *options]) == 0
    content = (tmp_path / "manifest.json").read_bytes()
    assert capsys.readouterr().out == manifest.digest(content) + "\n"
    record = FileRecord(SUM_OF_ABC, 3)
    assert manifest.decode(content, HERE) == Manifest(
        "demo", "dctnet/demo", "1", {"alpha.jpg": record, "notes/licence.md": record}, title="Mine"
    )


def test_command_defaults_to_style_as_model_without_revision(tmp_path):
    (tmp_path / "alpha.jpg").write_bytes(b"abc")
    command = [sys.executable, "-m", "dctnet.models.manifest", str(tmp_path), "--style", "demo"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    content = (tmp_path / "manifest.json").read_bytes()
    assert (run.stdout, run.stderr) == (manifest.digest(content) + "\n", "")
    assert manifest.decode(content, HERE) == Manifest(
        "demo", "demo", "", {"alpha.jpg": FileRecord(SUM_OF_ABC, 3)}
    )


def test_command_names_a_missing_folder(tmp_path, capsys):
    nowhere = str(tmp_path / "nowhere")
    assert manifest.main([nowhere, "--style", "s", "--model", "m", "--revision", "r"]) == 1
    assert capsys.readouterr().err == (
        f"Cannot write the manifest of {nowhere}: No such file or directory.\n"
    )
