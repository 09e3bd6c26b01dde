"""``dctnet verify --wait``: a process that waits for the folders that another one writes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dctnet.cli import main
from dctnet.cli.verify import MAX_WAIT_S
from dctnet.models import manifest
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.models.manifest import Manifest
from tests.support.polling import until
from tests.support.process import running
from tests.support.repo import environment

VERIFY = (sys.executable, "-m", "dctnet", "verify")
HINT = "The Job writes them."


def write_model(path: Path, content: str = "") -> Path:
    """Write a folder that verifies, and appears whole."""
    staged = path.with_name(f".{path.name}")
    staged.mkdir()
    for name in REQUIRED_FILES:
        (staged / name).write_text(f"{name} {content}")
    files = {name: manifest.record_file(staged / name) for name in REQUIRED_FILES}
    manifest.write(staged, Manifest(path.name, "iic/some-model", "v1.0", files))
    return staged.rename(path)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_wait_ends_when_all_folders_are_written_and_have_their_digests(tmp_path):
    anime, other = tmp_path / "anime", tmp_path / "3d"
    pinned = write_model(other, "pinned")
    digest = open_folder(pinned).digest
    shutil.rmtree(pinned)
    write_model(other)
    out, err = tmp_path / "out", tmp_path / "err"
    command = (*VERIFY, anime, other, "--wait", "60", "--wait-hint", HINT)
    environ = environment(DCTNET_STYLE_DIGESTS=f"3d={digest}")
    with (
        out.open("w") as stdout,
        err.open("w") as stderr,
        running(command, environ, stdout, stderr) as process,
    ):
        until(lambda: len(lines(err)) == 1, err.read_text, process=process)
        write_model(anime)
        until(lambda: len(lines(err)) == 2, err.read_text, process=process)
        shutil.rmtree(other)
        write_model(other, "pinned")
        assert process.wait(30) == 0
    first, second, *gone = lines(err)
    assert first.startswith(
        f"dctnet: Waiting for {anime}, for up to 60 s: There is no model folder"
    )
    assert second.startswith(f"dctnet: Waiting for {other}, for up to ")
    assert f"but {digest} is expected" in second
    assert all("There is no" in each for each in gone)  # It may look while the folder is replaced.
    assert all(each.endswith(HINT) for each in lines(err))
    assert [each for each in lines(out) if "is verified" in each] == [
        f"{path} is verified: {path.name}, iic/some-model at revision v1.0"
        for path in (anime, other)
    ]
    assert lines(out)[-2:] == ["The manifest has the expected digest:", digest]


def test_wait_ends_with_the_reason_and_the_hint(tmp_path):
    there, gone = write_model(tmp_path / "anime"), tmp_path / "3d"
    run = subprocess.run(
        [*VERIFY, there, gone, "--wait", "0.2", "--wait-hint", HINT],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout.startswith(f"{there} is verified")
    assert run.stderr.splitlines()[-1] == (
        f"dctnet: {gone}: Gave up after 0.2 s: There is no model folder {gone}. {HINT}"
    )


@pytest.mark.parametrize(("seconds", "status"), [(MAX_WAIT_S, 0), (MAX_WAIT_S + 1, 2), ("x", 2)])
def test_bound_of_the_wait(tmp_path, capsys, seconds, status):
    command = ["verify", str(write_model(tmp_path / "anime")), "--wait", str(seconds)]
    if status:
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert stopped.value.code == status
        assert f"is not a number of seconds from 0 to {MAX_WAIT_S}" in capsys.readouterr().err
    else:
        assert main(command) == 0


def test_digest_is_for_one_folder(tmp_path, capsys):
    folder = str(write_model(tmp_path / "anime"))
    assert main(["verify", folder, folder, "--digest", "0" * 64]) == 1
    assert capsys.readouterr().err == "dctnet: --digest is for one folder.\n"
