"""`make image` and `make image-size`, with stand-ins for the engines."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dctnet import __version__
from tests.support.repo import ROOT, environment

ENGINES = ("docker", "podman", "buildah")
BASE_BYTES = 100_000_000
(PINNED,) = re.findall(r"^FROM (.*) AS pinned$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A PATH folder without a container engine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in "sh", "sed", "git", "make":
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return folder


def write(program: Path, script: str) -> None:
    program.write_text(f"#!{shutil.which('sh')}\n{script}")
    program.chmod(0o755)


def add(bin: Path, engine: str, added: int = 0) -> None:
    """Add an engine that prints its arguments and reports an image size."""
    script = (
        'case "$*" in\n'
        f'run*python:3*) echo "{BASE_BYTES}\t/" ;;\n'
        f'run*dctnet:*) echo "{BASE_BYTES + added}\t/" ;;\n'
        f'*) echo "{engine} $*" ;;\n'
        "esac\n"
    )
    write(bin / engine, script)


def make(bin: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command, env = ["make", "--silent", *arguments], environment(PATH=bin)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("here", [ENGINES, ENGINES[1:], ENGINES[2:]])
def test_first_installed_engine_builds(bin, here):
    for engine in here:
        add(bin, engine)
    built = make(bin, "image")
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith(f"{here[0]} build ")
    assert f" --target runtime --tag dctnet:{__version__} " in built.stdout
    # Without it podman and buildah would drop the HEALTHCHECK.
    assert ("--format docker" in built.stdout) == (here[0] != "docker")


def test_target_tag_labels_and_flags_are_passed(bin):
    add(bin, "docker")
    settings = ("TARGET=tensorflow", "IMAGE=box/dctnet", "SOURCE=x", "BUILD_FLAGS=--y")
    message = make(bin, "image", *settings)
    assert f"--target tensorflow --tag box/dctnet:{__version__}-tensorflow " in message.stdout
    assert f"--build-arg VERSION={__version__} --build-arg REVISION=" in message.stdout
    assert "--build-arg SOURCE=x --y .\n" in message.stdout


def test_base_image_is_pinned_and_may_be_replaced(bin):
    add(bin, "podman")
    assert f" --build-arg BASE={PINNED} " in make(bin, "image").stdout
    assert " --build-arg BASE=box/python:3 " in make(bin, "image", "BASE=box/python:3").stdout
    size = make(bin, "image-size", "BASE=box/python:3").stdout
    assert size.endswith(" more than box/python:3\n")


def test_with_model_requires_a_model_folder(bin):
    add(bin, "podman")
    message = make(bin, "image", "TARGET=with-model", "MODEL=/models/mine")
    assert " --build-context model=/models/mine " in message.stdout
    failed = make(bin, "image", "TARGET=with-model")
    assert failed.returncode != 0
    assert "name its folder by MODEL" in failed.stderr


@pytest.mark.parametrize("target", ["image", "image-size"])
def test_missing_engine_error_names_the_remedy(bin, target):
    failed = make(bin, target)
    assert failed.returncode != 0
    assert "docker" in failed.stderr
    assert "podman" in failed.stderr


@pytest.mark.promise("Image: the image adds at most 360 MB to its base image")
def test_image_size_limit_is_enforced(bin):
    add(bin, "podman", added=360_000_000)
    fits = make(bin, "image-size")
    assert (fits.returncode, fits.stderr) == (0, "")
    size = f"dctnet:{__version__} is 460 MB: 360 MB more than {PINNED}\n"
    assert fits.stdout == size
    add(bin, "podman", added=360_000_001)
    exceeds = make(bin, "image-size")
    assert exceeds.returncode != 0
    assert "That is more than its budget of 360 MB.\n" in exceeds.stderr
    # The limit applies only to the runtime image.
    assert make(bin, "image-size", "TARGET=tensorflow").returncode == 0


def test_failing_engine_fails_the_size_check(bin):
    write(bin / "podman", "exit 125\n")
    assert make(bin, "image-size").returncode != 0
